"""The streets, parks and water around a point, for the page's sketch maps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

Line = tuple[tuple[float, float], ...]
"""Latitude and longitude of each corner."""

_MAJOR = {"primary", "secondary", "tertiary"}
_MINOR = {"residential", "unclassified", "living_street", "pedestrian"}
_AROUND = 0.014  # degrees of latitude, about 1.5 km
_DIGITS = 5  # of a degree: a metre


class Streets:
    """Drawn from an OpenStreetMap extract, which is read once, at the first question."""

    def __init__(self, map_file: Path) -> None:
        self._map_file = map_file

    async def around(self, lat: float, lon: float) -> list[dict[str, Any]]:
        """[{kind, line}], what lies lowest first."""
        drawn = await asyncio.to_thread(_read, self._map_file)
        return [
            {"kind": kind, "line": line}
            for kind, line in drawn
            if any(abs(y - lat) < _AROUND and abs(x - lon) < 2 * _AROUND for y, x in line)
        ]


@lru_cache(maxsize=1)
def _read(map_file: Path) -> Sequence[tuple[str, Line]]:
    import osmium
    from osmium.filter import KeyFilter

    keys = ("highway", "leisure", "natural", "place")
    objects = (
        osmium.FileProcessor(str(map_file))
        .with_locations()
        .with_areas(KeyFilter("leisure", "natural", "place"))
        .with_filter(KeyFilter(*keys))
    )
    drawn: list[tuple[str, Line]] = []
    thing: Any  # a way, or an area
    for thing in objects:
        tags = {tag.k: tag.v for tag in thing.tags}
        if thing.is_way() and (kind := _street(tags)):
            drawn.append((kind, _line(thing.nodes)))
        elif thing.is_area() and (kind := _area(tags)):
            drawn += [(kind, _line(ring)) for ring in thing.outer_rings()]
    order = ("park", "water", "square", "street", "major")
    return sorted((d for d in drawn if len(d[1]) > 1), key=lambda d: order.index(d[0]))


def _street(tags: dict[str, str]) -> str | None:
    if tags.get("tunnel") == "yes":
        return None
    highway = tags.get("highway")
    return "major" if highway in _MAJOR else "street" if highway in _MINOR else None


def _area(tags: dict[str, str]) -> str | None:
    if tags.get("natural") == "water":
        return "water"
    if tags.get("leisure") in ("park", "garden"):
        return "park"
    return "square" if tags.get("place") == "square" else None


def _line(nodes: Any) -> Line:
    return tuple(
        (round(node.lat, _DIGITS), round(node.lon, _DIGITS))
        for node in nodes
        if node.location.valid()
    )
