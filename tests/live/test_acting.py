"""Tools in a call: what comes late, what watches, and what is only shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
from calls import Room, in_call

from omni_agent.events import FrameSeen, Interrupted, TextDelta, ToolFinished, TurnStarted
from omni_agent.listening import SpeechSure, TurnOver
from omni_agent.media import Image, VideoFrame
from omni_agent.messages import Context, ToolCall
from omni_agent.tools.base import ToolContext, tool
from omni_agent.tools.frames import Frames


def picture(level: int, t: float) -> VideoFrame:
    return VideoFrame(Image(np.full((120, 160, 3), level, np.uint8)), t)


async def says(room: Room) -> None:
    await room.hears(SpeechSure(0))
    await room.hears(TurnOver(100, 300))


async def test_a_result_that_comes_after_the_user_cut_in_is_kept_as_data(monkeypatch) -> None:
    @tool(on_interrupt="keep", filler="Let me see, this may take a little while.")
    async def book(ctx: ToolContext) -> str:
        """Book a table."""
        await ctx.clock.sleep(3)
        return "Table 5 is booked."

    async with in_call(
        [ToolCall("c1", "book", {})], "Fine.", "Table 5.", tools=[book],
        monkeypatch=monkeypatch, transcripts=["Book", "Wait", "And?"],
    ) as (room, model):  # fmt: skip
        await says(room)
        await room.passes(1.5)
        await room.hears(SpeechSure(2000))
        assert room.of(Interrupted)
        await room.hears(TurnOver(2500, 300))
        await room.passes(4)
        assert not room.of(ToolFinished)
        await says(room)
        await room.passes(1)
        notes = [p.text for p in model.sessions[0].answered[-1] if isinstance(p, Context)]
        assert len(notes) == 1
        assert "Table 5 is booked." in notes[0]


async def test_a_watcher_speaks_up_when_it_sees_it(monkeypatch) -> None:
    @tool
    async def watch_the_pot(frames: Frames) -> AsyncIterator[str]:
        """Tell when the water boils."""
        async for frame in frames:
            if frame.image.pixels.mean() > 200:
                yield "The water boils."
                return

    async with in_call(
        [ToolCall("c1", "watch_the_pot", {})], tools=[watch_the_pot],
        monkeypatch=monkeypatch, transcripts=["Tell me when it boils"],
    ) as (room, _):  # fmt: skip
        room.call.see(picture(10, 0.0))
        await says(room)
        await room.passes(4)
        room.call.see(picture(11, 1.0))
        await room.passes(2)
        assert [e.unasked for e in room.of(TurnStarted)] == [False]
        room.call.see(picture(250, 2.0))
        await room.passes(3)
        assert [e.unasked for e in room.of(TurnStarted)] == [False, True]
        assert "".join(e.text for e in room.of(TextDelta)).endswith("The water boils.")


async def test_what_is_shown_during_an_answer_waits_for_the_next_turn(monkeypatch) -> None:
    async with in_call(
        "A long, long answer to that.",
        "A red one.",
        monkeypatch=monkeypatch,
        transcripts=["A", "B"],
    ) as (room, model):
        await says(room)
        room.call.see(picture(120, 0.0))
        await room.passes(4)
        assert room.of(FrameSeen)
        await says(room)
        await room.passes(1)
        assert any(isinstance(p, VideoFrame) for p in model.sessions[0].answered[1])


async def test_a_camera_that_is_switched_off_is_not_shown_any_more(monkeypatch) -> None:
    async with in_call("Yes.", "No.", monkeypatch=monkeypatch, transcripts=["A", "B"]) as (room, _):
        room.call.see(picture(120, 0.0))
        await says(room)
        await room.passes(1)
        room.call.hide()
        await room.settled()
        seen = len(room.of(FrameSeen))
        await says(room)
        await room.passes(1)
        assert len(room.of(FrameSeen)) == seen
