"""A grid over the globe: what lies near a point, without looking at everything."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from omni_agent.tools.places.geometry import EARTH_RADIUS_M, Located

Item = TypeVar("Item")

CELL_DEG = 0.0025
"""278 m of latitude: an ask for 800 m looks into some 50 cells."""
M_PER_DEG = math.pi * EARTH_RADIUS_M / 180

_COLUMNS = round(360 / CELL_DEG)


class Grid(Generic[Item]):
    """Items by the cells they touch."""

    def __init__(self) -> None:
        self._cells: defaultdict[tuple[int, int], list[Item]] = defaultdict(list)

    def add(self, item: Item, *corners: Located) -> None:
        """Put an item into every cell of the box around its corners."""
        south, north = min(c.lat for c in corners), max(c.lat for c in corners)
        west, east = min(c.lon for c in corners), max(c.lon for c in corners)
        for cell in _cells(south, west, north, east):
            self._cells[cell].append(item)

    def around(self, position: Located, radius_m: float) -> Iterator[Item]:
        """Every item whose cells touch the circle, perhaps some beyond it, each once."""
        d_lat = radius_m / M_PER_DEG
        # Towards the poles a degree of longitude shrinks to nothing.
        d_lon = min(180.0, d_lat / max(1e-6, math.cos(math.radians(abs(position.lat) + d_lat))))
        south, north = max(-90.0, position.lat - d_lat), min(90.0, position.lat + d_lat)
        west, east = position.lon - d_lon, position.lon + d_lon
        wide = (d_lat * 2 / CELL_DEG + 2) * (d_lon * 2 / CELL_DEG + 2)
        touched: Iterable[list[Item]]
        if wide > len(self._cells):
            touched = self._cells.values()
        else:
            touched = (
                self._cells[cell]
                for cell in _cells(south, west, north, east)
                if cell in self._cells
            )
        seen: set[int] = set()
        for items in touched:
            for item in items:
                if id(item) not in seen:
                    seen.add(id(item))
                    yield item


def _cells(south: float, west: float, north: float, east: float) -> Iterator[tuple[int, int]]:
    for row in range(math.floor(south / CELL_DEG), math.floor(north / CELL_DEG) + 1):
        for column in range(math.floor(west / CELL_DEG), math.floor(east / CELL_DEG) + 1):
            yield row, column % _COLUMNS  # the date line is no edge
