"""The chat panel: words stream, tools are told, files are taken, and nothing becomes markup."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo_page import DemoPage

from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Pause

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]


@pytest.fixture
def model(demo: Any) -> Any:
    """What the chat's agents say; nothing of an earlier test is left of it."""
    demo.model._turns.clear()
    return demo.model


def send(page: DemoPage, words: str, *files: Path) -> None:
    if files:
        page.page.locator("#chat-box input[type='file']").set_input_files(list(files))
        page.page.wait_for_selector("#chat-box .thumbnail-item, #chat-box [data-testid*='thumb']")
    page.page.locator("#chat-box textarea").fill(words)
    page.page.locator("#chat-box .submit-button").click()


def test_an_answer_streams_and_a_tool_is_told(open_page: Open, model: Any) -> None:
    model.add(
        ToolCall("call_1", "find_recipe", {"query": "eggs"}),
        ["I would make", Pause(0.8), " a stir-fry."],
    )
    page = open_page(panel="chat")
    send(page, "What can I cook with eggs?")
    log = page.page.locator("#chat-log")
    log.get_by_text("I would make", exact=False).first.wait_for()
    log.get_by_text("I would make a stir-fry.").wait_for()
    log.get_by_text("Looking for dishes").wait_for()
    assert page.page.locator("#chat-box textarea").input_value() == ""
    assert page.errors == []


def test_the_next_turn_goes_on_with_the_conversation_and_a_new_one_does_not(
    open_page: Open, model: Any
) -> None:
    model.add("First.", "Second.", "Third.")
    page = open_page(panel="chat")
    before = len(model.sessions)
    for said, answer in (("one", "First."), ("two", "Second.")):
        send(page, said)
        page.page.locator("#chat-log").get_by_text(answer).wait_for()
    assert len(model.sessions) == before + 1
    page.page.locator("#chat-new").click()
    page.page.locator("#chat-log").get_by_text("Second.").wait_for(state="detached")
    send(page, "three")
    page.page.locator("#chat-log").get_by_text("Third.").wait_for()
    assert len(model.sessions) == before + 2


def test_a_picture_reaches_the_model(open_page: Open, model: Any, tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "menu.png"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(picture)
    model.add("It is red.")
    page = open_page(panel="chat")
    send(page, "What colour is it?", picture)
    page.page.locator("#chat-log").get_by_text("It is red.").wait_for()
    fed = model.sessions[-1].fed
    assert any(getattr(part, "size", None) == (64, 48) for part in fed)


def test_a_file_that_cannot_be_read_is_explained(
    open_page: Open, model: Any, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    into = io.BytesIO()
    with wave.open(into, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
    broken.write_bytes(into.getvalue()[:20])
    page = open_page(panel="chat")
    send(page, "Listen.", broken)
    page.page.locator("#chat-log").get_by_text("broken.wav cannot be read").wait_for()


def test_a_file_that_is_too_large_is_not_taken(open_page: Open, demo: Any, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(21 * 2**20))
    page = open_page(panel="chat")
    page.page.locator("#chat-box input[type='file']").set_input_files(large)
    page.page.get_by_text("exceed the maximum allowed size").first.wait_for()
    assert page.page.locator("#chat-box .thumbnail-item").count() == 0


def test_what_is_written_and_answered_never_becomes_markup(open_page: Open, model: Any) -> None:
    evil = "<img src=x onerror='window.pwned=1'> <b>bold</b> **stars** &amp;"
    model.add(ToolCall("call_1", "find_recipe", {"query": evil}), evil)
    page = open_page(panel="chat")
    send(page, evil)
    page.page.locator("#chat-log .bot").get_by_text(evil).first.wait_for()
    page.page.wait_for_timeout(300)
    assert page.page.evaluate("window.pwned") is None
    assert page.page.locator("#chat-log .message-content :is(img, b)").count() == 0
    assert page.outside == []


def test_an_answer_can_be_stopped(open_page: Open, model: Any) -> None:
    model.add(["It goes on", Pause(60), " for ever."])
    page = open_page(panel="chat")
    send(page, "Tell me everything.")
    page.page.locator("#chat-log").get_by_text("It goes on").wait_for()
    page.page.locator("#chat-box .stop-button").click()
    page.page.locator("#chat-log").get_by_text("(stopped)").wait_for()
    session = model.sessions[-1]
    page.page.wait_for_timeout(500)
    assert session.cancelled == 1
    model.add("Better now.")
    send(page, "Once more.")
    page.page.locator("#chat-log").get_by_text("Better now.").wait_for()


def test_it_speaks_chinese(open_page: Open, model: Any) -> None:
    page = open_page(panel="chat", locale="zh-CN")
    box = page.page.locator("#chat-box textarea")
    page.page.wait_for_function(
        "document.querySelector('#chat-box textarea').placeholder[0] === '打'"
    )
    assert "拖到这里" in (box.get_attribute("placeholder") or "")
    page.page.locator("#chat-who").get_by_text("厨房").wait_for()
    assert page.page.locator("#chat-new").inner_text() == "新的对话"
