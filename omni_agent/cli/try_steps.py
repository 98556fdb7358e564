"""The questions of `omni-agent try`, and what has to come of them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from omni_agent.events import Reply, ToolRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One spoken question. `conversation`: steps of the same name follow each other in one.

    What has to come of it: `tool` runs with `arguments` (each a test of one argument's value),
    its data holds `data`; a memory with `recalled` in it is laid before the model; one of `said`
    is in the answer's words.
    """

    about: str
    agent: Literal["kitchen", "street-guide"]
    conversation: str
    language: Literal["en", "zh"]
    voice: str
    say: str
    tool: str | None = None
    arguments: dict[str, Callable[[Any], bool]] | None = None
    data: dict[str, Any] | None = None
    recalled: str | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """`what` was expected; `problem` is None where it came so."""

    what: str
    problem: str | None = None


def _contains(*words: str) -> Callable[[Any], bool]:
    return lambda value: any(word in str(value).lower() for word in words)


STEPS = (
    Step(
        about="tell it something",
        agent="kitchen",
        conversation="yesterday",
        language="en",
        voice="am_michael",
        say="My brother Ben is allergic to peanuts.",
    ),
    Step(
        about="start a recipe",
        agent="kitchen",
        conversation="today",
        language="en",
        voice="am_michael",
        say="I want to cook mapo tofu for four people.",
        tool="start_recipe",
        arguments={"name": _contains("mapo", "tofu"), "servings": lambda n: n == 4},
        data={"step": 1, "servings": 4},
    ),
    Step(
        about="go on",
        agent="kitchen",
        conversation="today",
        language="en",
        voice="am_michael",
        say="What's next?",
        tool="next_step",
        data={"step": 2},
    ),
    Step(
        about="ask for what it was told",
        agent="kitchen",
        conversation="tonight",
        language="en",
        voice="am_michael",
        say="What can I cook for Ben with chicken?",
        tool="find_recipe",
        arguments={"ingredients": _contains("chicken")},
        recalled="peanut",
        said=("peanut",),
    ),
    Step(
        about="find a place",
        agent="street-guide",
        conversation="walk",
        language="en",
        voice="am_michael",
        say="Where can I get a good coffee around here?",
        tool="find_places",
        arguments={"what": _contains("coffee", "café", "cafe")},
    ),
    Step(
        about="start a recipe",
        agent="kitchen",
        conversation="tomorrow",
        language="zh",
        voice="zm_yunxi",
        say="我想做四人份的番茄炒蛋。",
        tool="start_recipe",
        arguments={"servings": lambda n: n == 4},
        data={"step": 1, "servings": 4},
    ),
    Step(
        about="go on",
        agent="kitchen",
        conversation="tomorrow",
        language="zh",
        voice="zm_yunxi",
        say="下一步是什么？",
        tool="next_step",
        data={"step": 2},
    ),
    Step(
        about="find a place",
        agent="street-guide",
        conversation="evening walk",
        language="zh",
        voice="zm_yunxi",
        say="附近哪里有好吃的寿司店？",
        tool="find_places",
        arguments={"what": _contains("寿司", "sushi")},
    ),
)


def check(step: Step, reply: Reply) -> Iterator[Checked]:
    """Everything the step promises, one by one."""
    close = likeness(step.say, reply.heard)
    heard = f"heard {close:.0%} of the words right"
    yield Checked(heard, None if close >= 0.7 else f"said was {step.say!r}")
    yield Checked(
        f"answered in {step.language}",
        None if reply.language == step.language else f"it answered in {reply.language}",
    )
    if step.tool is not None:
        yield from _check_tool(step, reply)
    elif reply.tools:
        ran = ", ".join(run.call.name for run in reply.tools)
        yield Checked("needed no tool", f"{ran} ran")
    if step.recalled is not None:
        found = any(step.recalled in memory.text.lower() for memory in reply.recalled)
        recalled = [memory.text for memory in reply.recalled]
        yield Checked(f"recalled “{step.recalled}”", None if found else f"recalled was {recalled}")
    if step.said:
        fine = any(word in reply.text.lower() for word in step.said)
        yield Checked(f"said “{step.said[0]}”", None if fine else "the answer lacks it")
    yield Checked("remembered the turn", None if reply.stored else "nothing was stored")
    yield Checked("spoke", _sound_problem(reply))


def _check_tool(step: Step, reply: Reply) -> Iterator[Checked]:
    run = next((run for run in reply.tools if run.call.name == step.tool), None)
    if run is None:
        names = ", ".join(r.call.name for r in reply.tools) or "none"
        yield Checked(f"ran {step.tool}", f"ran {names}")
        return
    yield Checked(f"ran {step.tool}", run.result.content if run.result.is_error else None)
    for name, fits in (step.arguments or {}).items():
        value = run.call.arguments.get(name)
        yield Checked(f"with {name}={value!r}", None if fits(value) else "that is not it")
    if step.data:
        data = _data(run)
        found = {name: data.get(name) for name in step.data}
        expected = ", ".join(f"{name} {value}" for name, value in step.data.items())
        yield Checked(f"came to {expected}", None if found == step.data else f"came to {found}")


def _data(run: ToolRun) -> dict[str, Any]:
    try:
        data = json.loads(run.result.content)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _sound_problem(reply: Reply) -> str | None:
    if not reply.text:
        return "there is no answer"
    if reply.audio is None or reply.audio.is_silent(below_dbfs=-40):
        return "there is no sound"
    per_character = reply.audio.seconds / len(reply.text)
    if not 0.02 <= per_character <= 0.6:  # English is about 0.07, Chinese about 0.25
        return f"{reply.audio.seconds:.1f} s is no length for {len(reply.text)} characters"
    return None


def likeness(said: str, heard: str) -> float:
    """How much of the words is the same, 0 … 1, whatever their case, marks and way of counting."""
    return difflib.SequenceMatcher(None, _plain(said), _plain(heard), autojunk=False).ratio()


_NUMBERS = {"four": "4", "四": "4"}


def _plain(text: str) -> str:
    text = "".join(re.findall(r"\w+", text.lower()))
    for word, digit in _NUMBERS.items():
        text = text.replace(word, digit)
    return text
