"""`omni-agent chat`: lines in, answers out; commands; ctrl-C stops an answer and then leaves."""

from __future__ import annotations

import io
import os
import pty
import re
import select as io_select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Run, Use
from stand_in_sounddevice import SoundCards

from omni_agent.errors import GenerationError
from omni_agent.memory import Memory
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import ScriptedModel

Type = Callable[..., None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type these lines, then ctrl-D."""

    def typed(*lines: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return typed


def test_each_line_is_answered_in_one_conversation(run: Run, use: Use, typed: Type) -> None:
    model = use(ScriptedModel("Hello!", "Fine, and you?"))
    typed("hi", "", "how are you?")
    done = run("chat", "--agent", "plain")
    assert done.status == 0
    assert "says      Hello!" in done.out
    assert "says      Fine, and you?" in done.out
    assert [part.text for part in model.sessions[0].fed] == ["hi", "how are you?"]
    assert len(model.sessions) == 1


def test_help_tools_and_unknown_commands_need_no_model(run: Run, use: Use, typed: Type) -> None:
    use(ScriptedModel())
    typed("/help", "/tools", "/dance", "/quit", "never asked")
    out = run("chat").out
    assert "/forget WORDS" in out
    assert "start_recipe: Begin to cook a dish" in out
    assert "There is no /dance" in out


def test_a_failed_answer_is_told_and_the_conversation_goes_on(
    run: Run, use: Use, typed: Type
) -> None:
    use(ScriptedModel(GenerationError("the voice broke down"), "Here again."))
    typed("hi", "still there?")
    done = run("chat", "--agent", "plain")
    assert done.status == 0
    assert "trouble   the voice broke down" in done.out
    assert "says      Here again." in done.out


def test_a_timer_speaks_up_by_itself(run: Run, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(ScriptedModel(ToolCall("c1", "set_timer", {"minutes": 0.01, "name": "eggs"})))
    read, write = os.pipe()
    os.write(write, b"set a timer\n")
    monkeypatch.setattr("sys.stdin", os.fdopen(read))

    def hang_up(*_: object) -> None:
        os.close(write)

    previous = signal.signal(signal.SIGALRM, hang_up)
    signal.setitimer(signal.ITIMER_REAL, 2.5)
    try:
        out = run("chat").out
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert re.search(r"says .*eggs", out.partition("set_timer")[2].partition("\n")[2])
    assert len(re.findall("^says", out, re.MULTILINE)) == 2


def test_forget_asks_first_and_then_deletes(run: Run, use: Use, typed: Type, machine: Path) -> None:
    use(ScriptedModel("Noted.", "Noted."))
    typed("Ben came to see us", "/forget Ben", "n", "/forget Ben", "y", "/forget")
    out = run("chat", "--agent", "plain").out
    assert "2 memories deleted" in out
    with Memory(machine / "data" / "memory") as memory:
        assert memory.count() == 0


def test_voice_on_says_what_is_missing_and_goes_on(
    run: Run, use: Use, typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCards(loudspeaker=None))
    use(ScriptedModel("Hello.", audio=True))
    typed("/voice on", "hi", "/voice", "/voice off")
    done = run("chat", "--agent", "plain")
    assert done.status == 0
    assert "trouble   There is no loudspeaker" in done.out
    assert "says      Hello." in done.out


def test_voice_on_lets_the_answers_sound(
    run: Run, use: Use, typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = SoundCards()
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    use(ScriptedModel("Quiet.", "Aloud.", audio=True))
    typed("hi", "/voice on", "and now?")
    assert run("chat", "--agent", "plain").status == 0
    seconds = sum((block != 0).sum() for block in cards.heard) / 24_000
    assert seconds == pytest.approx(len("Aloud.") / 15, abs=0.02)


# --- at a real terminal -----------------------------------------------------------------------

PROGRAM = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that ctrl-C arrives as a signal
from omni_agent.cli import main
from omni_agent.model import select
from omni_agent.model.scripted import Pause, ScriptedModel
async def open_model(name, **_):
    return ScriptedModel(["One moment", Pause(60), "never"], "I am still here.")
select.open_model = open_model
main(["chat", "--no-memory", "--agent", "plain"])
"""


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, program: str) -> None:
        leader, follower = pty.openpty()
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": root, "TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(follower)
        self._leader = leader
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def until(self, text: str, seconds: float = 30) -> None:
        """Wait until this was shown, from where the last wait ended."""
        deadline = time.monotonic() + seconds
        seen = ""
        while text not in seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} was not shown, but {seen!r}"
            if io_select.select([self._leader], [], [], left)[0]:
                try:
                    seen += os.read(self._leader, 4096).decode("utf-8", "replace")
                except OSError:  # the program has left
                    break
        assert text in seen
        self.shown += seen

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._leader)


@pytest.fixture
def terminal(machine: Path) -> Iterator[Terminal]:
    terminal = Terminal(PROGRAM)
    yield terminal
    terminal.close()


def test_ctrl_c_stops_the_answer_and_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.until("you ")
    terminal.type("hi\n")
    terminal.until("One moment")
    terminal.type("\x03")
    terminal.until("left unsaid")
    terminal.type("are you there?\n")
    terminal.until("I am still here.")
    terminal.until("you ")
    terminal.type("\x04")
    assert terminal.process.wait(20) == 0


def test_ctrl_c_twice_leaves(terminal: Terminal) -> None:
    terminal.until("you ")
    terminal.type("\x03")
    terminal.until("ctrl-C again to leave")
    terminal.type("\x03")
    assert terminal.process.wait(20) == 0
