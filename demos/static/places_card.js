// Places: a sketch of where they lie, and a list that says how far, which way and until when.

import { el, text } from './dom.js';
import { icon } from './icons.js';
import { sketchMap, walk } from './sketch_map.js';

/** `data`: {places: [{name, kind, direction, why, at}], attribution}. */
export function placesCard(card, data, here) {
  const places = data.places.filter((place) => Array.isArray(place.at));
  if (!places.length) {
    card.append(el('p.result', { says: 'places.none' }));
    return card;
  }
  const map = sketchMap({ places, ...here });
  const rows = places.map((place, i) => row(place, i, here));
  rows.forEach((item, i) => {
    const pin = map.querySelector(`.pin[data-number="${i + 1}"]`);
    const mark = (on) => () => {
      pin.classList.toggle('marked', on);
      item.classList.toggle('marked', on);
      if (on) pin.parentNode.append(pin); // above the others
    };
    for (const end of [item, pin]) {
      end.addEventListener('pointerenter', mark(true));
      end.addEventListener('pointerleave', mark(false));
    }
  });
  card.append(map, el('ol.places', {}, ...rows), source(data.attribution));
  return card;
}

/** One place, with all that is known of it. */
export function placeCard(card, place, here) {
  text(card.querySelector('h3'), place.name);
  const facts = [
    ['places.hours', place.hours],
    ['places.address', place.address],
    ['places.phone', place.phone],
    ['places.website', link(place.website)],
  ].filter(([, value]) => value);
  card.append(
    sketchMap({ places: [place], ...here }),
    el('ol.places', {}, row(place, 0, here)),
    el('dl.given', {}, ...facts.map(([key, value]) =>
      el('div', {}, el('dt', { says: key }), el('dd', {}, value)))),
    source(place.attribution),
  );
  return card;
}

function row(place, i, { origin }) {
  const way = origin ? walk(origin, place.at) : null;
  return el(
    'li',
    {},
    el('span.number', { 'aria-hidden': 'true' }, String(i + 1)),
    el('div.what', {},
      el('b', {}, place.name),
      el('span.kind', {}, place.kind ?? ''),
      el('span.why', {}, place.open ?? place.why ?? '')),
    way &&
      el('div.way', {},
        el('span.arrow', { style: { rotate: `${Math.round(way.bearing)}deg` } }, icon('arrow')),
        el('span', { says: ['map.minutes', { n: place.minutes ?? way.minutes }] }),
        el('span.sr-only', {}, place.direction ?? '')),
  );
}

function source(attribution) {
  return attribution ? el('p.source', {}, attribution) : null;
}

/** Only what is surely a web page becomes a link. */
function link(address) {
  if (!address) return null;
  let url;
  try {
    url = new URL(address);
  } catch {
    return address;
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return address;
  return el('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, url.host);
}
