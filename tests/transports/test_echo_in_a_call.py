"""A call through a loudspeaker and a microphone that stand in one room."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from room import response
from stand_in_sounddevice import SoundCards
from synthetic_speech import spoken

from omni_agent.agent import Agent
from omni_agent.events import Interrupted, LiveEvent, OutputControl
from omni_agent.listening import Listening
from omni_agent.media import Audio
from omni_agent.model import scripted
from omni_agent.model.scripted import ScriptedModel
from omni_agent.transports.echo import EchoCanceller, echo_canceller
from omni_agent.transports.local import LocalDevices

REPLY = (
    "Put the water on, and while it heats, cut the onion into small cubes. Then take the largest "
    "pan that you have, and wait until it is hot."
)


class Mouth:
    """Speaks the reply as speech; a tone would not be taken for somebody's voice."""

    def __init__(self) -> None:
        self._sound = spoken(REPLY, rate=24_000).samples
        self._said = 0

    def say(self, text: str) -> Audio:
        begin = len(self._sound) * self._said // len(REPLY)
        self._said += len(text)
        return Audio(self._sound[begin : len(self._sound) * self._said // len(REPLY)], 24_000)


@asynccontextmanager
async def speaking_up(
    monkeypatch: pytest.MonkeyPatch, echo: EchoCanceller
) -> AsyncIterator[tuple[list[LiveEvent], SoundCards]]:
    """The agent says its reply into the room."""
    monkeypatch.setattr(scripted, "Tone", Mouth)
    cards = SoundCards(loudspeaker=16_000, room=response(delay=0.2))
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    agent = Agent("Cook.", model=ScriptedModel("Yes?", audio=True, transcripts=["wait"] * 9))
    events: list[LiveEvent] = []

    async def read() -> None:
        async for event in call:
            events.append(event)

    listening = Listening(judge="silence")
    async with agent, agent.live(listening=listening) as call, LocalDevices(call, echo=echo):
        reading = asyncio.create_task(read())
        call.say(REPLY)
        yield events, cards
        reading.cancel()


def gives_way(events: list[LiveEvent]) -> bool:
    """Whether the agent lowered its voice, fell silent or stopped for somebody."""
    return any(isinstance(event, OutputControl | Interrupted) for event in events)


async def test_without_care_the_agent_gives_way_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with speaking_up(monkeypatch, echo_canceller("none")) as (events, _):
        async with asyncio.timeout(10):
            while not gives_way(events):
                await asyncio.sleep(0.05)


async def test_with_the_canceller_it_speaks_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("livekit")
    whole = np.count_nonzero(spoken(REPLY, rate=16_000).samples)
    async with speaking_up(monkeypatch, echo_canceller("cancel")) as (events, cards):
        async with asyncio.timeout(20):
            while sum(map(np.count_nonzero, [*cards.heard])) < 0.97 * whole:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    assert not gives_way(events)
