// The call panel: puts the parts on the page and tells each what happens in the call.

import { Call } from './call.js';
import { Captions } from './captions.js';
import { NoDevice } from './capture.js';
import { Cards } from './cards.js';
import { Choices } from './choices.js';
import { Dock } from './dock.js';
import { el, say } from './dom.js';
import { Film } from './film.js';
import { icon } from './icons.js';
import { Latency } from './latency.js';
import { OneCall } from './one_call.js';
import { People } from './people.js';
import { settingsDialog } from './settings.js';
import { Stage } from './stage.js';
import { t } from './words.js';

/** Build the panel inside `root`. `offer`: see Choices. `server.streets({lat, lon})`: see SketchMap. */
export function mount(root, { offer, server }) {
  const choices = new Choices(offer);
  const call = new Call();
  const alert = el('p.sr-only', { role: 'alert' });
  const here = { origin: null, heading: null, streets: [] };
  const people = new People();
  const stage = new Stage({
    sound: () => sound(call),
    interrupt: () => call.interrupt(),
    setup: setup(choices, () => showExample()),
    people: people.element,
  });
  const captions = new Captions((line) => stage.caption(line));
  const cards = new Cards({
    here: () => here,
    on: { rings: (name) => say(alert, 'timers.rings', { name: name || t('timers.unnamed') }) },
  });
  const latency = new Latency();
  const settings = settingsDialog(choices, { canChooseSpeaker: call.playback.canChooseSpeaker() });
  const tabs = new OneCall(() => {
    call.hangUp();
    stage.notice('tab', { says: 'notice.taken', calm: true });
  });

  async function begin(film = null) {
    // While the click is fresh: some browsers let nothing sound later on.
    const [elsewhere] = await Promise.all([tabs.elsewhere(), call.playback.open()]);
    if (elsewhere) {
      const run = () => start(film);
      stage.notice('tab', { says: 'notice.elsewhere', action: { says: 'notice.takeOver', run } });
      return;
    }
    await start(film);
  }

  /** Three people in a film call the companion; making it the first time takes a while. */
  async function showExample() {
    stage.notice('film', null);
    choices.set('agent', 'companion');
    let example = await server.example();
    const waited = !example.url;
    while (!example.url && !call.active) {
      if (example.error) {
        stage.notice('film', { words: example.error, action: { says: 'notice.again', run: showExample } });
        return;
      }
      stage.notice('film', { says: ['film.making', example], calm: true });
      await new Promise((resolve) => setTimeout(resolve, 500));
      example = await server.example();
    }
    stage.notice('film', null);
    if (call.active) return;
    const film = new Film({
      ...example,
      busy: () => call.state !== 'idle',
      over: () => {
        stage.notice('film', { says: 'film.over', calm: true });
        call.endFilm();
      },
    });
    // After a wait, the click is not fresh any more.
    if (waited) stage.notice('film', { says: 'film.made', calm: true, action: { says: 'film.play', run: () => begin(film) } });
    else await begin(film);
  }

  async function start(film) {
    for (const about of ['tab', 'link', 'microphone', 'trouble', 'eye', 'film']) stage.notice(about, null);
    tabs.take();
    captions.clear();
    cards.clear();
    latency.clear();
    stage.quick(null);
    stage.element.scrollIntoView({ block: 'nearest' });
    locate();
    const { agent, model, voice, language, turns, microphone, speaker } = choices.now;
    await call.start({ agent, model, voice, language, microphone, speaker, hold: turns === 'hold' && !film, film });
  }

  async function locate() {
    const place = choices.agent.place;
    Object.assign(here, { origin: place?.at ?? null, heading: place?.heading ?? null, streets: [] });
    if (place) here.streets = await streets(server, place.at);
  }

  const dock = new Dock({
    canShareScreen: 'getDisplayMedia' in (navigator.mediaDevices ?? {}),
    on: {
      call: () => begin(),
      hangUp: () => call.hangUp(),
      mute: (on) => {
        call.mute(on);
        dock.muted(on);
      },
      eye: async (source, on) => {
        stage.notice('eye', null);
        if (!on) {
          call.close(source);
          return;
        }
        try {
          await call.open(source, source === 'camera' ? choices.now.camera : undefined);
        } catch (error) {
          if (!(error instanceof NoDevice)) throw error;
          if (error.why !== 'cancelled') stage.notice('eye', { says: `camera.${error.why}` });
        }
      },
      settings: () => settings.open(),
      press: () => call.hold(),
      release: () => call.release(),
      write: async (words, pictures) => {
        try {
          await call.write(words, pictures);
          captions.wrote(words || t('captions.picture'));
        } catch (error) {
          if (!(error instanceof NoDevice)) throw error;
          stage.notice('eye', { says: `write.${error.why}` });
        }
      },
      refuse: (key) => stage.notice('eye', { says: key }),
    },
  });

  const show = () => {
    stage.show(call.phase, call.state, { agent: choices.now.agent, hold: choices.now.turns === 'hold' });
    dock.show({ active: call.active, hold: choices.now.turns === 'hold' });
    root.classList.toggle('in-call', call.active);
    root.dataset.state = call.phase === 'on' ? call.state : 'idle';
    cards.suggest(choices.now.agent);
  };

  call.on('phase', (phase, detail) => {
    stage.notice('link', linkNotice(phase, detail, () => call.retryNow(), () => begin()));
    if (phase !== 'on') people.show([]);
    if (phase === 'off' || phase === 'gone') {
      tabs.release();
      cards.abandon();
    }
    show();
  });
  call.on('state', show);
  call.on('holding', (holding) => stage.element.classList.toggle('holding', holding));
  call.on('microphone', (problem) => {
    dock.show({ deaf: problem !== null });
    captions.readAloud(problem !== null);
    stage.notice('microphone', problem && {
      says: `microphone.${problem.why}`,
      action: { says: 'notice.again', run: () => call.useMicrophone(choices.now.microphone) },
    });
  });
  call.on('hears', ({ text, ...rest }) => captions.hears(text, rest));
  call.on('says', ({ id, text, whole }) => {
    captions.says(id, text, { whole, who: t(`agent.${choices.now.agent}`) });
    cards.spoken(id, captions.wordsOf(id));
  });
  call.on('sounds', ({ id, ms }) => captions.sounds(id, ms));
  call.on('ends', ({ id }) => captions.ends(id));
  call.on('played', ({ id, ms }) => captions.played(id, ms));
  call.on('playedAll', ({ id }) => captions.playedAll(id));
  call.on('cut', ({ id, ms }) => captions.cut(id, ms));
  call.on('heard', ({ id, text }) => captions.heard(id, text));
  call.on('tool', (run) => {
    if (run.status === 'started') cards.started(run.call_id, run.name);
    else cards.finished(run);
    stage.acts(run.name);
  });
  call.on('memories', (memories) => cards.remembered(memories));
  call.on('people', (there) => people.show(there));
  call.on('seen', (source) => stage.saw(source));
  call.on('latency', (turn) => {
    latency.measured(turn);
    stage.quick(turn.first_audio);
  });
  call.on('trouble', ({ message }) => stage.notice('trouble', { words: message }));
  call.on('eye', (source, stream) => {
    dock.eye(source, stream !== null);
    stage.eye(source, stream && call.eyes[source].video);
  });

  choices.onChange((name, value) => {
    if (name === 'voice' || name === 'language') call.wish({ [name]: value });
    if (name === 'turns') call.wish({ hold: value === 'hold' });
    if (name === 'microphone' && call.active) call.useMicrophone(value);
    if (name === 'camera' && call.eyes.camera.stream) call.open('camera', value);
    if (name === 'speaker') call.playback.useSpeaker(value);
    show();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && call.phase === 'on' && !settings.element.open) call.interrupt();
  });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && call.active) Promise.all([call.capture.resume(), call.playback.open()]);
  });
  window.addEventListener('online', () => call.retryNow());
  window.addEventListener('pagehide', () => call.active && call.hangUp());

  root.append(
    el('div.call-panel', {},
      el('div.left', {}, stage.element, dock.element),
      el('div.right', {},
        cards.element,
        captions.element,
        latency.element)),
    settings.element,
    alert,
  );
  root.call = call; // for tests, and for whoever looks under the bonnet
  show();
}

