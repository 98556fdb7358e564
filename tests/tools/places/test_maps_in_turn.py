from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omni_agent.errors import SettingsError, ToolError
from omni_agent.tools.places.geometry import Point
from omni_agent.tools.places.in_turn import MapsInTurn
from omni_agent.tools.places.osm_extract import OsmExtract
from omni_agent.tools.places.overpass import Overpass

HERE, PARIS = Point(60.17, 24.94), Point(48.8566, 2.3522)
FOUND = {"elements": [{"type": "node", "id": 1, "lat": 48.857, "lon": 2.352,
                       "tags": {"amenity": "cafe", "name": "Chez Nous"}}]}  # fmt: skip


async def test_the_file_answers_in_town_and_the_network_elsewhere(
    write_map: Callable[..., Path], start_server: Callable[[], Any]
) -> None:
    server = start_server().will((200, FOUND))
    street = ([(60.17, 24.93), (60.17, 24.95)], {"highway": "primary", "name": "Tie"})
    path = write_map(nodes=[(60.17, 24.94, {"amenity": "cafe", "name": "Kahvi"})], ways=[street])
    maps = MapsInTurn(OsmExtract(path), Overpass(contact="dev@example.org", mirrors=[server.url]))
    await maps.warm_up()
    assert [p.name for p in await maps.near(HERE, 300)] == ["Kahvi"]
    assert not server.queries
    assert [p.name for p in await maps.near(PARIS, 300)] == ["Chez Nous"]
    assert [s.name for s in await maps.surroundings(HERE)] == ["Tie"]
    assert await maps.surroundings(PARIS) == []


async def test_every_reason_is_told_where_no_map_answers(
    write_map: Callable[..., Path], start_server: Callable[[], Any]
) -> None:
    server = start_server().will((504, ""))
    path = write_map(nodes=[(60.17, 24.94, {"amenity": "cafe", "name": "Kahvi"})])
    overpass = Overpass(contact="dev@example.org", mirrors=[server.url], patience_s=0)
    with pytest.raises(ToolError, match=r"ends \d+ km from here.*HTTP 504"):
        await MapsInTurn(OsmExtract(path), overpass).near(PARIS, 300)


def test_no_map_is_no_guide() -> None:
    with pytest.raises(SettingsError, match="at least one"):
        MapsInTurn()
