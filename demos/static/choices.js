// What the user has chosen: agent, voice, language, model, devices, how turns are taken. It is kept
// in the browser and shown wherever it is asked for.

import { el } from './dom.js';

const KEPT = 'omni.choices';

export class Choices {
  #fields = new Map(); // name → selects that show it
  #listeners = [];

  /** `offer`: {agents: [{id, …}], voices: [{id, language}], models: [id], languages: [id]}. */
  constructor(offer) {
    this.offer = offer;
    this.now = {
      agent: offer.agents[0].id,
      model: '',
      voice: '',
      language: '',
      turns: 'auto',
      microphone: '',
      camera: '',
      speaker: '',
      ...kept(),
    };
    if (!offer.agents.some(({ id }) => id === this.now.agent)) this.now.agent = offer.agents[0].id;
    if (!offer.voices.some(({ id }) => id === this.now.voice)) this.now.voice = '';
    if (!offer.models.includes(this.now.model)) this.now.model = '';
  }

  get agent() {
    return this.offer.agents.find(({ id }) => id === this.now.agent);
  }

  /** `listener(name, value)` for each choice that is made. */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  set(name, value) {
    if (this.now[name] === value) return;
    this.now[name] = value;
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.now));
    } catch {
      // Then it is chosen anew the next time.
    }
    for (const select of this.#fields.get(name) ?? []) select.value = value;
    for (const listener of this.#listeners) listener(name, value);
  }

  /** A labelled select; `options`: [[value, words or {says: key}]]. */
  select(name, options) {
    const select = el('select', { name, onchange: () => this.set(name, select.value) });
    this.fill(select, name, options);
    this.#fields.set(name, [...(this.#fields.get(name) ?? []), select]);
    return el('label.choice', {}, el('span', { says: `choice.${name}` }), select);
  }

  fill(select, name, options) {
    select.replaceChildren(...options.map(([value, words]) =>
      typeof words === 'string'
        ? el('option', { value }, words)
        : el('option', { value, says: words.says })));
    select.value = this.now[name];
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }

  voice() {
    const voices = this.offer.voices.map((voice) => [voice.id, voiceName(voice)]);
    return this.select('voice', [['', { says: 'choice.voice.own' }], ...voices]);
  }

  language() {
    const languages = this.offer.languages.map((id) => [id, { says: `language.${id}` }]);
    return this.select('language', [['', { says: 'choice.language.any' }], ...languages]);
  }

  model() {
    return this.select('model', [['', { says: 'choice.model.own' }], ...this.offer.models.map((id) => [id, id])]);
  }

  agents() {
    return el('fieldset.agents', {},
      el('legend', { says: 'choice.agent' }),
      ...this.offer.agents.map(({ id }) => {
        const radio = el('input', { type: 'radio', name: 'agent', value: id, onchange: () => this.set('agent', id) });
        radio.checked = id === this.now.agent;
        this.onChange((name, value) => {
          if (name === 'agent') radio.checked = id === value;
        });
        return el('label.agent-card', { data: { agent: id } }, radio,
          el('b', { says: `agent.${id}` }),
          el('span', { says: `agent.${id}.about` }));
      }));
  }
}

/** "af_heart" → "Heart · American"; other names stay as they are. */
function voiceName({ id, kind }) {
  const [, name] = /^[a-z]{2}_(\w+)$/.exec(id) ?? [];
  const spoken = name ? name[0].toUpperCase() + name.slice(1).replaceAll('_', ' ') : id;
  return kind ? `${spoken} · ${kind}` : spoken;
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? '{}');
  } catch {
    return {};
  }
}
