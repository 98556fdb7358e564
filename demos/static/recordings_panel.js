// Calls that were kept: a list, and one of them to be heard, seen and read again.

import { el, say, speaks, svg } from './dom.js';
import { icon } from './icons.js';
import { clock } from './timers.js';
import { has, language, onLanguage } from './words.js';

const DRIFT = 0.08; // seconds the two sides may be apart
const WIDTH = 900;
const HEIGHT = 140;

/** `server`: see page/recordings.py. */
export function mount(root, { server }) {
  const list = el('ul.recorded');
  const nothing = el('p.nothing', { says: 'recordings.none', hidden: true });
  const place = el('div.opened', { hidden: true });
  let player = null;

  const look = async () => {
    const calls = await server.recorded({});
    nothing.hidden = calls.length > 0;
    list.replaceChildren(...calls.map((call) => row(call, () => open(call))));
  };
  const open = async (call) => {
    const recording = await server.opened({ name: call.name });
    player?.close();
    player = recording.error ? null : new Player(recording);
    const back = el('button.button', { says: 'recordings.back', onclick: close });
    place.replaceChildren(back, player ? player.element : el('p.nothing', {}, recording.error));
    [list.hidden, place.hidden] = [true, false];
    back.focus();
  };
  const close = () => {
    player?.close();
    player = null;
    [list.hidden, place.hidden] = [false, true];
    list.querySelector('button')?.focus();
  };

  root.append(
    el('header.heading', {}, el('h1', { says: 'recordings.title' }), el('p', { says: 'recordings.about' })),
    list, nothing, place);
  document.addEventListener('omni:panel', ({ detail }) => {
    if (detail === 'recordings') look();
    else player?.pause();
  });
  onLanguage(() => {
    for (const time of list.querySelectorAll('time')) time.textContent = day(time.dateTime);
  });
  if (location.hash === '#recordings') look();
}

function row(call, open) {
  return el('li', {},
    el('button.recording', { onclick: open },
      icon('play'),
      el('b', {}, call.title || call.name),
      el('span', has(`agent.${call.agent}`) ? { says: `agent.${call.agent}` } : {}, has(`agent.${call.agent}`) ? null : call.agent),
      el('time', { datetime: call.at }, day(call.at)),
      el('span.length', {}, clock(call.seconds))));
}

/** One recording. Both sides lie on one time line and are played together. */
class Player {
  #frame = null;
  #now = null; // the line that is being said

