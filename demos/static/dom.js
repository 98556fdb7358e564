// Makes elements. Texts become text nodes and nothing else: what a model, a tool or a memory says
// can never turn into markup.

import { t, onLanguage } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const ATTRIBUTES = { says: 'textContent', label: 'aria-label', hint: 'title', asks: 'placeholder' };

/**
 * `el('button.round', {label: 'mute', onclick}, icon('mic'))`. `says`, `label`, `hint` and `asks`
 * are keys of the tables of words (or [key, values]) and follow the language of the page; `class`,
 * `data`, `style` and `on…` are what they are in HTML. Children that are null are left out.
 */
export function el(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  return filled(document.createElement(tag || 'div'), classes, properties, children);
}

export function svg(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  return filled(document.createElementNS(SVG, tag), classes, properties, children);
}

/** Have an element say the words of a key, now and after a change of language. */
export function say(element, key, values) {
  return speaks(element, 'says', values === undefined ? key : [key, values]);
}

export function speaks(element, what, key) {
  element.dataset[what] = ''; // so that it is found again
  (spoken.get(element) ?? spoken.set(element, {}).get(element))[what] = key;
  put(element, what, key);
  return element;
}

/** Replace an element's text by words that are nobody's key; it stays the same in every language. */
export function text(element, words) {
  delete element.dataset.says;
  if (spoken.has(element)) delete spoken.get(element).says;
  element.textContent = words;
  return element;
}

const spoken = new WeakMap();

onLanguage(() => {
  for (const what of Object.keys(ATTRIBUTES)) {
    for (const element of document.querySelectorAll(`[data-${what}]`)) {
      const key = spoken.get(element)?.[what];
      if (key !== undefined) put(element, what, key);
    }
  }
});

function put(element, what, key) {
  const words = Array.isArray(key) ? t(...key) : t(key);
  if (what === 'says') element.textContent = words;
  else element.setAttribute(ATTRIBUTES[what], words);
}

function filled(element, classes, properties, children) {
  if (classes.length) element.setAttribute('class', classes.join(' '));
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in ATTRIBUTES) speaks(element, name, value);
    else if (name === 'class') element.setAttribute('class', [...classes, value].join(' ').trim());
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'style') Object.assign(element.style, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
