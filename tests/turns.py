"""Agents to have a turn with, and a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import pytest

from omni_agent.agent import Agent
from omni_agent.clock import FakeClock
from omni_agent.events import (
    Event,
    RecalledMemory,
)
from omni_agent.media import Audio
from omni_agent.memory.records import TurnRecord
from omni_agent.messages import ToolCall
from omni_agent.model.base import MalformedCall
from omni_agent.model.scripted import ScriptedModel
from omni_agent.tools.base import Tool, tool

about = partial(pytest.approx, abs=0.11)  # the clock is moved in steps of 0.05 s


SOUND = Audio.silence(0.5, 16_000)


LOOK = ToolCall("call_1", "look", {})


BROKEN = MalformedCall('{"name": look', "the name is not in quotes.")


def tool_of(function: Callable[..., Any], **options: Any) -> Tool:
    function.__doc__ = function.__doc__ or "Look."
    made: Tool = tool(**options)(function)
    return made


def look_that(gives: Any, **options: Any) -> Tool:
    async def look() -> Any:
        if isinstance(gives, Exception):
            raise gives
        return gives

    return tool_of(look, **options)


def slow_look(clock: FakeClock, seconds: float, *, name: str = "look", **options: Any) -> Tool:
    async def look() -> str:
        await clock.sleep(seconds)
        return f"seen after {seconds:g} s"

    return tool_of(look, name=name, **options)


class Notebook:
    """A memory that tells in which order it was asked what."""

    def __init__(
        self,
        *found: RecalledMemory,
        recall: Callable[[], object] = lambda: None,
        record: Callable[[], object] = lambda: None,
    ) -> None:
        self.log: list[str] = []
        self.turns: list[TurnRecord] = []
        self._found = found
        self._on_recall, self._on_record = recall, record

    def recall(self, query: str, **_: Any) -> tuple[RecalledMemory, ...]:
        self.log.append("recall")
        self._on_recall()
        return self._found

    def record_turn(self, turn: TurnRecord) -> tuple[str, ...]:
        self._on_record()
        self.log.append("record")
        self.turns.append(turn)
        return (f"e_{len(self.turns)}",)


def fail(error: Exception) -> Callable[[], object]:
    def raise_it() -> object:
        raise error

    return raise_it


def agent_of(model: ScriptedModel, *tools: Tool, memory: Any = None, **options: Any) -> Agent:
    options.setdefault("learn", not isinstance(memory, Notebook))
    return Agent("Be kind.", model=model, tools=tools, memory=memory, **options)


async def events_of(stream: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in stream]


async def at(clock: FakeClock, seconds: float, work: asyncio.Task[Any]) -> None:
    """Move the clock on in small steps, so that everybody gets on with what they do."""
    for _ in range(round(seconds * 20)):
        for _ in range(20):
            await asyncio.sleep(0)
        await clock.advance(0.05)
    for _ in range(20):
        await asyncio.sleep(0)
