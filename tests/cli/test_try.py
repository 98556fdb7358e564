"""`omni-agent try` believes nothing: each step is checked against what was said, done and heard."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from command_line import Run

from omni_agent.cli.try_steps import STEPS, Step, check, likeness
from omni_agent.events import RecalledMemory, Reply, Timings, ToolRun, Usage
from omni_agent.media import Audio
from omni_agent.messages import ToolCall, ToolResult

STEP = Step(
    about="start a recipe",
    agent="kitchen",
    conversation="c",
    language="en",
    voice="am_michael",
    say="I want to cook mapo tofu for four people.",
    tool="start_recipe",
    arguments={"servings": lambda n: n == 4},
    data={"step": 1},
    recalled="peanut",
    said=("tofu",),
)
RUN = ToolRun(
    ToolCall("c1", "start_recipe", {"name": "mapo tofu", "servings": 4}),
    ToolResult("c1", "start_recipe", json.dumps({"step": 1})),
    0.01,
)
REPLY = Reply(
    text="Mapo tofu for four.",
    audio=Audio(np.full(24_000, 0.1, np.float32), 24_000),
    heard="I wanna cook Mapo tofu for 4 people",
    language="en",
    tools=(RUN,),
    recalled=(
        RecalledMemory("e1", "Ben and peanuts", "episode", datetime(2026, 1, 1, tzinfo=UTC), 0.9),
    ),
    stored=("e2",),
    stopped="done",
    timings=Timings(0.1, 0.2, 1.0),
    usage=Usage(),
)


def problems(reply: Reply, step: Step = STEP) -> list[str]:
    return [
        f"{checked.what}: {checked.problem}" for checked in check(step, reply) if checked.problem
    ]


def test_a_right_reply_passes() -> None:
    assert problems(REPLY) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"heard": "I once took a map of Tahoe"}, "heard"),
        ({"language": "zh"}, "answered in en: it answered in zh"),
        ({"tools": ()}, "ran start_recipe: ran none"),
        (
            {"tools": (replace(RUN, call=ToolCall("c1", "start_recipe", {"servings": 3})),)},
            "with servings=3: that is not it",
        ),
        (
            {"tools": (replace(RUN, result=replace(RUN.result, content='{"step": 2}')),)},
            "came to step 1: came to {'step': 2}",
        ),
        (
            {"tools": (replace(RUN, result=replace(RUN.result, content="boom", is_error=True)),)},
            "ran start_recipe: boom",
        ),
        ({"recalled": ()}, "recalled “peanut”: recalled was []"),
        ({"text": "Here you go."}, "said “tofu”: the answer lacks it"),
        ({"stored": ()}, "remembered the turn: nothing was stored"),
        ({"audio": None}, "spoke: there is no sound"),
        ({"audio": Audio.silence(1.0, 24_000)}, "spoke: there is no sound"),
        ({"audio": Audio(np.full(2_400, 0.1, np.float32), 24_000)}, "spoke: 0.1 s is no length"),
    ],
)
def test_each_thing_that_goes_wrong_is_named(wrong: dict[str, object], problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(replace(REPLY, **wrong)))


def test_a_tool_where_none_was_due_is_a_fault() -> None:
    chat = replace(STEP, tool=None, arguments=None, data=None)
    assert problems(REPLY, chat) == ["needed no tool: start_recipe ran"]


def test_likeness_overlooks_case_marks_and_ways_of_counting() -> None:
    assert likeness("For four people.", "for 4 people") == 1
    assert likeness("下一步是什么？", "下一步是什么") == 1
    assert likeness("下一步是什么？", "下一部是什么") > 0.7
    assert likeness("What's next?", "Thank you.") < 0.5


def test_both_agents_are_asked_in_both_languages_with_a_follow_up_and_a_memory() -> None:
    asked = {(step.agent, step.language) for step in STEPS}
    assert asked == {(a, lang) for a in ("kitchen", "street-guide") for lang in ("en", "zh")}
    assert {step.language for step in STEPS if step.tool == "next_step"} == {"en", "zh"}
    assert any(step.recalled for step in STEPS)


@pytest.mark.weights
@pytest.mark.timeout(900)
def test_it_works_with_the_real_model(
    run: Run, monkeypatch: pytest.MonkeyPatch, machine: Path
) -> None:
    monkeypatch.delenv("OMNI_AGENT_CACHE_DIR")
    monkeypatch.delenv("OMNI_AGENT_OFFLINE")
    done = run("try", "--out", str(machine / "out"))
    assert "✗" not in done.out
    assert done.status == 0
    answers = sorted((machine / "out").glob("*-answer.wav"))
    assert len(answers) == len(STEPS)
    assert all(not Audio.load(path).is_silent(below_dbfs=-40) for path in answers)
