"""A call from the user's side: whose turn it is, and what is said when."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from calls import Room, ToldListener, in_call

from omni_agent.errors import GenerationError, UsageError
from omni_agent.events import (
    AudioDelta,
    CallEnded,
    Interrupted,
    OutputControl,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolFinished,
    Trouble,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    UserTranscript,
)
from omni_agent.listening import (
    Listening,
    Paused,
    SpeechGone,
    SpeechLikely,
    SpeechMaybe,
    SpeechSure,
    TurnOver,
    WentOn,
)
from omni_agent.media import Audio
from omni_agent.messages import Heard, ToolCall
from omni_agent.model.scripted import Pause
from omni_agent.tools.base import ToolContext, tool

ANSWER = "Chop the onions finely. Then fry them in butter until they are soft."


async def says(room: Room, seconds: float = 1.0) -> None:
    """The user says something and has finished."""
    await room.hears(SpeechMaybe(0), SpeechSure(0))
    await room.passes(seconds)
    await room.hears(TurnOver(1000, 300))


async def test_a_spoken_turn_goes_through_the_states(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["How do I begin?"]) as (
        room,
        _model,
    ):
        await says(room)
        await room.passes(8)
        assert room.states == ["listening", "thinking", "speaking", "idle"]
        started, stopped = room.of((SpeechStarted, SpeechStopped))
        assert (started.at_ms, stopped.at_ms, stopped.waited) == (0, 1000, 0.3)
        assert [e.text for e in room.of(UserTranscript)] == ["How do I begin?"]
        assert "".join(e.text for e in room.of(TextDelta)) == ANSWER
        kinds = [type(e) for e in room.events]
        assert kinds.index(SpeechStopped) < kinds.index(TurnStarted) < kinds.index(AudioDelta)
        (measured,) = room.of(TurnMeasured)
        assert measured.end_of_turn == pytest.approx(0.3)
        assert measured.first_audio == pytest.approx(0.3, abs=0.05)
        assert not measured.drafted


async def test_what_was_said_before_it_was_sure_to_be_speech_reaches_the_model(
    monkeypatch,
) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["Hi"]) as (room, model):
        await room.hears(seconds=0.5)
        await room.hears(SpeechMaybe(500), seconds=0.1)
        await room.hears(SpeechSure(500), seconds=0.1)
        await room.hears(TurnOver(700, 200))
        fed = sum(part.seconds for part in model.sessions[0].answered[0])
        assert fed == pytest.approx(0.5, abs=0.01)  # the two, and 0.3 s before


async def test_a_cough_only_ducks(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["Hi"]) as (room, model):
        await says(room)
        await room.passes(1)
        await room.hears(SpeechMaybe(2000))
        assert room.call.output.fill(480).max() < 0.5 * max(a.max() for a in room.played)
        await room.hears(SpeechLikely(2000))
        assert not room.call.output.fill(480).any()
        await room.hears(SpeechGone(2100))
        await room.passes(8)
        assert [e.action for e in room.of(OutputControl)] == ["duck", "pause", "resume"]
        assert not room.of(Interrupted)
        assert len(room.of(SpeechStarted)) == 1
        assert model.sessions[0].rewound == []
        assert room.call.history[0].heard_text == ANSWER


async def test_cutting_in_keeps_what_was_heard_and_no_more(monkeypatch) -> None:
    async with in_call(
        ANSWER, "All right.", monkeypatch=monkeypatch, transcripts=["How?", "Stop"]
    ) as (room, model):
        await says(room)
        await room.passes(1.5)
        await room.hears(SpeechMaybe(3000), SpeechLikely(3000), SpeechSure(3000))
        (cut,) = room.of(Interrupted)
        assert ANSWER.startswith(cut.heard_text)
        assert 10 < len(cut.heard_text) < 40
        assert f"{cut.heard_text} {cut.unheard_text}" == ANSWER
        assert cut.interrupted_at_ms == pytest.approx(1500, abs=200)
        assert model.sessions[0].rewound == [Heard(cut.heard_text, cut.interrupted_at_ms)]
        assert not room.call.output.fill(480).any()
        await room.hears(TurnOver(3500, 300))
        await room.passes(2)
        assert room.states == [
            "listening", "thinking", "speaking", "listening", "thinking", "speaking", "idle",
        ]  # fmt: skip
        first, second = room.call.history
        assert (first.heard_text, first.interrupted_at_ms) == (
            cut.heard_text, cut.interrupted_at_ms,
        )  # fmt: skip
        assert second.heard_text == "All right."


async def test_go_on_says_the_rest(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["How?", "Go on."]) as (
        room,
        _model,
    ):
        await says(room)
        await room.passes(1.5)
        await room.hears(SpeechSure(3000))
        (cut,) = room.of(Interrupted)
        await room.hears(TurnOver(3500, 300))
        await room.passes(6)
        assert room.call.history[1].heard_text == cut.unheard_text


async def test_cutting_in_while_the_model_still_thinks_and_speaks(monkeypatch) -> None:
    steps = ["One, two, three. ", Pause(5), "Four, five."]
    async with in_call(steps, "Yes?", monkeypatch=monkeypatch, transcripts=["Count", "Stop"]) as (
        room,
        model,
    ):
        await says(room)
        await room.passes(0.8)
        await room.hears(SpeechSure(3000))
        (cut,) = room.of(Interrupted)
        assert cut.heard_text
        assert "Four" not in cut.heard_text + cut.unheard_text
        assert model.sessions[0].cancelled == 1
        assert not room.of(TurnFinished)
        await room.hears(TurnOver(3500, 300))
        await room.passes(2)
        assert room.of(TurnFinished)[0].reply.text == "Yes?"


async def test_who_goes_on_before_anything_was_answered_is_answered_once(monkeypatch) -> None:
    async with in_call(
        [Pause(3), "Soup it is."],
        monkeypatch=monkeypatch,
        transcripts=["I want soup", "I want soup with leek"],
    ) as (room, model):
        await says(room)
        await room.passes(0.5)
        assert room.call.state == "thinking"
        await room.hears(SpeechSure(3000))
        await room.hears(TurnOver(3500, 300))
        await room.passes(5)
        assert [e.text for e in room.of(UserTranscript)][-1] == "I want soup with leek"
        assert [t.user for t in room.call.history] == ["I want soup with leek"]
        assert model.sessions[0].reopened == 1


async def test_sound_that_arrives_late_and_all_at_once_is_heard_once(monkeypatch) -> None:
    async with in_call(
        "Soup it is.", monkeypatch=monkeypatch, transcripts=["I want soup with leek"]
    ) as (room, model):  # fmt: skip
        ToldListener.made.later.extend(
            [
                (100, SpeechSure(0)),
                (1000, TurnOver(900, 100)),
                (1500, SpeechSure(1400)),
                (2400, TurnOver(2300, 100)),
            ]
        )
        numbered = np.linspace(0, 1, 48_000, dtype=np.float32)
        room.call.hear(Audio(numbered, 16_000))
        await room.passes(5)
        assert [t.user for t in room.call.history] == ["I want soup with leek"]
        whole = np.concatenate([part.samples for part in model.sessions[0].answered[-1]])
        assert len(whole) == len(np.unique(whole))
        assert 2.3 / 3 < whole[-1] < 2.5 / 3
        assert len(whole) / 16_000 > 2.1, "only of the silence between the two some is missing"


async def test_a_draft_is_out_the_moment_the_turn_is_over(monkeypatch) -> None:
    async with in_call([Pause(0.4), ANSWER], monkeypatch=monkeypatch, transcripts=["How?"]) as (
        room,
        _model,
    ):
        await room.hears(SpeechSure(0))
        await room.hears(Paused(100, 0.8))
        await room.passes(0.6)
        assert not room.of((TurnStarted, TextDelta, UserTranscript))
        await room.hears(TurnOver(100, 700), seconds=0.02)
        assert room.of(AudioDelta)
        (measured,) = room.of(TurnMeasured)
        assert measured.drafted
        assert measured.drafts == 1
        assert measured.first_audio == pytest.approx(0.7, abs=0.05)


async def test_a_draft_is_dropped_without_a_trace_when_the_user_goes_on(
    monkeypatch, tmp_path
) -> None:
    ran = []

    @tool
    def light(room: str) -> str:
        """Switch on the light."""
        ran.append(room)
        return "It is on."

    async with in_call(
        [ToolCall("c1", "light", {"room": "kitchen"})],
        "It is on.",
        tools=[light],
        monkeypatch=monkeypatch,
        transcripts=["Light in the", "Light in the kitchen"],
        memory=tmp_path,
    ) as (room, model):
        await room.hears(SpeechSure(0))
        await room.hears(Paused(100, 0.6))
        await room.passes(0.3)
        assert ran == []
        await room.hears(WentOn(500))
        assert not room.of((TurnStarted, TextDelta, ToolFinished, Interrupted))
        await room.hears(TurnOver(900, 300))
        await room.passes(2)
        assert ran == ["kitchen"]
        assert [t.user for t in room.call.history] == ["Light in the kitchen"]
        turns = await asyncio.to_thread(room.call.agent.memory.turns, room.call.id)
        assert [t.user for t in turns] == ["Light in the kitchen"]
        sound = [p for p in model.sessions[0].fed if hasattr(p, "samples")]
        assert sum(s.seconds for s in sound) == pytest.approx(0.1 + 0.3 + 0.1, abs=0.25)


async def test_noise_without_words_is_no_turn(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["", "How?"]) as (room, _):
        await says(room)
        await room.passes(1)
        assert not room.of((TurnStarted, UserTranscript, TextDelta))
        assert room.call.state == "idle"
        await says(room)
        await room.passes(1)
        assert room.of(TurnFinished)[0].reply.text == ANSWER


async def test_a_tool_is_acting_and_an_answer_in_pieces_is_one_turn(monkeypatch) -> None:
    @tool
    async def look(ctx: ToolContext) -> str:
        """Look."""
        await ctx.clock.sleep(2)
        return "It boils."

    async with in_call(
        [ToolCall("c1", "look", {})], "It boils now.", tools=[look],
        monkeypatch=monkeypatch, transcripts=["Does it boil?"],
    ) as (room, _):  # fmt: skip
        await says(room)
        await room.passes(1.0)
        assert room.call.state in ("acting", "speaking")  # a filler may bridge it
        await room.passes(4)
        assert "acting" in room.states
        assert room.call.state == "idle"
        assert room.of(TurnFinished)[0].reply.text == "It boils now."


async def test_a_broken_model_fails_the_turn_and_not_the_call(monkeypatch) -> None:
    async with in_call(
        ["Well, ", GenerationError("out of memory")], "Yes.",
        monkeypatch=monkeypatch, transcripts=["One", "Two"],
    ) as (room, _):  # fmt: skip
        await says(room)
        await room.passes(2)
        (trouble,) = room.of(Trouble)
        assert "out of memory" in trouble.message
        assert room.call.state == "idle"
        await says(room)
        await room.passes(2)
        assert room.of(TurnFinished)[0].reply.text == "Yes."


async def test_the_agent_speaks_up_when_nobody_speaks(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["How?"]) as (room, _model):
        await room.hears(SpeechSure(0))
        room.call.say("The pasta is done.")
        await room.passes(2)
        assert not room.of(TurnStarted)
        await room.hears(TurnOver(2000, 300))
        await room.passes(7)
        first, second = room.of(TurnStarted)
        assert (first.unasked, second.unasked) == (False, True)
        assert second.t > room.of(TurnFinished)[0].t + 4  # not before the answer has sounded
        assert room.call.history[1].heard_text == "The pasta is done."


async def test_an_announcement_that_nobody_heard_comes_again(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["How?"]) as (room, _model):
        room.call.say("The pasta is done.")
        await room.passes(1.0)
        cut = await _acting(room, room.call.interrupt(played_ms=0))
        assert cut.heard_text == ""
        await room.passes(4)
        assert [e.unasked for e in room.of(TurnStarted)] == [True, True]
        assert room.call.history[-1].heard_text == "The pasta is done."


async def test_a_distant_player_tells_what_was_heard(monkeypatch) -> None:
    async with in_call(
        ANSWER, "Yes.", monkeypatch=monkeypatch, transcripts=["How?", "Stop"], player="remote"
    ) as (room, _model):
        await says(room)
        await room.passes(2)
        await room.hears(SpeechSure(3000))
        (guessed,) = room.of(Interrupted)
        told = await _acting(room, room.call.truncate(guessed.turn, 800))
        assert told.interrupted_at_ms == 800
        assert len(told.heard_text) < len(guessed.heard_text)
        assert room.call.history[0].heard_text == told.heard_text
        with pytest.raises(UsageError, match="turn 99"):
            await _acting(room, room.call.truncate(99, 800))


async def test_push_to_talk_waits_for_the_button(monkeypatch) -> None:
    async with in_call(
        ANSWER, monkeypatch=monkeypatch, transcripts=["How?"],
        listening=Listening(turns="push-to-talk"),
    ) as (room, model):  # fmt: skip
        await room.hears(seconds=1.0)
        await room.passes(1)
        assert room.call.state == "listening"
        room.call.commit()
        await room.passes(6)
        assert room.of(TurnFinished)[0].reply.text == ANSWER
        assert sum(p.seconds for p in model.sessions[0].answered[0]) == pytest.approx(1.0)


async def test_an_agent_that_may_not_be_cut_short_is_deaf_while_it_speaks(monkeypatch) -> None:
    async with in_call(
        ANSWER, monkeypatch=monkeypatch, transcripts=["How?"], listening=Listening(interrupt=False)
    ) as (room, _):
        await says(room)
        await room.passes(1)
        silent = []
        hear = ToldListener.made.hear

        async def spy(audio: Any, **how: Any) -> Any:
            silent.append(not audio.samples.any())
            return await hear(audio, **how)

        ToldListener.made.hear = spy  # type: ignore[method-assign]
        await room.hears()
        assert silent
        assert all(silent)


async def test_typed_words_are_answered_aloud_and_cut_in(monkeypatch) -> None:
    async with in_call(ANSWER, "Yes.", monkeypatch=monkeypatch, transcripts=["How?"]) as (room, _):
        await says(room)
        await room.passes(1)
        await _acting(room, room.call.send("Stop. Is it done?"))
        await room.passes(2)
        assert room.of(Interrupted)
        assert room.of(TurnFinished)[-1].reply.audio is not None
        assert room.call.history[-1].user == "Stop. Is it done?"


async def test_the_call_ends_for_everybody(monkeypatch) -> None:
    async with in_call([Pause(100)], monkeypatch=monkeypatch, transcripts=["How?"]) as (room, _):
        await says(room)
        await room.passes(0.2)
        await room.call.close("gone")
        await room.settled()
        assert room.events[-1] == CallEnded("gone", room.events[-1].t)
        with pytest.raises(UsageError, match="not open"):
            room.call.commit()
        assert not [t for t in asyncio.all_tasks() if "live" in repr(t.get_coro())]


@pytest.mark.parametrize(
    ("options", "reason"), [({"idle_seconds": 5}, "idle"), ({"max_seconds": 5}, "too long")]
)
async def test_limits_end_the_call(monkeypatch, options, reason) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, **options) as (room, _):
        await room.passes(6)
        assert [e.reason for e in room.of(CallEnded)] == [reason]


async def test_a_model_that_stalls_is_stopped(monkeypatch) -> None:
    async with in_call(
        [Pause(1000)], "Yes.", monkeypatch=monkeypatch, transcripts=["How?", "Well?"],
        stall_seconds=5,
    ) as (room, _):  # fmt: skip
        await says(room)
        await room.passes(7)
        assert "nothing for 5 seconds" in room.of(Trouble)[0].message
        assert room.call.state == "idle"


async def _acting(room: Room, verb: Any) -> Any:
    doing = asyncio.ensure_future(verb)
    await room.settled()
    await room.passes(0.1)
    return await doing


async def test_a_distant_player_that_has_the_whole_reply_plays_it_to_its_end(monkeypatch) -> None:
    async with in_call(
        ANSWER, "Yes.", monkeypatch=monkeypatch, transcripts=["How?"], player="remote"
    ) as (room, model):
        await says(room)
        await room.passes(1)
        await _acting(room, room.call.send("And then?"))
        await room.passes(8)
        assert not room.of(Interrupted)
        assert model.sessions[0].rewound == []
        assert [t.heard_text for t in room.call.history] == [ANSWER, "Yes."]


async def test_a_distant_player_that_lags_is_believed(monkeypatch) -> None:
    async with in_call(
        ANSWER, monkeypatch=monkeypatch, transcripts=["How?", "Stop"], player="remote"
    ) as (room, _):
        await says(room)
        await room.passes(2)
        room.call.played(1, 500)
        await room.passes(1)
        cut = await _acting(room, room.call.interrupt())
        assert cut.interrupted_at_ms == pytest.approx(1500, abs=150)


async def test_what_is_not_to_be_answered_waits_until_it_is(monkeypatch) -> None:
    async with in_call(ANSWER, monkeypatch=monkeypatch, transcripts=["How?"], answers=False) as (
        room,
        model,
    ):
        await room.hears(SpeechSure(0))
        await room.hears(Paused(100, 0.9))
        await room.hears(TurnOver(200, 300))
        await room.passes(2)
        assert [e.text for e in room.of(UserTranscript)] == ["How?"]
        assert not room.of(TurnStarted)
        await _acting(room, room.call.respond())
        await room.passes(1)
        assert len(model.sessions[0].answered) == 1
        assert room.of(TurnFinished)[0].reply.heard == "How?"


async def test_the_last_sound_before_a_commit_is_heard_at_any_rate(monkeypatch) -> None:
    async with in_call(
        ANSWER, monkeypatch=monkeypatch, transcripts=["How?"],
        listening=Listening(turns="push-to-talk"),
    ) as (room, model):  # fmt: skip
        room.call.hear(Audio(np.full(24_000, 0.1, np.float32), 24_000))
        room.call.commit()
        await room.settled()
        assert sum(p.seconds for p in model.sessions[0].answered[0]) == pytest.approx(1.0, abs=1e-3)


async def test_words_that_nobody_has_heard_yet_are_taken_back_when_the_user_goes_on(
    monkeypatch,
) -> None:
    async with in_call(
        ["Well, ", Pause(3), "leek soup."],
        monkeypatch=monkeypatch,
        transcripts=["I want soup", "I want soup with leek"],
    ) as (room, model):
        await room.hears(SpeechSure(0))
        room.call.hear(Audio(np.zeros(160, np.float32), 16_000))
        ToldListener.made.heeds.append(TurnOver(200, 300))
        room.call.hear(Audio(np.zeros(160, np.float32), 16_000))
        await room.settled()  # text and sound are made, and nothing has sounded
        ToldListener.made.heeds.append(SpeechSure(300))
        room.call.hear(Audio(np.full(1600, 0.1, np.float32), 16_000))
        await room.settled()
        (cut,) = room.of(Interrupted)
        assert (cut.heard_text, cut.interrupted_at_ms) == ("", 0)
        await room.hears(TurnOver(500, 300))
        await room.passes(5)
        assert [t.user for t in room.call.history] == ["I want soup with leek"]
        assert model.sessions[0].reopened == 1
