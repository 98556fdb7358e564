"""Sound and pictures as values: `Audio`, `Image`, `VideoFrame`, and how to read and write them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound. `samples`: float32 [n] in −1 … 1; `rate`: Hz."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture. `pixels`: uint8 [height, width, 3], RGB."""

    pixels: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One picture of a video. `t`: seconds since the video began."""

    image: Image
    t: float
