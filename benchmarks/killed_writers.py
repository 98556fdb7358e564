"""A process that writes people and turns is killed again and again: is anything finished lost?

    python benchmarks/killed_writers.py [--kills 200] [--sealed]

Each process meets people (a voice, a face with a portrait, words, a look, evidence, merges),
forgets some, and says what it has finished. Then it is killed, at a random moment. Afterwards
everything finished must be there, everything forgotten must be gone from the disk, pictures and
index must agree with the ledger, and the database must be whole.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.media import Image
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.embed.face import FaceThresholds
from omni_agent.memory.embed.voice import VoicePrint
from omni_agent.memory.people import FacePrint
from omni_agent.memory.words import terms


class Terms:
    """A small embedder without weights."""

    name, dim = "terms", 32

    def query(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.full((len(texts), self.dim), 1e-3, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for term in terms(text):
                row[zlib.crc32(term.encode()) % self.dim] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    passage = query


class Drawn:
    """Stands for the printers; the vectors are drawn."""

    name, dim = "drawn", 64
    thresholds = FaceThresholds(same=0.4, different=0.3, margin=0.05)


DRAWN = Drawn()


def vector(of: str) -> np.ndarray:
    drawn = np.random.default_rng(zlib.crc32(of.encode())).normal(size=DRAWN.dim)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def shot(of: str) -> Image:
    pixels = np.random.default_rng(zlib.crc32(of.encode())).integers(0, 256, (32, 32, 3))
    return Image(pixels.astype(np.uint8))


# --- the process that is killed -------------------------------------------------------------------


def write(folder: str, key: str | None, seed: int) -> None:
    rng = random.Random(seed)
    memory = Memory(folder, embedder=Terms(), encrypt=Path(key) if key else None)
    people, mine = memory.people, []

    def tell(**line: Any) -> None:
        print(json.dumps(line), flush=True)

    for n in range(100_000):
        name = f"Guest{seed}x{n}q"
        person = people.add(name, call="c")
        tell(person=person.id, name=name)
        heard = people.enrol(person, VoicePrint(vector(f"v {name}"), 4.0), DRAWN, call="c")
        tell(print=heard, of=person.id, seed=f"v {name}")
        seen = people.enrol(
            person, FacePrint(vector(f"f {name}"), 0.8), DRAWN, call="c", picture=shot(name)
        )
        tell(print=seen, of=person.id, seed=f"f {name}", picture=True)
        said = f"I am {name} and I like {' '.join(rng.choices(['rice', 'tea', 'nuts'], k=n % 50))}"
        ids = memory.record_turn(
            TurnRecord(conversation="c", agent="a", turn=n, user=said, reply="I see.",
                       speaker=name, person=person.id)
        )  # fmt: skip
        tell(said=ids[0], of=person.id, text=said)
        look = people.look(person, "hat", rng.choice(["red", "blue"]), confidence=0.9)
        tell(look=look.id, of=person.id, value=look.value)
        people.link("c", people.add(call="c"), person, 1.0, "mouth")  # and a stranger
        mine.append(person)
        if n % 4 == 1:
            gone = mine.pop(rng.randrange(len(mine)))
            tell(forgetting=gone.id)
            memory.forget(gone)
            tell(gone=gone.id)
        elif n % 4 == 3:
            tell(merging=mine[-1].id, into=mine[-2].id)
            people.merge(mine[-1], mine[-2])
            tell(merged=mine[-1].id, into=mine[-2].id)
            del mine[-2:]


# --- and what must be true afterwards -------------------------------------------------------------


def kill_often(folder: Path, kills: int, *, key: Path | None = None, seed: int = 0) -> list[Any]:
    """All that the killed processes said they had finished."""
    rng, told = random.Random(seed), []
    for n in range(kills):
        arguments = ["--write", str(folder), str(key or ""), str(seed * 1000 + n)]
        writer = subprocess.Popen(
            [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(rng.randint(1, 60))]
        time.sleep(rng.random() * 0.03)  # so that it dies in the middle of something
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait()
        told += [json.loads(line) for line in lines if line.endswith("\n")]
    return told


def check(folder: Path, told: list[Any]) -> dict[str, int]:
    """Raises AssertionError for the first thing that is lost, left or at odds."""
    gone = {t["gone"] for t in told if "gone" in t}
    unsure = {t["forgetting"] for t in told if "forgetting" in t} - gone
    names = {t["person"]: t["name"] for t in told if "person" in t}
    merged = {t["merged"]: t["into"] for t in told if "merged" in t}
    perhaps = {t["merging"] for t in told if "merging" in t}  # killed before it could say so
    counted = dict.fromkeys(("people", "prints", "said", "looks", "forgotten"), 0)
    with Memory(folder, embedder=Terms()) as memory:
        assert memory.flush(120)
        people, parts = memory.people, memory._use()
        there = [t for t in told if t.get("of", t.get("person")) not in gone | unsure]
        kept = {p.id: p for someone in people.all() for p in people.prints(someone)}
        vectors = people._prints.vectors(list(kept))
        for t in there:
            if "person" in t:
                person = people.get(t["person"])
                assert person is not None, t
                assert t["person"] in perhaps or person.name == t["name"], t
                assert t["person"] not in merged or person == people.get(merged[t["person"]]), t
                counted["people"] += 1
            elif "print" in t:
                assert kept[t["print"]].person == t["of"], t
                assert np.array_equal(vectors[t["print"]], vector(t["seed"])), t
                counted["prints"] += 1
            elif "said" in t:
                memory_of = memory.get(t["said"])[t["said"]]
                assert (memory_of.text, memory_of.person) == (t["text"], t["of"]), t
                counted["said"] += 1
            elif "look" in t:
                assert t["look"] in {look.id for look in people.look_history(t["of"])}, t
                counted["looks"] += 1
        for id in gone:
            assert people.get(id) is None, id
            counted["forgotten"] += 1
        assert all(p.consent == "named" for p in people.all()), "no stranger outlives a crash"
        pictures = {p.picture for p in kept.values() if p.picture}
        assert {p.stem for p in (folder / "pictures").iterdir()} == pictures
        assert all(parts.pictures.load(id) for id in pictures)
        needles = [n for id in gone for n in _bytes_of(names[id])]
        assert not (left := list(_holding(folder, needles))), left
        generation, index = parts.indexer._serving or (0, None)
        assert index is not None
        assert index.counts() == parts.vectors.expected(generation)
        assert parts.vectors.count_pending(generation) == 0
        assert parts.store.rows("PRAGMA integrity_check") == [("ok",)]
        assert not memory.notes, memory.notes
    return counted


def _bytes_of(name: str) -> Iterator[bytes]:
    yield name.encode()
    for seed in (f"v {name}", f"f {name}"):
        yield vector(seed).tobytes()
    yield shot(name).to_jpeg()[640:700]


def _holding(folder: Path, needles: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield from ((path.name, n) for n in needles if n in content)


def main() -> None:
    from report import report

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--sealed", action="store_true", help="with prints and pictures encrypted")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder, key = Path(made) / "memory", Path(made) / "key" if chosen.sealed else None
        told = kill_often(folder, chosen.kills, key=key)
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
        row = {"kills": chosen.kills, **check(folder, told), "lost": 0, "left": 0, "MB": size}
    name = "killed_writers_sealed" if chosen.sealed else "killed_writers"
    report(name, [row], notes=["checked: rows, vectors, pictures, index, old bytes"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], sys.argv[3] or None, int(sys.argv[4]))
    else:
        main()
