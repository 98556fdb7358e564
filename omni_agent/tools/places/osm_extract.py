"""Places from an OpenStreetMap file on this machine: no network, every answer in milliseconds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from omni_agent.errors import MissingExtra, SettingsError, ToolError
from omni_agent.tools.places.geometry import Located, Point, distance_m
from omni_agent.tools.places.grid import M_PER_DEG, Grid
from omni_agent.tools.places.osm_tags import clean, place_from_tags
from omni_agent.tools.places.place import OSM_ATTRIBUTION, Place, Surroundings
from omni_agent.tools.places.street import Street, StreetKind, StreetMap

_WALKED = frozenset({
    "primary", "secondary", "tertiary", "unclassified", "residential", "living_street",
    "pedestrian", "trunk", "road", "service", "footway", "steps", "cycleway", "path", "track",
})  # fmt: skip
_EDGE_M = 500.0
"""So far beyond the map's edge an empty answer would still be an honest one."""


class OsmExtract:
    """A PlaceProvider and StreetProvider over one .osm.pbf (or .osm, .osm.bz2, .opl) file.

    The file is read once, at the first question, off the event loop; guides in the same process
    that name the same file share what was read. Asking raises SettingsError where the file is
    missing or damaged, and ToolError where the position is outside of the map.
    """

    attribution = OSM_ATTRIBUTION

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    async def near(self, position: Located, radius_m: float) -> Sequence[Place]:
        osm = await self._map()
        osm.require(position, radius_m, self.path)
        return [
            place
            for place in osm.places.around(position, radius_m)
            if distance_m(position, place.point) <= radius_m
        ]

    async def surroundings(self, position: Located) -> Sequence[Surroundings]:
        osm = await self._map()
        osm.require(position, 0.0, self.path)
        return osm.streets.at(position)

    async def warm_up(self) -> None:
        """Read the file now, so that the first question need not wait for it."""
        await self._map()

    async def _map(self) -> _Map:
        return await asyncio.to_thread(_read_once, self.path)


@dataclass(frozen=True, slots=True)
class _Map:
    places: Grid[Place]
    streets: StreetMap
    box: tuple[float, float, float, float]
    """South, west, north, east of everything that was read."""

    def require(self, position: Located, radius_m: float, path: Path) -> None:
        south, west, north, east = self.box
        nearest = Point(
            min(max(position.lat, south), north),
            min(max(position.lon, west), east),
        )
        away = distance_m(position, nearest)
        if away > radius_m + _EDGE_M:
            raise ToolError(
                f"The map at hand ({path.name}) ends {away / 1000:.0f} km from here, "
                f"at {nearest.lat:.3f}, {nearest.lon:.3f}. Places around here need another map."
            )


_reading = threading.Lock()


def _read_once(path: Path) -> _Map:
    try:
        stat = path.stat()
    except OSError as error:
        raise SettingsError(
            f"There is no map at {path} ({error.strerror}). "
            "Give the path of an .osm.pbf file, for example one from download.geofabrik.de."
        ) from error
    with _reading:  # two questions at once wait for one reading
        return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, mtime_ns: int, size: int) -> _Map:
    try:
        import osmium
        from osmium.filter import KeyFilter
    except ImportError as error:
        raise MissingExtra("osmium", "compact", needed_for="reading a map file") from error

    found: dict[str, Place] = {}
    streets: list[Street] = []
    interesting = KeyFilter("amenity", "shop", "highway", "place", "leisure")
    try:
        objects = (
            osmium.FileProcessor(str(path))
            .with_locations()
            .with_areas(KeyFilter("amenity", "shop", "highway", "place", "leisure"))
            .with_filter(interesting)
        )
        for thing in objects:
            _take(thing, found, streets)
    except (RuntimeError, ValueError, osmium.InvalidLocationError) as error:
        raise SettingsError(
            f"{path} ({size} bytes) cannot be read as an OpenStreetMap file: {error}. "
            "It is damaged or something else; fetch it again."
        ) from error
    box = _box([p.point for p in found.values()], [q for s in streets for q in s.line])
    if box is None:
        raise SettingsError(f"{path} holds no place to eat and no named street.")
    places: Grid[Place] = Grid()
    for place in found.values():
        places.add(place, place.point)
    return _Map(places, StreetMap(streets), box)


def _take(thing: Any, found: dict[str, Place], streets: list[Street]) -> None:
    tags = {tag.k: tag.v for tag in thing.tags}
    if thing.is_node():
        if thing.location.valid():
            _take_place(f"node/{thing.id}", tags, [(thing.lat, thing.lon)], found)
    elif thing.is_way():
        line = [(n.lat, n.lon) for n in thing.nodes if n.location.valid()]
        _take_place(f"way/{thing.id}", tags, line, found)
        if tags.get("highway") in _WALKED and tags.get("tunnel") != "yes":
            _take_street(tags, "street", line, streets)
    elif thing.is_area():
        kind = "way" if thing.from_way() else "relation"
        rings = [
            [(n.lat, n.lon) for n in ring if n.location.valid()] for ring in thing.outer_rings()
        ]
        corners = [corner for ring in rings for corner in ring]
        _take_place(f"{kind}/{thing.orig_id()}", tags, corners, found)
        for ring in rings:
            if tags.get("place") == "square" or tags.get("highway") == "pedestrian":
                _take_street(tags, "square", ring, streets)
            elif tags.get("leisure") in ("park", "garden"):
                _take_street(tags, "park", ring, streets)


def _take_place(
    osm_id: str,
    tags: dict[str, str],
    corners: Sequence[tuple[float, float]],
    found: dict[str, Place],
) -> None:
    if not corners:  # an extract cut through it
        return
    lats, lons = zip(*corners, strict=True)
    middle = Point((min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2)
    if place := place_from_tags(osm_id, tags, middle):
        found[osm_id] = place  # a closed way comes again as an area: the same place


def _take_street(
    tags: dict[str, str],
    kind: StreetKind,
    line: Sequence[tuple[float, float]],
    streets: list[Street],
) -> None:
    if (name := clean(tags.get("name"))) and len(line) > 1:
        streets.append(Street(name, kind, tuple(Point(lat, lon) for lat, lon in line)))


def _box(*groups: Iterable[Point]) -> tuple[float, float, float, float] | None:
    points = [point for group in groups for point in group]
    if not points:
        return None
    pad = 100 / M_PER_DEG
    return (
        min(p.lat for p in points) - pad,
        min(p.lon for p in points) - pad,
        max(p.lat for p in points) + pad,
        max(p.lon for p in points) + pad,
    )
