"""The memory panel: what is known is shown, found and forgotten, by mouse and by keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from demo_page import DemoPage

from omni_agent.memory.records import TurnRecord

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]
EVIL = '<img src=x onerror="window.pwned=1"> is what she said'


def empty(memory: Any) -> None:
    while rows := memory.list(limit=100):
        memory.forget(*(row.id for row in rows))


@pytest.fixture
def memory(demo: Any) -> Iterator[Any]:
    """Two facts, one of them past, and a turn of which one half is a request."""
    now = datetime.now(UTC)
    kept = demo.memory
    empty(kept)
    lives = {"subject": "Mika", "predicate": "lives in"}
    kept.remember("Mika lives in Espoo", **lives, object="Espoo", valid_from=now - timedelta(9))
    kept.remember("Mika lives in Turku", **lives, object="Turku", valid_from=now - timedelta(2))
    kept.record_turn(
        TurnRecord(
            conversation="c1",
            agent="kitchen",
            turn=1,
            user="What can I cook for Anna, who is allergic to peanuts?",
            reply="A gazpacho would do.",
            tools=({"name": "find_recipe"},),
            speaker="Mika",
        )
    )
    yield kept
    empty(kept)


def rows(page: DemoPage) -> list[str]:
    return [text.strip() for text in page.page.locator(".memory-row .text").all_text_contents()]


def test_what_is_known_is_listed_newest_first_with_kind_and_time(
    open_page: Open, memory: Any
) -> None:
    page = open_page(panel="memory")
    page.page.wait_for_selector(".memory-row")
    assert len(rows(page)) == 4
    assert page.page.locator(".memory .count").inner_text() == "4 memories"
    past = page.page.locator(".memory-row.past")
    assert past.count() == 1
    assert "until 2 days ago" in past.inner_text()
    asked = page.page.locator(".memory-row", has_text="peanuts")
    assert [t.strip() for t in asked.locator(".about > *").all_inner_texts()] == [
        "Request",
        "Mika",
        "this minute",
    ]


def test_kinds_and_words_narrow_it_down(open_page: Open, memory: Any) -> None:
    page = open_page(panel="memory")
    page.page.wait_for_selector(".memory-row")
    page.page.get_by_role("button", name="Facts 2").click()
    page.page.locator(".memory .count", has_text="2 memories").wait_for()
    assert all("Mika lives" in row for row in rows(page))
    page.page.get_by_role("button", name="All").click()
    page.page.get_by_role("searchbox").fill("Anna allergic peanuts")
    page.page.locator(".memory .count", has_text="on this").wait_for()
    assert rows(page)[0] == "What can I cook for Anna, who is allergic to peanuts?"
    page.page.get_by_role("searchbox").fill("zeppelin")
    page.page.get_by_text("Nothing that is remembered bears on this.").wait_for()


def test_a_line_is_forgotten_only_when_one_is_sure(open_page: Open, memory: Any) -> None:
    page = open_page(panel="memory")
    row = page.page.locator(".memory-row", has_text="Turku")
    row.get_by_role("button", name="Forget: Mika lives in Turku").click()
    row.get_by_text("Forget this for good?").wait_for()
    row.get_by_role("button", name="Keep it").click()
    assert memory.count() == 4
    row.get_by_role("button", name="Forget").click()
    row.locator(".bad").click()
    page.page.get_by_text("Forgotten.").wait_for()
    assert not any("Turku" in row for row in rows(page))
    assert not any("Turku" in kept.text for kept in memory.list())


def test_a_turn_goes_whole_and_one_is_told(open_page: Open, memory: Any) -> None:
    page = open_page(panel="memory")
    row = page.page.locator(".memory-row", has_text="gazpacho")
    row.get_by_role("button", name="Forget").click()
    assert "What was answered to it" in row.inner_text()
    row.locator(".bad").click()
    page.page.get_by_text("2 memories forgotten.").wait_for()
    assert len(rows(page)) == 2


def test_it_works_by_keyboard_alone(open_page: Open, memory: Any) -> None:
    page = open_page(panel="memory")
    page.page.wait_for_selector(".memory-row")
    page.page.get_by_role("searchbox").focus()
    keys = page.page.keyboard
    for _ in range(20):
        keys.press("Tab")
        if page.page.evaluate("document.activeElement.matches('.memory-row .forget')"):
            break
    keys.press("Enter")
    assert page.page.evaluate("document.activeElement.matches('.asking .bad')")
    keys.press("Escape")
    assert page.page.evaluate("document.activeElement.matches('.forget')")
    keys.press("Enter")
    keys.press("Enter")
    page.page.locator(".memory .count", has_text="orgotten").wait_for()
    # The focus goes on to the next line and is not lost.
    assert page.page.evaluate("document.activeElement.closest('.memory') !== null")


def test_everything_is_forgotten_only_for_a_written_word(open_page: Open, memory: Any) -> None:
    page = open_page(panel="memory")
    page.page.wait_for_selector(".memory-row")
    page.page.get_by_role("button", name="Forget everything").click()
    dialog = page.page.get_by_role("dialog")
    assert "all 4 memories" in dialog.inner_text()
    forget = dialog.get_by_role("button", name="Forget", exact=True)
    assert forget.is_disabled()
    dialog.get_by_role("textbox").fill("forget")
    forget.click()
    page.page.get_by_text("4 memories forgotten.").wait_for()
    assert memory.count() == 0
    page.page.get_by_text("Nothing is remembered yet.").wait_for()


def test_a_memory_never_becomes_markup(open_page: Open, memory: Any) -> None:
    memory.remember(EVIL, speaker=EVIL)
    page = open_page(panel="memory")
    page.page.locator(".memory-row", has_text="is what she said").wait_for()
    time.sleep(0.2)
    assert page.page.evaluate("window.pwned") is None
    assert page.page.locator(".memory-row img").count() == 0
    assert EVIL in rows(page)


def test_many_memories_come_in_portions(open_page: Open, memory: Any) -> None:
    for n in range(50):
        memory.remember(f"The shelf has {n} jars")
    page = open_page(panel="memory")
    page.page.wait_for_selector(".memory-row")
    assert len(rows(page)) == 40
    page.page.get_by_role("button", name="Show older ones").click()
    page.page.wait_for_selector(".memory-row >> nth=53")
    assert len(set(rows(page))) == 54
    assert page.page.get_by_role("button", name="Show older ones").is_hidden()
