// The chat's heading. It also tells Gradio's parts which language the page speaks.

import { el } from './dom.js';
import { language, onLanguage } from './words.js';

export function mount(root, { tell }) {
  root.append(el('header.heading', {}, el('h1', { says: 'chat.title' }), el('p', { says: 'chat.about' })));
  onLanguage(tell);
  if (language() !== 'en') tell(language());
}
