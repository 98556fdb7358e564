"""What becomes of a tool's result when the user has cut into the turn that asked for it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from omni_agent.clock import FakeClock
from omni_agent.events import ToolFinished, ToolStarted
from omni_agent.messages import Context, ToolCall
from omni_agent.tools.base import ToolContext, tool
from omni_agent.tools.runner import ToolRunner, late_note

CLOCK = FakeClock()


@tool(on_interrupt="keep")
async def book_a_table(people: int) -> str:
    """Book."""
    await CLOCK.sleep(2)
    return f"a table for {people} is booked"


@tool(on_interrupt="keep")
async def refuse() -> str:
    """Refuse."""
    await CLOCK.sleep(1)
    raise ValueError("the restaurant is closed")


@tool
async def look_up() -> str:
    """Look up."""
    await CLOCK.sleep(2)
    raise AssertionError("must have been cancelled")


@tool(on_interrupt="keep")
async def at_once() -> str:
    """Be quick."""
    return "done at once"


BOOK = ToolCall("call_1", "book_a_table", {"people": 4})


async def interrupted(
    *calls: ToolCall, reads: int, late: list[ToolFinished] | None
) -> list[object]:
    """Run them, read so many events, cut in, and let three seconds pass."""
    runner = ToolRunner([book_a_table, refuse, look_up, at_once], clock=CLOCK)
    wants = late.append if late is not None else None
    events = runner.run(calls, ToolContext(), late=wants)
    seen: list[object] = [await anext(events) for _ in range(reads)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await events.aclose()
    for _ in range(3):
        await CLOCK.advance(1)
        await asyncio.sleep(0.01)
    return seen


async def test_a_kept_result_is_told_late() -> None:
    late: list[ToolFinished] = []
    await interrupted(BOOK, ToolCall("call_2", "look_up", {}), reads=2, late=late)
    (finished,) = late
    assert finished.call == BOOK
    assert finished.result.content == "a table for 4 is booked"
    assert finished.seconds == 2


async def test_a_kept_failure_is_told_too() -> None:
    late: list[ToolFinished] = []
    await interrupted(ToolCall("call_1", "refuse", {}), reads=1, late=late)
    assert late[0].result.is_error
    assert "the restaurant is closed" in late[0].result.content


async def test_a_kept_result_that_was_there_but_unread_is_told() -> None:
    late: list[ToolFinished] = []
    seen = await interrupted(ToolCall("call_1", "at_once", {}), reads=1, late=late)
    assert isinstance(seen[0], ToolStarted)
    assert [f.result.content for f in late] == ["done at once"]


async def test_a_result_that_was_read_is_not_told_again() -> None:
    late: list[ToolFinished] = []
    seen = await interrupted(ToolCall("call_1", "at_once", {}), BOOK, reads=3, late=late)
    assert sum(isinstance(event, ToolFinished) for event in seen) == 1
    assert [f.call.name for f in late] == ["book_a_table"]


async def test_a_late_result_that_nobody_wants_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await interrupted(BOOK, reads=1, late=None)
    assert "book_a_table is done, but nobody wants its late result" in caplog.text


async def test_the_model_reads_a_late_result_as_a_note() -> None:
    late: list[ToolFinished] = []
    await interrupted(BOOK, ToolCall("call_2", "refuse", {}), reads=2, late=late)
    assert [late_note(f) for f in late] == [
        Context(
            "refuse {}, called before the user cut in, failed: "
            "refuse failed: ValueError: the restaurant is closed"
        ),
        Context(
            'book_a_table {"people": 4}, called before the user cut in, came back: '
            "a table for 4 is booked"
        ),
    ]
