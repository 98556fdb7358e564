"""`omni-agent replay`: a call as a time line, heard again, and had again with a model."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Run, Use
from loud_listener import LoudListener
from recorded import Room, record, the_agent
from stand_in_sounddevice import SoundCards

from omni_agent.media import Audio
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Draft, ScriptedModel


@pytest.fixture(autouse=True)
def ears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent.floor.TurnListener", LoudListener)


@pytest.fixture
def call(machine: Path) -> Path:
    asyncio.run(record(machine / "calls" / "one"))
    return machine / "calls" / "one"


def same_again(*, last: str = "It was a red picture.") -> ScriptedModel:
    """A model that says what was said in the call, but that the tools are not there."""
    return ScriptedModel(
        Draft("This was never meant to be heard."),
        "You said two things. Here is a rather long answer to them, of which the end is not heard.",
        "Risotto takes twenty minutes.",
        "Two things, and I will remind you.",
        last,
        audio=True,
        transcripts=["One thing", "One thing and another", "How long does risotto take?",
                     "Count and remind me", "What did you see?"],
    )  # fmt: skip


def test_who_said_what_when(run: Run, call: Path) -> None:
    done = run("replay", str(call))
    assert done.status == 0
    lines = [re.sub(r"\s{2,}", "  ", line) for line in done.out.splitlines()]
    assert "cook, scripted" in lines[0]
    assert "0:00.5  you  One thing and another" in lines
    assert lines[2].startswith(
        "0:02.2  cook  You said two things. [never heard: Here is a rather long answer to them, of "
        "which the end is not heard.]  cut in after 1.6 s"
    )
    assert "turn over after 0.50 s · first sound 0.50 s · drafted" in lines[2]
    assert "0:03.7  you  shows the camera" in lines
    assert '0:05.0  tool  look_up(dish="risotto") → risotto takes twenty minutes.  1.30 s' in lines
    assert "0:05.7  cook  Let me have a look.  meanwhile" in lines
    assert "0:07.5  a sound, no words: held back for 0.2 s" in lines
    assert "0:16.0  cook  The rice is done.  by itself" in lines
    assert lines[-1] == "0:23.5  ended: closed"


def test_a_folder_of_calls_is_listed(run: Run, call: Path) -> None:
    done = run("replay", str(call.parent))
    assert done.status == 0
    assert "One thing and another" in done.out
    assert "0:23" in done.out


def test_a_folder_without_a_call_is_an_error(run: Run, machine: Path) -> None:
    done = run("replay", str(machine / "nothing"))
    assert done.status == 1
    assert "holds no recorded call" in done.err


def test_a_call_that_broke_off_says_so(run: Run, call: Path) -> None:
    about = json.loads((call / "call.json").read_text())
    for late in ("title", "seconds", "reason"):
        del about[late]
    (call / "call.json").write_text(json.dumps(about))
    events = (call / "events.jsonl").read_bytes()
    (call / "events.jsonl").write_bytes(events[: len(events) // 2])
    done = run("replay", str(call))
    assert done.status == 0
    assert done.out.splitlines()[-1] == "The recording breaks off here."


def test_words_cannot_steer_the_terminal(run: Run, machine: Path) -> None:
    async def has(room: Room) -> None:
        await room.call.send("\x1b[2Jgone [bold]bold[/bold]")
        await room.silence(0.1)

    asyncio.run(record(machine / "call", has=has))
    done = run("replay", str(machine / "call"))
    assert "\x1b" not in done.out
    assert "[2Jgone [bold]bold[/bold]  typed" in done.out


def test_with_a_model_it_is_told_what_differs(run: Run, use: Use, call: Path) -> None:
    use(same_again(last="It was blue."))
    done = run("replay", str(call), "--model", "compact")
    assert done.status == 0
    assert "the call was had with 'cook', which is not known here; a plain agent" in done.err
    assert "0:00.5" in done.out  # the time line comes first
    told = done.out.partition("ended: closed")[2]
    assert "turn 2  0:01.9  the same" in told
    assert '  tools\n  - look_up(dish="risotto")\n  + (nothing)' in told
    assert "  reply\n  - It was a red picture.\n  + It was blue." in told
    assert "only recorded\n  - (unasked) → The rice is done." in told
    assert "4 of 5 turns differ." in told
    assert re.search(r"first sound, median: 0\.50 s recorded, 0\.\d\d s now", told)


def test_diff_shows_the_differences_alone(run: Run, use: Use, call: Path) -> None:
    use(same_again())
    done = run("replay", str(call), "--model", "compact", "--agent", "plain", "--diff", "--free")
    assert done.status == 0
    assert done.out.startswith("turn 2  0:01.9  the same")
    assert done.err == ""


def test_what_is_the_same_to_the_last_event_says_so(run: Run, use: Use, machine: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=3.0)

    def make(clock):  # type: ignore[no-untyped-def]
        from omni_agent.cli.opening import make_agent

        model = ScriptedModel("Yes.", audio=True, transcripts=["A"], clock=clock)
        return make_agent("plain", model=model, clock=clock)

    asyncio.run(record(machine / "call", has=has, make=make))
    use(ScriptedModel("Yes.", audio=True, transcripts=["A"]))
    done = run("replay", str(machine / "call"), "--model", "compact", "--diff", "--free")
    assert done.out == "The replay gave the same, to the last event and sample.\n"


def test_diff_wants_a_model(run: Run, call: Path) -> None:
    done = run("replay", str(call), "--diff")
    assert done.status == 2
    assert "name a --model" in done.err


def test_the_kitchens_tools_run_again(run: Run, use: Use, machine: Path) -> None:
    start = ToolCall("c1", "start_recipe", {"name": "mapo tofu", "servings": 4})

    async def has(room: Room) -> None:
        await room.says(0.5, then=2.0)

    def make(clock):  # type: ignore[no-untyped-def]
        from omni_agent.cli.opening import make_agent

        model = ScriptedModel(start, audio=True, transcripts=["Mapo tofu for four"], clock=clock)
        return make_agent("kitchen", model=model, clock=clock)

    asyncio.run(record(machine / "call", has=has, make=make))
    use(ScriptedModel(start, audio=True, transcripts=["Mapo tofu for four"]))
    done = run("replay", str(machine / "call"), "--model", "compact", "--diff")
    assert "1 turns: the same was heard, done and said." in done.out or "the same, to" in done.out
    assert done.err == ""


def test_both_sides_are_heard_while_the_time_line_goes_along(
    run: Run, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def has(room: Room) -> None:
        await room.says(0.3, then=0.9)

    def make(clock):  # type: ignore[no-untyped-def]
        return the_agent(clock)

    asyncio.run(record(machine / "call", has=has, make=make))
    cards = SoundCards()
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    done = run("replay", str(machine / "call"), "--play")
    assert done.status == 0
    assert done.out.splitlines()[-1].endswith("ended: closed")
    heard = np.concatenate(cards.heard)
    speech = np.flatnonzero(np.abs(heard) > 0.25)
    assert 0.25 < len(np.unique(speech // 240)) * 0.01 < 0.35  # the user's 0.3 s
    assert Audio(heard, 24_000).seconds > 1.2


def test_help_says_what_it_is_for(run: Run) -> None:
    done = run("replay", "--help")
    assert done.status == 0
    assert "who said what when" in done.out
    assert "Delete its folder to forget it" in done.out
