"""Does the model call the right tool with the right arguments, and keep quiet where none is due?

python benchmarks/tool_choice.py                 # the half that was not tuned on
python benchmarks/tool_choice.py --split tune    # the half that was
python benchmarks/tool_choice.py --set fresh     # a hundred more
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from report import report

from omni_agent.agent import Agent
from omni_agent.agents.kitchen import kitchen
from omni_agent.agents.street_guide import street_guide
from omni_agent.conversation import Conversation
from omni_agent.events import ToolFinished, ToolStarted
from omni_agent.messages import ToolCall
from omni_agent.model.select import open_model

PRELUDES = {
    ("kitchen", "cooking", "en"): "I want to cook mapo tofu for two",
    ("kitchen", "cooking", "zh"): "我想做两人份的麻婆豆腐",
    ("street_guide", "offered", "en"): "Where can I have lunch around here?",
    ("street_guide", "offered", "zh"): "附近有什么吃午饭的地方？",
}
"""What was said before, so that an utterance of this state makes sense."""


async def main() -> None:
    arguments = _arguments()
    model = await open_model(arguments.model)
    agents = {"kitchen": kitchen(model=model), "street_guide": street_guide(model=model)}
    asked = [
        u
        for u in tomllib.loads(Path(__file__).with_name("utterances.toml").read_text("utf-8"))[
            "utterance"
        ]
        if u["set"] == arguments.set and arguments.split in (u["split"], "all", None)
    ]
    judged: list[dict[str, Any]] = []
    for utterance in asked:
        call, seconds = await _first_call(agents[utterance["agent"]], utterance)
        verdict = _judge(utterance, call)
        judged.append({**utterance, **verdict, "seconds": seconds})
        if arguments.verbose and not (verdict["tool_right"] and verdict["arguments_right"]):
            said = f"{call.name} {call.arguments}" if call else "no call"
            wanted = f"{utterance['tool'] or 'no call'} {utterance['arguments'] or ''}"
            print(f"{utterance['id']} {utterance['text']!r}: {said}; wanted {wanted}", flush=True)
    what = f"{arguments.set}, {arguments.split or 'all'}: {len(judged)} utterances"
    report(f"tool_choice_{arguments.set}", _rows(judged), notes=[what])


async def _first_call(agent: Agent, utterance: dict[str, Any]) -> tuple[ToolCall | None, float]:
    """What the agent does first with an utterance; the turn is cancelled there."""
    conversation = agent.conversation()
    prelude = PRELUDES.get((utterance["agent"], utterance["state"], utterance["language"]))
    if prelude:
        await conversation.ask(prelude, speak=False)
    began = time.perf_counter()
    call = await _call_in(conversation, utterance["text"])
    seconds = time.perf_counter() - began
    await conversation.close()
    return call, seconds


async def _call_in(conversation: Conversation, text: str) -> ToolCall | None:
    async with aclosing(conversation.stream(text, speak=False)) as events:
        async for event in events:
            if isinstance(event, ToolStarted | ToolFinished):
                return event.call
    return None


def _judge(utterance: dict[str, Any], call: ToolCall | None) -> dict[str, bool]:
    wanted, also = utterance["tool"], utterance["also_ok"]
    if call is None:
        return {"tool_right": not wanted, "arguments_right": not wanted, "called": False}
    if call.name == wanted:
        sets = [utterance["arguments"], *utterance.get("or_arguments", [])]
        right = any(_fits(wanted_arguments, call.arguments) for wanted_arguments in sets)
        return {"tool_right": True, "arguments_right": right, "called": True}
    return {"tool_right": call.name in also, "arguments_right": call.name in also, "called": True}


def _fits(wanted: dict[str, Any], given: dict[str, Any]) -> bool:
    return all(_matches(value, given.get(name)) for name, value in wanted.items())


def _matches(wanted: Any, given: Any) -> bool:
    match wanted:
        case [list(), *_]:  # each item there, in any order
            return isinstance(given, list) and all(
                any(_matches(item, g) for g in given) for item in wanted
            )
        case list():
            return isinstance(given, str) and given.strip().casefold() in [
                w.casefold() for w in wanted
            ]
        case _:
            return bool(given == wanted)


def _rows(judged: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    groups = {"all": judged}
    for key in ("language", "agent"):
        for value in sorted({u[key] for u in judged}):
            groups[value] = [u for u in judged if u[key] == value]
    return [{"group": name, **_row(group)} for name, group in groups.items()]


def _row(group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    due = [u for u in group if u["tool"]]
    talk = [u for u in group if not u["tool"]]
    count = Counter(
        right_tool=sum(u["tool_right"] for u in group),
        right_arguments=sum(u["arguments_right"] for u in due),
        needless=sum(u["called"] and not u["tool_right"] for u in talk),
    )
    return {
        "utterances": len(group),
        "right tool %": 100 * count["right_tool"] / len(group),
        "right arguments %": 100 * count["right_arguments"] / max(1, len(due)),
        "needless calls %": 100 * count["needless"] / max(1, len(talk)),
        "median s": statistics.median(u["seconds"] for u in group),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="compact")
    parser.add_argument("--set", default="bench", choices=["bench", "fresh"])
    parser.add_argument("--split", choices=["tune", "report", "all"])
    parser.add_argument("--verbose", action="store_true", help="print what went wrong")
    arguments = parser.parse_args()
    if arguments.split is None and arguments.set == "bench":
        arguments.split = "report"
    return arguments


if __name__ == "__main__":
    asyncio.run(main())
