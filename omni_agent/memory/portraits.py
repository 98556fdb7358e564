"""The best views of one face: few, good, and different from each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from omni_agent.media import Image
from omni_agent.memory.embed.face import Face
from omni_agent.memory.embed.pooling import agreed
from omni_agent.memory.values import Vectors

MOST = 6
_ALIKE = 0.9  # the cosine from which two views show the same
_PORTRAIT_SIDE = 192


@dataclass(slots=True, eq=False)
class Shot:
    """One view. `print`: float32 [dim]. `picture`: cuts the portrait out, if the shot is kept."""

    t: float
    quality: float
    print: Vectors
    picture: Callable[[], Image]


@dataclass(frozen=True, slots=True, eq=False)
class KeptShot:
    t: float
    quality: float
    print: Vectors
    portrait: Image


class BestShots:
    """At most six: a better view replaces one like it, or else the worst."""

    def __init__(self) -> None:
        self._kept: list[KeptShot] = []
        self._mean: Vectors | None = None

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def all(self) -> tuple[KeptShot, ...]:
        """The best first."""
        return tuple(sorted(self._kept, key=lambda s: -s.quality))

    @property
    def mean(self) -> Vectors | None:
        """One print [dim] of all of them, weighted by quality."""
        return self._mean

    @property
    def sure(self) -> bool:
        """Whether it takes more than a bad view to doubt them."""
        return len(self._kept) > 1 or (bool(self._kept) and self._kept[0].quality > 0.6)

    def add(self, shot: Shot) -> bool:
        """Whether it was kept."""
        near = max(self._kept, key=lambda k: float(k.print @ shot.print), default=None)
        if near is not None and float(near.print @ shot.print) >= _ALIKE:
            if shot.quality <= near.quality:
                return False
            self._kept.remove(near)
        elif len(self._kept) >= MOST:
            worst = min(self._kept, key=lambda k: k.quality)
            if shot.quality <= worst.quality:
                return False
            self._kept.remove(worst)
        self._kept.append(KeptShot(shot.t, shot.quality, shot.print, shot.picture()))
        self._settle()
        return True

    def join(self, others: BestShots) -> None:
        """Take over the best of another's that show the same person."""
        for kept in others.all:
            self.add(Shot(kept.t, kept.quality, kept.print, lambda kept=kept: kept.portrait))  # type: ignore[misc]

    def _settle(self) -> None:
        weights = np.array([max(k.quality, 0.05) for k in self._kept], np.float32)
        self._mean = agreed(np.stack([k.print for k in self._kept]), weights)


def portrait(image: Image, face: Face) -> Image:
    """The head with some hair and collar, no side longer than 192 pixels."""
    x, y, width, height = face.box
    left, top = max(0, int(x - 0.35 * width)), max(0, int(y - 0.35 * height))
    right = min(image.size[0], int(x + 1.35 * width) + 1)
    bottom = min(image.size[1], int(y + 1.30 * height) + 1)
    if right <= left or bottom <= top:
        return image.thumbnail(_PORTRAIT_SIDE)
    return Image(np.ascontiguousarray(image.pixels[top:bottom, left:right])).thumbnail(
        _PORTRAIT_SIDE
    )
