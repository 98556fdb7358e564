"""Where one stands, in names: the street, square or park at a point."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from omni_agent.tools.places.geometry import Located, Point
from omni_agent.tools.places.grid import M_PER_DEG, Grid
from omni_agent.tools.places.place import Surroundings

StreetKind = Literal["street", "square", "park"]

FARTHEST_M = 150.0
"""A street farther off than this is not where one is."""


@dataclass(frozen=True, slots=True)
class Street:
    """A named line (street), or outline (square, park) whose first point is also its last."""

    name: str
    kind: StreetKind
    line: tuple[Point, ...]

    @property
    def has_inside(self) -> bool:
        return self.kind != "street" and len(self.line) > 3 and self.line[0] == self.line[-1]


class StreetMap:
    """Named streets and squares, searchable by position."""

    def __init__(self, streets: Iterable[Street]) -> None:
        self._grid: Grid[tuple[Street, Point, Point]] = Grid()
        self._outlines: Grid[Street] = Grid()
        for street in streets:
            if street.has_inside:
                self._outlines.add(street, *street.line)
            for start, end in pairwise(street.line):
                self._grid.add((street, start, end), start, end)

    def at(self, position: Located) -> list[Surroundings]:
        """Named things within `FARTHEST_M`, nearest first; 0 m where one stands inside."""
        best: dict[str, Surroundings] = {}
        for street, start, end in self._grid.around(position, FARTHEST_M):
            metres = _metres_to_segment(position, start, end)
            known = best.get(street.name)
            if metres <= FARTHEST_M and (known is None or metres < known.metres):
                best[street.name] = Surroundings(street.name, street.kind, metres)
        for outline in self._outlines.around(position, 1.0):
            if _inside(position, outline.line):
                best[outline.name] = Surroundings(outline.name, outline.kind, 0.0)
        return sorted(best.values(), key=lambda s: (s.metres, s.name))


def _metres_to_segment(position: Located, start: Point, end: Point) -> float:
    """In a flat map around the position: good to a metre over a few hundred."""
    metres_per_lon = M_PER_DEG * math.cos(math.radians(position.lat))
    ax, ay = (start.lon - position.lon) * metres_per_lon, (start.lat - position.lat) * M_PER_DEG
    bx, by = (end.lon - position.lon) * metres_per_lon, (end.lat - position.lat) * M_PER_DEG
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    along = 0.0 if length2 == 0 else max(0.0, min(1.0, -(ax * dx + ay * dy) / length2))
    return math.hypot(ax + along * dx, ay + along * dy)


def _inside(position: Located, outline: tuple[Point, ...]) -> bool:
    """Even-odd rule."""
    inside = False
    for a, b in pairwise(outline):
        if (a.lat > position.lat) != (b.lat > position.lat):
            crossing = a.lon + (position.lat - a.lat) / (b.lat - a.lat) * (b.lon - a.lon)
            inside ^= position.lon < crossing
    return inside
