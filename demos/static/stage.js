// The stage: who does what, in a word, a shape and a colour that can be read across a kitchen.

import { el, say, text } from './dom.js';
import { Figure, legendFigure } from './figure.js';
import { icon } from './icons.js';
import { clock } from './timers.js';
import { has, number } from './words.js';

const SPOKEN_AFTER = 350; // ms a state has to last before a screen reader is told of it

export class Stage {
  #notices = new Map();
  #began = null;
  #telling = null;

  /** `sound()`: see Figure. `interrupt()`: the figure was pressed. */
  constructor({ sound, interrupt, setup, people }) {
    this.figure = new Figure(sound);
    this.word = el('p.word');
    this.hint = el('p.hint');
    this.who = el('span');
    this.time = el('time', { role: 'timer', 'aria-live': 'off' });
    this.quickness = el('span.quick');
    this.speaker = el('p.who');
    this.line = el('p.text', {}, el('span.said'), el('span.coming'));
    this.status = el('p.sr-only', { role: 'status' });
    this.notices = el('div.notices', { role: 'alert' });
    this.eyes = el('div.eyes');
    this.stop = el('button.stop', { label: 'stage.interrupt', hint: 'stage.interrupt', onclick: interrupt }, this.figure.element);
    this.element = el(
      'section.stage',
      { label: 'stage.label', data: { phase: 'off', state: 'idle' } },
      el('div.top', {},
        el('div.sign', {}, this.word, this.hint),
        el('p.meta', {}, this.who, this.time, this.quickness),
        legend()),
      this.notices,
      el('div.middle', {}, this.stop, setup),
      people,
      this.eyes,
      el('div.caption', { 'aria-hidden': 'true' }, this.speaker, this.line),
      this.status,
    );
    setInterval(() => this.#clock(), 1000);
    this.show('off', 'idle');
  }

  show(phase, state, { agent, hold = false } = {}) {
    const on = phase === 'on';
    const shown = on ? state : phase;
    Object.assign(this.element.dataset, { phase, state: on ? state : 'idle' });
    say(this.word, `state.${shown}`);
    say(this.hint, hold && shown === 'idle' ? 'hint.hold' : `hint.${shown}`);
    if (agent) say(this.who, `agent.${agent}`);
    this.figure.show(on ? state : 'idle');
    this.figure.run(phase !== 'off' && phase !== 'gone');
    this.stop.disabled = !on || (state !== 'speaking' && state !== 'thinking' && state !== 'acting');
    if (on) this.#began ??= Date.now();
    if (phase === 'off' || phase === 'gone') this.#began = null;
    this.#clock();
    this.#tell(`state.${shown}`);
  }

  /** How long the first sound of the last answer took, in seconds; null where there is none. */
  quick(seconds) {
    if (seconds == null) text(this.quickness, '');
    else say(this.quickness, 'stage.quick', { s: number(seconds, 2) });
  }

  /** What it acts on. */
  acts(tool) {
    if (this.element.dataset.state !== 'acting') return;
    if (has(`tool.${tool}`)) say(this.hint, `tool.${tool}`);
    else text(this.hint, tool.replaceAll('_', ' '));
  }

  caption(line) {
    const [said, coming] = this.line.children;
    said.textContent = line ? tail(line.text.slice(0, line.heard)) : '';
    coming.textContent = line ? start(line.text.slice(line.heard)) : '';
    this.line.classList.toggle('cut', Boolean(line?.cut));
    this.line.lang = /[\u3040-\u9fff]/.test(line?.text ?? '') ? 'zh-CN' : 'en';
    if (!line) text(this.speaker, '');
    else if (line.who) text(this.speaker, line.who);
    else say(this.speaker, line.role === 'user' ? 'captions.you' : 'captions.agent');
    this.element.classList.toggle('user', line?.role === 'user');
  }

  /** A message that stays until the same `about` is cleared (with null) or it is put away. */
  notice(about, notice) {
    this.#notices.get(about)?.remove();
    this.#notices.delete(about);
    if (!notice) return;
    const { says, words, action, calm = false } = notice;
    const body = words ? el('p', {}, words) : el('p', { says });
    const box = el('div.notice', { class: calm ? 'calm' : '', data: { about } }, icon(calm ? 'eye' : 'warn'), body,
      action && el('button', { says: action.says, onclick: action.run }),
      el('button.quiet', { label: 'notice.dismiss', onclick: () => this.notice(about, null) }, icon('close')));
    this.#notices.set(about, box);
    this.notices.append(box);
  }

  /** The picture that the agent is shown, or none any more. */
  eye(source, video) {
    this.eyes.querySelector(`[data-source="${source}"]`)?.remove();
    if (!video) return;
    this.eyes.append(el('figure.eye', { data: { source } }, video, el('figcaption', { says: `eye.${source}` })));
  }

  /** It has looked. */
  saw(source) {
    const eye = this.eyes.querySelector(`[data-source="${source}"]`);
    eye?.classList.remove('saw');
    void eye?.offsetWidth; // so that the blink begins anew
    eye?.classList.add('saw');
  }

  #clock() {
    this.time.textContent = this.#began === null ? '' : clock(Math.floor((Date.now() - this.#began) / 1000));
  }

  #tell(key) {
    clearTimeout(this.#telling);
    this.#telling = setTimeout(() => say(this.status, key), SPOKEN_AFTER);
  }
}

/** What the shapes mean, to be read before the call. */
function legend() {
  return el('ul.legend', {}, ...['listening', 'thinking', 'speaking', 'acting'].map((state) =>
    el('li', { data: { state } }, legendFigure(state), el('span', { says: `legend.${state}` }))));
}

// A caption shows what is said about now: the end of what was heard, the start of what is to come.

function tail(words, most = 110) {
  if (words.length <= most) return words;
  const cut = words.slice(-most);
  return `… ${cut.slice(cut.search(/[\s，。、]/) + 1)}`;
}

function start(words, most = 110) {
  if (words.length <= most) return words;
  const cut = words.slice(0, most);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), cut.search(/[，。、][^，。、]*$/) + 1) || most)} …`;
}
