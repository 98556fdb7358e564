"""What a user sees of a call in the terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from omni_agent.cli.call_view import CallView
from omni_agent.events import (
    CallEnded,
    CallState,
    FrameSeen,
    Interrupted,
    LiveEvent,
    PartialTranscript,
    PeoplePresent,
    PersonHere,
    Reply,
    SpeechStarted,
    StateChanged,
    TextDelta,
    Timings,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    Usage,
    UserTranscript,
)
from omni_agent.media import Image
from omni_agent.messages import ToolCall, ToolResult

CALL = ToolCall("c1", "find_dish", {"dish": "sushi"})
FOUND = ToolFinished(CALL, ToolResult("c1", "find_dish", "Aoi\nand Kaze"), 0.42, 2.0)
FINISHED = TurnFinished(
    Reply("", None, "", "en", (), (), (), "done", Timings(None, None, 0.0), Usage()), 3.0
)


class Screen:
    """A terminal of 80 columns; `view` writes on it."""

    def __init__(self, *, terminal: bool = True, quiet: bool = False, sounded: int = 0) -> None:
        self._into = io.StringIO()
        console = Console(file=self._into, force_terminal=terminal, width=80, color_system=None)
        self.view = CallView(
            console,
            name="kitchen",
            keys="q leaves",
            level=lambda: -20.0,
            sounded=lambda: sounded,
            quiet=quiet,
        )
        self._console = console

    def shows(self, *events: LiveEvent) -> str:
        """What has stayed after these events."""
        for event in events:
            self.view.event(event)
        return self._into.getvalue()

    @property
    def below(self) -> str:
        """What stands below what stays."""
        with self._console.capture() as capture:
            self._console.print(self.view._below())
        return capture.get()


def state(now: CallState, before: CallState = "idle") -> StateChanged:
    return StateChanged(now, before, 0.0)


def test_a_turn_reads_as_a_dialogue() -> None:
    screen = Screen()
    before = screen.shows(
        SpeechStarted(0, 0.0),
        TurnStarted(1, 0.0),
        UserTranscript("Where is sushi?", "en", 0.0),
        ToolStarted(CALL, 1.0),
        FOUND,
        TextDelta("Two places ", 2.0),
        TextDelta("have it.", 2.1),
        state("speaking"),
        FINISHED,
        TurnMeasured(1, 0.3, 0.5, 0.94, None, 0.4, None, False, 0, 3.0),
    )
    assert before.splitlines() == [
        "you       Where is sushi?",
        'tool      find_dish(dish="sushi") → Aoi and Kaze  0.42 s',
    ]
    after = screen.shows(state("idle", "speaking"))
    assert after.splitlines()[-1] == "kitchen   Two places have it.  0.94 s"


def test_the_words_are_seen_while_they_sound_and_stay_once() -> None:
    screen = Screen(sounded=4)
    stays = screen.shows(TurnStarted(1, 0.0), TextDelta("Two places.", 0.0), state("speaking"))
    assert stays == ""
    assert "kitchen   Two places." in screen.below
    screen.shows(FINISHED, state("idle", "speaking"), TurnStarted(2, 0.0))
    assert screen.shows().count("Two places.") == 1
    assert "Two places." not in screen.below


def test_what_was_cut_off_is_told_apart_from_what_was_heard() -> None:
    screen = Screen()
    shown = screen.shows(
        TextDelta("Take an onion and cut it.", 0.0),
        FINISHED,
        Interrupted(1, "Take an onion", "and cut it.", 1200, 0.0),
    )
    assert shown == "kitchen   Take an onion ✂ and cut it.  cut off after 1.2 s\n"
    assert screen.shows(TurnStarted(2, 0.0)) == shown


@pytest.mark.parametrize(
    ("now", "sign"),
    [("idle", "○"), ("listening", "●"), ("thinking", "◐"), ("speaking", "▶"), ("acting", "⚙")],
)
def test_each_state_has_its_sign_and_its_word(now: CallState, sign: str) -> None:
    screen = Screen()
    screen.shows(state(now))
    assert f"{sign} {now}" in screen.below
    assert "q leaves" in screen.below


def test_what_goes_on_is_seen_below() -> None:
    screen = Screen()
    screen.shows(
        PartialTranscript("where is the", "en", 0.0),
        ToolStarted(CALL, 0.0),
        FrameSeen("camera", Image(np.zeros((2, 2, 3), np.uint8)), 0.0),
    )
    assert "where is the" in screen.below
    assert 'tool      find_dish(dish="sushi") …' in screen.below
    assert "camera seen 0 s ago" in screen.below
    assert "▅" in screen.below
    screen.view.muted(True)
    assert "muted" in screen.below
    screen.shows(FOUND, UserTranscript("Where is the fish?", "en", 0.0))
    assert "…" not in screen.below
    assert "where is the" not in screen.below


def test_a_filler_stays_apart_from_the_answer() -> None:
    shown = Screen().shows(
        TextDelta("Let me ", 0.0, filler=True),
        TextDelta("look.", 0.0, filler=True),
        TextDelta("Aoi has it.", 0.0),
        TurnStarted(2, 0.0),
    )
    assert shown.splitlines() == ["kitchen   Let me look.", "kitchen   Aoi has it."]


def test_long_words_are_wrapped_under_their_label() -> None:
    shown = Screen().shows(UserTranscript("word " * 40, "en", 0.0))
    lines = shown.splitlines()
    assert len(lines) > 2
    assert all(line.startswith(" " * 10) for line in lines[1:])
    assert all(len(line) <= 80 for line in lines)


def test_who_is_there_is_told_once_and_a_guess_is_marked() -> None:
    anna, stranger = PersonHere("p1", "Anna"), PersonHere("p3")
    screen = Screen()
    shown = screen.shows(
        PeoplePresent((anna,), 0.0),
        PeoplePresent((PersonHere("p1", "Anna", speaking=True, x=0.4),), 0.5),
        PeoplePresent((anna, PersonHere("p2", "Ben", sure=False), stranger), 1.0),
        PeoplePresent((), 2.0),
    )
    assert shown.splitlines() == ["there     Anna", "there     Anna, Ben?, ?", "there     nobody"]
    assert Screen(quiet=True).shows(PeoplePresent((anna,), 0.0)) == ""
    assert "\x1b" not in Screen().shows(PeoplePresent((PersonHere("p1", "\x1b[2J"),), 0.0))


def test_trouble_and_the_end_are_told() -> None:
    shown = Screen().shows(Trouble("the model broke down", 0.0), CallEnded("too long", 0.0))
    assert "the model broke down" in shown
    assert "The call has ended: too long." in shown
    assert "ended" not in Screen().shows(CallEnded("closed", 0.0))


def test_nothing_steers_the_terminal() -> None:
    evil = "\x1b[2J\x07bad"
    screen = Screen()
    shown = screen.shows(
        UserTranscript(evil, "en", 0.0), TextDelta(evil, 0.0), PartialTranscript(evil, "en", 0.0)
    )
    assert "\x1b" not in shown + screen.below
    assert "\x07" not in shown + screen.below


def test_without_a_terminal_each_entry_is_a_line_and_quiet_leaves_the_answer() -> None:
    events = (
        UserTranscript("word " * 40, "en", 0.0),
        FOUND,
        TextDelta("Aoi has it.", 0.0),
        CallEnded("closed", 0.0),
    )
    assert len(Screen(terminal=False).shows(*events).splitlines()) == 3
    assert Screen(quiet=True).shows(*events) == "Aoi has it.\n"
