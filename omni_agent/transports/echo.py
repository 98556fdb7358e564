"""The agent's own voice, which comes back through the microphone, and what is done about it.

Where sound leaves by a loudspeaker and not by headphones, the agent would hear itself and stop to
listen. Either the echo is taken out of the microphone's sound (WebRTC's AEC3, in the package
`livekit`, Apache-2.0), or the microphone is closed while the agent speaks.
"""

from __future__ import annotations

import importlib.util
import threading
from typing import Any, Literal, Protocol

import numpy as np

from omni_agent.errors import MissingExtra
from omni_agent.media import Audio, Resampler

RATE = 16_000
"""Hz of the microphone's sound."""

_FRAME = RATE // 100  # WebRTC takes 10 ms at a time
_LOUD_DBFS = -55.0  # softer sound of the loudspeaker cannot be heard as speech
_TAIL = 0.5  # seconds that an echo takes through devices and room, Bluetooth included
_LEARNING = 2.0  # seconds of its own voice after which the canceller knows the room
_KEPT = 10 * RATE  # samples of the loudspeaker that wait for a microphone that gives nothing

EchoMode = Literal["cancel", "half-duplex", "none"]


class EchoCanceller(Protocol):
    def played(self, audio: Audio) -> None:
        """What the loudspeaker plays, silence too; called by the sound card's thread."""
        ...

    def cleaned(self, audio: Audio) -> Audio:
        """The microphone's sound, of 16 kHz, with the agent's voice taken out of it.

        Gives all that has come from the microphone until now, or the two streams fall out of step.
        """
        ...


def echo_canceller(mode: EchoMode | None = None) -> EchoCanceller:
    """The best there is, or the one asked for. Raises MissingExtra where its package is missing."""
    if mode is None:
        mode = "cancel" if importlib.util.find_spec("livekit") is not None else "half-duplex"
    match mode:
        case "cancel":
            return WebRtcCanceller()
        case "half-duplex":
            return HalfDuplex()
        case "none":
            return Headphones()


class Headphones:
    """Nothing comes back, and nothing is done."""

    def played(self, audio: Audio) -> None:
        pass

    def cleaned(self, audio: Audio) -> Audio:
        return audio


class HalfDuplex:
    """The microphone is closed while the loudspeaker sounds, and half a second longer."""

    def __init__(self) -> None:
        self._reference = Reference()
        self._gate = _Gate()

    def played(self, audio: Audio) -> None:
        self._reference.push(audio)

    def cleaned(self, audio: Audio) -> Audio:
        is_open = self._gate.is_open(self._reference.take(), audio.seconds)
        return audio if is_open else Audio.silence(audio.seconds, audio.rate)


class WebRtcCanceller:
    """Takes the echo out, some 35 dB of it, so that the user can talk over the agent.

    Until it knows the room, after two seconds of speech, the microphone is half-duplex. Takes
    1.5 % of one core. Raises MissingExtra without the package `livekit`.
    """

    def __init__(self) -> None:
        try:
            from livekit import rtc
            from livekit.rtc.apm import AudioProcessingModule
        except ImportError as missing:
            raise MissingExtra("livekit", "aec", needed_for="Echo cancelling") from missing
        self._frame = rtc.AudioFrame
        self._apm: Any = AudioProcessingModule(echo_cancellation=True, high_pass_filter=True)
        self._reference = Reference()
        self._gate = _Gate()
        self._learnt = 0.0  # seconds of the agent's voice
        self._rest = np.zeros(0, np.float32)  # of the microphone, less than a frame

    def played(self, audio: Audio) -> None:
        self._reference.push(audio)

    def cleaned(self, audio: Audio) -> Audio:
        sound = np.concatenate([self._rest, audio.samples])
        count = len(sound) // _FRAME
        played = self._reference.take()
        out = np.empty((count, _FRAME), np.float32)
        told = 0
        for i in range(count):
            upto = len(played) * (i + 1) // count
            for frame in played[told:upto]:
                self._apm.process_reverse_stream(self._as_frame(frame))
            told = upto
            near = self._as_frame(sound[i * _FRAME : (i + 1) * _FRAME])
            self._apm.process_stream(near)
            out[i] = np.frombuffer(near.data, "<i2") / np.float32(32768)
        self._rest = sound[count * _FRAME :]
        is_open = self._gate.is_open(played, audio.seconds)
        if self._learnt < _LEARNING:
            self._learnt += played.size / RATE if _is_loud(played) else 0.0
            if not is_open:
                out[:] = 0
        return Audio(out.ravel(), RATE)

    def _as_frame(self, samples: np.ndarray) -> Any:
        return self._frame(Audio(samples, RATE).pcm16(), RATE, 1, len(samples))


class Reference:
    """The loudspeaker's sound at 16 kHz, until the microphone's sound of that time is worked on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resampler: Resampler | None = None
        self._waiting = np.zeros(0, np.float32)

    def push(self, audio: Audio) -> None:
        with self._lock:
            if self._resampler is None or self._resampler.from_rate != audio.rate:
                self._resampler = Resampler(audio.rate, RATE)
            waiting = np.concatenate([self._waiting, self._resampler.push(audio).samples])
            self._waiting = waiting[-_KEPT:]

    def take(self) -> np.ndarray:
        """What was played since the last time, in whole frames: float32 [n, 160]."""
        with self._lock:
            count = len(self._waiting) // _FRAME * _FRAME
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
            return taken.reshape(-1, _FRAME)


class _Gate:
    """Closed while the agent's voice sounds or may still be in the air."""

    def __init__(self) -> None:
        self._closed_for = 0.0

    def is_open(self, played: np.ndarray, seconds: float) -> bool:
        """Whether so many seconds of the microphone may be heard, while this was played."""
        self._closed_for -= seconds
        if _is_loud(played):
            self._closed_for = _TAIL
        return self._closed_for <= 0


def _is_loud(samples: np.ndarray) -> bool:
    return not Audio(samples.ravel(), RATE).is_silent(below_dbfs=_LOUD_DBFS)
