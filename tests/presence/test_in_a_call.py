"""What a call does with what is known of the people in it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from made_embedder import Letters

from omni_agent.attending import SaidBy
from omni_agent.clock import SYSTEM_CLOCK
from omni_agent.events import AudioDelta, LiveEvent, PersonHere, TurnFinished, UserTranscript
from omni_agent.listening import Paused, SpeechSure, TurnOver, WentOn
from omni_agent.media import Audio, VideoFrame
from omni_agent.memory import Memory
from omni_agent.messages import Context, ToolCall
from omni_agent.presence.attendance import Attendance
from omni_agent.tools.base import ToolContext, tool

sys.path.insert(0, str(Path(__file__).parents[1] / "live"))
from calls import in_call

ANNA = SaidBy("p_anna", "Anna")
HERE = (PersonHere("p_anna", "Anna", x=0.2), PersonHere("p_ben", "Ben", sure=False, x=0.8))


class Known:
    """Stands in for `Attendance`: says that Anna speaks, and writes down what it is told."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.gave: list[LiveEvent] = []
        self.present = HERE
        self.speaking = "Anna"

    def hear(self, sound: Audio, *, own: bool) -> None:
        self.log.append(("hear", own))

    def see(self, frame: VideoFrame, source: str) -> None:
        self.log.append(("see", source))

    def speech_begins(self, at_ms: int) -> None:
        self.log.append(("begins", at_ms))

    def speech_ends(self, at_ms: int | None) -> None:
        self.log.append(("ends", at_ms))

    def went(self, event: LiveEvent) -> None:
        self.gave.append(event)

    async def who(self, text: str) -> SaidBy:
        return ANNA

    async def heard(self, text: str) -> SaidBy:
        self.log.append(("heard", text))
        return ANNA

    def kept(self, memory: str) -> None:
        self.log.append(("kept", memory))

    def note(self, said: SaidBy) -> str | None:
        return "Present: Anna (left), perhaps Ben (right). Anna is speaking."

    async def close(self) -> None:
        self.log.append(("close",))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    known = Known()

    async def attendance_of(memory: object, **_: object) -> Known:
        return known

    monkeypatch.setattr("omni_agent.live.attendance_of", attendance_of)
    return known


class Notes:
    """A memory that keeps what it is given."""

    def __init__(self) -> None:
        self.turns: list[Any] = []
        self.recalled: list[Any] = []

    def recall(self, query: str, **options: Any) -> tuple[()]:
        self.recalled.append(options)
        return ()

    def to_learn(self, by: str, **_: Any) -> tuple[()]:
        return ()

    def record_turn(self, turn: Any) -> tuple[str, ...]:
        self.turns.append(turn)
        return ("e_said", "e_answered")


