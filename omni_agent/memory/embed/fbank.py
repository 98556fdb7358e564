"""The log-mel features that speaker models in ONNX were trained on.

`kaldi_fbank`: 80 bands as Kaldi computes them (CAM++, ERes2Net, WeSpeaker). `redimnet_mel`: 72
bands of ReDimNet2 (PalabraAI/redimnet2). 16 kHz, 100 frames a second, without each band's mean.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

RATE = 16_000
_FRAME, _HOP, _FFT = 400, 160, 512
_PRE_EMPHASIS = 0.97
_LEAST = np.finfo(np.float32).eps


def kaldi_fbank(
    stretches: np.ndarray, *, window: Literal["povey", "hamming"] = "povey"
) -> np.ndarray:
    """float32 [n, samples] → float32 [n, frames, 80]; whole frames only, no dither."""
    frames = _frames(stretches.astype(np.float64) * 32768.0)
    frames = frames - frames.mean(axis=-1, keepdims=True)
    before = np.concatenate([frames[..., :1], frames[..., :-1]], axis=-1)
    power = np.abs(np.fft.rfft((frames - _PRE_EMPHASIS * before) * _window(window), _FFT)) ** 2
    bands = np.log(np.maximum(power[..., : _FFT // 2] @ _kaldi_filters().T, _LEAST))
    return (bands - bands.mean(axis=1, keepdims=True)).astype(np.float32)


def redimnet_mel(stretches: np.ndarray) -> np.ndarray:
    """float32 [n, samples] → float32 [n, 1, 72, frames]; the count of frames divides by 4."""
    x = stretches.astype(np.float64)
    x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1e-8)
    x = x - _PRE_EMPHASIS * np.concatenate([x[:, 1:2], x[:, :-1]], axis=1)
    frames = _frames(np.pad(x, ((0, 0), (_HOP // 2, _HOP // 2))))
    spectrum = np.fft.rfft(frames * np.hamming(_FRAME), _FFT)[..., : _FFT // 2]
    power = np.clip(spectrum.real**2 + spectrum.imag**2, 1e-8, 1e8)
    bands = np.log(np.clip(power @ _redimnet_filters().T, 1e-8, 1e8) + 1e-8)
    bands = (bands - bands.mean(axis=1, keepdims=True)).transpose(0, 2, 1)[:, None]
    whole = bands.shape[-1] // 4 * 4
    return np.ascontiguousarray(bands[..., :whole], np.float32)


def _frames(x: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, _FRAME, axis=1)[:, ::_HOP]


def _window(kind: Literal["povey", "hamming"]) -> np.ndarray:
    return np.hamming(_FRAME) if kind == "hamming" else np.hanning(_FRAME) ** 0.85


@cache
def _kaldi_filters(bands: int = 80, lowest: float = 20.0) -> np.ndarray:
    edges = np.linspace(_kaldi_mel(lowest), _kaldi_mel(RATE / 2), bands + 2)
    return _triangles(edges, _kaldi_mel(np.arange(_FFT // 2) * RATE / _FFT))


@cache
def _redimnet_filters(bands: int = 72, lowest: float = 20.0, highest: float = 7600.0) -> np.ndarray:
    edges = np.linspace(_mel10(lowest), _mel10(highest), bands + 2)
    # Its own spacing of the bins, half a bin wide of the transform's; the weights are used to it.
    filters = _triangles(edges, _mel10(np.linspace(0.0, RATE / 2, _FFT // 2)))
    filters[:, 0] = 0.0
    return filters


def _triangles(edges: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """[bands, bins], linear in mel, their peak 1."""
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return np.maximum(0.0, np.minimum(rising, falling))


def _kaldi_mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


def _mel10(hz: np.ndarray | float) -> np.ndarray:
    return 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)
