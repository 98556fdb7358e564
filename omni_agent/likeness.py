"""How much two pictures differ, told at a glance: from a few thousand of their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from omni_agent.media import Image

Kind = Literal["view", "page"]
"""What a camera shows, which trembles and flickers · what a screen shows, which does neither."""

_GRID = (24, 32)  # cells of a view, rows and columns
_SAMPLED = 5  # pixels looked at in a cell, along each side
_POINTS = (240, 320)  # pixels of a page, rows and columns

_BY_NOISE = 14.0  # grey levels by which a cell of a view must stand out
_BY_RENDERING = 24.0  # grey levels by which a pixel of a page must differ
_FLAT = 12.0  # grey levels; a view with a smaller deviation is not stretched, or noise would grow
_DARK = 12.0


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """What is kept of a picture to compare it with another.

    `cells`: float32 [rows, columns], grey levels 0 … 255; for a view the means of cells.
    """

    cells: np.ndarray
    kind: Kind

    @classmethod
    def at(cls, image: Image, kind: Kind = "view") -> Glance:
        """Looks at green alone, which carries most of the light. Any size from 1 × 1 pixel on."""
        rows, columns = _GRID if kind == "view" else _POINTS
        each = _SAMPLED if kind == "view" else 1
        height, width = image.pixels.shape[:2]
        places = _places(height, rows * each)[:, None], _places(width, columns * each)
        sampled = image.pixels[..., 1][places].astype(np.float32)
        if each > 1:
            sampled = sampled.reshape(rows, each, columns, each).mean(axis=(1, 3))
        return cls(sampled, kind)

    @property
    def is_dark(self) -> bool:
        """Nothing is to be seen: a lens that is covered, a camera that is still starting."""
        return float((self.cells > _DARK).mean()) < 0.01

    def changed(self, since: Glance) -> np.ndarray:
        """Which cells show something else than before, bool [rows, columns].

        Of a view, neither counts a change of brightness and contrast as a whole, nor a shift by
        less than a cell, a thirtieth of the picture: each cell is held against its neighbourhood.
        """
        if self.kind == "page":
            return np.abs(self.cells - since.cells) > _BY_RENDERING
        now = self._as_bright_as(since)
        low, high = _neighbourhood(since.cells)
        strays = np.maximum(now - high, low - now) > _BY_NOISE
        low, high = _neighbourhood(now)
        misses = np.maximum(since.cells - high, low - since.cells) > _BY_NOISE
        return strays | misses

    def difference(self, since: Glance) -> float:
        """The part of the picture that shows something else, 0 … 1."""
        return float(self.changed(since).mean())

    def _as_bright_as(self, other: Glance) -> np.ndarray:
        """The cells with the brightness and contrast of `other`, in which cameras drift."""
        mean, deviation = self.cells.mean(), self.cells.std()
        there, other_deviation = other.cells.mean(), other.cells.std()
        if self.is_dark is not other.is_dark or min(deviation, other_deviation) < _FLAT:
            return self.cells
        contrast = np.clip(other_deviation / deviation, 0.5, 2.0)
        return (self.cells - mean) * contrast + there


@lru_cache(maxsize=64)
def _places(length: int, count: int) -> np.ndarray:
    """`count` pixels evenly over a side of `length`."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)


def _neighbourhood(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of each cell and the eight around it."""
    padded = np.pad(cells, 1, mode="edge")
    low = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    high = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    low = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    high = np.maximum(np.maximum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
    return low, high
