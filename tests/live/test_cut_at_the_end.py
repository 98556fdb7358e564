"""The user cuts in just when the model is done, while its reply still sounds."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from calls import Room, ToldListener, in_call
from turns import Notebook

from omni_agent.events import Interrupted, TurnFinished
from omni_agent.listening import SpeechMaybe, SpeechSure, TurnOver
from omni_agent.media import Audio
from omni_agent.model.scripted import Pause

ANSWER = "Chop the onions finely. Then fry them in butter until they are soft."


async def says(room: Room) -> None:
    """The user says something and has finished."""
    await room.hears(SpeechMaybe(0), SpeechSure(0))
    await room.passes(1.0)
    await room.hears(TurnOver(1000, 300))


async def test_cutting_in_at_the_moment_when_the_model_ends(monkeypatch) -> None:
    def cut_in(session: Any) -> None:
        ToldListener.made.heeds.append(SpeechSure(3000))
        room.call.hear(Audio.silence(0.1, 16_000))

    steps = [ANSWER, Pause(1.5), cut_in]
    async with in_call(steps, monkeypatch=monkeypatch, transcripts=["How?"]) as (room, model):
        await says(room)
        await room.passes(2.0)
        (cut,) = room.of(Interrupted)
        assert room.of(TurnFinished)
        assert 10 < len(cut.heard_text) < 40
        assert model.sessions[0].kept == [cut.heard_text]
        assert room.call.history[0].heard_text == cut.heard_text


async def test_cutting_in_while_the_turn_is_written_down(monkeypatch) -> None:
    writing, cut_short = threading.Event(), []

    class SlowMemory(Notebook):
        def cut_reply(self, conversation: str, turn: int, *, heard: str, **_: Any) -> None:
            cut_short.append(heard)

    memory = SlowMemory(record=lambda: writing.wait(5))
    async with in_call(
        ANSWER, monkeypatch=monkeypatch, transcripts=["How?"], memory=memory
    ) as (room, model):  # fmt: skip
        await says(room)
        await room.passes(1.0)
        assert not room.of(TurnFinished)
        cutting_in = asyncio.create_task(room.hears(SpeechSure(3000)))
        await room.settled()
        writing.set()
        await cutting_in
        (cut,) = room.of(Interrupted)
        assert 10 < len(cut.heard_text) < 40
        assert model.sessions[0].kept == cut_short == [cut.heard_text]
        assert room.call.history[0].heard_text == cut.heard_text
        assert len(memory.turns) == 1
