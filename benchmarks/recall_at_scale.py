"""How fast a memory of years recalls: 100,000 episodes, 20,000 scenes, 200 people.

    python benchmarks/recall_at_scale.py [--episodes 100000] [--scenes 20000] [--people 200]
                                         [--keep FOLDER]

A seventh of what people said are requests, and there are 2,000 facts, so that four kinds are
searched. The question is embedded anew each time, but for the rows that say otherwise. The
sentences are drawn: words by Zipf's law over 20,000 made-up ones and those of memory_pairs.py, half
of the sentences of Chinese pairs of characters; the words of the questions are among the 2,000 most
frequent ones. The vectors of what is kept are drawn, in all directions and some way towards two of
the labelled sentences, because embedding 120,000 sentences is not what is timed. The labelled
sentences are in there too, with vectors of their own: are they still found? Rows are written in
large transactions; the index is made as always.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from killed_writers import DRAWN, vector
from known_people import DRAWN_VOICE, enrol, timed
from memory_pairs import PAIRS, UNRELATED
from report import report

from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.embed.voice import VoicePrint
from omni_agent.memory.ledger import index_words
from omni_agent.memory.people import FacePrint, Person
from omni_agent.memory.scene_rows import SceneRow, insert_scene
from omni_agent.memory.values import new_id
from omni_agent.memory.words import is_unspaced, query_terms
from omni_agent.text_embedding import open_text_embedder

YEARS = 3
_NOW = datetime.now(UTC).timestamp()
TOLD = [m for m, *_ in PAIRS]
QUESTIONS = [q for _, en, zh in PAIRS for q in en + zh] + UNRELATED


class Sentences:
    """Words by Zipf's law; those of the labelled sentences and questions at ranks of their own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        told = TOLD + QUESTIONS
        spaced = {w for t in told if not is_unspaced(t) for w in query_terms(t)}
        unspaced = {w for t in told if is_unspaced(t) for w in query_terms(t)}
        made = {
            "".join(self._random.choices("abcdefghijklmnoprstuvwyz", k=7)) for _ in range(20_000)
        }
        characters = [chr(self._random.randrange(0x4E00, 0x9000)) for _ in range(1_200)]
        pairs = {"".join(self._random.choices(characters, k=2)) for _ in range(20_000)}
        self._spaced, self._unspaced = self._ranked(spaced, made), self._ranked(unspaced, pairs)
        self._weights = [1 / (rank + 50) for rank in range(20_000)]
        self._cumulated = list(itertools.accumulate(self._weights))

    def _ranked(self, telling: set[str], made: set[str]) -> list[str]:
        """The telling words are among the 2,000 most frequent ones, as everyday words are."""
        words = sorted(telling) + sorted(made - telling)[: 2_000 - len(telling)]
        self._random.shuffle(words)
        return words + sorted(made - set(words))

    def draw(self) -> str:
        chinese, length = self._random.random() < 0.5, self._random.randint(4, 14)
        words = self._unspaced if chinese else self._spaced
        weights = self._cumulated[: len(words)]
        drawn = self._random.choices(words[: len(weights)], cum_weights=weights, k=length)
        return ("" if chinese else " ").join(drawn)


