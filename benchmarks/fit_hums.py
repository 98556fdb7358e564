"""Finds the weights by which words are told from hums and noises (omni_agent/listening/hums.py).

    python benchmarks/fit_hums.py

Every sound of the split "fit" is heard in two rooms, as the listener would: from the first window
of speech on, each window's features are one example; a hum's and a noise's are no words, those of a
phrase are words. Words of assent are left out. Prints the weights, and how many sounds of each kind
would be taken for words.
"""

from __future__ import annotations

import numpy as np
from listening_sounds import Sound, interruptions, placed, seed_of

from omni_agent.listening.hums import Onset
from omni_agent.model.compact.vad import FRAME, Vad

_SOFT = 1.0  # ridge
_FIRST = 3  # windows from which on a decision is made
_WINDOWS = 24  # at most, of one sound


def main() -> None:
    vad = Vad()
    rows, labels, weights = [], [], []
    for sound in interruptions("fit"):
        if sound.kind == "short":
            continue
        for heard in rooms(sound):
            found = examples(heard, vad)
            rows += found
            labels += [float(sound.kind == "words")] * len(found)
            # A hum is as important as a phrase, however long either is.
            weights += [1 / max(1, len(found))] * len(found)
    x = np.column_stack([np.ones(len(rows)), np.array(rows)])
    y, w = np.array(labels), np.array(weights)
    w[y == 1] *= w[y == 0].sum() / w[y == 1].sum()
    w *= len(w) / w.sum()
    fitted = logistic(x, y, w)
    print(f"{len(y)} windows, {int(y.sum())} of words")
    print("WEIGHTS =", np.array2string(fitted, precision=2, separator=", ", suppress_small=True))


def rooms(sound: Sound) -> list[np.ndarray]:
    """The sound at some level in a quiet and in a noisy room."""
    rng = np.random.default_rng(seed_of(sound))
    return [
        placed(sound.samples, rng, dbfs=rng.uniform(-36, -18), noise_dbfs=noise, after=0.6)
        for noise in (rng.uniform(-75, -62), rng.uniform(-60, -48))
    ]


def examples(heard: np.ndarray, vad: Vad) -> list[np.ndarray]:
    """The features at each window of speech from the third on."""
    frames = heard[: len(heard) // FRAME * FRAME].reshape(-1, FRAME)
    found: list[np.ndarray] = []
    onset, speech, spoken, silent = None, False, 0, 0
    for i, probability in enumerate(vad.stream().probabilities(frames)):
        speech = bool(probability >= (0.35 if speech else 0.5))
        silent = 0 if speech else silent + 1
        if silent > 4:
            onset, spoken = None, 0
        if not speech:
            continue
        if onset is None:
            onset = Onset(list(frames[max(0, i - 10) : i]))
        onset.add(frames[i], float(probability))
        spoken += 1
        if _FIRST <= spoken <= _WINDOWS:
            found.append(onset.features())
    return found


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Newton's method; the bias (first column) is not held back."""
    ridge = np.full(x.shape[1], _SOFT)
    ridge[0] = 0.0
    b = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ b))
        gradient = x.T @ (weight * (y - p)) - ridge * b
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        b += step
        if np.abs(step).max() < 1e-6:
            break
    return b


if __name__ == "__main__":
    main()