  constructor(recording) {
    this.recording = recording;
    const url = (file) => `/recordings/${encodeURIComponent(recording.name)}/${file}`;
    this.agent = new Audio(url('agent.wav'));
    this.user = recording.heard ? new Audio(url('user.wav')) : null;
    this.button = el('button.round', { label: 'recordings.play', onclick: () => (this.agent.paused ? this.play() : this.pause()) }, icon('play'));
    this.time = el('span.length');
    this.slider = el('input', { type: 'range', min: 0, max: recording.seconds, step: 0.1, value: 0, label: 'recordings.seek', oninput: () => this.seek(Number(this.slider.value)) });
    this.head = svg('line.head', { x1: 0, x2: 0, y1: 0, y2: HEIGHT });
    this.lines = recording.events.filter(({ kind }) => kind === 'user' || kind === 'agent' || kind === 'tool').map((event) => this.#line(event));
    this.frames = recording.events.filter(({ kind }) => kind === 'frame');
    this.picture = el('img', { alt: '', hidden: true });
    this.element = el('section.player', {},
      el('h2', {}, recording.title || recording.name),
      el('div.bar', {}, this.button, this.#track(), this.time),
      el('div.below', {},
        el('ol.lines', { label: 'captions.log', tabindex: '0' }, ...this.lines.map(({ element }) => element)),
        this.frames.length ? el('figure.frame', {}, this.picture, el('figcaption', { says: 'recordings.frames' })) : null));
    this.url = url;
    this.agent.addEventListener('ended', () => this.pause());
    this.#show();
  }

  async play() {
    this.#say('recordings.pause', 'pause');
    await Promise.all([this.agent.play(), this.user?.play()]);
    this.#step();
  }

  pause() {
    this.agent.pause();
    this.user?.pause();
    cancelAnimationFrame(this.#frame);
    this.#say('recordings.play', 'play');
    this.#show();
  }

  seek(seconds) {
    this.agent.currentTime = seconds;
    if (this.user) this.user.currentTime = seconds;
    this.#show();
  }

  close() {
    this.pause();
    this.agent.removeAttribute('src');
    this.user?.removeAttribute('src');
  }

  #step() {
    if (this.agent.paused) return;
    const apart = this.user ? this.user.currentTime - this.agent.currentTime : 0;
    if (Math.abs(apart) > DRIFT && !this.user.ended) this.user.currentTime = this.agent.currentTime;
    this.#show();
    this.#frame = requestAnimationFrame(() => this.#step());
  }

  #show() {
    const t = this.agent.currentTime;
    this.time.textContent = `${clock(Math.floor(t))} / ${clock(this.recording.seconds)}`;
    this.slider.value = t;
    this.slider.setAttribute('aria-valuetext', clock(Math.floor(t)));
    this.head.setAttribute('transform', `translate(${(t / this.recording.seconds) * WIDTH} 0)`);
    const line = this.lines.findLast(({ event }) => event.t <= t + 0.05) ?? null;
    if (line !== this.#now) {
      this.#now?.element.classList.remove('now');
      line?.element.classList.add('now');
      if (line) this.#scrollTo(line.element);
      this.#now = line;
    }
    const frame = this.frames.findLast((event) => event.t <= t + 0.05);
    this.picture.hidden = !frame;
    if (frame && !this.picture.src.endsWith(frame.file)) this.picture.src = this.url(frame.file);
  }

  #scrollTo(element) {
    const list = element.parentElement;
    if (list) list.scrollTop = element.offsetTop - list.offsetTop - list.clientHeight / 3;
  }

  #line(event) {
    const seek = () => this.seek(event.t);
    const at = el('button.at', { onclick: seek }, clock(Math.floor(event.t)));
    const who = el('span.who');
    let words;
    if (event.kind === 'tool') {
      say(who, has(`tool.${event.name}`) ? `tool.${event.name}` : 'cards.label');
      words = el('p.result', {}, event.text);
    } else {
      if (event.who) who.textContent = event.who;
      else say(who, event.kind === 'user' ? 'captions.you' : 'captions.agent');
      words = el('p', {}, el('span.said', {}, event.text),
        event.unheard ? el('span.coming', {}, event.unheard) : null,
        event.unheard ? el('span.sr-only', { says: 'captions.unheard' }) : null);
    }
    const element = el(`li.line.${event.kind}`, { class: event.unheard ? 'cut' : '' }, at, el('div', {}, who, words));
    return { event, element };
  }

  #track() {
    const { seconds, user, agent, events } = this.recording;
    const x = (t) => (t / seconds) * WIDTH;
    const states = events.filter(({ kind }) => kind === 'state');
    const bands = states.map(({ t, state }, i) =>
      svg(`rect.band.${state}`, { x: x(t), width: Math.max(0, x(states[i + 1]?.t ?? seconds) - x(t)), y: 0, height: HEIGHT }));
    const bars = (peaks, side, way) => svg(`path.${side}`, {
      d: peaks.map((peak, i) => `M${((i + 0.5) * WIDTH) / peaks.length} ${HEIGHT / 2}v${way * Math.max(0.5, Math.sqrt(peak) * HEIGHT * 0.46)}`).join(''),
    });
    return el('div.track', {},
      svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
        ...bands, bars(user, 'user', -1), bars(agent, 'agent', 1), this.head),
      this.slider);
  }

  #say(key, sign) {
    speaks(this.button, 'label', key);
    this.button.replaceChildren(icon(sign));
  }
}

function day(iso) {
  return new Intl.DateTimeFormat(language(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso));
}
