"""What people wear, drawn: glasses of several kinds on a face, and a garment under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from composed.faces import Seat, features
from omni_agent.media import Image
from omni_agent.memory.embed.face import Face

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """A kind of glasses. `line`: how thick, in distances of the eyes. `tint`: 0 clear … 1."""

    shape: Literal["round", "square", "drop"]
    line: float
    colour: Colour
    tint: float = 0.0
    lower: bool = True


FRAMES = {
    "round metal": Frame("round", 0.022, (70, 65, 60)),
    "square black": Frame("square", 0.07, (20, 20, 22)),
    "aviator metal": Frame("drop", 0.02, (150, 130, 80), tint=0.05),
    "half rim": Frame("square", 0.045, (40, 35, 35), lower=False),
    "thick brown": Frame("round", 0.085, (90, 55, 30)),
    "red": Frame("square", 0.06, (150, 30, 40)),
    "clear": Frame("round", 0.05, (205, 200, 190)),
    "sunglasses": Frame("square", 0.05, (15, 15, 15), tint=0.88),
}
_SHAPES = {"round": (0.40, 0.36, 2.0), "square": (0.42, 0.29, 4.0), "drop": (0.42, 0.38, 2.6)}


def face_of(seat: Seat) -> Face:
    """Where the face of a drawn person is, as a finder would tell."""
    drawn = features(np.random.default_rng(seat.person))
    unit = seat.size / 200
    corner = np.array([seat.x - seat.size // 2, seat.y - seat.size // 2])
    eye, mouth = 20 * drawn.gap, 14 * drawn.mouth
    points = [(100 - eye, 93), (100 + eye, 93), (100, 119), (100 - mouth, 138), (100 + mouth, 138)]
    box = (*(corner + np.array([54, 48]) * unit), 92 * unit, 116 * unit)
    return Face(tuple(map(float, box)), (corner + np.array(points) * unit).astype(np.float32), 0.95)


def with_glasses(image: Image, face: Face, kind: Frame, rng: np.random.Generator) -> Image:
    """The picture with glasses on this face, a little different each time."""
    right, left = (p.astype(float) for p in face.landmarks[:2])
    eyes = float(np.hypot(*(left - right)))
    along = (left - right) / eyes
    down = np.array([-along[1], along[0]]) * eyes
    along = along * eyes
    size, drop = 1 + rng.uniform(-0.08, 0.08), rng.uniform(-0.03, 0.08)
    height, width = image.pixels.shape[:2]
    fine = 4 if max(height, width) < 700 else 2
    line, lens = (np.zeros((height * fine, width * fine), np.uint8) for _ in range(2))
    thick = max(1, round(kind.line * rng.uniform(0.8, 1.25) * eyes * fine))

    def at(points: np.ndarray) -> np.ndarray:
        return np.round(np.asarray(points) * fine).astype(np.int32)

    for side, eye in ((-1, right), (1, left)):
        centre = eye + drop * down + 0.02 * side * along
        rim = _rim(kind, centre, along * size, down * size)
        cv2.fillPoly(lens, [at(rim)], 255)
        if kind.lower:
            cv2.polylines(line, [at(rim)], True, 255, thick, cv2.LINE_AA)
        else:
            upper = rim[(rim - centre) @ down < 0.02 * eyes**2]
            upper = upper[np.argsort((upper - centre) @ along)]
            cv2.polylines(line, [at(upper)], False, 255, thick, cv2.LINE_AA)
        hinge = centre + 0.42 * size * side * along - 0.06 * down
        ear = centre + 0.72 * side * along - 0.10 * down
        cv2.line(line, at(hinge).tolist(), at(ear).tolist(), 255, thick, cv2.LINE_AA)
    bridge = [
        right + drop * down + 0.40 * size * along - 0.02 * down,
        (right + left) / 2 + drop * down - 0.09 * down,
        left + drop * down - 0.40 * size * along - 0.02 * down,
    ]
    cv2.polylines(line, [at(np.array(bridge))], False, 255, thick, cv2.LINE_AA)
    mask, glass = (
        cv2.resize(m, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255.0
        for m in (line, lens)
    )
    shadow = np.roll(mask[..., 0], max(1, int(0.05 * eyes)), axis=0)
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.6, 0.03 * eyes))[..., None]
    out = image.pixels * (1 - 0.22 * shadow)
    out = out * (1 - kind.tint * glass) + np.array(kind.colour) * kind.tint * glass
    light = float(np.clip(image.pixels.mean() / 140, 0.5, 1.1))
    out = out * (1 - mask) + np.array(kind.colour) * light * mask
    return Image(np.clip(out, 0, 255).astype(np.uint8))


def _rim(kind: Frame, centre: np.ndarray, along: np.ndarray, down: np.ndarray) -> np.ndarray:
    wide, high, power = _SHAPES[kind.shape]
    turn = np.linspace(0, 2 * np.pi, 60)
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power) * wide
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power) * high
    if kind.shape == "drop":
        y = np.where(y > 0, 1.15 * y, 0.8 * y)
    return centre + np.outer(x, along) + np.outer(y + 0.06, down)


def dressed(
    image: Image, face: Face, colour: Colour, *, stripes: Colour | None = None, seed: int = 0
) -> Image:
    """The picture with a garment under the face: shaded, creased, and seen through a camera."""
    rng = np.random.default_rng(seed)
    x, y, width, height = face.box
    rows, columns = np.mgrid[: image.pixels.shape[0], : image.pixels.shape[1]]
    aside = np.abs(columns - x - width / 2) / width
    below = (rows - y) / height
    slope = 1.15 + 0.28 * np.clip(aside / 1.3, 0, 2) ** 2
    body = (below > slope) & (aside < 1.6) & ~((aside < 0.42 - (below - 1.15)) & (below < 1.5))
    cloth = np.full(image.pixels.shape, colour, float)
    if stripes is not None:
        cloth[(rows // max(3, int(0.18 * height))) % 2 == 1] = stripes
    light = cv2.resize(
        rng.normal(1.0, 0.13, (7, 7)), body.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    light = light * (1.08 - 0.16 * np.clip(aside, 0, 1.6) / 1.6)
    cloth = cloth * np.clip(light, 0.55, 1.25)[..., None] + rng.normal(0, 5, cloth.shape)
    out = np.where(body[..., None], cloth, image.pixels)
    return Image(np.clip(out, 0, 255).astype(np.uint8))
