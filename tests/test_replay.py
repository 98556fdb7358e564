"""A recorded call that is had again with the same model is the same call; with another, it is told
what differs.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from loud_listener import LoudListener, speech
from recorded import (
    Room,
    picture,
    record,
    recorded_call,
    recording_clock,
    the_agent,
)
from turns import Notebook

from omni_agent.agent import Agent
from omni_agent.call_settings import CallSettings
from omni_agent.clock import Clock, SystemClock
from omni_agent.errors import RecordingError, UsageError
from omni_agent.events import (
    CallEnded,
    FrameSeen,
    Interrupted,
    LiveEvent,
    RecalledMemory,
    SpeechStarted,
    TurnFinished,
)
from omni_agent.listening import Listening
from omni_agent.media import Audio, VideoFrame
from omni_agent.model.on_clock import OnClock
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.recorded_call import RecordedCall
from omni_agent.replay import replay, replay_and_compare
from omni_agent.replay_report import ReplayReport, turns_of
from omni_agent.transports.files import play_files
from omni_agent.virtual_clock import VirtualClock


@pytest.fixture(autouse=True)
def ears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent.floor.TurnListener", LoudListener)


def speaker(*turns: Any, **options: Any) -> Any:
    def make(clock: Clock) -> Agent:
        model = ScriptedModel(*turns, audio=True, clock=clock, **options)
        return Agent("Be brief.", model=model, clock=clock)

    return make


async def again(
    folder: Path, make: Any = the_agent, *, clock: Clock | None = None, finish: bool = False
) -> ReplayReport:
    async with make(clock or VirtualClock()) as agent:
        return await replay_and_compare(RecordedCall.open(folder), agent, finish=finish)


# --- the same model ---------------------------------------------------------------------------


@pytest.mark.parametrize("player", ["own", "remote"])
async def test_a_call_replays_to_the_same_events_at_the_same_times(
    tmp_path: Path, player: Any
) -> None:
    events = await record(tmp_path / "call", CallSettings(player=player))
    assert any(isinstance(event, Interrupted) for event in events)
    assert len(turns_of(events)) == 5
    began = time.monotonic()
    report = await again(tmp_path / "call")
    assert report.first_difference is None
    assert report.exact
    assert report.same
    assert time.monotonic() - began < 20  # it lasted 23 s


def nap() -> None:
    time.sleep(0.02)


class SlowNotebook(Notebook):
    def cut_reply(self, conversation: str, turn: int, **how: Any) -> None:
        nap()
        self.log.append(f"cut {turn}")


async def test_a_memory_in_threads_does_not_change_that(tmp_path: Path) -> None:
    def remembering(clock: Clock) -> Agent:
        at = datetime(2026, 4, 1, tzinfo=UTC)
        known = RecalledMemory("e_0", "Ann likes risotto.", "fact", at, 0.9)
        return the_agent(clock, memory=SlowNotebook(known, recall=nap, record=nap))

    await record(tmp_path / "call", make=remembering)
    report = await again(tmp_path / "call", remembering)
    assert report.first_difference is None


async def test_everything_that_can_go_in_goes_in_again(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        call = room.call
        call.hear(speech(0.1))
        call.commit()  # at once, before the sound was taken in
        await room.says(0.4, then=0.0)
        call.commit()
        await room.silence(1.0)
        call.played(1, 250)
        await call.interrupt(300)
        await call.truncate(2, 200)
        await call.send("One.", picture(90), respond=False)
        await call.respond(speak=False)
        await room.silence(0.5)
        call.see(VideoFrame(picture(200), 0.0), "screen")
        await call.configure(
            instructions="Be long.", language="zh", listening=Listening(), speak=True, answers=True
        )
        await room.says(0.5, then=0.1)
        call.clear()
        call.hide("screen")
        call.say("Good bye.")
        await room.silence(4.0)

    settings = CallSettings(player="remote", listening=Listening(turns="push-to-talk"))
    make = speaker(
        "A first answer.", "A second answer.", "Two.", transcripts=["A", "B", "(nothing)"]
    )
    events = await record(tmp_path / "call", settings, has=has, make=make)
    assert any(isinstance(event, FrameSeen) for event in events)
    assert [turn.reply for turn in turns_of(events)][-2:] == ["Two.", "Good bye."]
    report = await again(tmp_path / "call", make)
    assert report.first_difference is None


async def test_files_that_were_played_as_if_live_replay_exactly(tmp_path: Path) -> None:
    clock = recording_clock()
    make = speaker("A long answer, in which somebody cuts in. " * 2, "Yes.", transcripts=["A", "B"])
    said = Audio.join(
        [speech(0.5), Audio.silence(2, 16_000), speech(0.5), Audio.silence(0.5, 16_000)]
    )
    async with clock, make(clock) as agent:
        settings = CallSettings()
        async with recorded_call(agent, tmp_path / "call", settings, read=False) as (call, _):
            played = await play_files(call, said, clock=clock)
    assert any(isinstance(event, Interrupted) for event in played.events)
    report = await again(tmp_path / "call", make)
    assert report.first_difference is None


async def test_a_call_that_hung_up_by_itself_does_so_again(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=9.0)

    settings = CallSettings(idle_seconds=4.0)
    make = speaker("Yes.", transcripts=["A"])
    events = await record(tmp_path / "call", settings, has=quietly(has), make=make)
    assert isinstance(events[-1], CallEnded)
    assert events[-1].reason == "idle"
    report = await again(tmp_path / "call", make)
    assert report.first_difference is None


def quietly(has: Any) -> Any:
    """The user does not notice that the call has ended."""

    async def do(room: Room) -> None:
        with pytest.raises(UsageError, match="not open"):
            await has(room)

    return do


async def test_two_calls_are_replayed_beside_each_other(tmp_path: Path) -> None:
    await record(tmp_path / "call")
    one, other = await asyncio.gather(again(tmp_path / "call"), again(tmp_path / "call"))
    assert one.exact
    assert other.exact


async def test_a_call_had_in_real_time_replays_to_the_same_turns(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=1.2)
        await room.hears(speech(0.4))
        await room.silence(0.8)

    make = speaker("A rather long answer to that.", "Yes.", transcripts=["A", "B"])
    clock = SystemClock()
    async with make(clock) as agent:
        async with recorded_call(agent, tmp_path / "call") as (call, _):
            await has(Room(call, clock, plays=True))
    report = await again(tmp_path / "call", make)
    assert [pair.differs for pair in report.pairs] == [(), ()]
    assert report.same
    assert report.pairs[0].recorded is not None
    assert report.pairs[0].recorded.interrupted is not None


async def test_on_a_real_clock_it_takes_as_long_as_it_took(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.4, then=0.8)

    make = speaker("Yes.", transcripts=["A"])
    await record(tmp_path / "call", has=has, make=make)
    began = time.monotonic()
    report = await again(tmp_path / "call", make, clock=SystemClock())
    assert time.monotonic() - began > 1.1
    assert report.same
    assert not report.exact


# --- another model ----------------------------------------------------------------------------


async def test_what_another_model_does_otherwise_is_told(tmp_path: Path) -> None:
    await record(tmp_path / "call")
    report = await again(tmp_path / "call", lambda clock: the_agent(clock, last="A blue one."))
    assert [pair.differs for pair in report.pairs] == [(), (), (), (), ("reply",)]
    assert not report.same
    was, now = report.pairs[-1].recorded, report.pairs[-1].replayed
    assert was is not None
    assert now is not None
    assert (was.reply, now.reply) == ("It was a red picture.", "A blue one.")
    assert report.first_difference is not None


async def test_a_slower_model_is_told_by_its_latencies(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=3.0)

    await record(tmp_path / "call", has=has, make=speaker("Yes.", transcripts=["A"]))
    report = await again(tmp_path / "call", speaker([Pause(1.5), "Yes."], transcripts=["A"]))
    assert report.same
    assert not report.exact
    assert report.medians("first_audio") == (pytest.approx(0.5), pytest.approx(1.7))
    assert report.medians("first_filler") == (None, None)


async def test_a_turn_that_only_one_of_them_had_stands_alone(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=3.0)
        await room.says(0.5, then=3.0)
        await room.says(0.5, then=3.0)

    make = speaker("One.", "Two.", "Three.", transcripts=["A", "B", "C"])
    await record(tmp_path / "call", has=has, make=make)
    deaf = speaker("One.", "Three.", transcripts=["A", "", "C"])
    report = await again(tmp_path / "call", deaf)
    pairs = [
        (p.recorded and p.recorded.reply, p.replayed and p.replayed.reply) for p in report.pairs
    ]
    assert pairs == [("One.", "One."), ("Two.", None), ("Three.", "Three.")]
    assert not report.same


async def test_an_answer_that_goes_on_after_the_recorded_end_can_be_waited_for(
    tmp_path: Path,
) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=2.0)

    await record(tmp_path / "call", has=has, make=speaker("Yes.", transcripts=["A"]))
    slow = speaker([Pause(4), "A late answer."], transcripts=["A"])
    cut = await again(tmp_path / "call", slow)
    whole = await again(tmp_path / "call", slow, finish=True)
    assert [p.replayed.reply for p in cut.pairs if p.replayed] == [""]
    assert [p.replayed.reply for p in whole.pairs if p.replayed] == ["A late answer."]


@pytest.mark.parametrize(("work", "took"), [("free", 0.5), ("timed", 0.55)])
async def test_a_model_that_thinks_in_a_thread_is_waited_for(
    tmp_path: Path, work: Any, took: float
) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=6.0)

    def make(clock: Clock) -> Agent:
        async def think(_: object) -> None:
            await asyncio.to_thread(time.sleep, 0.4)

        model = ScriptedModel([think, "Yes."], audio=True, transcripts=["A"])
        return Agent("Be brief.", model=OnClock(model, clock), clock=clock)

    await record(tmp_path / "call", has=has, make=speaker("Yes.", transcripts=["A"]))
    report = await again(tmp_path / "call", make, clock=VirtualClock(work=work))
    assert report.same
    assert report.exact == (work == "free")
    first_audio = report.medians("first_audio")[1]
    assert first_audio is not None
    assert first_audio == 0.5 if work == "free" else 0.55 < first_audio < 3


# --- what can go wrong ------------------------------------------------------------------------


async def test_a_model_that_the_clock_cannot_watch_is_refused(tmp_path: Path) -> None:
    await record(tmp_path / "call", has=lambda room: room.silence(0.1), make=speaker())
    agent = Agent("Be brief.", model=ScriptedModel(), clock=VirtualClock())
    with pytest.raises(UsageError, match=r"model=OnClock\(model, clock\)"):
        await replay_and_compare(RecordedCall.open(tmp_path / "call"), agent)


async def test_a_recording_that_broke_off_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    await record(tmp_path / "call")
    path = tmp_path / "call/events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 3]) + lines[-1][:20])
    report = await again(tmp_path / "call")
    assert report.first_difference is not None
    missing, ended = report.first_difference
    assert missing is None
    assert ended is not None


async def test_a_recording_that_cannot_be_read_ends_the_replay_with_the_reason(
    tmp_path: Path,
) -> None:
    await record(tmp_path / "call")
    path = tmp_path / "call/events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:200], b"{}\n", *lines[201:]]))
    events: list[LiveEvent] = []

    async def read(agent: Agent) -> None:
        async for event in replay(RecordedCall.open(tmp_path / "call"), agent):
            events.append(event)

    async with the_agent(VirtualClock()) as agent:
        with pytest.raises(RecordingError, match="line 201"):
            await read(agent)
    assert isinstance(events[-1], CallEnded)


async def test_who_stops_reading_ends_the_call(tmp_path: Path) -> None:
    await record(tmp_path / "call")
    before = asyncio.all_tasks()
    async with the_agent(VirtualClock()) as agent:
        async with aclosing(replay(RecordedCall.open(tmp_path / "call"), agent)) as events:
            async for event in events:
                if isinstance(event, Interrupted):
                    break
    assert asyncio.all_tasks() <= before


async def test_the_clock_stands_still_while_an_event_is_handled(tmp_path: Path) -> None:
    await record(tmp_path / "call")
    clock = VirtualClock()
    seen: list[float] = []
    async with the_agent(clock) as agent:
        async for event in replay(RecordedCall.open(tmp_path / "call"), agent):
            if isinstance(event, SpeechStarted | TurnFinished):
                await asyncio.sleep(0.05)
                seen.append(clock.monotonic() - event.t)
    assert seen
    assert set(seen) == {0.0}


async def test_the_wall_clock_says_what_it_said_then(tmp_path: Path) -> None:
    await record(tmp_path / "call")
    recording = RecordedCall.open(tmp_path / "call")
    clock = VirtualClock()
    async with the_agent(clock) as agent:
        async for event in replay(recording, agent):
            if isinstance(event, CallEnded):
                passed = clock.now() - recording.began_at
    assert passed.total_seconds() == pytest.approx(recording.seconds)


async def test_who_stops_reading_while_it_hangs_up_leaves_nothing_behind(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=0.7)  # hangs up while the agent speaks

    make = speaker("A rather long answer to that.", transcripts=["A"])
    await record(tmp_path / "call", has=has, make=make)
    before = asyncio.all_tasks()
    async with make(VirtualClock()) as agent:
        async with aclosing(replay(RecordedCall.open(tmp_path / "call"), agent)) as events:
            async for event in events:
                if isinstance(event, Interrupted):
                    break
        assert asyncio.all_tasks() <= before
