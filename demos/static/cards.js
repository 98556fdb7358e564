// What the agent does, as cards: newest first, one for each run of a tool; a recipe keeps its card.

import { el, speaks, text } from './dom.js';
import { icon } from './icons.js';
import { placeCard, placesCard } from './places_card.js';
import { recipeCard, recipeList, stepWords } from './recipe_card.js';
import { Timers } from './timers.js';
import { has, number } from './words.js';

const MOST = 12;

export class Cards {
  #pending = new Map(); // call id → {name, card}
  #recipe = null; // the card that follows the cooking
  #wordless = null; // {item}: what says the words of its step, where its tool did not
  #here = () => ({});

  /** `here()`: {origin: [lat, lon] or null, heading, streets}. `on.rings(name)`: a timer is over. */
  constructor({ here, on }) {
    this.#here = here;
    this.timers = new Timers(on);
    this.list = el('div.list', { label: 'cards.label', role: 'region', 'aria-live': 'polite' });
    this.examples = el('ul');
    this.empty = el('div.empty', {},
      el('p', { says: 'cards.empty' }), el('h3', { says: 'try.title' }), this.examples);
    this.element = el('section.cards', {}, this.timers.element, this.list, this.empty);
    this.#changed();
  }

  /** What one could ask this agent. */
  suggest(agent) {
    this.examples.replaceChildren(...[1, 2, 3]
      .map((n) => `agent.${agent}.try.${n}`)
      .filter(has)
      .map((key) => el('li', { says: key })));
  }

  /** A tool is at work. */
  started(id, name) {
    if (this.#pending.has(id)) return;
    const card = shell('tool', 'tool', named(name));
    card.classList.add('working');
    this.#pending.set(id, { name, card });
    this.#put(card);
  }

  /** It is done: {call_id?, name, arguments, result, say?, seconds, is_error}. */
  finished(run) {
    const [id, pending] =
      [...this.#pending].find(([key]) => key === run.call_id) ??
      [...this.#pending].find(([, { name }]) => name === run.name) ??
      [];
    this.#pending.delete(id);
    const card = run.is_error ? failed(run) : this.#shown(run);
    if (card && pending) pending.card.replaceWith(card);
    else if (card) this.#put(card);
    else pending?.card.remove();
    this.#changed();
  }

  /** Nothing that is still at work will come to an end: the call is over. */
  abandon() {
    for (const { card } of this.#pending.values()) card.remove();
    this.#pending.clear();
    this.#changed();
  }

  /** Memories that were laid before the model. */
  remembered(memories) {
    if (!memories.length) return;
    const card = shell('memory', 'memory', ['cards.remembered', { n: memories.length }]);
    card.append(el('ul.memories', {}, ...memories.map((memory) =>
      el('li', {}, el('q', {}, memory.text), memory.speaker ? el('cite', {}, memory.speaker) : null))));
    this.#put(card);
  }

  /** The agent's item `id` says `words` by now: those of a step whose tool gave none. */
  spoken(id, words) {
    if (!this.#wordless) return;
    this.#wordless.item ??= id;
    if (this.#wordless.item === id) stepWords(this.#recipe, words);
  }

  clear() {
    this.abandon();
    this.#recipe = this.#wordless = null;
    this.list.replaceChildren();
    this.#changed();
  }

  #shown(run) {
    const data = parsed(run.result);
    if (data?.recipe && data.steps) {
      this.#recipe?.remove();
      this.#recipe = recipeCard(shell('recipe', 'pot', null), data);
      this.#wordless = run.say ? null : { item: null };
      if (run.say) stepWords(this.#recipe, run.say);
      return this.#recipe;
    }
    if (Array.isArray(data?.places)) {
      return placesCard(shell('places', 'pin', 'cards.places'), data, this.#here());
    }
    if (Array.isArray(data?.at) && data.name) {
      return placeCard(shell('places', 'pin', null), data, this.#here());
    }
    switch (run.name) {
      case 'set_timer':
        this.timers.start(data.name, data.seconds);
        return null;
      case 'start_step_timer':
        this.timers.start(data.timer, data.seconds);
        return null;
      case 'cancel_timer':
        this.timers.cancel(data.cancelled);
        return null;
      case 'list_timers':
        this.timers.sync(data);
        return null;
      case 'find_recipe':
        return recipeList(shell('recipe', 'pot', 'cards.dishes'), data);
      default:
        return plain(run);
    }
  }

  #put(card) {
    this.list.prepend(card);
    while (this.list.children.length > MOST) this.list.lastElementChild.remove();
    this.#changed();
  }

  #changed() {
    this.empty.hidden = this.list.children.length > 0 || !this.timers.element.hidden;
  }
}

/** An empty card. `heading`: a key, [key, values], {words}, or null where its maker fills it. */
function shell(kind, sign, heading) {
  const h3 = el('h3');
  if (heading?.words) text(h3, heading.words);
  else if (heading) speaks(h3, 'says', heading);
  return el('article.card', { data: { kind } }, el('header', {}, icon(sign), h3));
}

/** A tool's name in the tables of words, or as it is. */
function named(tool) {
  return has(`tool.${tool}`) ? `tool.${tool}` : { words: tool.replaceAll('_', ' ') };
}

function failed(run) {
  const card = shell('failed', 'warn', named(run.name));
  card.append(el('p', { says: 'cards.failed' }), el('p.result', {}, run.result));
  return card;
}

function plain(run) {
  const card = shell('tool', 'tool', named(run.name));
  const given = Object.entries(run.arguments ?? {});
  if (given.length) {
    card.append(el('dl.given', {}, ...given.map(([name, value]) =>
      el('div', {}, el('dt', {}, name), el('dd', {}, typeof value === 'string' ? value : JSON.stringify(value))))));
  }
  card.append(el('p.result', {}, run.say ?? shortened(run.result)));
  const seconds = number(run.seconds ?? 0, 1);
  card.querySelector('header').append(el('span.took', { says: ['latency.seconds', { s: seconds }] }));
  return card;
}

function shortened(words) {
  return words.length > 400 ? `${words.slice(0, 400)}…` : words;
}

function parsed(result) {
  if (typeof result !== 'string') return result;
  try {
    return JSON.parse(result);
  } catch {
    return null; // words, then
  }
}
