// Who is there, as far as the agent knows: a chip each, with a question mark where it is not sure.

import { el } from './dom.js';

export class People {
  constructor() {
    this.element = el('ul.people', { label: 'people.label', hidden: true });
  }

  /** From left to right: [{name or null, sure, speaking}]. */
  show(people) {
    this.element.hidden = !people.length;
    this.element.replaceChildren(...people.map(chip));
  }
}

function chip({ name, sure, speaking }) {
  const doubt = name ? 'people.unsure' : 'people.unknown';
  return el('li', { class: speaking ? 'speaks' : null },
    name,
    sure && name ? null : el('span', { 'aria-hidden': 'true' }, '?'),
    sure && name ? null : el('span.sr-only', { says: doubt }),
    speaking ? el('span.sr-only', { says: 'people.speaks' }) : null);
}
