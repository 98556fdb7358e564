"""What the Thinker reads: few examples, the kinds in turn, nothing that only the router wants."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from omni_agent.messages import Exchange, ToolExample, ToolSpec
from omni_agent.model.compact.prompt import Prompt, shown


def spec(name: str, examples: int, *parameters: str, bare: int = 0) -> ToolSpec:
    arguments: dict[str, Any] = dict.fromkeys(parameters, 1)
    return ToolSpec(
        name,
        f"Do {name}.",
        {"type": "object", "properties": {p: {"type": "integer"} for p in parameters}},
        tuple(ToolExample(f"{name} bare {i}", None) for i in range(bare))
        + tuple(ToolExample(f"{name} {i}", arguments) for i in range(examples)),
    )


def answers(prompt: Prompt) -> list[str]:
    return re.findall(r"<\|im_start\|>assistant\n(.*?)<\|im_end\|>", prompt.fixed)


def test_a_tool_shows_more_examples_the_more_there_is_to_fill_in() -> None:
    assert len(shown(spec("next", 50))) < len(shown(spec("jump", 50, "number")))
    assert len(shown(spec("find", 50, *"abcdefgh"))) < 12, "a prompt stays short"


def test_only_examples_with_arguments_and_replies_stand_in_the_prompt() -> None:
    talk = [Exchange("Hello", "Good morning!"), Exchange("Nice weather")]
    prompt = Prompt.of("Be kind.", [spec("jump", 2, "number", bare=3)], talk)
    assert "jump bare" not in prompt.fixed
    assert "Nice weather" not in prompt.fixed
    assert "jump 0" in prompt.fixed
    assert "Good morning!" in prompt.fixed


def test_talk_is_spread_evenly_among_the_calls() -> None:
    tools = [spec("jump", 4, "number"), spec("find", 9, *"abcdefg")]
    talk = [Exchange(f"Hello {i}", f"Good morning {i}") for i in range(5)]
    kinds = "".join("c" if a.startswith("{") else "t" for a in answers(Prompt.of("", tools, talk)))
    assert len(kinds) > 12
    longest = max(len(run) for run in re.findall(r"c+|t+", kinds))
    assert longest <= 3, kinds


def test_a_call_without_arguments_leaves_nothing_open() -> None:
    prompt = Prompt.of("", [spec("next", 1), spec("jump", 1, "number")], [])
    assert prompt.arguments("next", "go on") is None
    assert '"number"' in (prompt.arguments("jump", "to step 3") or "")


@pytest.mark.parametrize("said", ["for 12 people", "half an hour", "两个人", "just a couple of us"])
def test_a_number_can_be_given_where_one_was_said(said: str) -> None:
    prompt = Prompt.of("", [spec("jump", 1, "number")], [])
    assert '"number"' in (prompt.arguments("jump", said) or "")


def test_none_can_be_made_up_where_none_was_said_unless_it_is_needed() -> None:
    free = spec("walk", 1, "minutes")
    bound = replace(free, name="wait", parameters={**free.parameters, "required": ["minutes"]})
    prompt = Prompt.of("", [free, bound], [])
    assert '"minutes"' not in (prompt.arguments("walk", "somewhere near, please") or "")
    assert '"minutes"' in (prompt.arguments("wait", "tell me when it is ready") or "")