function setup(choices, showExample) {
  const { models, example } = choices.offer;
  return el('div.setup', {},
    choices.agents(),
    el('div.fields', {}, choices.voice(), choices.language(), models.length ? choices.model() : null),
    example && el('button.example', { onclick: showExample }, icon('play'), el('span', { says: 'film.show' })),
    el('p.note', { says: choices.offer.local ? 'setup.local' : 'setup.remote' }));
}

/** Whose sound moves the figure: the user's while listening, the agent's else. */
function sound(call) {
  if (call.state === 'listening') return { level: call.capture.level, bands: null };
  return { level: call.playback.level, bands: call.playback.bands() };
}

function linkNotice(phase, detail, retry, again) {
  switch (phase) {
    case 'lost':
      return {
        says: ['notice.lost', { attempt: detail.attempt, of: detail.of }],
        action: { says: 'notice.now', run: retry },
      };
    case 'gone': {
      const known = ['idle', 'too long', 'full', 'going away', 'too slow', 'stalled'];
      if (detail?.reason === 'refused') {
        return { words: detail.message, action: { says: 'notice.callAgain', run: again } };
      }
      const why = known.includes(detail?.reason) ? detail.reason : detail?.code === 1000 ? 'ended' : 'gone';
      return { says: `gone.${why}`, action: { says: 'notice.callAgain', run: again } };
    }
    default:
      return null;
  }
}

async function streets(server, [lat, lon]) {
  try {
    return await server.streets({ lat, lon });
  } catch (error) {
    console.warn('no streets for the map', error); // it is drawn without them
    return [];
  }
}
