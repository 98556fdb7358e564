"""A call with everything in it, and a way to record it and to have it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from loud_listener import RATE, speech

from omni_agent.agent import Agent
from omni_agent.call_settings import CallSettings
from omni_agent.clock import Clock
from omni_agent.events import LiveEvent
from omni_agent.live import LiveCall
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Draft, Pause, ScriptedModel
from omni_agent.tools.base import ToolContext, tool
from omni_agent.virtual_clock import VirtualClock

STEP = 0.02  # seconds
START = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


@asynccontextmanager
async def recorded_call(
    agent: Agent, folder: Path, settings: CallSettings | None = None, *, read: bool = True
) -> AsyncIterator[tuple[LiveCall, list[LiveEvent]]]:
    """A call that is being recorded, and its events as they come if they are to be read."""
    settings = settings or CallSettings()
    events: list[LiveEvent] = []
    async with agent.live(**settings.options(), record=folder) as call:

        async def read_all() -> None:
            async for event in call:
                events.append(event)

        reading = asyncio.create_task(read_all()) if read else None
        yield call, events
        await call.close()
        if reading is not None:
            await reading


class Room:
    """The user's side: a microphone that is always on and, for player="own", a sound card."""

    def __init__(self, call: LiveCall, clock: Clock, *, plays: bool) -> None:
        self.call = call
        self._clock = clock
        self._plays = plays
        self._began = clock.monotonic()
        self._steps = 0

    async def hears(self, sound: Audio) -> None:
        samples = round(STEP * RATE)
        for at in range(0, len(sound.samples), samples):
            await self._step(Audio(sound.samples[at : at + samples], RATE))

    async def silence(self, seconds: float) -> None:
        await self.hears(Audio.silence(seconds, RATE))

    async def says(self, seconds: float, *, then: float) -> None:
        await self.hears(speech(seconds))
        await self.silence(then)

    async def _step(self, chunk: Audio) -> None:
        self._steps += 1
        when = self._began + self._steps * STEP
        if isinstance(self._clock, VirtualClock):
            await self._clock.until(when)
        else:
            await self._clock.sleep(when - self._clock.monotonic())
        self.call.hear(chunk)
        if self._plays:
            self.call.output.fill(round(STEP * self.call.output_rate))


def picture(level: int) -> Image:
    return Image(np.full((120, 160, 3), level, np.uint8))


@tool(filler="Let me have a look.")
async def look_up(dish: str, ctx: ToolContext) -> str:
    """Look a dish up."""
    await ctx.clock.sleep(1.3)
    return f"{dish} takes twenty minutes."


@tool
def count(things: list[str]) -> int:
    """Count things; a plain function, in a thread."""
    return len(things)


@tool
async def remind(minutes: float, ctx: ToolContext) -> str:
    """Remind of something later."""

    async def ring() -> None:
        await ctx.clock.sleep(minutes * 60)
        ctx.announce("The rice is done.")

    remind.ringing = asyncio.create_task(ring())  # type: ignore[attr-defined]
    return "I will."


def the_agent(clock: Clock, *, last: str = "It was a red picture.", **options: Any) -> Agent:
    """Who answers in `the_call`; `last` is what it says at the end."""
    model = ScriptedModel(
        Draft("This was never meant to be heard."),
        "You said two things. Here is a rather long answer to them, of which the end is not heard.",
        ["", ToolCall("c1", "look_up", {"dish": "risotto"})],
        "Risotto takes twenty minutes.",
        [ToolCall("c2", "count", {"things": ["rice", "wine"]}),
         ToolCall("c3", "remind", {"minutes": 0.05})],
        [Pause(0.4), "Two things, and I will remind you."],
        last,
        audio=True,
        transcripts=["One thing", "One thing and another", "How long does risotto take?",
                     "Count and remind me", "What did you see?"],
        clock=clock,
    )  # fmt: skip
    tools = [look_up, count, remind]
    return Agent("Be brief.", name="cook", model=model, tools=tools, clock=clock, **options)


async def the_call(room: Room) -> None:
    """A draft that is dropped, cutting in, a cough, tools in both kinds, an announcement, pictures,
    typed words.
    """
    await room.silence(0.3)
    await room.says(0.6, then=0.3)  # the user only paused
    await room.says(0.5, then=2.0)
    room.call.see(VideoFrame(picture(40), 0.0))
    await room.hears(speech(0.8))  # cuts in
    await room.silence(3.0)
    await room.hears(speech(0.08))  # a cough
    await room.silence(4.0)
    await room.says(0.5, then=3.0)
    room.call.see(VideoFrame(Image(np.full((120, 160, 3), (250, 10, 10), np.uint8)), 9.0), "screen")
    await room.silence(5.0)
    await room.says(0.4, then=1.0)
    await room.silence(2.0)


def recording_clock() -> VirtualClock:
    clock = VirtualClock()
    clock.begin(at=1234.5, now=START)
    return clock


async def record(
    folder: Path,
    settings: CallSettings | None = None,
    *,
    has: Callable[[Room], Any] = the_call,
    make: Callable[[Clock], Agent] = the_agent,
) -> list[LiveEvent]:
    """Have a call on a virtual clock, recorded; its events."""
    clock = recording_clock()
    settings = settings or CallSettings()
    async with clock, make(clock) as agent:
        async with recorded_call(agent, folder, settings) as (call, events):
            await has(Room(call, clock, plays=settings.player == "own"))
    return events
