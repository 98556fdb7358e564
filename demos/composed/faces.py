"""Faces drawn well enough to be found and told apart by the real models: no photograph is needed.

A number is a person: features, colours, and a pattern of light and shade that stays with the face.
`PEOPLE` are some whom SFace tells apart (cosines under 0.35), as it does real people.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from omni_agent.media import Image

PEOPLE = (27, 187, 110, 211, 106)
WALL = (120, 130, 120)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a person is in a frame: the centre and the size of the drawing in pixels."""

    person: int
    x: int
    y: int
    size: int = 200
    mouth: float = 0.0


def frame(*seats: Seat, width: int = 640, height: int = 480) -> Image:
    """A picture of these people before a plain wall; later seats are in front."""
    pixels = np.full((height, width, 3), WALL, np.uint8)
    for seat in seats:
        drawn = person(seat.person, seat.size, seat.mouth)
        left, top = seat.x - seat.size // 2, seat.y - seat.size // 2
        x, y = max(0, left), max(0, top)
        part = drawn[y - top : max(0, height - top), x - left : max(0, width - left)]
        pixels[y : y + part.shape[0], x : x + part.shape[1]] = part
    return Image(pixels)


def person(number: int, size: int = 240, mouth: float = 0.0) -> np.ndarray:
    """uint8 [size, size, 3] RGB. `mouth`: 0 closed … 1 wide open."""
    rng = np.random.default_rng(number)
    drawn = _draw(features(rng), 2 * size, mouth).astype(np.float32)
    drawn = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)
    shade = np.zeros((size, size, 1), np.float32)
    for cells in (5, 9, 16):
        shade[:, :, 0] += _field(rng, (cells, cells), size) * 5 / cells
    tint = 0.25 * _field(rng, (4, 4, 3), size)
    across = np.mgrid[:size, :size] / size - 0.5
    face = np.exp(-(((across[1] / 0.3) ** 2 + (across[0] / 0.36) ** 2) ** 3))[..., None]
    return np.clip(drawn * np.exp(0.55 * face * (shade + tint)), 0, 255).astype(np.uint8)


def _field(rng: np.random.Generator, shape: tuple[int, ...], size: int) -> np.ndarray:
    cells = rng.normal(0, 1, shape).astype(np.float32)
    return cv2.resize(cells, (size, size), interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True, slots=True)
class _Features:
    skin: np.ndarray
    hair: np.ndarray
    eye: float
    gap: float
    nose: float
    mouth: float
    wide: float
    brow: float
    beard: np.ndarray | None


def features(rng: np.random.Generator) -> _Features:
    return _Features(
        skin=rng.uniform([130, 90, 60], [245, 205, 175]),
        hair=rng.uniform(0, 170, 3),
        eye=rng.uniform(0.75, 1.3),
        gap=rng.uniform(0.88, 1.12),
        nose=rng.uniform(0.7, 1.5),
        mouth=rng.uniform(0.75, 1.3),
        wide=rng.uniform(0.88, 1.12),
        brow=rng.uniform(0.5, 1.8),
        beard=rng.uniform(0, 120, 3) if rng.random() < 0.35 else None,
    )


def _draw(f: _Features, side: int, mouth: float) -> np.ndarray:
    pixels = np.full((side, side, 3), WALL, np.uint8)
    unit = side / 200

    def oval(x, y, a, b, colour, start=0, end=360, line=-1) -> None:
        thick = line if line < 0 else max(1, round(line * unit))
        shade = tuple(int(v) for v in np.clip(colour, 0, 255))
        centre, axes = (round((100 + x) * unit), round(y * unit)), (a * unit, b * unit)
        size = (max(1, round(axes[0])), max(1, round(axes[1])))
        cv2.ellipse(pixels, centre, size, 0, start, end, shade, thick, cv2.LINE_AA)

    def lips() -> None:
        oval(0, 138, 15 * f.mouth, 5 + 7 * mouth, (190, 90, 90))
        oval(0, 139, 12 * f.mouth, 0.8 + 6 * mouth, (70, 30, 40))
        if mouth > 0.3:
            oval(0, 135 - 2 * mouth, 10 * f.mouth, 2, (235, 235, 235))

    oval(0, 205, 80, 45, (60, 70, 100))  # shoulders, neck
    oval(0, 150, 22, 40, 0.72 * f.skin)
    oval(0, 85, 56 * f.wide, 70, f.hair)
    oval(0, 100, 50 * f.wide, 62, f.skin)
    for side_of in (-1, 1):  # ears, cheekbones
        oval(side_of * 50 * f.wide, 102, 7, 14, 0.88 * f.skin)
        oval(side_of * 38 * f.wide, 108, 10, 40, 0.88 * f.skin)
    oval(0, 75, 30, 16, 1.08 * f.skin)
    oval(0, 56, 50 * f.wide, 26, f.hair, 180, 360)
    for side_of in (-1, 1):
        x = side_of * 20 * f.gap
        oval(x, 92, 14, 9, 0.88 * f.skin)
        oval(x, 93, 10 * f.eye, 5.5 * f.eye, (245, 245, 245))
        oval(x, 93, 4.6 * f.eye, 5 * f.eye, (40, 50, 60))
        oval(x, 93, 2.2, 2.4, (10, 10, 10))
        oval(x + 1.5, 91.5, 1, 1, (255, 255, 255))
        oval(x, 93, 10 * f.eye, 6 * f.eye, (50, 40, 40), 190, 350, 1.6)
        oval(x, 80, 13, 5 * f.brow, f.hair, 195, 345, 3 * f.brow)
    oval(0, 112, 7 * f.nose, 16, 0.88 * f.skin)
    oval(0, 113, 4.5 * f.nose, 14, 1.08 * f.skin)
    for side_of in (-1, 1):
        oval(side_of * 5 * f.nose, 124, 3, 2, 0.72 * f.skin)
    oval(0, 124, 8 * f.nose, 4, 0.72 * f.skin, 20, 160, 1.2)
    lips()
    if f.beard is not None:
        oval(0, 146, 34 * f.wide, 24, f.beard, 0, 180)
        lips()
    return cv2.GaussianBlur(pixels, (0, 0), 1.2 * unit)
