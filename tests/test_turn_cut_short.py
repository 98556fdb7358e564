"""A turn can be cut short anywhere, and nothing of it reaches a later one."""

import asyncio
import logging
import time
from contextlib import aclosing
from typing import Any

import pytest
from turns import (
    LOOK,
    Notebook,
    agent_of,
    events_of,
    fail,
    slow_look,
    tool_of,
)

from omni_agent.agent import Agent
from omni_agent.clock import FakeClock
from omni_agent.errors import (
    GenerationError,
)
from omni_agent.events import (
    AudioDelta,
    Event,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)
from omni_agent.messages import Heard, ToolResult
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.tools.base import Say, Tool

FOREVER = Pause(3600)


async def _cut_short(agent: Agent, after: type[Event], how: str) -> float:
    """Ask, and cut the turn short after the first event of a type; the seconds that it took."""
    tasks = asyncio.all_tasks()
    reached = asyncio.Event()

    async def read() -> None:
        async with aclosing(agent.stream("Where?", speak=True)) as stream:
            async for event in stream:
                if isinstance(event, after):
                    reached.set()
                    if how == "close":
                        return

    reading = asyncio.create_task(read())
    await reached.wait()
    if how == "cancel":
        await asyncio.sleep(0.03)  # into whatever comes next
        reading.cancel()
    began = time.perf_counter()
    await asyncio.wait([reading])
    took = time.perf_counter() - began
    assert asyncio.all_tasks() == tasks, "tasks are left behind"
    return took


def _stuck_tool() -> Tool:
    async def look() -> str:
        await asyncio.sleep(3600)
        return "too late"

    return tool_of(look)


@pytest.mark.parametrize("how", ["close", "cancel"])
@pytest.mark.parametrize(
    ("after", "script", "said"),
    [
        (TextDelta, ["One ", FOREVER], "One "),
        (AudioDelta, ["One ", FOREVER], "One "),
        (ToolStarted, [LOOK], ""),
        (ToolStarted, ["I look. ", LOOK], "I look. "),
    ],
)
async def test_a_turn_can_be_cut_short_while_it_is_answered(
    how: str, after: type[Event], script: list[Any], said: str
) -> None:
    took = []
    for _ in range(3):  # another program may have the processor
        notebook = Notebook()
        model = ScriptedModel("Hello.", script, "And on.", audio=True)
        agent = agent_of(model, _stuck_tool(), memory=notebook)
        await agent.ask("Hi")
        took.append(await _cut_short(agent, after, how))
    assert min(took) < 0.1
    assert [(t.reply, t.stopped) for t in notebook.turns] == [
        ("Hello.", "done"),
        (said.strip(), "cancelled"),
    ]
    assert model.sessions[0].rewound == [Heard(said, 0)]
    assert (await agent.ask("And?")).text == "And on."


@pytest.mark.parametrize("how", ["close", "cancel while recalling"])
async def test_a_turn_cut_short_before_the_answer_leaves_the_last_reply_alone(how: str) -> None:
    took = []
    for _ in range(3):  # another program may have the processor
        notebook = Notebook()
        model = ScriptedModel("Hello.", "And on.")
        agent = agent_of(model, memory=notebook)
        await agent.ask("Hi")
        if how != "close":
            notebook._on_recall = lambda: time.sleep(0.3)
        took.append(await _cut_short(agent, TurnStarted, how.partition(" ")[0]))
    assert min(took) < 0.1
    assert (notebook.turns[1].user, notebook.turns[1].stopped) == ("Where?", "cancelled")
    assert model.sessions[0].rewound == []
    assert model.sessions[0].kept == ["Hello."]
    assert (await agent.ask("And?")).text == "And on."


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_a_turn_can_be_cut_short_during_the_filler(how: str) -> None:
    clock = FakeClock()
    model = ScriptedModel(LOOK, "And on.", clock=clock, audio=True)
    notebook = Notebook()
    agent = agent_of(
        model, slow_look(clock, 99, filler="One moment."), memory=notebook, clock=clock
    )
    tasks = asyncio.all_tasks()
    stream = agent.stream("Where?", speak=True)

    async def read() -> None:
        async for event in stream:
            if isinstance(event, TextDelta) and event.filler and how == "close":
                return

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)  # the recall is in a thread
    await clock.advance(0.7)
    if how == "cancel":
        reading.cancel()
    await asyncio.wait([reading])
    await stream.aclose()
    assert asyncio.all_tasks() == tasks
    assert (notebook.turns[0].reply, notebook.turns[0].stopped) == ("", "cancelled")
    assert model.sessions[0]._responding is False
    assert (await agent.ask("And?")).text == "And on."


async def test_what_a_tool_returns_after_its_turn_never_reaches_a_later_one() -> None:
    release = asyncio.Event()
    ended = asyncio.Event()

    async def look() -> Say:
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()  # it will not be stopped
        ended.set()
        return Say("Too late.")

    model = ScriptedModel(LOOK, [_wait_for(ended, release), "It is noon."])
    notebook = Notebook()
    agent = agent_of(model, tool_of(look), memory=notebook)
    async with aclosing(agent.stream("Where?")) as stream:
        async for event in stream:
            if isinstance(event, ToolStarted):
                break
    events = await events_of(agent.stream("What time is it?"))
    assert ended.is_set()
    assert not [e for e in events if isinstance(e, ToolFinished)]
    assert events[-1].reply.text == "It is noon."  # type: ignore[union-attr]
    assert [p for p in model.sessions[0].fed if isinstance(p, ToolResult)] == []
    assert notebook.turns[1].tools == ()


def _wait_for(ended: asyncio.Event, release: asyncio.Event) -> Any:
    async def step(session: Any) -> None:
        release.set()
        await ended.wait()
        await asyncio.sleep(0.01)

    return step


async def test_a_turn_cancelled_while_it_is_written_is_written_as_done() -> None:
    notebook = Notebook(record=lambda: time.sleep(0.1))
    agent = agent_of(ScriptedModel("Hello."), memory=notebook)
    work = asyncio.create_task(agent.ask("Hi"))
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.sleep(0.15)
    assert [t.stopped for t in notebook.turns] == ["done"]


async def test_a_trouble_in_cleaning_up_does_not_hide_why_the_turn_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    notebook = Notebook(record=fail(OSError("no space left")))
    model = ScriptedModel(["It is ", GenerationError("out of memory")])
    with pytest.raises(GenerationError):
        await agent_of(model, memory=notebook).ask("What time is it?")
    assert "no space left" in caplog.text
