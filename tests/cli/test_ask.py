"""`omni-agent ask`: what goes in, what is shown, what is written, and how it can go wrong."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Run, Use

from omni_agent.media import Audio
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import ScriptedModel

START = ToolCall("c1", "start_recipe", {"name": "mapo tofu", "servings": 4})


@pytest.fixture
def question(machine: Path) -> Path:
    t = np.arange(16_000) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * 300 * t)).astype(np.float32)
    return Audio(tone, 16_000).save(machine / "question.wav")


def test_words_get_words_and_the_tools_are_shown(run: Run, use: Use) -> None:
    use(ScriptedModel(START))
    done = run("ask", "I want to cook mapo tofu for four")
    assert done.status == 0
    assert 'tool      start_recipe(name="mapo tofu", servings=4)' in done.out
    assert "says      Mapo tofu for four" in done.out
    assert re.search(r"timings   first text \d+\.\d\d s · total", done.out)
    assert "saved" not in done.out


def test_a_spoken_question_gets_a_spoken_answer_in_a_file(
    run: Run, use: Use, question: Path
) -> None:
    use(ScriptedModel("Hello, cook.", audio=True, transcripts=["Hello there"]))
    done = run("ask", str(question))
    assert done.status == 0
    assert "heard     Hello there  (en)" in done.out
    assert "saved     question.reply.wav" in done.out
    assert Audio.load("question.reply.wav").seconds > 0.5


def test_the_spoken_answer_goes_where_it_is_wanted(run: Run, use: Use, machine: Path) -> None:
    use(ScriptedModel("Hello.", audio=True))
    assert run("ask", "hi", "--out", str(machine / "hello.flac")).status == 0
    assert Audio.load(machine / "hello.flac").seconds > 0


def test_no_speak_is_silent_whatever_came_in(run: Run, use: Use, question: Path) -> None:
    use(ScriptedModel("Hello.", audio=True, transcripts=["hi"]))
    assert run("ask", str(question), "--no-speak").status == 0
    assert not list(Path().iterdir())


def test_json_is_one_object_and_nothing_else(run: Run, use: Use, question: Path) -> None:
    use(ScriptedModel(START, audio=True, transcripts=["Let's cook mapo tofu"]))
    reply = json.loads(run("ask", str(question), "--json").out)
    assert reply["heard"] == "Let's cook mapo tofu"
    assert reply["language"] == "en"
    assert reply["text"].startswith("Mapo tofu for four")
    assert reply["tools"][0]["name"] == "start_recipe"
    assert reply["tools"][0]["arguments"] == {"name": "mapo tofu", "servings": 4}
    assert reply["audio"] == "question.reply.wav"
    assert reply["audio_seconds"] == pytest.approx(Audio.load(reply["audio"]).seconds, abs=0.01)
    assert reply["stopped"] == "done"
    assert reply["timings"]["total"] >= reply["timings"]["first_text"]
    assert len(reply["stored"]) == 2


def test_quiet_leaves_only_the_words(run: Run, use: Use) -> None:
    use(ScriptedModel("Just this."))
    done = run("ask", "hi", "--quiet")
    assert done.out == "Just this.\n"
    assert done.err == ""


def test_a_dash_reads_words_from_standard_input(
    run: Run, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use(ScriptedModel("Good evening."))
    monkeypatch.setattr("sys.stdin", io.StringIO("你好\n"))
    assert run("ask", "-").status == 0
    assert model.sessions[0].fed[0].text == "你好"  # type: ignore[union-attr]


def test_what_was_told_before_is_recalled(run: Run, use: Use) -> None:
    use(ScriptedModel("I see.", "Peanuts."))
    run("ask", "My brother Ben is allergic to peanuts.")
    done = run("ask", "What is Ben allergic to?")
    assert "recalled  My brother Ben is allergic to peanuts." in done.out


def test_no_memory_leaves_nothing_behind(run: Run, use: Use, machine: Path) -> None:
    use(ScriptedModel("I see."))
    assert run("ask", "My name is Ada.", "--no-memory").status == 0
    assert not (machine / "data").exists()


def test_the_place_is_told_to_the_tools(run: Run, use: Use) -> None:
    use(ScriptedModel("Here."))
    wrong = run("ask", "where am I", "--at", "north pole")
    assert wrong.status == 1
    assert "--at 'north pole' is no position" in wrong.err
    assert run("ask", "where am I", "--at", "91,0").status == 1
    assert run("ask", "where am I", "--at", "60.1699,24.9384,90").status == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no file 'x.wav'"), (b"", "empty"), (b"PK\x03\x04" + b"\0" * 99, "zip")],
)
def test_a_file_that_cannot_be_used_is_named(
    run: Run, use: Use, content: bytes | None, said: str
) -> None:
    use(ScriptedModel())
    if content is not None:
        Path("x.wav").write_bytes(content)
    done = run("ask", "x.wav")
    assert done.status == 1
    assert said in done.err
    assert "x.wav" in done.err


def test_words_of_any_length_and_script_are_words(run: Run, use: Use) -> None:
    model = use(ScriptedModel(*["Yes."] * 3))
    for text in ("a/b" * 3000, "नमस्ते \x00 привет", "what is .wav"):
        assert run("ask", text, "--no-memory").status == 0
        assert model.sessions[-1].fed[0].text == text  # type: ignore[union-attr]


@pytest.mark.parametrize("out", ["answer.txt", "answer", "nowhere/answer.wav"])
def test_an_answer_that_cannot_be_written_is_told_before_the_work(
    run: Run, use: Use, out: str
) -> None:
    use(ScriptedModel())  # asked for nothing
    done = run("ask", "hi", "--out", out)
    assert done.status == 2
    assert f"--out {out}" in done.err


def test_the_answer_cannot_steer_the_terminal(run: Run, use: Use) -> None:
    use(ScriptedModel("red \x1b[31malert\x07"))
    out = run("ask", "hi").out
    assert "\x1b" not in out
    assert "red [31malert" in out


def test_ctrl_c_stops_at_once_with_status_130(machine: Path) -> None:
    program = machine / "slow.py"
    program.write_text(
        "from omni_agent.cli import main\n"
        "from omni_agent.model import select\n"
        "from omni_agent.model.scripted import Pause, ScriptedModel\n"
        "async def open_model(name, **_):\n"
        "    return ScriptedModel(['one moment', Pause(60), 'never'])\n"
        "select.open_model = open_model\n"
        "main(['ask', 'hi', '--no-memory', '--agent', 'plain'])\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-u", str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert running.stdout is not None
    assert running.stdout.read(len("says      one moment")) == "says      one moment"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "Traceback" not in err
