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
_NOTHING = np.zeros(0, np.float32)
_HELD_BACK = RATE // 8  # samples of the microphone that wait for a loudspeaker that is late
_MOST_OWED = RATE // 2
_KEPT = 10 * RATE  # samples of the loudspeaker that wait for a microphone that gives nothing
_WATCHED = 1000  # frames over which is watched whether the loudspeaker's clock runs ahead,
_SLACK = RATE // 33  # and how many samples it may be ahead

EchoMode = Literal["cancel", "half-duplex", "none"]


class EchoCanceller(Protocol):
    def played(self, audio: Audio) -> None:
        """What the loudspeaker plays, silence too; called by the sound card's thread."""
        ...

    def cleaned(self, audio: Audio) -> Audio:
        """The microphone's sound, of 16 kHz, with the agent's voice taken out of it.

        A little may be held back until the next time.
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
        is_open = self._gate.is_open(self._reference.all(), audio.seconds)
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
        self._near = _NOTHING  # of the microphone, held back

    def played(self, audio: Audio) -> None:
        self._reference.push(audio)

    def cleaned(self, audio: Audio) -> Audio:
        self._near = np.concatenate([self._near, audio.samples])
        out: list[np.ndarray] = []
        while len(self._near) >= _FRAME:
            far = self._reference.frame(patient=len(self._near) <= _HELD_BACK)
            if far is None:
                break
            near, self._near = self._near[:_FRAME], self._near[_FRAME:]
            out.append(self._without(far, near))
        return Audio(np.concatenate([*out, _NOTHING]), RATE)

    def _without(self, far: np.ndarray, near: np.ndarray) -> np.ndarray:
        """One frame of the microphone without what comes of the loudspeaker."""
        self._apm.process_reverse_stream(self._as_frame(far))
        frame = self._as_frame(near)
        self._apm.process_stream(frame)
        is_open = self._gate.is_open(far, _FRAME / RATE)
        if self._learnt < _LEARNING:
            self._learnt += _FRAME / RATE if _is_loud(far) else 0.0
            if not is_open:
                return np.zeros(_FRAME, np.float32)
        return np.frombuffer(frame.data, "<i2") / np.float32(32768)

    def _as_frame(self, samples: np.ndarray) -> Any:
        return self._frame(Audio(samples, RATE).pcm16(), RATE, 1, len(samples))


class Reference:
    """The loudspeaker's sound at 16 kHz, frame by frame in step with the microphone's.

    Both devices run in real time, so frame for frame belongs together, however late either is
    worked on. Only their clocks drift apart: what is left over for long is dropped, what is missing
    for long is taken as silence.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resampler: Resampler | None = None
        self._waiting = _NOTHING
        self._has_begun = False
        self._owed = 0  # samples that were taken as silence and may still come
        self._least = _KEPT  # samples that waited at any time lately
        self._watched = 0

    def push(self, audio: Audio) -> None:
        with self._lock:
            if self._resampler is None or self._resampler.from_rate != audio.rate:
                self._resampler = Resampler(audio.rate, RATE)
            sound = self._resampler.push(audio).samples
            missed = min(len(sound), self._owed)  # its time was taken as silence
            self._owed -= missed
            self._waiting = np.concatenate([self._waiting, sound[missed:]])[-_KEPT:]

    def frame(self, *, patient: bool) -> np.ndarray | None:
        """What belongs to the next 10 ms of the microphone; None: it is still to come.

        Not `patient`: then it is silence.
        """
        with self._lock:
            if not self._has_begun:  # the loudspeaker may have begun earlier
                self._has_begun, self._waiting = True, _NOTHING
            if len(self._waiting) < _FRAME:
                if patient:
                    return None
                self._owed = min(self._owed + _FRAME, _MOST_OWED)
                return np.zeros(_FRAME, np.float32)
            taken, self._waiting = self._waiting[:_FRAME], self._waiting[_FRAME:]
            self._least = min(self._least, len(self._waiting))
            self._watched += 1
            if self._watched == _WATCHED:
                if self._least > _SLACK:
                    self._waiting = self._waiting[self._least :]
                self._least, self._watched = _KEPT, 0
            return taken

    def all(self) -> np.ndarray:
        """All that was played since the last time."""
        with self._lock:
            taken, self._waiting = self._waiting, _NOTHING
            return taken


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
    return not Audio(samples, RATE).is_silent(below_dbfs=_LOUD_DBFS)
