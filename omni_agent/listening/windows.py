"""Sound of any rate and length → windows of 32 ms at 16 kHz, and how likely each is speech."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from omni_agent.listening.settings import Asked
from omni_agent.media import Audio, Resampler
from omni_agent.model.compact.mel import RATE
from omni_agent.model.compact.vad import FRAME, Vad, VadStream

WINDOW_MS = 32
_SILENT = 0.001
"""A window without a sample above this (−60 dBFS) holds no speech: a muted microphone."""
_AT_ONCE = 64
"""Windows that the detector gets at once; more would hold up the event loop."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """`frame`: float32 [512]; `speech`: its probability with the threshold that applies here."""

    index: int
    frame: np.ndarray
    probability: float
    speech: bool
    speaking: bool
    asked: Asked | None

    @property
    def start_ms(self) -> int:
        return self.index * WINDOW_MS

    @property
    def end_ms(self) -> int:
        return (self.index + 1) * WINDOW_MS


class Frames:
    """Cuts sound into frames; what is left over begins the next one."""

    def __init__(self) -> None:
        self._resampler = Resampler(RATE, RATE)
        self._left = np.zeros(0, np.float32)

    def cut(self, audio: Audio) -> np.ndarray:
        """float32 [n, 512]. A change of rate goes on without a gap."""
        parts = [self._left]
        if audio.rate != self._resampler.from_rate:
            parts.append(self._resampler.flush().samples)
            self._resampler = Resampler(audio.rate, RATE)
        parts.append(self._resampler.push(audio).samples)
        sound = np.clip(np.concatenate(parts), -1.0, 1.0)
        whole = len(sound) // FRAME * FRAME
        self._left = sound[whole:].copy()
        return sound[:whole].reshape(-1, FRAME)


class SpeechMeter:
    """How likely each frame is speech. Frames of a muted microphone cost nothing."""

    def __init__(self, vad: Vad) -> None:
        self._vad = vad
        self._stream: VadStream | None = None  # None: after silence it begins anew

    def measure(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """float32 [n, 512] → probabilities, some frames at a time."""
        silent = np.abs(frames).max(axis=1, initial=0.0) < _SILENT
        borders = np.flatnonzero(np.diff(silent)) + 1
        for run in np.split(np.arange(len(frames)), borders):
            if not len(run):
                continue
            if silent[run[0]]:
                self._stream = None
                yield np.zeros(len(run), np.float32)
                continue
            self._stream = self._stream or self._vad.stream()
            for begin in range(0, len(run), _AT_ONCE):
                yield self._stream.probabilities(frames[run[begin : begin + _AT_ONCE]])
