"""How fast memory recalls, writes and forgets, and how often it is right.

    python benchmarks/memory.py [--size 10000]     goals: recall p95 ≤ 25 ms, a turn ≤ 10 ms
    python benchmarks/memory.py --fit              the numbers of omni_agent/memory/recall.py

Speed: `size` memories of which no two are alike, half in Chinese, real embeddings of the questions
and none of them asked twice; vectors of the memories are drawn at random around those of labelled
sentences, because embedding 10,000 sentences is not what is timed. Rightness: memory_pairs.py.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from memory_pairs import PAIRS, UNRELATED
from report import report

from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.embed.centred import Centred
from omni_agent.memory.recall import MIN_SCORE
from omni_agent.memory.words import coverage, is_unspaced, query_terms, rarity, terms
from omni_agent.text_embedding import open_text_embedder


class Drawn:
    """The default embedding; passages seen before are varied at random instead of embedded."""

    def __init__(self, seeds: Sequence[str]) -> None:
        self._real = open_text_embedder()
        self.name, self.dim = self._real.name, self._real.dim
        self._base = self._real.passage(list(seeds))
        self._random = np.random.default_rng(0)
        self.query = self._real.query

    def passage(self, texts: Sequence[str]) -> np.ndarray:
        drawn = self._base[self._random.integers(len(self._base), size=len(texts))]
        drawn = drawn + self._random.normal(0, 0.02, drawn.shape).astype(np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def speed(size: int) -> list[dict[str, object]]:
    rng = random.Random(1)
    english = sorted({w for m, *_ in PAIRS if not is_unspaced(m) for w in m.split()})
    chinese = "".join(m for m, *_ in PAIRS if is_unspaced(m))

    def said() -> str:
        if rng.random() < 0.5:
            return " ".join(rng.choices(english, k=rng.randint(4, 14))) + f" {rng.random():.6f}"
        return "".join(rng.choices(chinese, k=rng.randint(8, 24))) + f"{rng.random():.6f}"

    def turn(n: int) -> TurnRecord:
        return TurnRecord(conversation=f"c{n // 20}", agent="a", turn=n, user=said(), reply=said())

    questions = [q for _, en, zh in PAIRS for q in en + zh] + UNRELATED
    with tempfile.TemporaryDirectory() as folder:
        with Memory(folder, embedder=Drawn([m for m, *_ in PAIRS])) as memory:
            for n in range(size // 2):
                memory.record_turn(turn(n))
            began = time.perf_counter()
            memory.flush()
            seconds = time.perf_counter() - began
            print(f"{memory.count()} memories; the index took {seconds:.1f} s more")
            memory.recall("warm up the memory")
            rows = [_row("recall", _timed(memory.recall, questions))]
            writes = [turn(size + n) for n in range(100)]
            rows.append(_row("write of a turn", _timed(memory.record_turn, writes)))
            memory.flush()
            ids = [m.id for m in memory.list(limit=20)][::4]
            rows.append(_row("forget", _timed(memory.forget, ids)))
            mega = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 1e6
            rows[0]["what"] = f"recall over {size} ({mega:.0f} MB)"
    return rows


def rightness() -> list[dict[str, object]]:
    """Every labelled question asked of a real memory that holds all labelled memories."""
    with tempfile.TemporaryDirectory() as folder:
        with Memory(folder) as memory:
            for text, *_ in PAIRS:
                memory.remember(text)
            memory.flush()
            rows: list[dict[str, object]] = []
            for name, half in (("fitted on", 0), ("judged on", 1)):
                asked = [(t, q) for t, en, zh in PAIRS[half::2] for q in en + zh]
                found = [[m.text for m in memory.recall(q)] for _, q in asked]
                hits = [(t, f) for (t, _), f in zip(asked, found, strict=True)]
                idle = [bool(memory.recall(q)) for q in UNRELATED[half::2]]
                rows.append(
                    {
                        "half": name,
                        "right first %": 100 * float(np.mean([f[:1] == [t] for t, f in hits])),
                        "right in 5 %": 100 * float(np.mean([t in f for t, f in hits])),
                        "others a question": float(np.mean([len({*f} - {t}) for t, f in hits])),
                        "unrelated that recall %": 100 * float(np.mean(idle)),
                    }
                )
            return rows


def fit() -> None:
    """Logistic regression by Newton's method on the first half; prints recall.py's numbers."""
    plain = open_text_embedder()
    texts = [m for m, *_ in PAIRS]
    asked = [(q, i) for i, (_, en, zh) in enumerate(PAIRS) for q in en + zh]
    asked += [(q, -1) for q in UNRELATED]
    kept = [(i % 2 == 0) if i >= 0 else (k % 2 == 0) for k, (_, i) in enumerate(asked)]
    known = [set(terms(t)) for t in texts]
    for embedder in (plain, Centred(plain)):
        cosines = embedder.query([q for q, _ in asked]) @ embedder.passage(texts).T
        first = [int(c.argmax()) == i for c, (_, i) in zip(cosines, asked, strict=True) if i >= 0]
        print(f"{embedder.name}: nearest is right for {100 * np.mean(first):.0f} %")
    rows, labels, weights = [], [], []
    for (question, right), line, used in zip(asked, cosines, kept, strict=True):
        weight = {t: rarity(len(texts), sum(t in k for k in known)) for t in query_terms(question)}
        for i, text in enumerate(texts if used and weight else ()):
            apart = float(is_unspaced(question) != is_unspaced(text))
            rows.append([line[i], coverage(weight, text, weight), apart, 1.0])
            labels.append(float(i == right))
            weights.append(1.0 if i == right else 1 / 8)  # a wrong one of thirty matters less
    x, y, w = np.array(rows), np.array(labels), np.array(weights)
    theta = np.zeros(4)
    ridge = np.diag([1e-4, 1e-2, 1e-2, 1e-4])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ theta))
        hessian = (x.T * (w * p * (1 - p))) @ x + ridge
        theta -= np.linalg.solve(hessian, x.T @ (w * (p - y)) + ridge @ theta)
    print("COSINE, COVERAGE, TWO_SCRIPTS, BIAS =", ", ".join(f"{v:.1f}" for v in theta))


def _timed(action: Callable[..., object], inputs: Sequence[object]) -> list[float]:
    taken = []
    for given in inputs:
        began = time.perf_counter()
        action(given)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def _row(what: str, taken: list[float]) -> dict[str, object]:
    p50, p95 = np.percentile(taken, [50, 95])
    return {"what": what, "p50 ms": float(p50), "p95 ms": float(p95), "times": len(taken)}


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--size", type=int, default=10_000, help="memories in the folder")
    options.add_argument("--fit", action="store_true", help="fit the numbers of recall.py again")
    chosen = options.parse_args()
    if chosen.fit:
        fit()
    else:
        report(
            "memory", speed(chosen.size), notes=["goals: recall p95 25 ms, write of a turn 10 ms"]
        )
        report("memory_rightness", rightness(), notes=[f"recalled: a score of {MIN_SCORE} or more"])
