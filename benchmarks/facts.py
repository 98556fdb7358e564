"""What is learned of what people say: by rules alone, and by rules and the compact model.

    python benchmarks/facts.py [--rules] [--half judged]      about a minute; --rules: a second

Every utterance of facts.toml is given to the rules and, where they may have left something, to the
model as in idle time. A fact counts as right if it is what is to be learned there (predicate, who
it is about, and the words of the object); one more that the words bear out (`also`) is neither
right nor wrong. Precision: of the facts that were learned, how many are right. Recall: of those
that are to be learned, how many were. "wrong" says what was learned that nobody had said: it is
what matters most, since a false allergy is worse than a hobby that was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from report import report

from omni_agent.learning import learned_from
from omni_agent.memory.facts import Statement
from omni_agent.memory.records import StoredMemory
from omni_agent.memory.statements import may_state, statements_in
from omni_agent.memory.words import is_unspaced, terms
from omni_agent.model.base import OmniModel
from omni_agent.model.select import open_model

Labels = list[list[str]]
HALVES = ["judged", "tuned", "tuned later", "fresh"]
_DIETARY = ("allergic_to", "not_allergic_to", "avoids", "diet")


@dataclass
class Told:
    """An utterance, what is to be learned from it, and what was."""

    text: str
    half: str
    learn: Labels
    also: Labels
    learned: tuple[Statement, ...] = ()


def utterances(half: str) -> list[Told]:
    read = tomllib.loads(Path(__file__).with_name("facts.toml").read_text("utf-8"))
    all_of_them = [
        Told(u["text"], u["half"], u.get("learn", []), u.get("also", [])) for u in read["said"]
    ]
    return [told for told in all_of_them if told.half == half]


def fits(statement: Statement, label: Sequence[str]) -> bool:
    who, predicate, object = label
    return (
        statement.predicate in predicate.split("|")
        and statement.subject.casefold() in who.casefold().split("|")
        and any(_has(statement.object, words) for words in object.split("|"))
    )


def _has(object: str, words: str) -> bool:
    return words in object if is_unspaced(words) else {*terms(words)} <= {*terms(object)}


def judged(how: str, told: Sequence[Told], seconds: float, asked: int) -> dict[str, Any]:
    """Prints what is wrong, and gives the line of the table."""
    right = wrong = missed = dietary = 0
    for one in told:
        left = list(one.learn)
        for statement in one.learned:
            label = next((x for x in left if fits(statement, x)), None)
            if label is not None:
                left.remove(label)
                right += 1
            elif not any(fits(statement, x) for x in (*one.also, *one.learn)):
                wrong += 1
                dietary += statement.predicate in _DIETARY
                said = f"{statement.subject} {statement.predicate} {statement.object}"
                print(f"  {how}, wrong: {said!r} of {one.text!r}")
        missed += len(left)
        for label in left:
            print(f"  {how}, missed: {' '.join(label)!r} of {one.text!r}")
    return {
        "by": how,
        "half": told[0].half,
        "utterances": len(told),
        "precision %": 100 * right / max(1, right + wrong),
        "recall %": 100 * right / max(1, right + missed),
        "right": right,
        "wrong": wrong,
        "wrong on eating": dietary,
        "missed": missed,
        "asked the model": asked,
        "ms each": 1000 * seconds / max(1, asked or len(told)),
    }


def by_rules(told: Sequence[Told]) -> dict[str, Any]:
    began = time.perf_counter()
    for one in told:
        one.learned = statements_in(one.text)
    return judged("rules", told, time.perf_counter() - began, 0)


async def and_model(told: Sequence[Told], model: OmniModel) -> dict[str, Any]:
    asked = [one for one in told if may_state(one.text)]
    began = time.perf_counter()
    for n, one in enumerate(asked):
        episode = StoredMemory(
            id=f"e{n}", kind="episode", text=one.text, recorded_at=datetime.now(UTC)
        )
        one.learned += tuple(await learned_from(episode, model))
    return judged("rules and model", told, time.perf_counter() - began, len(asked))


async def main(halves: Sequence[str], *, rules_alone: bool) -> None:
    model = None if rules_alone else await open_model("compact")
    rows = []
    for half in halves:
        told = utterances(half)
        rows.append(by_rules(told))
        if model is not None:
            rows.append(await and_model(told, model))
    notes = [
        "tuned: looked at while rules and prompt were made. judged: only counted.",
        "tuned later: was fresh once, then rules and checks were mended with it.",
        "fresh: written when all was done, and only counted.",
        '"ms each": of an utterance; with the model, of those that the model was asked about.',
    ]
    report("facts_rules" if rules_alone else "facts", rows, notes=notes)
    if model is not None:
        await model.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--rules", action="store_true", help="without a model")
    options.add_argument("--half", choices=HALVES, action="append")
    chosen = options.parse_args()
    asyncio.run(main(chosen.half or HALVES, rules_alone=chosen.rules))
