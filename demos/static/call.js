// One call: microphone, eyes and loudspeaker on this side, the realtime server on the other.
// Knows nothing of the page; whoever listens with `on(kind, listener)` shows what happens.

import { Eye, shrunk } from './camera.js';
import { Capture, NoDevice } from './capture.js';
import { Playback, RATE } from './playback.js';
import { Realtime, address, fromBase64, message, wordsOf } from './realtime.js';

// Errors that say no more than that something was over already, or what the end of the call says.
const HARMLESS = new Set([
  'conversation_already_has_active_response',
  'response_cancel_not_active',
  'input_audio_buffer_commit_empty',
  'going_away',
  'idle',
  'too_long',
  'closed',
]);

const FALTERS = 700; // ms

/**
 * Kinds: phase("off" | "connecting" | "on" | "lost" | "gone", detail) · state(of the agent) ·
 * microphone(null or NoDevice) · hears({text, id, speaker, final}) · says({id, text, whole}) ·
 * sounds({id, ms}) · ends({id}) · played({id, ms}) · playedAll({id}) · cut({id, ms}) ·
 * heard({id, text}) · tool(event) · memories(list) · people(list) · seen(source) ·
 * latency(turn) · trouble({message}) · eye(source, stream or null) · holding(boolean)
 */
export class Call {
  #listeners = new Map();
  #wire = null;
  #wish = {};
  #number = 0; // of this call; those before it are over
  #faltering = null;
  #omni = false; // the server tells more than the protocol has
  #people = false; // whether anybody is there, as far as the agent knows

