"""Calls of several people, composed: who speaks when with which voice, and the faces drawn to it.

A mouth opens with the loudness of its owner's voice; heads sway, and the camera has its noise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omni_agent.media import Audio, Image, VideoFrame

sys.path.insert(0, str(Path(__file__).with_name("memory")))
from drawn_faces import PEOPLE, Seat, frame

RATE = 16_000


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
        return [who for since, who in self.seats if since <= t][-1]

    def frames(
        self, *, fps: float = 5.0, late: float = 0.0, width: int = 640, size: int = 170
    ) -> Iterator[VideoFrame]:
        """`late`: seconds by which the pictures show what has been."""
        rng = np.random.default_rng(1)
        for k in range(int(self.seconds * fps)):
            t = k / fps
            seats = [
                Seat(
                    self.faces[who],
                    round(x * width + rng.normal(0, 1.0)),
                    round(240 + rng.normal(0, 1.0)),
                    size,
                    self.mouth(who, t - late),
                )
                for who, x in self.sitting(t - late).items()
            ]
            pixels = frame(*seats, width=width).pixels + rng.normal(0, 3, (480, width, 3))
            yield VideoFrame(Image(np.clip(pixels, 0, 255).astype(np.uint8)), t)


def faces_of(*names: str) -> dict[str, int]:
    return dict(zip(names, PEOPLE, strict=False))
