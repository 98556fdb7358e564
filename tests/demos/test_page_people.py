"""The people and the scenes in the memory panel: seen, looked into, forgotten."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composed.faces import PEOPLE, Seat, frame
from demo_page import DemoPage

from omni_agent.media import Image
from omni_agent.memory.records import TurnRecord

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
from made_prints import FACES, face

pytestmark = pytest.mark.browser
Open = Callable[..., DemoPage]


@pytest.fixture
def memory(demo: Any) -> Iterator[Any]:
    """Anna, with a face, glasses that she took off, and words; a stranger; and one scene."""
    kept, now = demo.memory, datetime.now(UTC)
    anna = kept.people.add("Anna <b>")
    shot = frame(Seat(PEOPLE[0], 96, 96, 180), width=192, height=192)
    kept.people.enrol(anna, face("Anna"), FACES, picture=shot)
    kept.people.look(anna, "glasses", "yes", confidence=0.9, at=now - timedelta(hours=3))
    kept.people.look(anna, "glasses", "no", confidence=0.9, at=now - timedelta(hours=1))
    kept.record_turn(
        TurnRecord(conversation="c", agent="companion", turn=1, user="I fly to Lisbon.",
                   reply="Lovely!", person=anna.id)
    )  # fmt: skip
    kept.scenes.see(
        Image(np.full((240, 320, 3), 90, np.uint8)),
        at=now,
        source="camera",
        conversation="c",
        people=[anna.id],
    )
    kept.scenes.end("c")
    yield kept
    for person in kept.people.all():
        kept.people.forget(person)
    kept.scenes.forget(*(scene.id for scene in kept.scenes.find(limit=100)))
    while rows := kept.list(limit=100):
        kept.forget(*(row.id for row in rows))


def test_people_are_shown_with_face_looks_and_words_and_forgotten(
    open_page: Open, memory: Any
) -> None:
    page = open_page(panel="memory")
    card = page.page.locator(".person")
    card.wait_for()
    assert card.locator("h3").inner_text() == "Anna <b>"
    assert card.locator("img").evaluate("i => i.complete && i.naturalWidth") > 50
    assert card.locator(".looks li").first.inner_text() == "glasses: no"
    card.get_by_text("Looked otherwise before").click()
    assert "glasses: yes" in card.locator(".looks .past").inner_text()
    assert "until 1 hour ago" in card.locator(".looks .past").inner_text()
    card.get_by_text("Said lately").click()
    assert "I fly to Lisbon." in card.locator(".said").inner_text()
    scene = page.page.locator(".scene")
    assert scene.locator("img").evaluate("i => i.naturalWidth") > 0
    assert "Anna" in scene.inner_text()
    card.get_by_role("button", name="Forget: Anna").click()
    card.get_by_role("button", name="Keep it").click()
    card.get_by_role("button", name="Forget: Anna").click()
    card.locator(".asking .bad").click()
    card.wait_for(state="detached")
    page.page.locator(".memory-row", has_text="Lisbon").wait_for(state="detached")
    assert memory.people.all() == ()
    assert page.errors == []