  constructor() {
    this.phase = 'off';
    this.state = 'idle';
    this.holding = false;
    this.playback = new Playback({
      played: (id, ms) => {
        this.#send({ type: 'omni.played', item_id: id, audio_ms: ms }, { omni: true });
        this.#tell('played', { id, ms });
      },
      ended: (id, ms) => {
        this.#send({ type: 'omni.played', item_id: id, audio_ms: ms }, { omni: true });
        this.#tell('playedAll', { id });
      },
      stopped: (items) => this.#stopped(items),
    });
    this.capture = new Capture({
      block: (pcm) => {
        if (!this.#wish.hold || this.holding) this.#wire?.sendSound(pcm);
      },
      lost: () => this.#tell('microphone', new NoDevice('unplugged')),
    });
    this.eyes = Object.fromEntries(
      ['camera', 'screen'].map((source) => [
        source,
        new Eye(source, {
          frame: (url) => this.#show(url, source),
          lost: () => this.#hidden(source),
        }),
      ]),
    );
  }

  on(kind, listener) {
    if (!this.#listeners.has(kind)) this.#listeners.set(kind, []);
    this.#listeners.get(kind).push(listener);
  }

  get active() {
    return this.phase !== 'off' && this.phase !== 'gone';
  }

  /**
   * `wish`: {agent, model?, voice?, language?, hold (push to talk), microphone?, speaker?, film?}.
   * Has to be called from a click. Without a microphone the call goes on in writing. A film is heard
   * and seen in place of microphone and camera, from when the call is on.
   */
  async start(wish) {
    this.#wish = wish;
    const number = ++this.#number;
    this.#enter('connecting');
    await this.playback.open();
    await this.playback.useSpeaker(wish.speaker);
    if (wish.film) await this.capture.play(wish.film.video);
    else await this.useMicrophone(wish.microphone);
    if (number !== this.#number) return; // hung up while the browser asked for the microphone
    this.#wire = new Realtime({
      url: address(wish),
      session: () => this.#session(),
      on: { event: (event) => this.#event(event), link: (link, detail) => this.#linked(link, detail) },
    });
    this.#wire.connect();
  }

  async useMicrophone(deviceId) {
    this.#wish.microphone = deviceId;
    try {
      await this.capture.use(deviceId);
      if (!this.active) await this.capture.close();
      this.#tell('microphone', null);
    } catch (error) {
      if (!(error instanceof NoDevice)) throw error;
      this.#tell('microphone', error);
    }
  }

  /** Voice, language or the way of taking turns, while the call goes on. */
  wish(changes) {
    Object.assign(this.#wish, changes);
    if (this.phase === 'on') this.#wire.update();
  }

  hangUp() {
    this.#wire?.close();
    this.#over('off');
  }

  retryNow() {
    this.#wire?.retryNow();
  }

  mute(muted) {
    this.capture.mute(muted);
  }

  /** Raises NoDevice. */
  async open(source, deviceId) {
    await this.eyes[source].open(deviceId);
    this.#tell('eye', source, this.eyes[source].stream);
  }

  close(source) {
    this.eyes[source].close();
    this.#hidden(source);
  }

  /** Typed words and pictures, as one turn. */
  async write(words, pictures = []) {
    const content = [];
    for (const picture of pictures) {
      content.push({ type: 'input_image', image_url: await shrunk(picture) });
    }
    if (words) content.push({ type: 'input_text', text: words });
    this.interrupt();
    this.#send({ type: 'conversation.item.create', item: message(content) });
    this.#send({ type: 'response.create' });
  }

  /** Have the agent stop talking now. */
  interrupt() {
    if (this.state !== 'idle' && this.state !== 'listening') this.#send({ type: 'response.cancel' });
    this.playback.control('stop');
  }

  hold() {
    this.interrupt();
    this.#send({ type: 'input_audio_buffer.clear' });
    this.holding = true;
    this.#tell('holding', true);
  }

  release() {
    if (!this.holding) return;
    this.holding = false;
    this.#tell('holding', false);
    this.#send({ type: 'input_audio_buffer.commit' });
    this.#send({ type: 'response.create' });
  }

  // --- the wire ------------------------------------------------------------------------------

  #session() {
    const { voice, language, hold } = this.#wish;
    const format = { type: 'audio/pcm', rate: RATE };
    return {
      type: 'realtime',
      output_modalities: ['audio'],
      audio: {
        input: {
          format,
          transcription: language ? { language } : {},
          turn_detection: hold
            ? null
            : { type: 'server_vad', create_response: true, interrupt_response: true },
        },
        output: voice ? { format, voice } : { format },
      },
    };
  }

  #linked(link, detail) {
    switch (link) {
      case 'connecting':
        if (this.phase !== 'lost') this.#enter('connecting');
        break;
      case 'open':
        this.#enter('on');
        this.#become('idle');
        this.#playFilm();
        break;
      case 'lost':
        this.playback.control('stop');
        this.#enter('lost', detail);
        break;
      case 'gone':
        this.#over('gone', detail);
        break;
      case 'closed':
        break;
    }
  }

  #playFilm() {
    const { film } = this.#wish;
    if (!film) return;
    this.eyes.camera.watch(film.video);
    this.#tell('eye', 'camera', this.eyes.camera.stream);
    film.begin();
  }