def fill(memory: Memory, episodes: int, scenes: int, people: Sequence[Person]) -> None:
    """Write rows as `record_turn` and `Scenes.add` do, many in a transaction."""
    sentences, parts = Sentences(1), memory._use()
    with parts.store.write() as db:
        for n in range(episodes // 2):
            at = _NOW - YEARS * 365 * 86_400 * (1 - 2 * n / episodes)
            person = people[n * 7919 % len(people)]
            number = db.execute(
                "INSERT INTO turns VALUES (NULL, ?, 'guide', ?, ?, '[]', 'en', 'null', 'done', ?, "
                "'', NULL, ?)",
                (f"c{n // 20}", n, at, person.name, person.id),
            ).lastrowid
            where, what = divmod(n, max(1, episodes // 2 // len(TOLD)))
            said = TOLD[where] if what == 0 and where < len(TOLD) else sentences.draw()
            for reply, text in enumerate((said, sentences.draw())):
                kind = "request" if n % 7 == 3 and said not in TOLD and not reply else "episode"
                row = db.execute(
                    "INSERT INTO memories (id, kind, text, recorded_at, speaker, turn, reply, "
                    "language, person) VALUES (?, ?, ?, ?, ?, ?, ?, 'en', ?)",
                    (new_id("e", datetime.fromtimestamp(at, UTC)), kind, text, at,
                     "guide" if reply else person.name, number, reply,
                     None if reply else person.id),
                ).lastrowid  # fmt: skip
                index_words(db, row, {"text": text})
        for n in range(episodes // 50):
            text, at = sentences.draw(), _NOW - n
            row = db.execute(
                "INSERT INTO memories (id, kind, text, recorded_at, about) "
                "VALUES (?, 'fact', ?, ?, ?)",
                (new_id("f", datetime.now(UTC)), text, at, people[n % len(people)].id),
            ).lastrowid
            index_words(db, row, {"text": text})
        for n in range(scenes):
            at = _NOW - YEARS * 365 * 86_400 * (1 - n / scenes)
            insert_scene(db, SceneRow(
                id=new_id("s", datetime.fromtimestamp(at, UTC)), at=at, until=at + 20.0,
                conversation=f"c{n // 8}", source="camera",
                place={"lat": 60 + n % 400 / 1000, "lon": 24.9},
                people=(people[n % len(people)].id,),
                text=sentences.draw(), description=sentences.draw(), picture=None, bytes=0,
            ))  # fmt: skip


def embed(memory: Memory) -> None:
    """Vectors of all texts: their own for the labelled ones, drawn ones for all others."""
    parts, centred = memory._use(), memory._embedding.open(memory._use().vectors)
    own = {t: centred.passage([t])[0] for t in TOLD}
    base, rng = np.stack(list(own.values())), np.random.default_rng(0)
    rows = parts.store.rows(
        "SELECT row, text FROM memories WHERE row NOT IN (SELECT memory FROM vectors)"
    )
    for i in range(0, len(rows), 10_000):
        some = rows[i : i + 10_000]
        drawn = rng.normal(0, centred.dim**-0.5, (len(some), centred.dim)).astype(np.float32)
        for _ in range(2):
            drawn += 0.15 * base[rng.integers(len(base), size=len(some))]
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        with parts.store.write() as db:
            db.executemany(
                "INSERT INTO vectors VALUES (?, 0, ?, ?)",
                [
                    (row, centred.name, own.get(text, v).astype("<f4").tobytes())
                    for (row, text), v in zip(some, drawn, strict=True)
                ],
            )


def build(folder: Path, episodes: int, scenes: int, people: int) -> None:
    with Memory(folder) as memory:
        everybody = [memory.people.add(f"Guest {n}") for n in range(people)]
        for person in everybody:
            for take in range(3):
                enrol(memory.people, person.id, f"{person.name} {take}")
        memory.remember("The first memory opens the embedder.", kind="fact")
        memory.flush()
        began = time.perf_counter()
        fill(memory, episodes, scenes, everybody)
        embed(memory)
        print(f"rows and vectors: {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        memory._use().indexer.wake()
        memory.flush()
        print(f"the index of {memory.count()}: {time.perf_counter() - began:.0f} s")


def measure(folder: Path) -> tuple[list[dict[str, object]], str]:
    with Memory(folder) as memory:
        known, parts = memory.people, memory._use()
        memory.flush()
        memory.recall("warm up the memory")
        everybody = known.all()
        three = everybody[:3]
        heard = [VoicePrint(vector(f"v Guest {n} 1"), 3.0) for n in range(100)]
        seen = [FacePrint(vector(f"f Guest {n} 1"), 0.8) for n in range(100)]
        turns = [
            TurnRecord(conversation="c", agent="guide", turn=n, user=f"line {n}", reply="Yes.",
                       person=everybody[n].id)
            for n in range(100)
        ]  # fmt: skip
        embed = parts.finder._embed

        def afresh(question: str) -> object:
            memory._embedding.forget()
            return memory.recall(question)

        def with_three(question: str) -> object:
            memory._embedding.forget()
            return memory.recall(question, people=three)

        rows = [
            timed("embed a question (one thread)", lambda q: embed(f"{q} "), QUESTIONS),
            timed("recall", afresh, QUESTIONS),
            timed("prefetch somebody", lambda p: memory.prefetch([p]), everybody[:50]),
            timed("recall, 3 there, prefetched", with_three, QUESTIONS),
        ]
        for question in QUESTIONS:
            embed(question)
        rows += [
            timed("recall, question embedded before", memory.recall, QUESTIONS),
            timed("scenes.find(words), embedded before", memory.scenes.find, QUESTIONS),
            timed("a voice among all", lambda p: known.identify_voice(p, DRAWN_VOICE), heard),
            timed("a face among all", lambda p: known.identify_face(p, DRAWN), seen),
            timed("said(person)", known.said, everybody),
            timed("write of a turn", memory.record_turn, turns),
        ]
        asked = [(t, q) for t, en, zh in PAIRS for q in en + zh]
        found = [t in [m.text for m in memory.recall(q)] for t, q in asked]
        kinds = ", ".join(f"{n} {kind}s" for kind, n in sorted(parts.ledger.kinds().items()))
        mega = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    with Memory(folder, embedder=open_text_embedder(threads=2)) as memory:
        memory.flush()
        memory.recall("warm up the memory")
        rows.append(timed("recall, two threads to embed", memory.recall, QUESTIONS))
        rows.append(timed("forget a person", memory.forget, everybody[:3]))
    return rows, (
        f"{kinds}, {len(everybody)} people, {mega:.0f} MB; with all that is drawn, "
        f"{100 * np.mean(found):.0f} % of the labelled questions have the right memory among 5"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--episodes", type=int, default=100_000)
    options.add_argument("--scenes", type=int, default=20_000)
    options.add_argument("--people", type=int, default=200)
    options.add_argument("--keep", type=Path, help="build here, or take what was built")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = chosen.keep or Path(made) / "memory"
        if not folder.exists():
            build(folder, chosen.episodes, chosen.scenes, chosen.people)
        rows, of = measure(folder)
        goal = "goal: recall p95 25 ms, the embedding of the question in it"
        report("recall_at_scale", rows, notes=[goal, of])


if __name__ == "__main__":
    main()
