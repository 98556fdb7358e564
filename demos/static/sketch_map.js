// A map drawn from coordinates alone: where one stands, rings of walking minutes, numbered places,
// and the streets between them where they are known. North is up.

import { svg } from './dom.js';

const WIDTH = 400;
const HEIGHT = 260;
const PAD = 30;
const PIN = 11; // radius
const METRES_A_MINUTE = 80 / 1.3; // streets are longer than the crow's way
const MINUTES = [1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60];
const EARTH = 6371008.8;
const AREAS = new Set(['park', 'water', 'square']);

/** How far and which way, in metres, minutes on foot and degrees from north. */
export function walk(from, to) {
  const [x, y] = offset(from, to);
  const metres = Math.hypot(x, y);
  return {
    metres,
    minutes: Math.max(1, Math.round(metres / METRES_A_MINUTE)),
    bearing: ((Math.atan2(x, y) * 180) / Math.PI + 360) % 360,
  };
}

/**
 * `places`: [{name, at: [lat, lon]}], numbered from 1. `origin`: [lat, lon] or null.
 * `streets`: [{kind: 'park' | 'water' | 'square' | 'street' | 'major', line: [[lat, lon]]}].
 */
export function sketchMap({ places, origin, heading = null, streets = [] }) {
  const centre = origin ?? middle(places.map((place) => place.at));
  const points = places.map((place) => offset(centre, place.at));
  const farthest = Math.max(60, ...points.map(([x, y]) => Math.hypot(x, y)));
  const across = Math.max(
    60,
    ...points.map(([x, y]) => Math.max(Math.abs(x) * (HEIGHT - 2 * PAD) / (WIDTH - 2 * PAD), Math.abs(y))),
  );
  const scale = (HEIGHT / 2 - PAD) / across; // pixels a metre
  const project = ([x, y]) => [WIDTH / 2 + x * scale, HEIGHT / 2 - y * scale];
  const pins = apart(points.map(project));
  return svg(
    'svg.sketch',
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      label: ['map.label', { n: places.length }],
    },
    svg('g.streets', {}, ...streets.map(({ kind, line }) =>
      svg(`path.${kind}`, { d: path(line.map((point) => project(offset(centre, point))), AREAS.has(kind)) }))),
    svg('g.rings', {}, ...rings(farthest, scale, pins)),
    north(),
    origin ? you(heading) : null,
    svg('g.pins', {}, ...pins.map((pin, i) => drawn(pin, i, places[i].name))),
  );
}

function rings(farthest, scale, pins) {
  const enough = MINUTES.findIndex((minutes) => minutes * METRES_A_MINUTE >= farthest);
  const outer = enough < 0 ? MINUTES.length - 1 : enough;
  return [...new Set([Math.max(0, outer - 2), outer])].flatMap((i) => {
    const r = MINUTES[i] * METRES_A_MINUTE * scale;
    const [x, y] = freeSpot(r, pins);
    return [
      svg('circle', { cx: WIDTH / 2, cy: HEIGHT / 2, r }),
      svg('text', { says: ['map.minutes', { n: MINUTES[i] }], x, y: y + 4, 'text-anchor': 'middle' }),
    ];
  });
}

/** Where on a ring its label hides no pin. */
function freeSpot(r, pins) {
  const spots = Array.from({ length: 24 }, (_, i) => (i * Math.PI) / 12)
    .map((angle) => [WIDTH / 2 + r * Math.sin(angle), HEIGHT / 2 + r * Math.cos(angle)])
    .filter(([x, y]) => x > 24 && x < WIDTH - 40 && y > 12 && y < HEIGHT - 12);
  const room = ([x, y]) => Math.min(80, ...pins.map((pin) => Math.hypot(pin.x - x, pin.y - y)));
  return spots.sort((a, b) => room(b) - room(a))[0] ?? [WIDTH / 2, HEIGHT - 10];
}

function north() {
  return svg('g.north', {},
    svg('path', { d: `M${WIDTH - 20} 8l4.5 11h-9z` }),
    svg('text', { says: 'map.north', x: WIDTH - 20, y: 34, 'text-anchor': 'middle' }));
}

function you(heading) {
  const [x, y] = [WIDTH / 2, HEIGHT / 2];
  const cone = Number.isFinite(heading)
    ? svg('path.cone', { d: `M${x} ${y}l-15 -34a37 37 0 0 1 30 0z`, transform: `rotate(${heading} ${x} ${y})` })
    : null;
  return svg('g.you', {}, cone, svg('circle.halo', { cx: x, cy: y, r: 9 }), svg('circle', { cx: x, cy: y, r: 5 }));
}

function drawn({ x, y, at }, i, name) {
  const number = svg('text', { x, y: y + 4, 'text-anchor': 'middle' });
  number.textContent = String(i + 1);
  const title = svg('title');
  title.textContent = name;
  return svg('g.pin', { data: { number: i + 1 } },
    svg('line', { x1: at[0], y1: at[1], x2: x, y2: y }),
    svg('circle.spot', { cx: at[0], cy: at[1], r: 2.5 }),
    svg('circle.disc', { cx: x, cy: y, r: PIN }),
    number,
    title);
}

/** Push pins apart until none hides another; each stays tied to where it belongs. */
function apart(points) {
  const pins = points.map((at) => ({ x: at[0], y: at[1] - PIN - 5, at }));
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < pins.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [pins[i], pins[j]];
        const [dx, dy] = [a.x - b.x || 0.1 * (i - j), a.y - b.y || 0.1];
        const gap = 2 * PIN + 3 - Math.hypot(dx, dy);
        if (gap <= 0) continue;
        const length = Math.hypot(dx, dy);
        a.x += (dx / length) * gap * 0.5;
        a.y += (dy / length) * gap * 0.5;
        b.x -= (dx / length) * gap * 0.5;
        b.y -= (dy / length) * gap * 0.5;
      }
    }
    for (const pin of pins) {
      pin.x = Math.max(PIN + 3, Math.min(WIDTH - PIN - 3, pin.x));
      pin.y = Math.max(PIN + 3, Math.min(HEIGHT - PIN - 3, pin.y));
    }
  }
  return pins;
}

function path(points, closed) {
  return points.map(([x, y], i) => `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('') + (closed ? 'Z' : '');
}

/** Metres east and north; flat enough for a walk. */
function offset([lat0, lon0], [lat, lon]) {
  const degree = (EARTH * Math.PI) / 180;
  return [(lon - lon0) * degree * Math.cos((lat0 * Math.PI) / 180), (lat - lat0) * degree];
}

function middle(points) {
  const mean = (i) => points.reduce((sum, point) => sum + point[i], 0) / points.length;
  return [mean(0), mean(1)];
}
