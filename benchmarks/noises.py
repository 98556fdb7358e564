"""Sounds that are no words: hums from a held murmur, coughs, knocks, typing, music; synthesised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import soxr

RATE = 16_000
HumShape = Literal["mm", "hm", "mhm", "mmmm"]


def hum(held: np.ndarray, shape: HumShape, rng: np.random.Generator) -> np.ndarray:
    """ "mm", "hm", "mm-hm" or a long one, cut from a murmur, up to a fifth higher or lower."""

    def part(seconds: float, pitch: float) -> np.ndarray:
        sound = soxr.resample(held, RATE * pitch, RATE)[: int(seconds * RATE)]
        t = np.arange(len(sound)) / RATE
        rise, fall = rng.uniform(0.02, 0.06), rng.uniform(0.05, 0.15)
        return sound * np.clip(t / rise, 0, 1) * np.clip((t[-1] - t) / fall, 0, 1)

    def breath(seconds: float) -> np.ndarray:
        n = int(seconds * RATE)
        loud = float(np.sqrt(np.square(held).mean())) * 10 ** (-rng.uniform(12, 22) / 20)
        return noise(n, rng, 300, 4000) * np.hanning(n) * loud

    pitch = rng.uniform(0.85, 1.2)
    higher = pitch * rng.uniform(0.95, 1.2)
    match shape:
        case "mm":
            parts = [part(rng.uniform(0.15, 0.3), pitch)]
        case "hm":
            parts = [breath(rng.uniform(0.04, 0.09)), part(rng.uniform(0.25, 0.5), pitch)]
        case "mhm":
            parts = [part(rng.uniform(0.12, 0.2), pitch), breath(rng.uniform(0.05, 0.1))]
            parts.append(part(rng.uniform(0.2, 0.35), higher))
        case "mmmm":
            parts = [part(rng.uniform(0.6, 1.1), pitch)]
    return _loudest(np.concatenate(parts))


def cough(rng: np.random.Generator) -> np.ndarray:
    """Bursts of noise through an open throat, each sudden, then dying away; some end voiced."""
    parts = []
    for _ in range(rng.integers(1, 4)):
        seconds = rng.uniform(0.12, 0.32)
        n = int(seconds * RATE)
        t = np.arange(n) / RATE
        centre = rng.uniform(500, 1800)
        burst = noise(n, rng, centre * 0.5, centre * 3) + 0.5 * noise(n, rng, 1500, 6000)
        loud = np.exp(-t / rng.uniform(0.03, 0.1)) * np.clip(t / 0.006, 0, 1)
        if rng.random() < 0.5:
            voiced = np.sign(np.sin(2 * np.pi * rng.uniform(120, 300) * t)) * (t > seconds / 2)
            burst = burst + 0.3 * band(voiced, 200, 2500)
        parts += [burst * loud, np.zeros(int(rng.uniform(0.05, 0.2) * RATE))]
    return _loudest(np.concatenate(parts[:-1]))


def knock(rng: np.random.Generator) -> np.ndarray:
    parts = []
    for _ in range(rng.integers(1, 5)):
        t = np.arange(int(0.09 * RATE)) / RATE
        body = np.sin(2 * np.pi * rng.uniform(90, 400) * t) + 0.4 * rng.normal(size=len(t))
        parts += [body * np.exp(-t / rng.uniform(0.008, 0.03)), np.zeros(int(0.18 * RATE))]
    return _loudest(np.concatenate(parts[:-1]))


def typing(rng: np.random.Generator) -> np.ndarray:
    parts = []
    for _ in range(rng.integers(2, 10)):
        n = int(rng.uniform(0.01, 0.03) * RATE)
        click = noise(n, rng, 1500, 7000) * np.exp(-np.arange(n) / (0.004 * RATE))
        parts += [click * rng.uniform(0.4, 1), np.zeros(int(rng.uniform(0.06, 0.25) * RATE))]
    return _loudest(np.concatenate(parts))


def music(rng: np.random.Generator) -> np.ndarray:
    """A few chords of plucked or held tones."""
    parts = []
    for _ in range(rng.integers(1, 5)):
        n = int(rng.uniform(0.25, 0.6) * RATE)
        t = np.arange(n) / RATE
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        chord = np.zeros(n)
        for step in rng.choice([0, 3, 4, 7, 10, 12], size=3, replace=False):
            for k in range(1, 7):
                chord += np.sin(2 * np.pi * k * root * 2 ** (step / 12) * t) / k**1.5
        loud = np.exp(-t / rng.uniform(0.1, 0.5)) if rng.random() < 0.6 else np.ones(n)
        parts.append(chord * loud * np.clip(t / 0.01, 0, 1))
    return _loudest(np.concatenate(parts))


NOISES: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "cough": cough,
    "knock": knock,
    "typing": typing,
    "music": music,
}


def _loudest(samples: np.ndarray) -> np.ndarray:
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def noise(n: int, rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    return band(rng.normal(size=n), low, high)


def band(samples: np.ndarray, low: float, high: float, *, tilt: bool = False) -> np.ndarray:
    """Only `low` … `high` Hz, with RMS 1; with `tilt` 3 dB softer an octave."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(hertz < low) | (hertz > high)] = 0
    if tilt:
        spectrum /= np.sqrt(np.maximum(hertz, 50.0))
    out = np.fft.irfft(spectrum, len(samples))
    return out / max(1e-12, float(np.sqrt(np.square(out).mean())))
