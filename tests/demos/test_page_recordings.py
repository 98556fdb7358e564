"""The recordings panel: a call that was kept is heard, seen and read again."""

from __future__ import annotations

import asyncio
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_page import DemoPage

from omni_agent import Agent, tool
from omni_agent.events import CallEnded, TurnFinished
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import ScriptedModel

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]
EVIL = "<img src=x onerror='window.pwned=1'> wants sushi"


@tool
def find_dish(dish: str) -> str:
    """Find places that serve a dish."""
    return f"Aoi, for {dish}"


async def have_a_call(folder: Path) -> None:
    model = ScriptedModel(
        ToolCall("call_1", "find_dish", {"dish": "sushi"}),
        "Aoi is three hundred metres ahead.",
        audio=True,
    )
    async with Agent("Be brief.", name="kitchen", model=model, tools=[find_dish]) as agent:
        async with agent.live(record=folder) as call:
            call.see(VideoFrame(Image(np.full((48, 64, 3), 200, np.uint8)), 0.0))
            for _ in range(25):
                call.hear(Audio(np.zeros(320, np.float32), 16_000))
                call.output.fill(480)
                await asyncio.sleep(0.02)
            await call.send(EVIL)
            async for event in call:
                if isinstance(event, TurnFinished):
                    break
            for _ in range(40):
                call.hear(Audio(np.zeros(320, np.float32), 16_000))
                call.output.fill(480)
                await asyncio.sleep(0.02)
            await call.close()
            async for event in call:
                if isinstance(event, CallEnded):
                    break


@pytest.fixture
def recorded(demo: Any) -> Iterator[Path]:
    folder = demo.recordings / "monday"
    having = threading.Thread(target=lambda: asyncio.run(have_a_call(folder)))
    having.start()  # not here: Playwright has a loop of its own
    having.join(60)
    yield folder
    shutil.rmtree(folder)


def test_a_call_that_was_kept_is_listed_opened_and_played(open_page: Open, recorded: Path) -> None:
    page = open_page(panel="recordings")
    row = page.page.locator(".recording")
    row.wait_for()
    assert EVIL in row.inner_text()
    assert "Kitchen" in row.inner_text()
    row.click()
    said = page.page.locator(".player .line")
    page.page.locator(".player .line.agent").wait_for()
    asked, did, answered = said.all_inner_texts()
    assert EVIL in asked
    assert "Aoi, for sushi" in did
    assert "Aoi is three hundred" in answered
    assert page.page.locator(".track path.agent").get_attribute("d").count("M") > 100
    assert page.page.locator(".track .band.acting, .track .band.speaking").count() > 0
    page.page.get_by_role("button", name="Play").click()
    page.page.wait_for_function(
        "document.querySelector('.player [type=range]').valueAsNumber > 0.3"
    )
    page.page.get_by_role("button", name="Pause").click()
    assert page.errors == []
    assert page.page.evaluate("window.pwned") is None


def test_one_can_jump_to_what_was_said_and_sees_what_was_seen_then(
    open_page: Open, recorded: Path
) -> None:
    page = open_page(panel="recordings")
    page.page.locator(".recording").click()
    line = page.page.locator(".player .line.agent")
    line.locator(".at").click()
    page.page.wait_for_selector(".player .line.agent.now")
    picture = page.page.locator(".player .frame img")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    slider = page.page.get_by_role("slider", name="Position")
    before = float(slider.input_value())
    slider.press("ArrowRight")
    assert float(slider.input_value()) > before
    page.page.get_by_role("button", name="All recordings").click()
    page.page.locator(".recording").wait_for()


def test_only_sound_and_pictures_are_given_away(demo: Any, recorded: Path) -> None:
    def status(path: str) -> int:
        try:
            with urllib.request.urlopen(f"{demo.serving.url}recordings/{path}") as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)

    assert status("monday/agent.wav") == 200
    assert status("monday/events.jsonl") == 404
    assert status("monday/call.json") == 404
    assert status("monday/..%2F..%2Fmemory%2Fledger.sqlite3") == 404
    assert status("..%2Fmonday/agent.wav") == 404
    assert status("monday/frames/..%2Fcall.json") == 404


def test_without_recordings_it_says_how_to_get_some(open_page: Open) -> None:
    page = open_page(panel="recordings")
    page.page.get_by_text("Start the demo with --record FOLDER").wait_for()
