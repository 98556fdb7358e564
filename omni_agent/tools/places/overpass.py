"""Places anywhere in the world from the Overpass API, asked rarely and politely."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import SettingsError, ToolError
from omni_agent.tools.places.circle_cache import Circle, CircleCache
from omni_agent.tools.places.geometry import Located, Point, distance_m
from omni_agent.tools.places.grid import M_PER_DEG
from omni_agent.tools.places.osm_tags import AMENITIES, SHOPS, place_from_tags
from omni_agent.tools.places.overpass_http import OverpassServers
from omni_agent.tools.places.place import OSM_ATTRIBUTION, Place

logger = logging.getLogger("omni_agent.tools.places")

MIRRORS = (
    "https://overpass-api.de/api/interpreter",
    "https://overpass.private.coffee/api/interpreter",
)

_TILE_M = 250.0
_MOST_PLACES = 600
_SMALLEST_M = 150.0
_LARGEST_M = 10_000.0


class Overpass:
    """A PlaceProvider over HTTP. One request at a time; what was asked is not asked again.

    `contact` (an e-mail address or web page) goes into the User-Agent, as the operators require.
    `mirrors` are tried in order, each for up to `timeout_s`; where all are busy, the next free
    slot is waited for up to `patience_s`. Answers are kept for `keep`, and on disk where
    `cache_dir` is given.

    `near` raises ToolError, in words, where no server answered.
    """

    attribution = OSM_ATTRIBUTION

    def __init__(
        self,
        *,
        contact: str,
        mirrors: Sequence[str] = MIRRORS,
        cache_dir: str | Path | None = None,
        keep: timedelta = timedelta(days=3),
        timeout_s: float = 30.0,
        patience_s: float = 35.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not timeout_s > 0 or not patience_s >= 0:
            raise SettingsError(
                f"timeout_s is {timeout_s} and patience_s is {patience_s}; "
                "give seconds, above 0 and from 0 up."
            )
        # The server gives up first, so that it does not work on for nobody.
        self._servers_seconds = max(1, math.floor(timeout_s - 5))
        self._servers = OverpassServers(
            mirrors, contact=contact, timeout_s=timeout_s, patience_s=patience_s, clock=clock
        )
        self._cache = CircleCache(
            Path(cache_dir) if cache_dir is not None else None, keep=keep, clock=clock
        )
        self._asking = asyncio.Lock()

    async def near(self, position: Located, radius_m: float) -> Sequence[Place]:
        here = Point.of(position)
        if not 0 < radius_m <= _LARGEST_M:
            raise ToolError(f"radius_m is {radius_m}; give metres up to {_LARGEST_M:.0f}.")
        async with self._asking:  # who waited may find the answer in the cache
            elements = self._cache.covering(here, radius_m)
            if elements is None:
                elements = await self._ask(here, radius_m)
        return [
            place
            for place in map(_place_of, elements)
            if place is not None and distance_m(here, place.point) <= radius_m
        ]

    async def _ask(self, here: Point, radius_m: float) -> list[Any]:
        """Ask for the circle around the tile that holds the point, wide enough to walk about."""
        center = _tile_center(here)
        radius = math.ceil((radius_m + distance_m(here, center) + _TILE_M / 2) / 50) * 50.0
        while True:
            elements = await self._servers.ask(self.query(center, radius))
            # The server cuts by id, not by distance: a full answer lacks near places too.
            if len(elements) < _MOST_PLACES or radius <= _SMALLEST_M:
                break
            logger.info("more than %d places within %.0f m: asking nearer", _MOST_PLACES, radius)
            center, radius = here, max(_SMALLEST_M, min(radius_m, radius / 2))
        self._cache.keep(Circle(center, radius), elements)
        return elements

    def query(self, center: Point, radius_m: float) -> str:
        """Overpass QL for every place to eat or drink with a name in a circle."""
        around = f"around:{radius_m:.0f},{center.lat:.6f},{center.lon:.6f}"
        amenities, shops = "|".join(AMENITIES), "|".join(SHOPS)
        return (
            f"[out:json][timeout:{self._servers_seconds}][maxsize:16777216];\n"
            f'(nwr({around})[amenity~"^({amenities})$"][name];\n'
            f'nwr({around})[shop~"^({shops})$"][name];);\n'
            f"out tags center {_MOST_PLACES};"
        )


def _tile_center(point: Point) -> Point:
    """The middle of the point's tile in a fixed net, so that neighbours ask the same."""
    lat_step = _TILE_M / M_PER_DEG
    lat = max(-90.0, min(90.0, (math.floor(point.lat / lat_step) + 0.5) * lat_step))
    lon_step = lat_step / max(0.01, math.cos(math.radians(lat)))
    lon = (math.floor(point.lon / lon_step) + 0.5) * lon_step
    return Point(lat, (lon + 180) % 360 - 180)


def _place_of(element: Any) -> Place | None:
    """A Place of one element; None, with a note in the log, where it is malformed."""
    try:
        where: Mapping[str, Any] = element.get("center") or element
        tags = {str(key): str(value) for key, value in element["tags"].items()}
        point = Point(float(where["lat"]), float(where["lon"]))
        return place_from_tags(f"{element['type']}/{int(element['id'])}", tags, point)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        logger.debug("an element of Overpass is malformed (%r): %.200r", error, element)
        return None