  /** The user takes over from the film. */
  async endFilm() {
    this.#wish.film?.stop();
    this.#wish.film = null;
    this.close('camera');
    await this.useMicrophone(this.#wish.microphone);
  }

  #event(event) {
    if (event.type.startsWith('omni.')) this.#omni = true;
    const id = event.item_id;
    switch (event.type) {
      case 'omni.state':
        this.#become(event.state);
        break;
      case 'omni.output':
        this.playback.control(event.action);
        break;
      case 'omni.caption':
        if (!event.final) this.#tell('hears', { text: event.text, speaker: event.speaker, final: false });
        break;
      case 'omni.tool':
        this.#tell('tool', event);
        break;
      case 'omni.memory':
        this.#tell('memories', event.memories);
        break;
      case 'omni.people':
        this.#people = event.people.length > 0;
        this.#attend();
        this.#tell('people', event.people);
        break;
      case 'omni.frame':
        this.#tell('seen', event.source);
        break;
      case 'omni.latency':
        this.#tell('latency', event);
        break;
      case 'omni.trouble':
        this.#tell('trouble', { message: event.message });
        break;
      case 'input_audio_buffer.speech_started':
        this.#become('listening');
        if (!this.#omni) this.playback.control('stop');
        break;
      case 'input_audio_buffer.speech_stopped':
        if (!this.#omni) this.#become('thinking');
        break;
      case 'conversation.item.input_audio_transcription.segment':
        this.#tell('hears', { text: event.text, id, speaker: event.speaker, final: false });
        break;
      case 'conversation.item.input_audio_transcription.completed':
        this.#tell('hears', { text: event.transcript, id, final: true });
        break;
      case 'response.output_audio_transcript.delta':
      case 'response.output_text.delta':
        this.#tell('says', { id, text: event.delta, whole: false });
        break;
      case 'response.output_audio_transcript.done':
        this.#tell('says', { id, text: event.transcript, whole: true });
        break;
      case 'response.output_audio.delta':
        this.#sound(id, event.delta);
        break;
      case 'response.output_audio.done':
        this.playback.end(id);
        break;
      case 'response.output_item.done':
        if (event.item.type === 'message') this.#tell('ends', { id: event.item.id });
        break;
      case 'response.done':
        this.#done(event.response);
        break;
      case 'conversation.item.retrieved':
        this.#tell('heard', { id: event.item.id, text: wordsOf(event.item) });
        break;
      case 'error':
        if (!HARMLESS.has(event.error.code)) this.#tell('trouble', { message: event.error.message });
        break;
    }
  }

  #sound(id, encoded) {
    const samples = fromBase64(encoded);
    if (!this.#omni) this.#become('speaking');
    this.#tell('sounds', { id, ms: (1000 * samples.length) / RATE });
    this.playback.play(id, samples);
  }

  #done({ status, status_details: details }) {
    if (!this.#omni) this.#become('idle');
    if (status === 'failed' && details?.error?.message) {
      this.#tell('trouble', { message: details.error.message });
    }
  }

  /** What was cut off is told to the server to the millisecond, and asked back to the word. */
  #stopped(items) {
    for (const { item: id, ms } of items) {
      this.#send({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: ms });
      this.#send({ type: 'conversation.item.retrieve', item_id: id });
      this.#tell('cut', { id, ms });
    }
  }

  #hidden(source) {
    this.#send({ type: 'omni.hide', source }, { omni: true });
    this.#tell('eye', source, null);
  }

  #show(url, source) {
    // A client that cannot keep up with sound has no room for pictures.
    const part = { type: 'input_image', image_url: url, detail: 'low', omni_source: source };
    this.#send({ type: 'conversation.item.create', item: message([part]) });
  }

  #send(event, { omni = false } = {}) {
    if (omni && !this.#omni) return;
    if (this.phase === 'on') this.#wire.send(event);
  }

  // --- states --------------------------------------------------------------------------------

  #enter(phase, detail = {}) {
    this.phase = phase;
    this.#tell('phase', phase, detail);
  }

  #become(state) {
    clearTimeout(this.#faltering);
    // A voice that is slower than it speaks falters between two words; it does not think anew.
    if (state === 'thinking' && this.state === 'speaking') {
      this.#faltering = setTimeout(() => this.#settle(state), FALTERS);
      return;
    }
    this.#settle(state);
  }

  #settle(state) {
    if (state === this.state) return;
    this.state = state;
    this.#attend();
    this.#tell('state', state);
  }

  #attend() {
    const looks = { speech: this.state === 'listening', people: this.#people };
    for (const eye of Object.values(this.eyes)) eye.attend(looks);
  }

  #over(phase, detail) {
    this.#number += 1;
    this.#wire = null;
    this.#omni = this.#people = this.holding = false;
    this.phase = phase; // nothing more is sent
    this.#wish.film?.stop();
    this.capture.close();
    this.playback.close();
    for (const source of Object.keys(this.eyes)) this.close(source);
    this.#become('idle');
    this.#enter(phase, detail);
  }

  #tell(kind, ...details) {
    for (const listener of this.#listeners.get(kind) ?? []) listener(...details);
  }
}
