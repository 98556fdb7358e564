"""The example call of three people, heard and seen in place of a microphone and a camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from demo_page import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def sound_of(server: Any) -> list[bool]:
    """Of each block that the server has heard, whether it was loud."""
    return [event["loud"] for event in server.got_of("sound")]


def pictures_of(server: Any) -> list[str]:
    items = [event["item"] for event in server.got_of("conversation.item.create")]
    parts = [part for item in items for part in item["content"]]
    return [p["image_url"] for p in parts if p.get("omni_source") == "camera"]


def test_three_people_call_without_microphone_or_camera(
    open_page: Callable[..., Any], server: Any
) -> None:
    page = open_page(microphone=None)
    page.page.get_by_role("button", name="Watch an example").click()
    page.page.get_by_role("button", name="Play it").click(timeout=120_000)
    page.page.wait_for_selector(".stage[data-phase='on']")
    assert server.queries[0]["model"] == "companion"
    page.page.wait_for_selector(".eye video")
    until(lambda: sum(sound_of(server)) > 20)
    server.calls[0].happens("omni.people", people=[{"name": "Anna", "sure": True}])
    seen = len(pictures_of(server))
    assert seen >= 1
    server.calls[0].happens("omni.state", state="listening")
    until(lambda: len(pictures_of(server)) >= seen + 4, 3)
    film = page.page.locator(".eye video")
    until(lambda: film.evaluate("v => v.paused"), 20)
    heard, at = len(sound_of(server)), film.evaluate("v => v.currentTime")
    page.page.wait_for_timeout(2500)
    assert film.evaluate("v => v.currentTime") == at, "it waits while the agent is busy"
    silence = sound_of(server)[heard + 25 :]
    assert len(silence) > 75
    assert not any(silence)
    server.calls[0].happens("omni.state", state="idle")
    until(lambda: not film.evaluate("v => v.paused"), 5)
    film.evaluate("v => { v.currentTime = v.duration - 0.5; v.play(); }")
    page.page.get_by_text("Now you: ask about Anna").wait_for()
    assert page.page.locator(".eye").count() == 0
    page.hang_up()
    assert page.errors == []
