"""Who speaks when with which voice, and the faces drawn to it.

A mouth opens with the loudness of its owner's voice; heads sway, and the camera has its noise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from composed.faces import PEOPLE, WALL, Seat, frame
from composed.looks import FRAMES, face_of, with_glasses
from omni_agent.media import Audio, Image, VideoFrame

RATE = 16_000
LEVELS = 8  # of how far a mouth is open


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Somebody speaks: from `start` seconds on."""

    who: str
    start: float
    sound: np.ndarray  # float32 at 16 kHz
    text: str = ""

    @property
    def end(self) -> float:
        return self.start + len(self.sound) / RATE


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """`seats`: for each moment from which on they are so, who sits where: x in 0 … 1."""

    lines: Sequence[Line]
    faces: Mapping[str, int]
    seats: Sequence[tuple[float, Mapping[str, float]]]
    seconds: float
    glasses: Collection[str] = ()

    def sound(self, hiss: float = 0.002) -> Audio:
        rng = np.random.default_rng(0)
        whole = (hiss * rng.standard_normal(round(self.seconds * RATE))).astype(np.float32)
        for line in self.lines:
            at = round(line.start * RATE)
            part = line.sound[: max(0, len(whole) - at)]
            whole[at : at + len(part)] += part
        return Audio(whole, RATE)

    def mouth(self, who: str, t: float) -> float:
        """0 closed … 1 open."""
        for line in self.lines:
            if line.who == who and line.start <= t < line.end:
                at = round((t - line.start) * RATE)
                near = line.sound[max(0, at - 640) : at + 640]
                loud = np.sqrt(np.mean(line.sound**2)) if len(near) else 1.0
                return float(np.clip(np.sqrt(np.mean(near**2)) / (1.8 * loud), 0.0, 1.0))
        return 0.0

    def sitting(self, t: float) -> Mapping[str, float]:
        return [who for since, who in self.seats if since <= max(t, 0.0)][-1]

    def frames(
        self, *, fps: float = 5.0, late: float = 0.0, width: int = 640, size: int = 170
    ) -> Iterator[VideoFrame]:
        """`late`: seconds by which the pictures show what has been."""
        rng = np.random.default_rng(1)
        for k in range(int(self.seconds * fps)):
            t = k / fps
            pixels = np.full((480, width, 3), WALL, np.float32)
            for who, x in self.sitting(t - late).items():
                left = round(x * width + rng.normal(0, 1.0)) - size // 2
                top = round(240 + rng.normal(0, 1.0)) - size // 2
                opened = round(LEVELS * self.mouth(who, t - late)) / LEVELS
                drawn = portrait_of(self.faces[who], size, opened, who in self.glasses)
                pixels[top : top + size, left : left + size] = drawn
            pixels += 3 * rng.standard_normal(pixels.shape, np.float32)
            yield VideoFrame(Image(np.clip(pixels, 0, 255).astype(np.uint8)), t)


@lru_cache(maxsize=256)
def portrait_of(person: int, size: int, opened: float, glasses: bool) -> np.ndarray:
    """uint8 [size, size, 3]."""
    seat = Seat(person, size // 2, size // 2, size, opened)
    drawn = frame(seat, width=size, height=size)
    if glasses:
        look = FRAMES["square black"]
        drawn = with_glasses(drawn, face_of(seat), look, np.random.default_rng(person))
    return drawn.pixels


def faces_of(*names: str) -> dict[str, int]:
    """Drawn people whose mouths can be seen: the third of PEOPLE has a dark beard."""
    return dict(zip(names, [PEOPLE[i] for i in (0, 1, 3, 4)], strict=False))
