// The wire: OpenAI's Realtime protocol over a WebSocket, with the omni.* events where there are some.

const BACKOFF = [500, 1000, 2000, 4000, 8000, 8000]; // ms
const MOST_ASKED = 3000; // ms, for why a call was refused
const REASONS = { too_many_calls: 'full', going_away: 'going away' };
const MOST_WAITING = 256 * 1024; // bytes; about four seconds of sound

/**
 * `on.event(event)` for everything the server says; `on.link(state, detail)` with
 *   "connecting" · "open" · "lost" {attempt, of, wait} · "gone" {code, reason} (it gave up or was
 *   told to go away; {code, reason, message} where it would not take the call) · "closed" (by `close`).
 */
export class Realtime {
  #url;
  #session;
  #on;
  #socket = null;
  #attempt = 0;
  #wasOpen = false;
  #retry = null;
  #closed = false;
  #next = 0;

  /** `session()` gives what the server is told about the call, anew for each connection. */
  constructor({ url, session, on }) {
    this.#url = url;
    this.#session = session;
    this.#on = on;
  }

  connect() {
    this.#closed = false;
    this.#on.link('connecting');
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    let created = false;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const event = JSON.parse(data);
      if (event.type === 'session.created') {
        this.#attempt = 0;
        this.#wasOpen = created = true;
        this.send({ type: 'session.update', session: this.#session() });
        this.#on.link('open');
      }
      this.#on.event(event);
    };
    socket.onclose = async ({ code, reason }) => {
      const why = created ? null : await whyRefused(this.#url);
      if (socket === this.#socket) this.#lost(code, reason, why);
    };
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Give the id of the event, or null where nobody is there to take it. */
  send(event) {
    if (!this.isOpen) return null;
    const id = `page_${++this.#next}`;
    this.#socket.send(JSON.stringify({ event_id: id, ...event }));
    return id;
  }

  /** Sound that could not be sent in time is not worth sending. */
  sendSound(pcm) {
    if (!this.isOpen || this.#socket.bufferedAmount > MOST_WAITING) return;
    this.send({ type: 'input_audio_buffer.append', audio: toBase64(pcm) });
  }

  update() {
    this.send({ type: 'session.update', session: this.#session() });
  }

  retryNow() {
    clearTimeout(this.#retry);
    if (!this.#closed && !this.isOpen) this.connect();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    this.#on.link('closed');
  }

  #lost(code, reason, why) {
    this.#socket = null;
    if (this.#closed) return;
    const refused = why !== null && !this.#wasOpen; // a line that broke may still be counted
    if (refused || isFinal(code, reason) || this.#attempt >= BACKOFF.length) {
      this.#closed = true;
      this.#on.link('gone', { code, reason, ...why });
      return;
    }
    const wait = BACKOFF[this.#attempt++];
    this.#on.link('lost', { attempt: this.#attempt, of: BACKOFF.length, wait });
    this.#retry = setTimeout(() => this.connect(), wait);
  }
}

/** Whether calling again would be no use: the server ended the call, or will not have us. */
function isFinal(code, reason) {
  const ended = code === 1000 || code === 1008 || code === 1009 || code === 1011 || code >= 4000;
  return ended || reason === 'idle' || reason === 'too long';
}

/** A refused WebSocket tells a page nothing (1006), but the same address asked over HTTP does. */
async function whyRefused(url) {
  const address = new URL(url);
  address.protocol = address.protocol === 'wss:' ? 'https:' : 'http:';
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(MOST_ASKED) });
    const { error } = await answer.json();
    if (!error?.message || answer.status === 426) return null; // it would take the call now
    return { reason: REASONS[error.code] ?? 'refused', message: error.message };
  } catch (error) {
    console.debug('no word about why the call was refused', error); // nobody is there
    return null;
  }
}

function toBase64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(text);
}

/** Base64 of PCM16 → Int16Array. */
export function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}

/** Where an agent is called, with a model of its own if one is named. */
export function address({ agent, model }) {
  const url = new URL('/v1/realtime', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('omni', '1');
  url.searchParams.set('model', model ? `${agent}@${model}` : agent);
  return url;
}

/** What the user shows or writes. */
export function message(content) {
  return { type: 'message', role: 'user', content };
}

export function wordsOf(item) {
  return (item.content ?? []).map((part) => part.transcript ?? part.text ?? '').join('');
}
