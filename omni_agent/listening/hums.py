"""Words or a hum: told within 100 to 200 ms from how a sound begins.

A hum is made with the mouth shut: its energy lies below 400 Hz, little is above 1 kHz, and it
hardly changes. Coughs and knocks are sudden, flat in the spectrum and without pitch. `Onset`
measures this against the noise before the sound, and a logistic regression weighs it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache

import numpy as np

from omni_agent.model.compact.mel import RATE
from omni_agent.model.compact.vad import FRAME

_EDGES = (80, 200, 350, 550, 800, 1200, 1700, 2400, 3400, 4800, 7000)  # Hz
_BANDS = len(_EDGES) - 1
_LOW, _VOWEL = 2, 5  # bands up to 350 Hz, up to 1200 Hz
_PITCHES = (RATE // 400, RATE // 70)  # lags of voices: 400 … 70 Hz
_SEGMENT = 6
"""Windows of 32 ms that are weighed together: the last ones of a sound."""
_FLOOR = 1e-7  # power in a band below which all is silence


def spectra(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [n, 512] → power in ten bands [n, 10], and how periodic each window is [n], 0 … 1."""
    tapered = frames * _taper()
    power = np.abs(np.fft.rfft(tapered, 2 * FRAME, axis=1)) ** 2
    bands = np.add.reduceat(power, _starts(), axis=1)[:, :_BANDS] / FRAME
    again = np.fft.irfft(power, axis=1)
    first, last = _PITCHES
    periodic = again[:, first:last] / _taper_again()[first:last]
    return bands, np.clip(periodic.max(axis=1) / (again[:, 0] + 1e-9), 0.0, 1.0)


class Onset:
    """A sound from its first window on. `before`: float32 [n, 512], what was heard before it."""

    def __init__(self, before: Sequence[np.ndarray]) -> None:
        self._noise = np.full(_BANDS, _FLOOR)
        if len(before):
            self._noise += np.median(spectra(np.stack(before))[0], axis=0)
        self._seen: deque[tuple[np.ndarray, float, float]] = deque(maxlen=_SEGMENT)
        self._count = 0

    def add(self, frame: np.ndarray, probability: float) -> None:
        """float32 [512], and how likely it is speech by the voice activity detector."""
        bands, periodic = spectra(frame[None])
        clean = np.maximum(bands[0] - self._noise, 0.05 * self._noise)
        self._seen.append((clean, float(periodic[0]), probability))
        self._count += 1

    def score(self) -> float:
        """Log odds of words against hums and noises; below 0 means: rather no words."""
        return float(self.features() @ WEIGHTS[1:] + WEIGHTS[0])

    def features(self) -> np.ndarray:
        """float64 [10], each about −2 … 2."""
        bands = np.stack([seen[0] for seen in self._seen])
        periodic = np.array([seen[1] for seen in self._seen])
        speech = np.clip([seen[2] for seen in self._seen], 0.01, 0.99)
        low = bands[:, :_LOW].sum(axis=1)
        middle = bands[:, _LOW:_VOWEL].sum(axis=1)
        high = bands[:, _VOWEL:].sum(axis=1)
        level = _db(low + middle + high)
        over_noise = level.max() - _db(self._noise.sum())
        shape = _db(np.maximum(bands, 10 ** ((level[:, None] - 45) / 10))) - level[:, None]
        change = np.abs(np.diff(shape, axis=0)).mean() if len(shape) > 1 else 6.0
        logit = np.log(speech / (1 - speech))
        return np.array(
            [
                (_db(middle.sum()) - _db(low.sum())) / 10,
                (_db(high.sum()) - _db(low.sum() + middle.sum()) + 15) / 10,
                ((_db(high) - _db(low + middle)).max() + 10) / 10,
                (change - 5) / 3,
                (periodic.mean() - 0.6) * 4,
                (periodic.max() - 0.8) * 4,
                logit.mean() / 2,
                logit.max() / 2 - 1,
                (over_noise - 25) / 10,
                np.diff(level).max(initial=0.0) / 10 - 1 if self._count <= _SEGMENT else -1.0,
            ]
        )


WEIGHTS = np.array([-2.49, 0.95, 0.85, -0.06, 2.25, 1.26, -0.52, 1.36, 1.36, 0.44, 0.2])
"""First the bias, then one for each feature. Found by benchmarks/fit_hums.py."""


def _db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 1e-12))


@cache
def _taper() -> np.ndarray:
    return np.hanning(FRAME + 2)[1:-1].astype(np.float32)


@cache
def _taper_again() -> np.ndarray:
    """The taper's own correlation, by which that of a tapered sound is divided."""
    power = np.abs(np.fft.rfft(_taper(), 2 * FRAME)) ** 2
    again = np.fft.irfft(power)
    return np.maximum(again / again[0], 0.05)


@cache
def _starts() -> np.ndarray:
    hertz = np.fft.rfftfreq(2 * FRAME, 1 / RATE)
    return np.searchsorted(hertz, _EDGES)
