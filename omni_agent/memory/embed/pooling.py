"""Several prints into one."""

from __future__ import annotations

import numpy as np

from omni_agent.memory.values import Vectors


def agreed(vectors: Vectors, weights: np.ndarray | None = None) -> Vectors:
    """The mean direction [dim] of [n, dim]; what points away from the others (a cough, someone
    else's word, a bad view) counts less."""
    weights = np.ones(len(vectors), np.float32) if weights is None else weights
    middle = unit(weights @ vectors)
    return unit((weights * np.maximum(vectors @ middle, 0.05)) @ vectors)


def unit(vectors: np.ndarray) -> Vectors:
    """Each row, or the one vector, made of length 1."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    made: Vectors = (vectors / np.maximum(length, 1e-9)).astype(np.float32)
    return made
