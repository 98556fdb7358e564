"""What bridges the silence of a slow tool: varied, in the user's language, or nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest

from omni_agent.messages import ToolCall
from omni_agent.tools.base import Tool, ToolContext, tool
from omni_agent.tools.fillers import FILLERS
from omni_agent.tools.runner import ToolRunner


@tool
def look() -> str:
    """Look."""
    return "seen"


@tool(filler=None)
def glance() -> str:
    """Glance."""
    return "seen"


@tool(filler={"en": ["Asking the kitchen.", "Let me ask the cook."], "zh": "我去问问。"})
def ask_the_cook() -> str:
    """Ask."""
    return "asked"


def said(runner: ToolRunner, tool: Tool, times: int, **context: str) -> list[str | None]:
    call = ToolCall("call_1", tool.name, {})
    return [runner.filler([call], ToolContext(**context)) for _ in range(times)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_tool_without_fillers_has_those_of_the_bank_and_never_the_same_twice_in_a_row(
    language: str,
) -> None:
    heard = said(ToolRunner([look]), look, 9, language=language)
    assert set(heard) == set(FILLERS[language])
    assert all(a != b for a, b in pairwise(heard))


def test_two_tools_do_not_repeat_each_other() -> None:
    runner = ToolRunner([look, ask_the_cook, tool(name="listen")(look.function)])
    calls = [ToolCall("call_1", name, {}) for name in ("look", "listen", "look", "listen")]
    heard = [runner.filler([call], ToolContext()) for call in calls]
    assert len(set(heard)) == 4


def test_a_tools_own_fillers_take_turns() -> None:
    heard = said(ToolRunner([ask_the_cook]), ask_the_cook, 4)
    assert heard == ["Asking the kitchen.", "Let me ask the cook."] * 2
    assert said(ToolRunner([ask_the_cook]), ask_the_cook, 2, language="zh") == ["我去问问。"] * 2


def test_each_conversation_begins_anew() -> None:
    runner = ToolRunner([look])
    first = said(runner, look, 1, conversation="a")
    assert said(runner, look, 1, conversation="b") == first
    assert said(runner, look, 1, conversation="a") != first


def test_a_tool_may_want_nothing_said_and_another_language_has_no_bank() -> None:
    assert said(ToolRunner([glance]), glance, 1) == [None]
    assert said(ToolRunner([look]), look, 1, language="fi") == [None]
    both = [ToolCall("call_1", "glance", {}), ToolCall("call_2", "look", {})]
    assert ToolRunner([glance, look]).filler(both, ToolContext()) == FILLERS["en"][0]
