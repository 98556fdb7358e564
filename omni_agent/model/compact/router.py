"""Which tool an utterance is for, told by the examples it is like.

A multinomial logistic regression over the utterance's embedding, fitted to the examples of the
tools and to talk that needs none. It takes some ten milliseconds and knows nothing of the
conversation; `omni_agent.model.compact.decision` weighs it against the Thinker.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omni_agent.messages import Exchange, ToolSpec
from omni_agent.model.compact.keep import keep_arrays, kept_arrays
from omni_agent.model.compact.talk import TALK
from omni_agent.text_embedding import TextEmbedder

NO_TOOL = ""
"""The label of talk."""

LONGEST = 300
"""Characters of an utterance that are looked at."""

Matrix = npt.NDArray[np.float64]

_TALK_SHARE = 0.35
"""How much of what is said is talk, before anything is known of it. Tools share the rest by the
square root of how many examples they have."""
_RIDGE, _STEPS = 1e-5, 400
_VERSION = 1  # of what is saved


@dataclass(frozen=True, slots=True)
class Router:
    """`labels`: the tools' names and `NO_TOOL`. `weights`: float64 [1 + features, labels]."""

    embedder: TextEmbedder
    labels: tuple[str, ...]
    centre: Matrix
    weights: Matrix

    def judge(self, utterance: str) -> dict[str, float]:
        """The probability of each label."""
        features = _features(self.embedder, [utterance]) - self.centre
        likely = _softmax(self.weights[0] + _unit(features) @ self.weights[1:])[0]
        return dict(zip(self.labels, likely.tolist(), strict=True))


class Routers:
    """Fits routers and keeps them, in memory and in a folder: fitting takes seconds."""

    def __init__(self, embedder: TextEmbedder, folder: Path) -> None:
        self._embedder, self._folder = embedder, folder
        self._kept: dict[str, Router] = {}

    def of(self, tools: Sequence[ToolSpec], talk: Sequence[Exchange]) -> Router | None:
        """The router between these tools and talk; None where there are no tools."""
        if not tools:
            return None
        said = [(line, spec.name) for spec in tools for line in _lines_of(spec)]
        said += [(e.utterance, NO_TOOL) for e in talk] + [(line, NO_TOOL) for line in TALK]
        told = json.dumps([_VERSION, self._embedder.name, said])
        digest = hashlib.sha256(told.encode()).hexdigest()[:24]
        if digest not in self._kept:
            file = self._folder / f"{digest}.npz"
            self._kept[digest] = self._loaded(file) or self._fitted(said, file)
        return self._kept[digest]

    def _loaded(self, file: Path) -> Router | None:
        saved = kept_arrays(file, "labels", "centre", "weights")
        if saved is None:
            return None
        labels = tuple(str(label) for label in saved["labels"])
        return Router(self._embedder, labels, saved["centre"], saved["weights"])

    def _fitted(self, said: Sequence[tuple[str, str]], file: Path) -> Router:
        labels = tuple(dict.fromkeys(label for _, label in said))
        vectors = _features(self._embedder, [utterance for utterance, _ in said])
        centre = vectors.mean(axis=0)
        of = np.array([[label == other for other in labels] for _, label in said], np.float64)
        router = Router(self._embedder, labels, centre, _regression(_unit(vectors - centre), of))
        kept = {"labels": np.array(labels), "centre": centre, "weights": router.weights}
        keep_arrays(file, kept)
        return router


def _lines_of(spec: ToolSpec) -> list[str]:
    """A tool without examples is known by what it does, which reads like a request."""
    return [e.utterance for e in spec.examples] + [spec.description.strip().split("\n", 1)[0]]


def _features(embedder: TextEmbedder, texts: Sequence[str]) -> Matrix:
    """[n, 2 dim]: each text seen as a question and as a passage, which tell more than either."""
    heads = [text[:LONGEST] for text in texts]
    both = np.concatenate([embedder.query(heads), embedder.passage(heads)], axis=1)
    return both.astype(np.float64)


def _regression(x: Matrix, y: Matrix) -> Matrix:
    """Weights [1 + features, labels] for x [n, features] and y [n, labels], the talk's last.

    Ridge-penalised, by Nesterov's accelerated gradient.
    """
    counts = y.sum(axis=0)
    shares = np.sqrt(counts)
    shares[:-1] *= (1 - _TALK_SHARE) / shares[:-1].sum()
    shares[-1] = _TALK_SHARE
    importance = (y @ (shares / counts))[:, None]
    x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    steepest = 0.5 * np.linalg.norm(x * np.sqrt(importance), 2) ** 2 + _RIDGE
    weights = ahead = np.zeros((x.shape[1], y.shape[1]))
    pace = 1.0
    for _ in range(_STEPS):
        slope = x.T @ ((_softmax(x @ ahead) - y) * importance)
        slope[1:] += _RIDGE * ahead[1:]
        moved = ahead - slope / steepest
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = moved + (pace - 1) / faster * (moved - weights)
        weights, pace = moved, faster
    return weights


def _unit(x: Matrix) -> Matrix:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


def _softmax(x: Matrix) -> Matrix:
    grown = np.exp(x - x.max(axis=1, keepdims=True))
    unit: Matrix = grown / grown.sum(axis=1, keepdims=True)
    return unit
