// How quick a turn was: end of turn, first words, first sound, on one line from the last syllable.

import { el, say, svg, text } from './dom.js';
import { number, onLanguage, t } from './words.js';

const FIELDS = ['end_of_turn', 'first_text', 'first_audio'];
const KEPT = 5;

export class Latency {
  #turns = [];
  #across = 2; // seconds across

  constructor() {
    this.rows = svg('svg.strip', { viewBox: '0 0 300 64', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    this.values = Object.fromEntries(FIELDS.map((field) => [field, el('dd')]));
    this.scale = el('p.scale', { 'aria-hidden': 'true' });
    this.note = el('p.note');
    this.element = el(
      'section.latency',
      { label: 'latency.label', hidden: true },
      el('h2', { says: 'latency.title' }),
      el('dl', {}, ...FIELDS.map((field) =>
        el(`div.${field}`, {}, el('dt', { says: `latency.${field}` }), this.values[field]))),
      this.rows,
      this.scale,
      this.note,
    );
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** The fields of TurnMeasured: seconds, or null. */
  measured(turn) {
    this.#turns = [...this.#turns, turn].slice(-KEPT);
    this.#draw();
  }

  clear() {
    this.#turns = [];
    this.#draw();
  }

  #draw() {
    const last = this.#turns.at(-1);
    this.element.hidden = !last;
    for (const field of FIELDS) {
      const seconds = last?.[field];
      text(this.values[field], seconds == null ? '–' : t('latency.seconds', { s: number(seconds, 2) }));
    }
    if (last?.drafted) say(this.note, 'latency.drafted');
    else if (last?.tools > 0) say(this.note, 'latency.tools', { s: number(last.tools, 1) });
    else say(this.note, 'latency.counted');
    const longest = Math.max(0, ...this.#turns.flatMap((turn) => FIELDS.map((f) => turn[f] ?? 0)));
    this.#across = Math.max(1, Math.ceil(longest));
    this.scale.replaceChildren(...Array.from({ length: this.#across + 1 }, (_, second) =>
      el('span', { says: ['latency.seconds', { s: second }] })));
    this.rows.replaceChildren(...this.#marks(), ...this.#turns.flatMap((turn, i) => this.#row(turn, i)));
  }

  #marks() {
    return Array.from({ length: this.#across + 1 }, (_, second) =>
      svg('line.second', { x1: this.#x(second), x2: this.#x(second), y1: 2, y2: 62 }));
  }

  #row(turn, i) {
    const y = 62 - (this.#turns.length - i) * 11.5;
    const [end, words, sound] = FIELDS.map((field) => turn[field]);
    const newest = i === this.#turns.length - 1 ? 'newest' : '';
    const bar = (name, from, to) =>
      from == null || to == null || to <= from
        ? null
        : svg(`rect.${name}`, { class: newest, x: this.#x(from), width: this.#x(to) - this.#x(from), y, height: 8 });
    return [bar('end', 0, end), bar('words', end ?? 0, words), bar('sound', words ?? end ?? 0, sound)]
      .filter(Boolean);
  }

  #x(seconds) {
    return 2 + (296 * seconds) / this.#across;
  }
}
