"""The guide in the real central Helsinki, as the catalog delivers it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from omni_agent.clock import FakeClock
from omni_agent.messages import ToolCall
from omni_agent.model.catalog import catalog
from omni_agent.tools.base import Position, ToolContext
from omni_agent.tools.places.guide import StreetGuide
from omni_agent.tools.places.osm_extract import OsmExtract
from omni_agent.tools.runner import ToolRunner

pytestmark = pytest.mark.weights

STATION = Position(60.1699, 24.9384)


@pytest.fixture(scope="module")
def guide() -> StreetGuide:
    return StreetGuide(OsmExtract(catalog().ensure("helsinki")["helsinki"]))


async def ask(guide: StreetGuide, tool: str, language: str, /, **arguments: object) -> str:
    context = ToolContext(
        clock=FakeClock(datetime(2026, 11, 20, 16, tzinfo=UTC)), language=language, place=STATION
    )
    calls = [ToolCall("1", tool, dict(arguments))]
    events = [event async for event in ToolRunner(guide.tools).run(calls, context)]
    said = events[-1].result.say
    assert said, events[-1].result.content
    return str(said)


async def test_coffee_is_near_the_station(guide: StreetGuide) -> None:
    said = await ask(guide, "find_places", "en", what="coffee")
    assert "walk" in said
    assert "open until" in said


async def test_sushi_is_found_in_chinese(guide: StreetGuide) -> None:
    said = await ask(guide, "find_places", "zh", what="寿司店")
    assert "Sushi" in said
    assert "步行约" in said


async def test_the_station_is_on_its_street(guide: StreetGuide) -> None:
    assert "Kaivokatu" in await ask(guide, "where_am_i", "en")
    assert "Kaivokatu" in await ask(guide, "where_am_i", "zh")


async def test_a_known_house_is_found_by_name(guide: StreetGuide) -> None:
    said = await ask(guide, "directions_to", "en", name="Kosmos")
    assert said.startswith("Ravintola Kosmos is")
    assert "Kalevankatu 3" in said
