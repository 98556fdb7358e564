// The microphone: asks for it, names what is in the way, hands out 20 ms blocks of 24 kHz PCM16.

/** Why there is no microphone or camera. `why` is a key of the tables of words. */
export class NoDevice extends Error {
  constructor(why, cause) {
    super(`${why}: ${cause?.message ?? ''}`, { cause });
    this.why = why;
  }
}

/**
 * A device of a kind, "audio" or "video": the one of this id, or another if it is not there any
 * more. Raises NoDevice in place of the browser's errors.
 */
export async function openDevice(kind, deviceId, wishes) {
  if (!navigator.mediaDevices?.getUserMedia) throw new NoDevice('insecure');
  const chosen = deviceId ? { deviceId: { exact: deviceId } } : {};
  try {
    return await navigator.mediaDevices.getUserMedia({ [kind]: { ...wishes, ...chosen } });
  } catch (error) {
    if (error.name === 'OverconstrainedError' && deviceId) return openDevice(kind, null, wishes);
    switch (error.name) {
      case 'NotAllowedError':
      case 'SecurityError':
        throw new NoDevice('denied', error);
      case 'NotFoundError':
      case 'OverconstrainedError':
        throw new NoDevice('missing', error);
      case 'NotReadableError':
      case 'AbortError':
        throw new NoDevice('busy', error);
      default:
        throw error;
    }
  }
}

/** `on.block(pcm, level)` for every 20 ms; `on.lost()` when the device is unplugged. */
export class Capture {
  #context = null;
  #stream = null;
  #source = null;
  #node = null;
  #on;

  constructor(on) {
    this.#on = on;
    this.level = 0;
    this.muted = false;
  }

  /** Open the microphone, or change to another one. Raises NoDevice. */
  async use(deviceId) {
    const stream = await openDevice('audio', deviceId, {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      channelCount: 1,
    });
    this.#release();
    this.#stream = stream;
    const [track] = stream.getAudioTracks();
    track.addEventListener('ended', () => {
      if (this.#stream !== stream) return;
      this.#release();
      this.#on.lost();
    });
    await this.#build();
    if (this.#stream !== stream) return; // closed meanwhile
    this.#connect(this.#context.createMediaStreamSource(stream));
    this.mute(this.muted);
  }

  /** Hear what a media element plays; it goes on to the loudspeaker. Once for each element. */
  async play(element) {
    this.#release();
    await this.#build();
    const source = this.#context.createMediaElementSource(element);
    source.connect(this.#context.destination);
    this.#connect(source);
  }

  /** While muted, silence goes out: the call's clock must not stand still. */
  mute(muted) {
    this.muted = muted;
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  resume() {
    return this.#context?.resume();
  }

  async close() {
    this.#release();
    const context = this.#context;
    this.#context = this.#node = null;
    await context?.close();
  }

  async #build() {
    if (this.#context) return this.#context.resume();
    // At the hardware's own rate: not every browser connects a microphone to another one.
    const context = new AudioContext({ latencyHint: 'interactive' });
    this.#context = context;
    await context.audioWorklet.addModule(new URL('capture_worklet.js', import.meta.url));
    if (context !== this.#context) return undefined;
    this.#node = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0 });
    this.#node.port.onmessage = ({ data }) => {
      this.level = data.level;
      if (this.muted) new Uint8Array(data.pcm).fill(0); // a film has no track to switch off
      if (this.#source) this.#on.block(data.pcm, data.level);
    };
    return context.resume();
  }

  #connect(source) {
    this.#source = source;
    source.connect(this.#node);
  }

  #release() {
    this.#source?.disconnect();
    this.#source = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.level = 0;
  }
}
