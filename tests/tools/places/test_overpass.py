from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import SettingsError, ToolError
from omni_agent.tools.places.geometry import Point
from omni_agent.tools.places.overpass import Overpass

HERE = Point(48.8566, 2.3522)
FOUND = {
    "version": 0.6,
    "elements": [
        {"type": "node", "id": 1, "lat": 48.857, "lon": 2.352,
         "tags": {"amenity": "cafe", "name": "Chez Nous", "cuisine": "coffee_shop"}},
        {"type": "way", "id": 2, "center": {"lat": 48.858, "lon": 2.353},
         "tags": {"amenity": "restaurant", "name": "Le Grand"}},
        {"type": "node", "id": 3, "lat": "?", "tags": None},
    ],
}  # fmt: skip
BAD_PAGE = (
    "<html><head><title>x</title></head><body><p>Error: line 1: parse error</p></body></html>"
)
REMARK = {"elements": [], "remark": 'runtime error: Query timed out in "query" at line 4'}

Start = Callable[[], Any]


class QuickClock(FakeClock):
    """Sleeping takes no time, but it is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.advance(seconds)


def overpass(*servers: Any, **options: Any) -> Overpass:
    options.setdefault("patience_s", 0)
    return Overpass(contact="dev@example.org", mirrors=[s.url for s in servers], **options)


async def test_places_come_with_their_centre_and_attribution(start_server: Start) -> None:
    server = start_server().will((200, FOUND))
    provider = overpass(server)
    places = {p.id: p for p in await provider.near(HERE, 500)}
    assert places["node/1"].name == "Chez Nous"
    assert places["way/2"].point == Point(48.858, 2.353)
    assert set(places) == {"node/1", "way/2"}
    assert "OpenStreetMap" in provider.attribution


async def test_the_program_says_who_it_is_and_asks_modestly(start_server: Start) -> None:
    server = start_server().will((200, FOUND))
    await overpass(server).near(HERE, 500)
    assert server.agents[0].startswith("omni-agent/")
    assert "(dev@example.org)" in server.agents[0]
    for part in ("[out:json][timeout:25][maxsize:16777216]", "around:", "out tags center 600;"):
        assert part in server.queries[0]


async def test_walking_on_does_not_ask_again(start_server: Start) -> None:
    server = start_server().will((200, FOUND))
    provider = overpass(server)
    for step in range(5):  # 50 m in all
        await provider.near(Point(HERE.lat + step * 0.0001, HERE.lon), 500)
    assert len(server.queries) == 1
    await provider.near(Point(HERE.lat + 0.02, HERE.lon), 500)
    assert len(server.queries) == 2


async def test_answers_are_kept_on_disk_until_they_are_old(
    start_server: Start, tmp_path: Path
) -> None:
    server = start_server().will((200, FOUND))
    clock = FakeClock()
    options: dict[str, Any] = {"cache_dir": tmp_path, "keep": timedelta(days=1), "clock": clock}
    await overpass(server, **options).near(HERE, 500)
    again = overpass(server, **options)
    assert {p.name for p in await again.near(HERE, 300)} == {"Chez Nous", "Le Grand"}
    assert len(server.queries) == 1
    await clock.advance(25 * 3600)
    await again.near(HERE, 300)
    assert len(server.queries) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 99}'])
async def test_a_damaged_kept_answer_is_asked_anew(
    start_server: Start, tmp_path: Path, damage: str
) -> None:
    server = start_server().will((200, FOUND))
    await overpass(server, cache_dir=tmp_path).near(HERE, 500)
    (kept,) = tmp_path.glob("*.json")
    kept.write_text(damage)
    assert len(await overpass(server, cache_dir=tmp_path).near(HERE, 500)) == 2
    assert len(server.queries) == 2


async def test_requests_never_run_side_by_side(start_server: Start) -> None:
    server = start_server().will((200, FOUND))
    server.delay_s = 0.05
    provider = overpass(server)
    await asyncio.gather(
        *(provider.near(Point(HERE.lat + i * 0.05, HERE.lon), 300) for i in range(4)),
        *(provider.near(HERE, 300) for _ in range(4)),
    )
    assert server.most_at_once == 1
    assert len(server.queries) == 4


@pytest.mark.parametrize(
    "trouble",
    [(504, "<html>gateway</html>"), (429, "slow down"), (200, REMARK), (200, "<html>"), (200, []),
     (500, ""), (503, "")],
)  # fmt: skip
async def test_another_mirror_answers_when_one_cannot(
    start_server: Start, trouble: tuple[int, Any]
) -> None:
    first, second = start_server().will(trouble), start_server().will((200, FOUND))
    provider = overpass(first, second)
    assert len(await provider.near(HERE, 500)) == 2
    await provider.near(Point(HERE.lat + 1, HERE.lon), 500)
    assert len(first.queries) == 1, "a server in trouble is left alone for a while"


async def test_a_server_that_is_not_there_is_passed_over(start_server: Start) -> None:
    class Nowhere:
        url = "http://127.0.0.1:9/api/interpreter"

    assert len(await overpass(Nowhere, start_server().will((200, FOUND))).near(HERE, 500)) == 2


async def test_a_server_that_hangs_is_passed_over(start_server: Start) -> None:
    slow, quick = start_server().will((200, FOUND)), start_server().will((200, FOUND))
    slow.delay_s = 3.0
    assert len(await overpass(slow, quick, timeout_s=0.5).near(HERE, 500)) == 2


async def test_a_remark_is_an_error_though_the_status_is_200(start_server: Start) -> None:
    with pytest.raises(ToolError, match="Query timed out"):
        await overpass(start_server().will((200, REMARK))).near(HERE, 500)


async def test_a_refused_query_is_told_without_the_html(start_server: Start) -> None:
    first, second = start_server().will((400, BAD_PAGE)), start_server().will((200, FOUND))
    with pytest.raises(ToolError, match=r"cannot read the query: Error: line 1: parse error$"):
        await overpass(first, second).near(HERE, 500)
    assert not second.queries, "the next server would refuse it too"


async def test_a_refused_program_is_told_about_its_user_agent(start_server: Start) -> None:
    with pytest.raises(ToolError, match=r"User-Agent \('omni-agent/.*dev@example.org"):
        await overpass(start_server().will((406, ""))).near(HERE, 500)


@pytest.mark.parametrize(
    ("page", "wait"),
    [
        ("Rate limit: 2\nSlot available after: 2026-01-01T12:00:50Z, in 50 seconds.\n", 50),
        ("Slot available after: x, in 90 seconds.\nSlot available after: y, in 5 seconds.", 30),
        ("2 slots available now.", 30),
        ("Slot available after: x, in -3 seconds.", 30),
    ],
)
async def test_a_busy_server_is_asked_again_when_it_says_but_not_within_30_seconds(
    start_server: Start, page: str, wait: int
) -> None:
    server = start_server().will((429, ""), (200, FOUND))
    server.status_page = page
    clock = QuickClock()
    assert len(await overpass(server, clock=clock, patience_s=60).near(HERE, 500)) == 2
    assert clock.slept == [pytest.approx(wait)]
    assert len(server.queries) == 2


async def test_a_wait_beyond_all_patience_is_said_at_once(start_server: Start) -> None:
    server = start_server().will((429, ""))
    server.status_page = "Slot available after: x, in 300 seconds."
    with pytest.raises(ToolError, match="try again in 300 seconds"):
        await overpass(server, patience_s=35).near(HERE, 500)


async def test_a_full_answer_is_asked_again_nearer(start_server: Start) -> None:
    crowd = [
        {"type": "node", "id": i, "lat": HERE.lat, "lon": HERE.lon,
         "tags": {"amenity": "bar", "name": f"Bar {i}"}} for i in range(600)
    ]  # fmt: skip
    server = start_server().will((200, {"elements": crowd}), (200, FOUND))
    assert len(await overpass(server).near(HERE, 500)) == 2
    assert len(server.queries) == 2


@pytest.mark.parametrize("radius_m", [0, -5, 50_000, float("nan")])
async def test_an_absurd_radius_is_refused(start_server: Start, radius_m: float) -> None:
    server = start_server().will((200, FOUND))
    with pytest.raises(ToolError, match="radius_m"):
        await overpass(server).near(HERE, radius_m)
    assert not server.queries


@pytest.mark.parametrize("contact", ["", " ", "x\r\nHost: evil", "名"])
def test_a_contact_must_be_given(contact: str) -> None:
    with pytest.raises(SettingsError, match="contact"):
        Overpass(contact=contact)


def test_mirrors_must_be_addresses() -> None:
    with pytest.raises(SettingsError, match="mirrors"):
        Overpass(contact="dev@example.org", mirrors=["overpass-api.de"])


async def test_a_cache_folder_that_cannot_be_is_named(start_server: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    provider = overpass(start_server().will((200, FOUND)), cache_dir=tmp_path / "file" / "x")
    with pytest.raises(SettingsError, match="cache_dir"):
        await provider.near(HERE, 500)
