// The microphone's side on the audio thread: any rate in, 20 ms blocks of 24 kHz PCM16 out.
//
// Messages out: {pcm: ArrayBuffer of Int16 little-endian, level: RMS 0 … 1}.

export const RATE = 24000;
const BLOCK = 480; // samples, 20 ms
const SILENCE = new Float32Array(128);

const ZEROS = 24; // zero crossings of the sinc on each side

/** Changes the rate of sound that arrives in chunks, by a windowed sinc in polyphase form. */
export class Resampler {
  constructor(from, to = RATE) {
    const common = gcd(from, to);
    this.up = to / common;
    this.down = from / common;
    const cutoff = Math.min(1, to / from) * 0.94; // of the input's Nyquist frequency
    this.half = Math.ceil(ZEROS / cutoff); // input samples on each side
    this.phases = Array.from({ length: this.up }, (_, phase) =>
      this.#taps(phase / this.up, cutoff),
    );
    this.held = new Float32Array(2 * this.half); // begins with silence
    this.phase = 0;
    this.at = 0; // the input sample under the filter's first tap, counted within `held`
  }

  push(chunk) {
    if (this.up === this.down) return chunk;
    const input = new Float32Array(this.held.length + chunk.length);
    input.set(this.held);
    input.set(chunk, this.held.length);
    const width = 2 * this.half;
    const out = [];
    while (this.at + width <= input.length) {
      const taps = this.phases[this.phase];
      let sum = 0;
      for (let i = 0; i < width; i++) sum += input[this.at + i] * taps[i];
      out.push(sum);
      this.phase += this.down;
      this.at += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    const keep = Math.min(this.at, input.length);
    this.held = input.slice(keep);
    this.at -= keep;
    return Float32Array.from(out);
  }

  #taps(fraction, cutoff) {
    const taps = new Float32Array(2 * this.half);
    let total = 0;
    for (let i = 0; i < taps.length; i++) {
      const x = i - this.half + 1 - fraction;
      const window = Math.abs(x) < this.half ? 0.5 + 0.5 * Math.cos((Math.PI * x) / this.half) : 0;
      taps[i] = cutoff * sinc(cutoff * x) * window;
      total += taps[i];
    }
    return taps.map((tap) => tap / total); // a constant stays what it is, in every phase
  }
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}

/** Float samples to little-endian 16 bit; what is over full scale is clipped. */
export function toPcm16(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((sample, i) => {
    view.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), true);
  });
  return view.buffer;
}

if (globalThis.registerProcessor) {
  class Capture extends AudioWorkletProcessor {
    constructor() {
      super();
      this.resampler = new Resampler(sampleRate);
      this.block = new Float32Array(BLOCK);
      this.filled = 0;
    }

    process([input]) {
      // What pauses has no channels; silence goes out, as the call's clock must not stand still.
      const samples = mixed(input) ?? SILENCE;
      for (const sample of this.resampler.push(samples)) this.#take(sample);
      return true;
    }

    #take(sample) {
      this.block[this.filled++] = sample;
      if (this.filled < BLOCK) return;
      this.filled = 0;
      const level = Math.sqrt(this.block.reduce((sum, s) => sum + s * s, 0) / BLOCK);
      const pcm = toPcm16(this.block);
      this.port.postMessage({ pcm, level }, [pcm]);
    }
  }

  registerProcessor('capture', Capture);
}

function mixed(channels) {
  if (!channels?.length) return null;
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, i) => channels.reduce((sum, c) => sum + c[i], 0) / channels.length);
}
