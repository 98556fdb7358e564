"""A place where one can eat or drink, and the protocols of those who know such places."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from omni_agent.tools.places.geometry import Located, Point

OSM_ATTRIBUTION = "© OpenStreetMap contributors, ODbL"

Access = Literal["yes", "limited", "no"]


@dataclass(frozen=True, slots=True)
class Place:
    """One place as the map tells it. `None` and missing keys mean that the map does not say."""

    id: str
    """Stable within the source: "node/123", "way/7"."""
    name: str
    kind: str
    """restaurant, cafe, bar, pub, fast_food, ice_cream, food_court, biergarten, bakery, ..."""
    point: Point
    names: Mapping[str, str] = field(default_factory=dict)
    """Names by language: {"fi": ..., "en": ...}."""
    cuisines: tuple[str, ...] = ()
    diets: Mapping[str, str] = field(default_factory=dict)
    """{"vegan": "yes" | "only" | "limited" | "no"}."""
    wheelchair: Access | None = None
    opening_hours: str | None = None
    """As written in the map, in the OSM opening_hours grammar, perhaps broken."""
    address: str | None = None
    phone: str | None = None
    website: str | None = None
    outdoor_seating: bool | None = None
    takeaway: bool | None = None
    source: str = "OpenStreetMap"
    attribution: str = OSM_ATTRIBUTION

    def name_for(self, language: str) -> str:
        """The name on the door where a speaker of the language can read it, else a translation.

        Latin names stay as they are in Chinese sentences.
        """
        if _readable(self.name, language):
            return self.name
        for wanted in (language, "en"):
            if translated := self.names.get(wanted):
                return translated
        return self.name

    def offers(self, diet: str) -> bool | None:
        """True, False, or None where the map does not say. Vegan food is vegetarian food."""
        said = self.diets.get(diet)
        if said in ("yes", "only", "limited") or diet in self.cuisines:
            return True
        if diet == "vegetarian" and self.offers("vegan"):
            return True
        if said == "no" or (diet == "vegan" and self.diets.get("vegetarian") == "no"):
            return False
        return None


def _readable(text: str, language: str) -> bool:
    scripts = ("LATIN", "CJK") if language == "zh" else ("LATIN",)
    letters = [c for c in text if c.isalpha()]
    return not letters or any(unicodedata.name(c, "").startswith(scripts) for c in letters)


class PlaceProvider(Protocol):
    """Knows places around a point."""

    @property
    def attribution(self) -> str: ...

    async def near(self, position: Located, radius_m: float) -> Sequence[Place]:
        """Every known place within the radius, in no order. Raises ToolError in words."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a map calls the spot one stands on."""

    name: str
    kind: Literal["street", "square", "park", "district"]
    metres: float
    """To the middle line of a street; 0 within a square or park."""


@runtime_checkable
class StreetProvider(Protocol):
    """Knows streets and squares; a PlaceProvider may be one too."""

    async def surroundings(self, position: Located) -> Sequence[Surroundings]:
        """Named squares, parks and streets close by, nearest first."""
        ...


@runtime_checkable
class Preloaded(Protocol):
    """A provider whose first answer is slow unless it was warmed up."""

    async def warm_up(self) -> None: ...
