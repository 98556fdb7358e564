// The loudspeaker's side on the audio thread. It counts every sample of every item it plays.
//
// Messages in:  {do: 'play', item, samples}   more sound of an item (24 kHz, the context's rate)
//               {do: 'end', item}             no more sound of it will come
//               {do: 'duck' | 'pause' | 'resume'}
//               {do: 'stop'}                  drop what has not sounded
// Messages out: {event: 'played', item, samples, level}   while it sounds, 20 times a second
//               {event: 'ended', item, samples}           its last sample has sounded
//               {event: 'stopped', items: [{item, samples}]}
//
// A command takes effect within the next render quantum (128 samples, 5.3 ms): pausing and stopping
// fade out over it, so that nothing clicks. What faded in a pause is played again after it.

export const DUCKED = 10 ** (-12 / 20);

const RAMP = 480; // samples, 20 ms, from full to ducked and back
const REPORT_EVERY = 1200; // samples, 50 ms

export class Player {
  constructor(tell) {
    this.tell = tell;
    this.queue = []; // {item, samples, at}
    this.items = new Map(); // item → {played, total, ended}
    this.gain = 1;
    this.target = 1;
    this.state = 'on'; // 'on' | 'pausing' | 'paused' | 'resuming' | 'stopping'
    this.sinceReport = 0;
    this.energy = 0;
  }

  command(message) {
    switch (message.do) {
      case 'play':
        this.#item(message.item).total += message.samples.length;
        this.queue.push({ item: message.item, samples: message.samples, at: 0 });
        break;
      case 'end':
        if (this.items.has(message.item)) this.items.get(message.item).ended = true;
        this.#tellEnded();
        break;
      case 'duck':
        this.target = DUCKED;
        break;
      case 'pause':
        if (this.state === 'on' || this.state === 'resuming') this.state = 'pausing';
        break;
      case 'resume':
        this.target = 1;
        if (this.state === 'paused') this.state = 'resuming';
        else if (this.state === 'pausing') this.state = 'on';
        break;
      case 'stop':
        // From a pause there is nothing left to fade.
        if (this.state === 'paused') this.#stop();
        else this.state = 'stopping';
        break;
    }
  }

  /** Fill one render quantum, [n] samples. */
  render(out) {
    if (this.state === 'paused') return;
    const fades = this.state === 'pausing' || this.state === 'stopping';
    const before = fades ? this.#mark() : null;
    this.#fill(out);
    if (this.state !== 'on') {
      const n = out.length;
      for (let i = 0; i < n; i++) out[i] *= fades ? 1 - (i + 1) / n : (i + 1) / n;
    }
    switch (this.state) {
      case 'pausing':
        this.#goBack(before);
        this.state = 'paused';
        break;
      case 'resuming':
        this.state = 'on';
        break;
      case 'stopping':
        this.#goBack(before);
        this.#stop();
        break;
    }
    if (this.state === 'on') this.#report(out);
  }

  #item(id) {
    if (!this.items.has(id)) this.items.set(id, { played: 0, total: 0, ended: false });
    return this.items.get(id);
  }

  #fill(out) {
    let i = 0;
    while (i < out.length && this.queue.length) {
      const piece = this.queue[0];
      const n = Math.min(out.length - i, piece.samples.length - piece.at);
      for (let k = 0; k < n; k++) {
        this.#stepGain();
        out[i + k] = piece.samples[piece.at + k] * this.gain;
      }
      piece.at += n;
      i += n;
      this.items.get(piece.item).played += n;
      if (piece.at < piece.samples.length) break;
      this.queue.shift();
    }
    for (; i < out.length; i++) this.#stepGain();
  }

  #stepGain() {
    if (this.gain === this.target) return;
    const step = (1 - DUCKED) / RAMP;
    this.gain += Math.max(-step, Math.min(step, this.target - this.gain));
  }

  // The queue as it stands, to come back to: pieces may leave it while a quantum is filled.
  #mark() {
    return {
      queue: this.queue.map((piece) => ({ ...piece })),
      played: new Map([...this.items].map(([id, item]) => [id, item.played])),
    };
  }

  #goBack({ queue, played }) {
    this.queue = queue;
    for (const [id, samples] of played) this.items.get(id).played = samples;
  }

  #stop() {
    const items = [...this.items].map(([item, { played }]) => ({ item, samples: played }));
    this.queue = [];
    this.items.clear();
    this.state = 'on';
    this.gain = this.target = 1;
    this.tell({ event: 'stopped', items });
  }

  #report(out) {
    for (const sample of out) this.energy += sample * sample;
    this.sinceReport += out.length;
    this.#tellEnded();
    if (this.sinceReport < REPORT_EVERY) return;
    const level = Math.sqrt(this.energy / this.sinceReport);
    this.sinceReport = this.energy = 0;
    const [item, state] = [...this.items].find(([, s]) => s.played < s.total) ?? [];
    if (item !== undefined) this.tell({ event: 'played', item, samples: state.played, level });
  }

  #tellEnded() {
    for (const [item, state] of this.items) {
      if (!state.ended || state.played < state.total) continue;
      this.items.delete(item);
      this.tell({ event: 'ended', item, samples: state.played });
    }
  }
}

if (globalThis.registerProcessor) {
  class Playback extends AudioWorkletProcessor {
    constructor() {
      super();
      this.player = new Player((message) => this.port.postMessage(message));
      this.port.onmessage = ({ data }) => this.player.command(data);
    }

    process(_, [output]) {
      this.player.render(output[0]);
      for (let c = 1; c < output.length; c++) output[c].set(output[0]);
      return true;
    }
  }

  registerProcessor('playback', Playback);
}
