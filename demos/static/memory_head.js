// The memory's heading, above people and memories.

import { el } from './dom.js';

/** `remembers`: whether there is a memory at all. */
export function mount(root, { remembers }) {
  root.append(
    el('header.heading', {}, el('h1', { says: 'memory.title' }), el('p', { says: 'memory.about' })),
    ...(remembers ? [] : [el('p.nothing', { says: 'memory.off' })]),
  );
}
