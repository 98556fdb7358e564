"""A call on a clock moved by hand, with a loudspeaker and a listener that hears what it is told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from omni_agent.agent import Agent
from omni_agent.clock import FakeClock
from omni_agent.events import LiveEvent
from omni_agent.listening import Heed
from omni_agent.live import LiveCall
from omni_agent.media import Audio
from omni_agent.model.scripted import ScriptedModel

STEP = 0.02  # seconds; the loudspeaker takes as much at a time


class ToldListener:
    """Stands in for `TurnListener`: gives what the test says is heard in the next sound."""

    made: ToldListener

    def __init__(self, settings: object) -> None:
        self.heeds: deque[Heed] = deque()
        self.later: deque[tuple[int, Heed]] = deque()  # when so many ms have been heard
        self._heard = 0.0
        self.asked: list[str | None] = []
        self.cleared = 0
        self.words: dict[str, list[Heed]] = {}
        ToldListener.made = self

    async def hear(self, audio: Audio, *, speaking: bool, asked: str | None) -> list[Heed]:
        self.asked.append(asked)
        self._heard += 1000 * audio.seconds
        heeds = [*self.heeds]
        self.heeds.clear()
        while self.later and self.later[0][0] <= self._heard:
            heeds.append(self.later.popleft()[1])
        return heeds

    def commit(self) -> list[Heed]:
        heeds = [*self.heeds]
        self.heeds.clear()
        return heeds

    def clear(self) -> None:
        self.cleared += 1

    def heard_words(self, text: str) -> list[Heed]:
        return self.words.get(text, [])

    async def prepare(self) -> None: ...


class Room:
    """The user's side of a call: says things, listens to the loudspeaker, lets time pass."""

    def __init__(self, call: LiveCall, clock: FakeClock, *, plays: bool) -> None:
        self.call = call
        self.clock = clock
        self.events: list[LiveEvent] = []
        self.played: list[np.ndarray] = []
        self._plays = plays

    async def passes(self, seconds: float) -> None:
        """Time passes; the loudspeaker plays."""
        for _ in range(round(seconds / STEP)):
            if self._plays:
                self.played.append(self.call.output.fill(round(STEP * self.call.output_rate)))
            await self.clock.advance(STEP)
            await self.settled()

    async def settled(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)  # worker threads

    async def hears(self, *heeds: Heed, seconds: float = 0.1) -> None:
        """The microphone gives a tenth of a second, in which the listener hears this."""
        ToldListener.made.heeds.extend(heeds)
        self.call.hear(Audio(np.full(round(16_000 * seconds), 0.1, np.float32), 16_000))
        await self.settled()
        await self.passes(seconds)

    def of(self, kind: type | tuple[type, ...]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def states(self) -> list[str]:
        from omni_agent.events import StateChanged

        return [event.state for event in self.of(StateChanged)]


@asynccontextmanager
async def in_call(
    *turns: Any,
    monkeypatch: Any,
    tools: Any = (),
    memory: Any = None,
    player: Any = "own",
    transcripts: Any = (),
    profile: Any = None,
    prepare_agent: Callable[[Agent], None] | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Room, ScriptedModel]]:
    """A call with a scripted model that speaks."""
    monkeypatch.setattr("omni_agent.floor.TurnListener", ToldListener)
    clock = FakeClock()
    model = ScriptedModel(*turns, audio=True, transcripts=transcripts, clock=clock, profile=profile)
    agent = Agent("Be brief.", model=model, tools=tools, memory=memory, clock=clock)
    if prepare_agent is not None:
        prepare_agent(agent)
    call = agent.live(player=player, **options)
    async with call:
        room = Room(call, clock, plays=player == "own")

        async def read() -> None:
            async for event in call:
                room.events.append(event)

        reading = asyncio.create_task(read())
        await room.settled()
        yield room, model
        await call.close()
        await asyncio.wait_for(reading, 5)
    await agent.close()
