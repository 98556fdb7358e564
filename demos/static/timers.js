// Kitchen timers, counting down. They are kept in the tab, so that a reload loses none.

import { el, say, svg } from './dom.js';
import { icon } from './icons.js';

const KEPT = 'omni.timers';
const ROUND = 2 * Math.PI * 20;

export class Timers {
  #timers = new Map(); // name → {name, seconds, ends, rung, element, …}
  #on;
  #ticking = null;

  /** `on.rings(name)` when one is over. */
  constructor(on) {
    this.#on = on;
    this.element = el('ul.timers', { label: 'timers.label', hidden: true });
    this.#restore();
  }

  start(name, seconds) {
    this.#put({ name, seconds, ends: Date.now() + 1000 * seconds });
  }

  cancel(name) {
    const timer = this.#timers.get(name);
    if (!timer) return;
    timer.element.remove();
    this.#timers.delete(name);
    this.#changed();
  }

  /** The agent has told which timers run and how long each has left. */
  sync(list) {
    const names = new Set(list.map(({ name }) => name));
    for (const { name, rung } of [...this.#timers.values()]) {
      if (!names.has(name) && !rung) this.cancel(name);
    }
    for (const { name, seconds_left: left } of list) {
      const known = this.#timers.get(name);
      this.#put({ name, seconds: known?.seconds ?? left, ends: Date.now() + 1000 * left });
    }
  }

  #put({ name, seconds, ends }) {
    this.#timers.get(name)?.element.remove();
    const hand = svg('circle.hand', { cx: 24, cy: 24, r: 20, 'stroke-dasharray': ROUND, transform: 'rotate(-90 24 24)' });
    const left = el('time.remaining', { role: 'timer', 'aria-live': 'off' });
    const note = el('span.note');
    const timer = { name, seconds, ends, rung: false, hand, left, note };
    timer.element = el(
      'li.timer',
      {},
      svg('svg.dial', { viewBox: '0 0 48 48', 'aria-hidden': 'true' },
        svg('circle.face', { cx: 24, cy: 24, r: 20 }), hand),
      el('div', {}, left, el('span.name', {}, name ? document.createTextNode(name) : null), note),
      el('button.quiet.dismiss', { label: ['timers.dismiss', { name }], onclick: () => this.cancel(name) }, icon('close')),
    );
    if (!name) say(timer.element.querySelector('.name'), 'timers.unnamed');
    this.#timers.set(name, timer);
    this.element.append(timer.element);
    this.#changed();
    this.#tick();
  }

  #changed() {
    this.element.hidden = this.#timers.size === 0;
    const running = [...this.#timers.values()].filter((timer) => !timer.rung);
    const kept = running.map(({ name, seconds, ends }) => ({ name, seconds, ends }));
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // Then a reload loses what is shown; the agent's own timers go on.
    }
    if (running.length && !this.#ticking) this.#ticking = setInterval(() => this.#tick(), 250);
    if (!running.length) {
      clearInterval(this.#ticking);
      this.#ticking = null;
    }
  }

  #tick() {
    for (const timer of this.#timers.values()) {
      const left = Math.max(0, (timer.ends - Date.now()) / 1000);
      timer.left.textContent = clock(left);
      timer.hand.setAttribute('stroke-dashoffset', ROUND * (1 - left / timer.seconds));
      if (left > 0 || timer.rung) continue;
      timer.rung = true;
      timer.element.classList.add('rung');
      say(timer.note, 'timers.over');
      this.#on.rings(timer.name);
      this.#changed();
    }
  }

  #restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]');
      for (const timer of kept) if (timer.ends > Date.now()) this.#put(timer);
    } catch {
      // Nothing that could be read was kept.
    }
  }
}

/** 75 → "1:15", 3675 → "1:01:15". */
export function clock(seconds) {
  const whole = Math.ceil(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (n) => String(n).padStart(2, '0');
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