async def test_a_turn_carries_who_said_it(known: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Notes()
    async with in_call(
        "Lovely!", monkeypatch=monkeypatch, memory=memory, transcripts=["We fly to Lisbon."]
    ) as (room, model):
        await room.hears(SpeechSure(200))
        await room.hears(TurnOver(1900, 300))
        await room.passes(3)
        (said,) = room.of(UserTranscript)
        assert said.speaker == "Anna"
        assert len(room.of(TurnFinished)) == 1
        notes = [part.text for part in model.sessions[0].fed if isinstance(part, Context)]
        assert notes == ["Present: Anna (left), perhaps Ben (right). Anna is speaking."]
    (turn,) = memory.turns
    assert (turn.person, turn.speaker) == ("p_anna", "Anna")
    assert memory.recalled[0]["people"] == ["p_anna", "p_ben"]
    log = [entry for entry in known.log if entry[0] not in ("hear", "see")]
    assert log == [
        ("begins", 200), ("ends", 1900), ("heard", "We fly to Lisbon."), ("kept", "e_said"),
        ("close",),
    ]  # fmt: skip


async def test_the_agents_voice_is_told_and_its_echo_is_nobodys(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_call(
        "A long answer, it takes a while.", monkeypatch=monkeypatch, transcripts=["Well?"]
    ) as (room, _):
        await room.hears(SpeechSure(0))
        await room.hears(TurnOver(100, 300))
        await room.passes(0.5)
        known.log.clear()
        await room.hears()
        assert ("hear", True) in known.log, "only the agent speaks"
        assert any(isinstance(event, AudioDelta) for event in known.gave)
        await room.passes(6)
        known.log.clear()
        await room.hears()
        assert ("hear", False) in known.log


async def test_a_draft_that_is_thrown_away_tells_nothing_of_names(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_call(
        "Hm.", "Hello Anna!", monkeypatch=monkeypatch, transcripts=["I'm", "I'm Anna."]
    ) as (room, _):
        await room.hears(SpeechSure(0))
        await room.hears(Paused(700, 0.9))
        await room.hears(WentOn(900))
        assert ("ends", 700) in known.log
        assert ("ends", None) in known.log
        assert not [entry for entry in known.log if entry[0] == "heard"]


async def test_tools_are_told_who_is_there_and_who_speaks(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[ToolContext] = []

    @tool
    def look(ctx: ToolContext) -> str:
        "Look."
        seen.append(ctx)
        return "ok"

    async with in_call(
        [ToolCall("c1", "look", {})], "Done.", tools=[look], monkeypatch=monkeypatch,
        transcripts=["Who is here?"],
    ) as (room, _):  # fmt: skip
        await room.hears(SpeechSure(0))
        await room.hears(TurnOver(900, 300))
        await room.passes(2)
    (ctx,) = seen
    assert ctx.present == HERE
    assert ctx.people == ("Anna",), "who is not sure to be there is not named"
    assert ctx.speaker == "p_anna"


async def test_nobody_is_told_apart_where_the_memory_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(tmp_path / "memory", people="off") as memory:
        async with in_call("Hi.", monkeypatch=monkeypatch, memory=memory) as (room, _):
            assert room.call._floor.attendance is None


async def test_what_somebody_said_is_fetched_once_when_they_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The presence itself, which finds out who is there, has tests of its own."""
    made: dict[str, Any] = {}

    def presence(people: object, senses: object, *, call: str, changed: Any) -> object:
        made["changed"] = changed
        return object()

    where = "omni_agent.presence.attendance"
    monkeypatch.setattr(f"{where}.missing", list)
    monkeypatch.setattr(f"{where}.shared_senses", lambda: None)
    monkeypatch.setattr(f"{where}.Presence", presence)
    told: list[LiveEvent] = []
    with Memory(tmp_path / "memory", embedder=Letters()) as memory:
        anna, ben = memory.people.add("Anna"), memory.people.add("Ben")
        fetched: list[list[str]] = []
        monkeypatch.setattr(memory, "prefetch", lambda ids: fetched.append(sorted(ids)))
        await Attendance.of(memory, call="c", clock=SYSTEM_CLOCK, emit=told.append)
        here = PersonHere(anna.id, "Anna", x=0.2), PersonHere(ben.id, "Ben", sure=False, x=0.8)
        made["changed"](here)
        made["changed"](here[:1])
        made["changed"]((here[0], PersonHere(ben.id, "Ben", x=0.8)))
        await asyncio.sleep(0)
        assert [ids for ids in fetched if ids] == [[anna.id], [ben.id]]
        assert len(told) == 3


async def test_without_its_models_a_call_goes_on_and_the_log_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("omni_agent.presence.attendance.missing", lambda: ("voice-print",))
    monkeypatch.setattr("omni_agent.presence.attendance._told", set())
    with Memory(tmp_path / "memory") as memory:
        for _ in range(2):
            async with in_call("Hi.", monkeypatch=monkeypatch, memory=memory) as (room, _):
                assert room.call._floor.attendance is None
    (record,) = [r for r in caplog.records if "told apart" in r.message]
    assert "omni-agent models pull people" in record.message
