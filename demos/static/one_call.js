// One call at a time in a browser: two tabs would hear each other.

const PATIENCE = 150; // ms

export class OneCall {
  #channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel('omni.call') : null;
  #calling = false;
  #id = crypto.randomUUID();

  /** `onTaken()` when another tab takes the call over. */
  constructor(onTaken) {
    this.#channel?.addEventListener('message', ({ data }) => {
      if (data.says === 'who' && this.#calling) this.#say('me', data.from);
      if (data.says === 'mine' && this.#calling) onTaken();
    });
  }

  /** Whether another tab is in a call. */
  async elsewhere() {
    if (!this.#channel) return false;
    return new Promise((resolve) => {
      const answered = ({ data }) => {
        if (data.says === 'me' && data.to === this.#id) done(true);
      };
      const done = (there) => {
        clearTimeout(timer);
        this.#channel.removeEventListener('message', answered);
        resolve(there);
      };
      const timer = setTimeout(() => done(false), PATIENCE);
      this.#channel.addEventListener('message', answered);
      this.#say('who');
    });
  }

  /** This tab has the call now; any other one hangs up. */
  take() {
    this.#say('mine');
    this.#calling = true;
  }

  release() {
    this.#calling = false;
  }

  #say(says, to = null) {
    this.#channel?.postMessage({ says, from: this.#id, to });
  }
}
