"""Nets that a test can see through: loudness is how likely it is speech; a judge says its lines."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from omni_agent.listening import Asked, Heed, Listening, Senses, TurnListener
from omni_agent.media import Audio

RATE = 16_000
WINDOW = 512  # samples, 32 ms


class LoudnessVad:
    """A frame whose loudest sample is 0.9 is speech with probability 0.9."""

    def stream(self) -> LoudnessVad:
        return self

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        return np.abs(frames).max(axis=1)


class Judge:
    """Says `answers` one after the other, then the last again and again. `heard`: what it was
    asked about."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.heard: list[np.ndarray] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def over(self, samples: np.ndarray) -> float:
        assert self.may_answer.wait(10)
        self.heard.append(samples)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class BrokenJudge:
    def over(self, samples: np.ndarray) -> float:
        raise RuntimeError("the net has a hole")


def listener(
    settings: Listening | None = None, *, judge: Judge | BrokenJudge | None = None
) -> TurnListener:
    return TurnListener(settings, senses=Senses(LoudnessVad(), judge))  # type: ignore[arg-type]


def sound(*parts: tuple[str, int]) -> Audio:
    """("speech" | "silence" | "maybe", windows of 32 ms), …: a voice is a buzz with overtones."""
    level = {"speech": 0.97, "maybe": 0.6, "silence": 0.01}
    samples = [_voice(n * WINDOW) * level[kind] for kind, n in parts]
    return Audio(np.concatenate(samples).astype(np.float32), RATE)


def murmur(windows: int) -> Audio:
    """A closed mouth: one low tone and hardly an overtone."""
    t = np.arange(windows * WINDOW) / RATE
    tone = np.sin(2 * np.pi * 220 * t) + 0.02 * np.sin(2 * np.pi * 440 * t)
    return Audio((0.88 * tone / np.abs(tone).max()).astype(np.float32), RATE)


def _voice(n: int) -> np.ndarray:
    """Vowels that change every 64 ms, with a hiss at each change; its peak is 1 in every window."""
    t = np.arange(n) / RATE
    syllable = (t / 0.064).astype(int)
    first = np.array([300, 800, 500, 700, 350])[syllable % 5]
    second = np.array([2300, 1200, 900, 1800])[syllable % 4]
    hiss = np.random.default_rng(0).normal(0, 0.3, n)
    out = np.where((t % 0.064) < 0.02, np.diff(hiss, prepend=0.0), 0.0)
    for k in range(1, 40):
        strength = 1 / (1 + ((150 * k - first) / 120) ** 2)
        strength = strength + 0.6 / (1 + ((150 * k - second) / 200) ** 2)
        out = out + strength * np.sin(2 * np.pi * 150 * k * t + k * k)
    windows = out[: n // WINDOW * WINDOW].reshape(-1, WINDOW)
    return (windows / np.abs(windows).max(axis=1, keepdims=True)).reshape(-1)


async def heard(
    ear: TurnListener,
    audio: Audio,
    *,
    speaking: bool = False,
    asked: Asked | None = None,
    chunk: int = 320,
) -> list[Heed]:
    """What `ear` makes of `audio` when it comes in chunks of so many samples."""
    heeds: list[Heed] = []
    for begin in range(0, len(audio.samples), chunk):
        piece = Audio(audio.samples[begin : begin + chunk], audio.rate)
        heeds += await ear.hear(piece, speaking=speaking, asked=asked)
    return heeds


def names(heeds: Sequence[Heed]) -> list[str]:
    return [type(heed).__name__ for heed in heeds]


__all__ = [
    "RATE", "WINDOW", "BrokenJudge", "Judge", "heard", "listener", "murmur", "names",
    "sound",
]  # fmt: skip
