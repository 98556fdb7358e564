"""Which memories a question is about: words, meaning and age, fused.

    relevance = σ(20.0·cosine + 4.6·coverage + 1.4·(two scripts) − 6.7)
    score     = relevance · (0.9 + 0.1 · 0.5^(age / 30 days))

`cosine` is of centred vectors (embed/centred.py), the best part of a long text. `coverage` is how
much of the question's weight – inverse document frequency – the memory's words cover. `two scripts`
is 1 where question and memory are in scripts that cannot share words.

The four numbers come from a logistic regression over 120 questions, half of them Chinese, to 30
memories, and 50 things said that no memory answers (benchmarks/memory_pairs.py); fitted on one
half and judged on the other: `python benchmarks/memory.py --fit`. MIN_SCORE lies where few of the
unrelated ones still recall anything.

What people who are there said, and what is about them, comes first: its odds count e-fold when the
memories that pass are put in order. They do not help it to pass, or small talk would recall
something of everybody in the room (`python benchmarks/known_people.py --only recall`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from omni_agent.events import RecalledMemory
from omni_agent.memory.records import StoredMemory
from omni_agent.memory.words import coverage, is_unspaced

COSINE, COVERAGE, TWO_SCRIPTS, BIAS = 20.0, 4.6, 1.4, -6.7
OF_THOSE_HERE = math.e
MIN_SCORE = 0.3
HALF_LIFE_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `rarity`: the telling words with their weights. `cosines`: by memory id.

    `present`: ids of the people who are there. `covered`: coverage that was worked out before.
    """

    text: str
    rarity: Mapping[str, float]
    cosines: Mapping[str, float]
    now: datetime
    present: frozenset[str] = frozenset()
    covered: Mapping[str, float] = field(default_factory=dict)


def relevance(cosine: float, covered: float, *, two_scripts: bool) -> float:
    """0 … 1: how likely it is that a memory bears on the question."""
    x = COSINE * cosine + COVERAGE * covered + TWO_SCRIPTS * two_scripts + BIAS
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, x))))


def score(question: Question, memory: StoredMemory) -> float:
    if (said := question.covered.get(memory.id)) is None:
        said = covered(question.rarity, memory)
    if (cosine := question.cosines.get(memory.id)) is None:  # written a moment ago, or no embedding
        relevant = said
    else:
        two_scripts = is_unspaced(question.text) != is_unspaced(memory.text)
        relevant = relevance(cosine, said, two_scripts=two_scripts)
    days = max(0.0, (question.now - memory.recorded_at).total_seconds() / 86_400)
    return relevant * (0.9 + 0.1 * 0.5 ** (days / HALF_LIFE_DAYS))


def covered(rarity: Mapping[str, float], memory: StoredMemory) -> float:
    """How much of a question's weight the words of a memory cover: 0 … 1."""
    parts = (memory.text, memory.subject, memory.predicate, memory.object)
    return coverage(rarity, " ".join(p for p in parts if p), rarity)


def rank(question: Question, memory: StoredMemory, score: float) -> float:
    """By what memories are put in order: the score, with the odds of those here counted more."""
    here = memory.person in question.present or memory.about in question.present
    gain = OF_THOSE_HERE if here else 1.0
    return score * gain / (1.0 - score + score * gain)


def best(
    question: Question,
    memories: Mapping[str, StoredMemory],
    *,
    keep: Callable[[StoredMemory], bool],
    limit: int,
    min_score: float,
) -> tuple[RecalledMemory, ...]:
    """The best memories above `min_score`; of equal words, the newest only."""
    newest: dict[str, tuple[float, StoredMemory]] = {}
    for memory in filter(keep, memories.values()):
        if (value := score(question, memory)) < min_score:
            continue
        words = " ".join(memory.text.casefold().split())
        # One of two may not be embedded yet: the newer is as good as the better.
        best_value, last = newest.get(words, (value, memory))
        newest[words] = max(value, best_value), max(memory, last, key=lambda m: m.recorded_at)
    ranked = sorted(
        newest.values(),
        key=lambda pair: (rank(question, pair[1], pair[0]), pair[1].recorded_at),
        reverse=True,
    )
    return tuple(
        RecalledMemory(
            id=memory.id, text=memory.text, kind=memory.kind, at=memory.at,
            score=round(value, 4), speaker=memory.speaker,
        )
        for value, memory in ranked[: max(0, limit)]
    )  # fmt: skip
