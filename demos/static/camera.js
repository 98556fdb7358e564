// What the agent is shown: pictures of a camera or of the screen, when something has changed.

import { NoDevice, openDevice } from './capture.js';

const SIDE = { camera: 640, screen: 1024 }; // pixels, the longer one
const QUALITY = 0.7;
const THUMB = [32, 24];
const CHANGED = 5; // of 255, mean over the thumbnail
const AT_LEAST_EVERY = 8000; // ms; a still picture is shown again

/** Milliseconds between two looks; mouths are watched closely, to know who of several speaks. */
const PACE = { mouths: 200, people: 500, speech: 500, quiet: 2500 };

/**
 * One source, "camera" or "screen". `on.frame(dataUrl, source)` for each picture that is worth
 * showing, `on.lost(source)` when the device or the user has ended it.
 */
export class Eye {
  #on;
  #timer = null;
  #last = null;
  #shownAt = 0;
  #people = false; // they are looked at although nothing else changes
  #thumb = canvas(...THUMB);
  #picture = canvas(1, 1);

  constructor(source, on) {
    this.source = source;
    this.#on = on;
    this.stream = null;
    this.pace = PACE.quiet;
    this.video = null;
  }

  /** Raises NoDevice; "cancelled" where the user chose no screen. */
  async open(deviceId) {
    const stream = this.source === 'screen' ? await openScreen() : await openCamera(deviceId);
    this.close();
    this.stream = stream;
    stream.getVideoTracks()[0].addEventListener('ended', () => {
      if (this.stream !== stream) return;
      this.close();
      this.#on.lost(this.source);
    });
    const video = document.createElement('video');
    Object.assign(video, { muted: true, playsInline: true, autoplay: true, srcObject: stream });
    this.video = video;
    await video.play();
    if (this.video === video) this.#look();
  }

  /** Look at a film that somebody else plays. */
  watch(video) {
    this.close();
    this.stream = new MediaStream();
    this.video = video;
    this.#look();
  }

  close() {
    clearTimeout(this.#timer);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    if (this.video) this.video.srcObject = null;
    this.stream = this.video = this.#last = null;
  }

  /** Look often while somebody speaks, and more often where there are people to be seen. */
  attend({ speech, people }) {
    this.#people = people;
    const [talking, silent] = people ? [PACE.mouths, PACE.people] : [PACE.speech, PACE.quiet];
    const pace = speech ? talking : silent;
    if (pace === this.pace) return;
    this.pace = pace;
    if (!this.stream) return;
    clearTimeout(this.#timer);
    const waited = performance.now() - this.#shownAt;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, pace - waited));
  }

  #look() {
    this.#timer = setTimeout(() => this.#look(), this.pace);
    if (!this.video.videoWidth || (!this.#people && !this.#hasChanged())) return;
    this.#shownAt = performance.now();
    this.#on.frame(this.#jpeg(), this.source);
  }

  #hasChanged() {
    const context = this.#thumb.getContext('2d', { willReadFrequently: true });
    context.drawImage(this.video, 0, 0, ...THUMB);
    const { data } = context.getImageData(0, 0, ...THUMB);
    const last = this.#last;
    if (last && performance.now() - this.#shownAt < AT_LEAST_EVERY) {
      let difference = 0;
      for (let i = 0; i < data.length; i += 4) difference += Math.abs(data[i + 1] - last[i + 1]);
      if (difference / (data.length / 4) < CHANGED) return false;
    }
    this.#last = data;
    return true;
  }

  #jpeg() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, SIDE[this.source] / Math.max(width, height));
    this.#picture.width = Math.round(width * scale);
    this.#picture.height = Math.round(height * scale);
    const context = this.#picture.getContext('2d');
    context.drawImage(this.video, 0, 0, this.#picture.width, this.#picture.height);
    return this.#picture.toDataURL('image/jpeg', QUALITY);
  }
}

function openCamera(deviceId) {
  return openDevice('video', deviceId, {
    ...(deviceId ? {} : { facingMode: { ideal: 'environment' } }),
    width: { ideal: 1280 },
    height: { ideal: 720 },
  });
}

async function openScreen() {
  if (!navigator.mediaDevices?.getDisplayMedia) throw new NoDevice('screenUnsupported');
  try {
    return await navigator.mediaDevices.getDisplayMedia({ video: true });
  } catch (error) {
    throw error.name === 'NotAllowedError' ? new NoDevice('cancelled', error) : error;
  }
}

/** A picture file as a JPEG that is small enough to be sent. Raises NoDevice for what is none. */
export async function shrunk(file, side = 1568) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch (error) {
    throw new NoDevice('noPicture', error);
  }
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const picture = canvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = picture.getContext('2d');
  context.fillStyle = '#fff'; // beneath what is transparent
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(bitmap, 0, 0, picture.width, picture.height);
  bitmap.close();
  return picture.toDataURL('image/jpeg', 0.85);
}

function canvas(width, height) {
  return Object.assign(document.createElement('canvas'), { width, height });
}
