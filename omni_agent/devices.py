"""The microphone and the loudspeaker of this machine, through PortAudio.

    async with Microphone() as microphone, Loudspeaker(24_000) as loudspeaker:
        async for chunk in microphone:
            ...

Whatever is missing, refused or pulled out is a `DeviceError` that says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import DeviceError, MissingExtra
from omni_agent.media import Audio, Resampler
from omni_agent.playback import PlaybackBuffer, Played

logger = logging.getLogger("omni_agent.devices")

Kind = Literal["input", "output"]

_DEAD_AFTER = 3.0  # seconds without a sample
_KEPT = 30.0  # seconds that wait for a slow reader; the oldest chunk goes first


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its name. `rate`: what it runs at by itself, in Hz."""

    name: str
    kind: Kind
    rate: int


def default_device(kind: Kind) -> Device:
    """The microphone ("input") or loudspeaker ("output") that would be used.

    Raises DeviceError where there is none, MissingExtra without the package `sounddevice`.
    """
    sounddevice = _sounddevice()
    try:
        info = sounddevice.query_devices(kind=kind)
    except (sounddevice.PortAudioError, ValueError) as why:
        raise DeviceError(_NO_DEVICE[kind]) from why
    return Device(str(info["name"]), kind, int(info["default_samplerate"]))


class Microphone:
    """Sound as it is spoken: `async for chunk in microphone` gives `chunk` seconds at a time.

    Chunks nobody takes wait for half a minute, then the oldest is dropped (`dropped` counts them).
    Raises DeviceError when it is opened, and from the iteration when it is pulled out.
    """

    def __init__(self, rate: int = 16_000, *, chunk: float = 0.1) -> None:
        self.rate = rate
        self.dropped = 0
        self._chunk = chunk
        self._chunks: deque[np.ndarray] = deque()
        self._news = asyncio.Event()
        self._gone = False
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        device = await asyncio.to_thread(default_device, "input")

        def arrived(data: np.ndarray, frames: int, time: Any, status: Any) -> None:
            loop.call_soon_threadsafe(self._take, data[:, 0].copy())

        def ended() -> None:
            loop.call_soon_threadsafe(self._end)

        rate = await asyncio.to_thread(_usable_rate, device, self.rate)
        self._resampler = Resampler(rate, self.rate)
        self._stream = await asyncio.to_thread(_open, device, rate, arrived, ended, self._chunk)
        return self

    async def all_there_is(self) -> Audio:
        """What has come since the last time, at least one chunk."""
        sound = await anext(self)
        while self._chunks:
            sound = Audio.join([sound, await anext(self)])
        return sound

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Audio:
        while not self._chunks:
            if self._gone:
                raise DeviceError(_GONE["input"])
            self._news.clear()
            try:
                async with asyncio.timeout(_DEAD_AFTER):
                    await self._news.wait()
            except TimeoutError:
                raise DeviceError(_NO_SOUND) from None
        samples = self._chunks.popleft()
        return self._resampler.push(Audio(samples, self._resampler.from_rate))

    async def __aexit__(self, *_: object) -> None:
        stream, self._stream = self._stream, None
        await asyncio.to_thread(_close, stream)

    def _take(self, samples: np.ndarray) -> None:
        if len(self._chunks) * self._chunk >= _KEPT:
            self._chunks.popleft()
            self.dropped += 1
        self._chunks.append(samples)
        self._news.set()

    def _end(self) -> None:
        if self._stream is not None:
            self._gone = True
            self._news.set()


