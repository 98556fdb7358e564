// The recipe: which step of how many, for how many people, and its words.

import { el, say, text } from './dom.js';

const PLACE = /^.*?(?:Step \d+ of \d+\.|第\d+步，共\d+步。)\s*/s;

/** The words of the step are still to come: see `stepWords`. */
export function recipeCard(card, { recipe, step, steps, servings }) {
  text(card.querySelector('h3'), recipe);
  card.querySelector('header').append(el('span.took', { says: ['recipe.servings', { n: servings }] }));
  const pips = Array.from({ length: steps }, (_, i) =>
    el('span', { class: i + 1 < step ? 'done' : i + 1 === step ? 'now' : '' }));
  const place = el('p.place', {}, el('b', {}, String(step)), el('span', { says: ['recipe.of', { n: steps }] }));
  card.append(
    el('div.progress', { role: 'img', label: ['recipe.progress', { step, n: steps }] }, ...pips),
    el('div.now', {}, place, el('p.step')),
  );
  return card;
}

/** `words`: what is said, of which the card itself tells the dish and the number of the step. */
export function stepWords(card, words) {
  text(card.querySelector('.step'), words.replace(PLACE, ''));
}

/** Dishes to choose from: [{name, minutes, course}]. */
export function recipeList(card, dishes) {
  if (!dishes?.length) {
    card.append(el('p.result', { says: 'recipe.none' }));
    return card;
  }
  card.append(el('ul.dishes', {}, ...dishes.map(({ name, minutes, course }) => {
    const takes = el('span.minutes');
    if (minutes) say(takes, 'recipe.minutes', { n: minutes });
    return el('li', {}, el('b', {}, name), el('span.course', {}, course ?? ''), takes);
  })));
  return card;
}
