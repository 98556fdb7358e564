// Who is known, with their best shot, how they looked when, and what they said; and what was seen.

import { el, say } from './dom.js';
import { onLanguage } from './words.js';
import { when } from './when.js';

/** `server`: see page/people.py. */
export function mount(root, { server }) {
  const shelf = new PeopleShelf(server);
  root.append(shelf.element);
  document.addEventListener('omni:panel', ({ detail }) => detail === 'memory' && shelf.look());
  if (location.hash === '#memory') shelf.look();
}

class PeopleShelf {
  #server;

  constructor(server) {
    this.#server = server;
    this.people = el('ul.persons', { label: 'persons.label' });
    this.scenes = el('ol.scenes', { label: 'scenes.label', tabindex: '0' });
    this.status = el('p.sr-only', { role: 'status' });
    this.trouble = el('p.nothing', { hidden: true });
    this.element = el('section.shelf', { hidden: true },
      this.trouble,
      el('h2', { says: 'persons.title' }), this.people,
      el('h2', { says: 'scenes.title' }), this.scenes,
      this.status);
    onLanguage(() => {
      for (const time of this.element.querySelectorAll('time')) time.textContent = when(time.dateTime);
    });
  }

  async look() {
    const known = await this.#server.known({});
    this.trouble.hidden = !known.error;
    this.trouble.textContent = known.error ?? '';
    const { people = [], scenes = [] } = known;
    this.element.hidden = !known.error && !people.length && !scenes.length;
    show(this.people, people.map((person) => this.#person(person)));
    show(this.scenes, scenes.map(scene));
  }

  #person(person) {
    const forget = el('button.button.forget', {
      says: 'memory.forget',
      label: ['memory.forget.this', { text: person.name ?? '?' }],
      onclick: () => this.#sure(card, person, forget),
    });
    const past = person.looks.filter(({ until }) => until);
    const card = el('li.person', { data: { id: person.id } },
      person.portrait
        ? el('img', { src: person.portrait, alt: '' })
        : el('div.initial', { 'aria-hidden': 'true' }, (person.name ?? '?').slice(0, 1)),
      el('div.facts', {},
        person.name ? el('h3', {}, person.name) : el('h3', { says: 'people.unknown' }),
        el('p.about', {}, el('span', { says: 'persons.seen' }), ' ', time(person.seen))),
      forget,
      el('ul.looks', { label: 'persons.looks' }, ...person.looks.filter(({ until }) => !until).map(look)),
      past.length
        ? el('details', {}, el('summary', { says: ['persons.before', { n: past.length }] }),
          el('ul.looks', {}, ...past.map(look)))
        : null,
      person.said.length
        ? el('details.said', {}, el('summary', { says: ['persons.said', { n: person.said.length }] }),
          el('ul', {}, ...person.said.map((one) => el('li', {}, el('q', {}, one.text), ' ', time(one.at)))))
        : null);
    return card;
  }

  #sure(card, person, forget) {
    const keep = () => {
      asking.remove();
      forget.hidden = false;
      forget.focus();
    };
    const yes = el('button.button.bad', { says: 'memory.forget', onclick: () => this.#forget(person) });
    const asking = el('div.asking', { role: 'group', label: 'persons.sure', onkeydown: (event) => event.key === 'Escape' && keep() },
      el('p', { says: 'persons.sure' }), yes, el('button.button', { says: 'memory.keep', onclick: keep }));
    forget.hidden = true;
    card.append(asking);
    yes.focus();
  }

  async #forget(person) {
    const done = await this.#server.forget_person({ id: person.id });
    if (done.error) {
      this.trouble.hidden = false;
      this.trouble.textContent = done.error;
      return;
    }
    await this.look();
    say(this.status, 'memory.forgotten', { n: done.gone.length || 1 });
    document.dispatchEvent(new CustomEvent('omni:forgotten'));
  }
}

/** A list and its heading, or neither. */
function show(list, items) {
  list.replaceChildren(...items);
  list.hidden = list.previousElementSibling.hidden = !items.length;
}

function look({ slot, value, until }) {
  return el('li', { class: until ? 'past' : null }, `${slot}: ${value}`,
    until ? el('span', { says: ['memory.until', { when: when(until) }] }) : null);
}

function scene({ at, words, people, picture }) {
  return el('li.scene', {},
    picture ? el('img', { src: picture, alt: words, loading: 'lazy' }) : el('div.gone', { says: 'scenes.thinned' }),
    time(at),
    people.length ? el('b', {}, people.join(', ')) : null,
    words ? el('span.words', {}, words) : null);
}

function time(iso) {
  return el('time', { datetime: iso }, when(iso));
}
