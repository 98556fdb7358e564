// An example call: a film that is heard and seen in place of the microphone and the camera.

const AFTER_A_LINE = 300; // ms of the film
const ANSWERED = 1500; // ms without anything going on
const LOOKS = 200; // ms

/**
 * Waits after each line until what was said has been answered. `lines`: [{who, text, start, end}],
 * seconds. `busy()`: whether the agent hears, thinks, speaks or acts. `over()`: it has ended.
 */
export class Film {
  #lines;
  #busy;
  #over;
  #next = 0; // the line whose end comes next
  #quietSince = null; // while it waits
  #timer = null;

  constructor({ url, lines, busy, over }) {
    this.#lines = lines;
    this.#busy = busy;
    this.#over = over;
    this.video = Object.assign(document.createElement('video'), {
      src: url,
      playsInline: true,
      preload: 'auto',
    });
    this.video.addEventListener('ended', () => {
      this.stop();
      this.#over();
    });
  }

  begin() {
    this.#timer ??= setInterval(() => this.#look(), LOOKS);
    return this.video.play();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.video.pause();
  }

  #look() {
    if (this.#quietSince === null) {
      const line = this.#lines[this.#next];
      if (!line || this.video.currentTime < line.end + AFTER_A_LINE / 1000) return;
      this.#next += 1;
      this.video.pause();
      this.#quietSince = performance.now();
    } else if (this.#busy()) {
      this.#quietSince = performance.now();
    } else if (performance.now() - this.#quietSince > ANSWERED) {
      this.#quietSince = null;
      this.video.play();
    }
  }
}