class Loudspeaker:
    """Plays speech as it comes, and knows what of it has been heard.

    `rate`: of the sound given to `play`. Raises DeviceError when it is opened, and from `drained`
    when it is pulled out.
    """

    def __init__(self, rate: int = 24_000, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.rate = rate
        self._clock = clock
        self._text_upto: int | None = None
        self._gone = False
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        device = await asyncio.to_thread(default_device, "output")
        rate = await asyncio.to_thread(_usable_rate, device, self.rate)
        buffer = PlaybackBuffer(rate, clock=self._clock)
        self._buffer, self._resampler = buffer, Resampler(self.rate, rate)

        def wanted(out: np.ndarray, frames: int, time: Any, status: Any) -> None:
            ahead = max(0.0, time.outputBufferDacTime - time.currentTime)
            out[:, 0] = buffer.fill(frames, ahead=ahead)

        def ended() -> None:
            self._gone = self._stream is not None

        self._stream = await asyncio.to_thread(_open, device, rate, wanted, ended)
        return self

    def play(self, audio: Audio, text_upto: int | None) -> None:
        """Sound after what was given before; `text_upto` as in `AudioDelta`, None for a filler."""
        self._text_upto = text_upto
        self._buffer.add(self._resampler.push(audio), text_upto)

    @property
    def played(self) -> Played:
        """What has been heard of the reply up to now."""
        return self._buffer.played

    async def drained(self) -> Played:
        """Wait until everything given has sounded; the next `play` begins another reply."""
        self._buffer.add(self._resampler.flush(), self._text_upto)
        while (left := self._buffer.seconds_left) > 0:
            if self._gone:
                raise DeviceError(_GONE["output"])
            await asyncio.sleep(min(left, 0.1))
        return self.interrupt()

    def interrupt(self) -> Played:
        """Fall silent now; tell what was heard. The next `play` begins another reply."""
        self._resampler.flush()
        return self._buffer.interrupt()

    async def __aexit__(self, *_: object) -> None:
        stream, self._stream = self._stream, None
        await asyncio.to_thread(_close, stream)


class Fill(Protocol):
    def __call__(self, n: int, /, *, ahead: float) -> np.ndarray:
        """The next `n` samples, float32 [n], silence where there are none; in a thread.

        `ahead`: seconds until the first of them sounds.
        """
        ...


class PulledLoudspeaker:
    """Plays what it takes out of `fill`, which gives `rate` Hz, without a pause until it is left.

    Raises DeviceError when it is opened, and from `gone` when it is pulled out.
    """

    def __init__(self, fill: Fill, rate: int) -> None:
        self.rate = rate
        self._fill = fill
        self._stream: Any = None
        self._gone = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        device = await asyncio.to_thread(default_device, "output")
        rate = await asyncio.to_thread(_usable_rate, device, self.rate)
        self._resampler = Resampler(self.rate, rate)
        self._ready = np.zeros(0, np.float32)  # at the rate of the device

        def wanted(out: np.ndarray, frames: int, time: Any, status: Any) -> None:
            ahead = max(0.0, time.outputBufferDacTime - time.currentTime)
            out[:, 0] = self._pull(frames, ahead)

        def ended() -> None:
            if self._stream is not None:
                loop.call_soon_threadsafe(self._gone.set)

        self._stream = await asyncio.to_thread(_open, device, rate, wanted, ended)
        return self

    async def gone(self) -> None:
        """Wait until it is pulled out, which is a DeviceError."""
        await self._gone.wait()
        raise DeviceError(_GONE["output"])

    async def __aexit__(self, *_: object) -> None:
        stream, self._stream = self._stream, None
        await asyncio.to_thread(_close, stream)

    def _pull(self, frames: int, ahead: float) -> np.ndarray:
        if self._resampler.to_rate == self.rate:
            return self._fill(frames, ahead=ahead)
        while len(self._ready) < frames:
            missing = (frames - len(self._ready)) * self.rate / self._resampler.to_rate
            at = ahead + len(self._ready) / self._resampler.to_rate
            sound = Audio(self._fill(int(missing) + 1, ahead=at), self.rate)
            self._ready = np.concatenate([self._ready, self._resampler.push(sound).samples])
        taken, self._ready = self._ready[:frames], self._ready[frames:]
        return taken


# --- PortAudio --------------------------------------------------------------------------------


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as missing:
        raise MissingExtra(
            "sounddevice", "audio", needed_for="the microphone or loudspeaker"
        ) from missing
    except OSError as missing:  # the package is there, the library that it wraps is not
        raise DeviceError(_NO_PORTAUDIO[_system()]) from missing
    return sounddevice


def _system() -> Literal["linux", "darwin", "win32"]:
    return "darwin" if sys.platform == "darwin" else "win32" if sys.platform == "win32" else "linux"


def _usable_rate(device: Device, wanted: int) -> int:
    """The wanted rate if the device takes it, else its own."""
    sounddevice = _sounddevice()
    check = {
        "input": sounddevice.check_input_settings,
        "output": sounddevice.check_output_settings,
    }[device.kind]
    try:
        check(channels=1, dtype="float32", samplerate=wanted)
    except (sounddevice.PortAudioError, ValueError):
        return device.rate
    return wanted


def _open(
    device: Device,
    rate: int,
    callback: Callable[..., None],
    ended: Callable[[], None],
    block: float = 0.0,
) -> Any:
    """A running stream. `block`: seconds that a callback gets or gives; 0 leaves it to the card."""
    sounddevice = _sounddevice()
    kinds = {"input": sounddevice.InputStream, "output": sounddevice.OutputStream}
    try:
        stream = kinds[device.kind](
            samplerate=rate,
            channels=1,
            dtype="float32",
            blocksize=round(rate * block),
            latency="low",
            callback=callback,
            finished_callback=ended,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as why:
        raise DeviceError(_refused(device, why)) from why
    return stream


def _close(stream: Any) -> None:
    if stream is None:
        return
    sounddevice = _sounddevice()
    try:
        stream.abort()
        stream.close()
    except sounddevice.PortAudioError as why:  # it is gone already: there is nothing to close
        logger.info("closing a device: %s", why)


# --- what to tell -----------------------------------------------------------------------------

_NO_PORTAUDIO = {
    "linux": "The library PortAudio, which reaches the microphone and the loudspeaker, is not "
    "installed. On Debian and Ubuntu: sudo apt install libportaudio2. On Fedora: "
    "sudo dnf install portaudio. On Arch: sudo pacman -S portaudio.",
    "darwin": "The library PortAudio, which reaches the microphone and the loudspeaker, cannot be "
    "loaded. Install it with: brew install portaudio",
    "win32": "The library PortAudio, which reaches the microphone and the loudspeaker, cannot be "
    "loaded. Install it again with: pip install --force-reinstall sounddevice",
}
_NO_DEVICE = {
    "input": "There is no microphone. Plug one in or choose one in the system's sound settings. "
    "In a container, or over a remote shell, there is none unless it is passed through.",
    "output": "There is no loudspeaker. Plug one in or choose one in the system's sound settings. "
    "In a container, or over a remote shell, there is none unless it is passed through.",
}
_GONE = {
    "input": "The microphone is gone: it was unplugged or taken by the system. Plug it in again.",
    "output": "The loudspeaker is gone: it was unplugged or taken by the system. Plug it in again.",
}
_NO_SOUND = (
    f"The microphone has given no sound for {_DEAD_AFTER:g} seconds. Is it unplugged, switched "
    "off, or in use by another program?"
)
_ALLOW = {
    "linux": "Is another program using it? May you use it? Being in the group audio helps: "
    "sudo usermod -aG audio $USER, then log in again.",
    "darwin": "Allow the terminal to use it: System Settings, Privacy & Security, Microphone.",
    "win32": "Allow it: Settings, Privacy & security, Microphone, Let desktop apps access it.",
}


def _refused(device: Device, why: Exception) -> str:
    what = "microphone" if device.kind == "input" else "loudspeaker"
    return f"The {what} “{device.name}” cannot be used: {why}. {_ALLOW[_system()]}"
