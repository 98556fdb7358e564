"""Several maps as one: the first that reaches the place answers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from omni_agent.errors import SettingsError, ToolError
from omni_agent.tools.places.geometry import Located
from omni_agent.tools.places.place import (
    Place,
    PlaceProvider,
    Preloaded,
    StreetProvider,
    Surroundings,
)

logger = logging.getLogger("omni_agent.tools.places")

T = TypeVar("T")


class MapsInTurn:
    """A PlaceProvider and StreetProvider over others, asked in the order given.

    A map that cannot answer (its edge, its network) is passed over; where none can, the ToolError
    gives each one's reason. `MapsInTurn(OsmExtract("town.osm.pbf"), Overpass(contact=...))` needs
    no network in town.
    """

    def __init__(self, *providers: PlaceProvider) -> None:
        if not providers:
            raise SettingsError("MapsInTurn needs at least one provider of places.")
        self._providers = providers

    @property
    def attribution(self) -> str:
        return "; ".join(dict.fromkeys(p.attribution for p in self._providers))

    async def near(self, position: Located, radius_m: float) -> Sequence[Place]:
        return await _first([_asker(p.near, position, radius_m) for p in self._providers])

    async def surroundings(self, position: Located) -> Sequence[Surroundings]:
        streets = [p for p in self._providers if isinstance(p, StreetProvider)]
        try:
            return await _first([_asker(p.surroundings, position) for p in streets])
        except ToolError as error:
            logger.info("no street is known here: %s", error)
            return []

    async def warm_up(self) -> None:
        for provider in self._providers:
            if isinstance(provider, Preloaded):
                await provider.warm_up()


def _asker(ask: Callable[..., Awaitable[T]], *arguments: object) -> Callable[[], Awaitable[T]]:
    return lambda: ask(*arguments)


async def _first(askers: Sequence[Callable[[], Awaitable[T]]]) -> T:
    reasons: list[str] = []
    for ask in askers:
        try:
            return await ask()
        except ToolError as error:
            reasons.append(str(error))
    raise ToolError(" ".join(reasons) or "No map knows streets.")
