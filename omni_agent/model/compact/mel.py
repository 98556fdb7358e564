"""Whisper's input: an 80-band log-mel spectrogram (Radford et al. 2022, section 2.2)."""

from __future__ import annotations

from functools import cache

import numpy as np

RATE = 16_000
FRAMES_PER_SECOND = 100
BANDS = 80
_FFT = 400
_HOP = RATE // FRAMES_PER_SECOND


def log_mel(samples: np.ndarray, seconds: float) -> np.ndarray:
    """float32 [n] at 16 kHz → float32 [1, 80, seconds × 100], the rest padded as silence."""
    frames = round(seconds * FRAMES_PER_SECOND)
    padded = np.pad(samples[: frames * _HOP].astype(np.float32), (_FFT // 2, _FFT))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][:frames]
    power = np.abs(np.fft.rfft(windows * _hann(), axis=-1)) ** 2
    bands = np.log10(np.maximum(power.astype(np.float32) @ _filters().T, 1e-10))
    out = np.full((frames, BANDS), -10.0, np.float32)  # -10 is what digital silence comes to
    out[: len(bands)] = bands
    out = (np.maximum(out, out.max() - 8.0) + 4.0) / 4.0
    return np.ascontiguousarray(out.T[None])


@cache
def _hann() -> np.ndarray:
    return np.hanning(_FFT + 1)[:-1].astype(np.float32)


@cache
def _filters() -> np.ndarray:
    """Triangles on Slaney's mel scale, each of unit area: float32 [80, 201]."""
    edges = _mel_to_hz(np.linspace(0.0, _HIGHEST_MEL, BANDS + 2))
    bins = np.fft.rfftfreq(_FFT, 1.0 / RATE)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)


# Slaney's scale: linear below 1 kHz (15 mel), logarithmic above.
_LOG_STEP = np.log(6.4) / 27.0
_HIGHEST_MEL = 15.0 + np.log((RATE / 2) / 1000.0) / _LOG_STEP


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(_LOG_STEP * (mel - 15.0)))
