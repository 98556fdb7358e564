// The sign of what the agent does: one shape for each state, so that no colour is needed to tell
// them apart, and a motion that follows the sound.
//
//   idle       a disc that breathes
//   listening  a disc that the user's voice dents, with rings that run towards it
//   thinking   a trefoil that turns
//   speaking   a sun whose rays are the voice
//   acting     a square that turns by a notch, like a machine

import { svg } from './dom.js';

const POINTS = 192;
const RAYS = 16;
const MORPH = 0.32; // seconds from one shape to the next
const STATES = ['idle', 'listening', 'thinking', 'speaking', 'acting'];
const still = matchMedia('(prefers-reduced-motion: reduce)');

/** `sound()` gives {level: 0 … 1, bands: [16] or null} of whoever speaks. */
export class Figure {
  constructor(sound) {
    this.sound = sound;
    this.state = 'idle';
    this.weights = Object.fromEntries(STATES.map((s) => [s, s === 'idle' ? 1 : 0]));
    this.level = 0;
    this.rays = new Float32Array(RAYS);
    this.rings = [0, 1, 2].map(() => svg('circle.ring', { cx: 0, cy: 0, r: 1 }));
    this.path = svg('path.body');
    this.element = svg(
      'svg.figure',
      { viewBox: '-1 -1 2 2', 'aria-hidden': 'true', data: { state: 'idle' } },
      ...this.rings,
      this.path,
    );
    this.last = performance.now();
    this.running = false;
    still.addEventListener('change', () => this.#wake());
    this.#draw(0);
  }

  show(state) {
    const shape = STATES.includes(state) ? state : 'idle';
    this.element.dataset.state = shape;
    this.state = shape;
    this.#wake();
  }

  /** Move only while it can be seen. */
  run(running) {
    this.running = running;
    this.#wake();
  }

  #wake() {
    if (this.frame) return;
    this.last = performance.now();
    this.frame = requestAnimationFrame((now) => this.#step(now));
  }

  #step(now) {
    this.frame = null;
    const seconds = Math.min(0.1, (now - this.last) / 1000);
    this.last = now;
    for (const state of STATES) {
      const goal = state === this.state ? 1 : 0;
      const step = still.matches ? 1 : seconds / MORPH;
      const by = Math.max(-step, Math.min(step, goal - this.weights[state]));
      this.weights[state] += by;
    }
    this.#listen(seconds);
    this.#draw(still.matches ? 0 : now / 1000);
    if (this.running && !still.matches) this.#wake();
  }

  #listen(seconds) {
    const { level, bands } = this.sound();
    const loud = Math.min(1, Math.sqrt(level) * 1.9);
    this.level += (loud - this.level) * Math.min(1, seconds * (loud > this.level ? 24 : 7));
    for (let i = 0; i < RAYS; i++) {
      const goal = bands ? 0.65 * bands[i] + 0.35 * loud : 0.5 * loud;
      this.rays[i] += (goal - this.rays[i]) * Math.min(1, seconds * (goal > this.rays[i] ? 26 : 9));
    }
  }

  #draw(t) {
    const shapes = STATES.filter((s) => this.weights[s] > 0).map((s) => [ease(this.weights[s]), SHAPES[s]]);
    const total = shapes.reduce((sum, [weight]) => sum + weight, 0);
    const radius = (angle) =>
      shapes.reduce((sum, [weight, shape]) => sum + (weight / total) * shape(angle, t, this), 0);
    this.path.setAttribute('d', closed(radius));
    const listens = this.weights.listening;
    this.rings.forEach((ring, i) => {
      const way = still.matches ? i / 3 + 0.15 : (t * 0.42 + i / 3) % 1;
      ring.setAttribute('r', (0.98 - 0.4 * way).toFixed(4));
      ring.setAttribute('opacity', (listens * Math.sin(Math.PI * way)).toFixed(3));
    });
  }
}

// Radius by angle, clockwise from the top; `f` holds the level and the rays.
const SHAPES = {
  idle: (_, t) => 0.6 + 0.012 * Math.sin((2 * Math.PI * t) / 4.5),
  listening: (a, t, f) =>
    0.53 - f.level * 0.17 * (0.5 + 0.5 * Math.cos(6 * a + 0.8 * t)) * (0.75 + 0.25 * Math.sin(5 * t)),
  thinking: (a, t) => 0.62 * (1 + 0.24 * Math.cos(3 * (a - 1.15 * t))),
  speaking: (a, _, f) => {
    const turn = (a / (2 * Math.PI)) * 2 * RAYS;
    const k = Math.round(turn / 2) % RAYS;
    const inRay = Math.abs(turn - 2 * Math.round(turn / 2)) < 0.52;
    // Mirrored, low bands above, so that the figure stands upright.
    const band = f.rays[Math.round((Math.min(k, RAYS - k) * 2 * (RAYS - 1)) / RAYS)];
    return inRay ? 0.6 + 0.38 * Math.min(1, band * 1.15) : 0.48;
  },
  acting: (a, t) => {
    const notch = Math.floor(t / 0.9);
    const turned = (notch + ease(Math.min(1, ((t / 0.9 - notch) * 0.9) / 0.35))) * (Math.PI / 4);
    const c = Math.abs(Math.cos(a - turned));
    const s = Math.abs(Math.sin(a - turned));
    return 0.6 * (c ** 9 + s ** 9) ** (-1 / 9);
  },
};

/** The sign of a state as it stands still, for a legend. */
export function legendFigure(state) {
  const quiet = { level: 0.55, rays: Float32Array.from({ length: RAYS }, (_, i) => 0.75 - 0.03 * i) };
  const rings = state === 'listening' ? [0.7, 0.9].map((r) => svg('circle.ring', { r })) : [];
  const body = svg('path.body', { d: closed((angle) => SHAPES[state](angle, 0, quiet)) });
  return svg('svg.figure', { viewBox: '-1 -1 2 2', 'aria-hidden': 'true', data: { state } }, ...rings, body);
}

function closed(radius) {
  let d = '';
  for (let i = 0; i < POINTS; i++) {
    const angle = (2 * Math.PI * i) / POINTS;
    const r = radius(angle);
    d += `${i ? 'L' : 'M'}${(r * Math.sin(angle)).toFixed(4)} ${(-r * Math.cos(angle)).toFixed(4)}`;
  }
  return `${d}Z`;
}

function ease(x) {
  return x * x * (3 - 2 * x);
}
