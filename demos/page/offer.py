"""What the page lets one choose from, and the streets for its maps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_agent.tools.base import Position

FindStreets = Callable[[float, float], Awaitable[list[dict[str, Any]]]]
FindExample = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`agents`: id → where its user stands, if anywhere. `local`: nothing leaves this machine.

    `find_example`: ThreePeople.example, where there is an agent "companion" to show it to.
    """

    agents: dict[str, Position | None]
    voices: Sequence[str] = ()
    models: Sequence[str] = ()
    languages: Sequence[str] = ("en", "zh")
    local: bool = True
    find_streets: FindStreets | None = field(default=None, compare=False)
    find_example: FindExample | None = field(default=None, compare=False)

    def as_props(self) -> dict[str, Any]:
        """For static/choices.js."""
        return {
            "agents": [{"id": id, "place": _place(place)} for id, place in self.agents.items()],
            "voices": [{"id": voice} for voice in self.voices],
            "models": list(self.models),
            "languages": list(self.languages),
            "local": self.local,
            "example": self.find_example is not None,
        }

    async def streets(self, lat: float, lon: float) -> list[dict[str, Any]]:
        """[{kind, line: [[lat, lon]]}] around a point; none where no map is at hand."""
        return [] if self.find_streets is None else await self.find_streets(lat, lon)

    def example(self) -> dict[str, Any]:
        """How far the example call is made; see ThreePeople.example."""
        return {} if self.find_example is None else self.find_example()


def _place(place: Position | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"at": [place.lat, place.lon], "heading": place.heading, "label": place.label}
