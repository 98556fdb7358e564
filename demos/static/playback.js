// Plays the agent's voice and knows, to the sample, how much of each item has sounded.

export const RATE = 24000;

const TELL_EVERY = 250; // ms between two reports of the same item

/**
 * `on` is told `played(item, ms)` while an item sounds, `ended(item, ms)` after its last sample,
 * and `stopped([{item, ms}])` for everything that a stop has cut off.
 */
export class Playback {
  #context = null;
  #node = null;
  #analyser = null;
  #bins = null;
  #on;
  #toldAt = 0;
  #open = new Set(); // items that may sound still
  #cut = new Set(); // items that were stopped: what still arrives of them is dropped

  constructor(on) {
    this.#on = on;
    this.level = 0;
  }

  /** Called from a click: browsers let nothing sound before one. */
  async open() {
    if (this.#context) return this.#context.resume();
    const context = new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' });
    this.#context = context;
    await context.audioWorklet.addModule(new URL('playback_worklet.js', import.meta.url));
    if (context !== this.#context) return undefined; // closed meanwhile
    this.#node = new AudioWorkletNode(context, 'playback', {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.#node.port.onmessage = ({ data }) => this.#heard(data);
    this.#analyser = new AnalyserNode(context, { fftSize: 512, smoothingTimeConstant: 0.6 });
    this.#bins = new Uint8Array(this.#analyser.frequencyBinCount);
    this.#node.connect(this.#analyser).connect(context.destination);
    return context.resume();
  }

  /** The node whose output is what one hears. */
  get output() {
    return this.#analyser;
  }

  play(item, pcm16) {
    if (this.#cut.has(item) || !this.#node) return;
    this.#open.add(item);
    const samples = Float32Array.from(pcm16, (value) => value / 32768);
    this.#node.port.postMessage({ do: 'play', item, samples }, [samples.buffer]);
  }

  end(item) {
    this.#node?.port.postMessage({ do: 'end', item });
  }

  /** "duck" | "pause" | "resume" | "stop", within one render quantum. */
  control(action) {
    if (action === 'stop') {
      for (const item of this.#open) this.#cut.add(item);
      this.#open.clear();
    }
    this.#node?.port.postMessage({ do: action });
  }

  /** 16 bands of what sounds now, each 0 … 1. */
  bands() {
    if (!this.#analyser) return null;
    this.#analyser.getByteFrequencyData(this.#bins);
    // Speech lies below 6 kHz; each band is wider than the one below it.
    return Array.from({ length: 16 }, (_, i) => {
      const from = Math.round(2 + 0.42 * i * i);
      return this.#bins[Math.min(from, this.#bins.length - 1)] / 255;
    });
  }

  canChooseSpeaker() {
    return 'setSinkId' in AudioContext.prototype;
  }

  /** One that is not there any more leaves the sound where it was. */
  async useSpeaker(deviceId) {
    if (!this.#context || !this.canChooseSpeaker()) return;
    try {
      await this.#context.setSinkId(deviceId || '');
    } catch (error) {
      console.warn('the loudspeaker that was chosen cannot be used', error);
    }
  }

  async close() {
    const context = this.#context;
    this.#context = this.#node = this.#analyser = null;
    this.#open.clear();
    this.#cut.clear();
    this.level = 0;
    await context?.close();
  }

  #heard(message) {
    switch (message.event) {
      case 'played': {
        this.level = message.level;
        const now = performance.now();
        if (now - this.#toldAt < TELL_EVERY) break;
        this.#toldAt = now;
        // What the worklet has given away sounds a little later.
        const late = RATE * ((this.#context?.outputLatency || 0) + (this.#context?.baseLatency || 0));
        this.#on.played(message.item, toMs(Math.max(0, message.samples - late)));
        break;
      }
      case 'ended':
        this.level = 0;
        this.#open.delete(message.item);
        this.#on.ended(message.item, toMs(message.samples));
        break;
      case 'stopped':
        this.level = 0;
        this.#on.stopped(message.items.map(({ item, samples }) => ({ item, ms: toMs(samples) })));
        break;
    }
  }
}

function toMs(samples) {
  return Math.floor((samples * 1000) / RATE);
}
