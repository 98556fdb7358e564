// The row of controls beneath the stage, and the line to write in.

import { el, speaks } from './dom.js';
import { icon } from './icons.js';
import { pushToTalk } from './push_to_talk.js';

const MOST_PICTURES = 4;
const PICTURE_BYTES = 20 * 2 ** 20;

/**
 * `on`: call, hangUp, mute(on), eye(source, on), settings, press, release, write(words, pictures),
 * refuse(key) for a file that cannot be taken. `canShareScreen`: whether this browser can.
 */
export class Dock {
  #on;
  #muted = false;
  #open = { camera: false, screen: false };
  #pictures = [];
  #hold = false;
  #active = false;
  #deaf = false;
  #canShareScreen;

  constructor({ on, canShareScreen }) {
    this.#on = on;
    this.#canShareScreen = canShareScreen;
    this.mic = toggle('mic', 'dock.mute', () => on.mute(!this.#muted));
    this.camera = toggle('camera', 'dock.camera', () => on.eye('camera', !this.#open.camera));
    this.screen = toggle('screen', 'dock.screen', () => on.eye('screen', !this.#open.screen));
    this.settings = toggle('settings', 'dock.settings', () => on.settings());
    this.settings.removeAttribute('aria-pressed');
    this.talk = el('button.talk', { 'aria-pressed': 'false', hidden: true }, icon('hand'), el('span', { says: 'dock.hold' }));
    this.call = el('button.call', { onclick: () => (this.#active ? on.hangUp() : on.call()) },
      icon('call'), el('span', { says: 'dock.call' }));
    pushToTalk(this.talk, {
      enabled: () => this.#active && this.#hold && !this.#deaf,
      on: { press: () => on.press(), release: () => on.release() },
    });
    this.field = el('textarea', { rows: 1, label: 'write.label', asks: 'write.asks', maxlength: 4000 });
    this.thumbs = el('ul.thumbs', { label: 'write.pictures' });
    this.file = el('input.sr-only', { type: 'file', accept: 'image/*', multiple: true, tabindex: '-1', label: 'write.attach' });
    this.composer = el('form.composer', { onsubmit: (event) => this.#submit(event) },
      this.thumbs,
      el('button.quiet', { type: 'button', label: 'write.attach', hint: 'write.attach', onclick: () => this.file.click() }, icon('attach')),
      this.file,
      this.field,
      el('button.quiet.send', { label: 'write.send', hint: 'write.send' }, icon('send')));
    this.file.addEventListener('change', () => {
      this.#attach([...this.file.files]);
      this.file.value = '';
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) this.#submit(event);
    });
    this.field.addEventListener('paste', (event) => this.#attach([...event.clipboardData.files]));
    this.bar = el('div.dock', { role: 'toolbar', label: 'dock.label' },
      this.mic, this.camera, this.screen, this.talk, this.call, this.settings);
    this.element = el('div.controls', {}, this.bar, this.composer);
    this.show({ active: false });
  }

  /** `active`: a call is on. `deaf`: there is no microphone. `hold`: turns are taken by holding. */
  show({ active = this.#active, hold = this.#hold, deaf = this.#deaf }) {
    [this.#active, this.#hold, this.#deaf] = [active, hold, deaf];
    this.element.classList.toggle('active', active);
    this.camera.hidden = !active;
    this.screen.hidden = !active || !this.#canShareScreen;
    this.mic.hidden = !active || hold;
    this.mic.disabled = deaf;
    this.talk.hidden = !active || !hold;
    this.talk.disabled = deaf;
    this.composer.hidden = !active;
    this.call.classList.toggle('end', active);
    this.call.replaceChildren(icon(active ? 'hangUp' : 'call'), el('span', { says: active ? 'dock.hangUp' : 'dock.call' }));
    if (!active) this.muted(false);
  }

  muted(on) {
    this.#muted = on;
    press(this.mic, on, on ? 'dock.unmute' : 'dock.mute', on ? 'micOff' : 'mic');
  }

  eye(source, on) {
    this.#open[source] = on;
    press(this[source], on, on ? `dock.${source}Off` : `dock.${source}`, source);
  }

  #submit(event) {
    event.preventDefault();
    const words = this.field.value.trim();
    if (!words && !this.#pictures.length) return;
    this.#on.write(words, this.#pictures);
    this.field.value = '';
    this.#pictures = [];
    this.#thumbs();
  }

  #attach(files) {
    for (const file of files) {
      if (!file.type.startsWith('image/')) this.#on.refuse('write.noPicture');
      else if (file.size > PICTURE_BYTES) this.#on.refuse('write.tooLarge');
      else if (this.#pictures.length >= MOST_PICTURES) this.#on.refuse('write.tooMany');
      else this.#pictures.push(file);
    }
    this.#thumbs();
  }

  #thumbs() {
    for (const picture of this.thumbs.querySelectorAll('img')) URL.revokeObjectURL(picture.src);
    this.thumbs.replaceChildren(...this.#pictures.map((file, i) =>
      el('li', {},
        el('img', { src: URL.createObjectURL(file), alt: file.name }),
        el('button.quiet', {
          type: 'button',
          label: ['write.remove', { name: file.name }],
          onclick: () => {
            this.#pictures.splice(i, 1);
            this.#thumbs();
          },
        }, icon('close')))));
  }
}

function toggle(sign, key, onclick) {
  return el('button.round', { label: key, hint: key, 'aria-pressed': 'false', onclick }, icon(sign));
}

function press(button, on, key, sign) {
  button.setAttribute('aria-pressed', String(on));
  speaks(button, 'label', key);
  speaks(button, 'hint', key);
  button.replaceChildren(icon(sign));
}
