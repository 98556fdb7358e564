// The dialog for what one hears, sees and speaks with, and for how turns are taken.

import { el } from './dom.js';
import { icon } from './icons.js';

const KINDS = { audioinput: 'microphone', videoinput: 'camera', audiooutput: 'speaker' };

/** `canChooseSpeaker`: whether this browser lets a page choose. */
export function settingsDialog(choices, { canChooseSpeaker }) {
  const devices = Object.fromEntries(
    ['microphone', 'camera', 'speaker'].map((name) => [name, choices.select(name, [['', { says: 'choice.usual' }]])]),
  );
  devices.speaker.hidden = !canChooseSpeaker;
  const dialog = el(
    'dialog.settings',
    { label: 'settings.title' },
    el('form', { method: 'dialog' },
      el('header', {},
        el('h2', { says: 'settings.title' }),
        el('button.quiet', { label: 'settings.close' }, icon('close'))),
      turns(choices),
      el('div.fields', {}, choices.voice(), choices.language(), ...Object.values(devices)),
      el('p.note', { says: canChooseSpeaker ? 'settings.note' : 'settings.noSpeaker' })),
  );
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  const list = () => listDevices(choices, devices);
  navigator.mediaDevices?.addEventListener?.('devicechange', list);
  return {
    element: dialog,
    async open() {
      await list();
      dialog.showModal();
    },
  };
}

function turns(choices) {
  return el('fieldset.turns', {},
    el('legend', { says: 'choice.turns' }),
    ...['auto', 'hold'].map((way) => {
      const radio = el('input', { type: 'radio', name: 'turns', value: way, onchange: () => choices.set('turns', way) });
      radio.checked = choices.now.turns === way;
      return el('label', {}, radio, el('span', { says: `choice.turns.${way}` }));
    }));
}

async function listDevices(choices, labels) {
  const found = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  for (const [kind, name] of Object.entries(KINDS)) {
    // Without permission they have no names, and there is nothing to choose by.
    const named = found.filter((d) => d.kind === kind && d.label && !['default', 'communications'].includes(d.deviceId));
    const options = named.map(({ deviceId, label }) => [deviceId, label]);
    choices.fill(labels[name].querySelector('select'), name, [['', { says: 'choice.usual' }], ...options]);
  }
}
