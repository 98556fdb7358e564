"""How people are known again, whose memories come first, and how long it takes.

    python benchmarks/known_people.py [--voices FOLDER] [--memories 10000] [--people 200]

Prints: each person is enrolled four times (clean, over the telephone, in a room, in noise); turns
of 3 s, in six kinds of sound, are named among four people, each of whom is also left out once.
Compared are ways of reading several prints. FOLDER/SPEAKER/*.flac are recordings; without it voices
are made. Recall: the labelled pairs of memory_pairs.py, each memory told by one of four people;
asked with the teller and another one there, with two others, and with nobody. Speed: drawn prints.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from killed_writers import DRAWN, vector
from memory import Drawn as DrawnTexts
from memory_pairs import PAIRS, UNRELATED
from report import report
from voice_material import RATE, Voices, made, recorded, split
from voices import SOUNDS, cut, of

from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.embed.voice import (
    VoiceCalibration,
    VoicePrint,
    open_voice_printer,
    pooled,
)
from omni_agent.memory.people import FacePrint, People
from omni_agent.memory.words import is_unspaced
from omni_agent.model.catalog import catalog

ENROLLED = (("clean", 7), ("over the phone", 5), ("in a room", 5), ("noise 15 dB", 5))
Way = Callable[[VoiceCalibration, VoicePrint, Sequence[VoicePrint]], float]
WAYS: Mapping[str, Way] = {
    "the first print alone": lambda c, heard, kept: c.score(heard, kept[0]),
    "all pooled (ours)": lambda c, heard, kept: c.score(heard, pooled(kept)),
    "the nearest": lambda c, heard, kept: max(c.score(heard, p) for p in kept),
    "mean of both": lambda c, heard, kept: (
        (c.score(heard, pooled(kept)) + max(c.score(heard, p) for p in kept)) / 2
    ),
    "mean of all, as M3-Agent": lambda c, heard, kept: float(
        np.mean([c.score(heard, p) for p in kept])
    ),
}


def ways(voices: Voices) -> list[dict[str, object]]:
    printer = open_voice_printer(catalog().ensure("voice-print")["voice-print"])
    rng = np.random.default_rng(0)
    kept: dict[str, list[VoicePrint]] = {}
    turns: list[tuple[str, VoicePrint]] = []
    for name, recordings in voices.items():
        first, left = split(recordings, float(sum(seconds for _, seconds in ENROLLED)))
        at, kept[name] = 0, []
        for sound, seconds in ENROLLED:
            part = first[at : at + seconds * RATE]
            at += seconds * RATE
            if len(part) >= 2 * RATE:
                kept[name].append(of(printer, SOUNDS[sound](part, rng)))
        for change in SOUNDS.values():
            turns += [(name, of(printer, change(t, rng))) for t in cut(left, 3.0, 4)]
    groups = list(itertools.combinations(sorted(kept), min(4, len(kept))))
    random.Random(1).shuffle(groups)
    groups = groups[:40] + [g[:i] + g[i + 1 :] for g in groups[:10] for i in range(len(g))]
    return [
        {
            "several prints": name,
            "turns": len(turns),
            **_named(way, printer.calibration, kept, turns, groups),
        }
        for name, way in WAYS.items()
    ]


def _named(
    way: Way,
    bars: VoiceCalibration,
    kept: Mapping[str, Sequence[VoicePrint]],
    turns: Sequence[tuple[str, VoicePrint]],
    groups: Sequence[tuple[str, ...]],
) -> dict[str, float]:
    own, strangers = [], []
    for speaker, heard in turns:
        scores = {name: way(bars, heard, prints) for name, prints in kept.items()}
        for group in groups:
            (best, name), *rest = sorted(((scores[n], n) for n in group), reverse=True)
            sure = best >= bars.same and (not rest or best - rest[0][0] >= bars.margin)
            if speaker in group:
                own.append("right" if sure and name == speaker else "wrong" if sure else "unsure")
            else:
                strangers.append("named" if sure else "new" if best <= bars.different else "unsure")
    return {
        "right %": 100 * own.count("right") / len(own),
        "wrong name %": 100 * own.count("wrong") / len(own),
        "stranger as stranger %": 100 * strangers.count("new") / max(1, len(strangers)),
        "stranger named %": 100 * strangers.count("named") / max(1, len(strangers)),
    }


# --- whose memories come first --------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    question: str
    answer: str
    teller: int


def recall_with_people() -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder, Memory(folder) as memory:
        people = [memory.people.add(name) for name in ("Anna", "Ben", "Chen", "Dora")]
        asked = []
        for n, (text, english, chinese) in enumerate(PAIRS):
            teller = people[n % 4]
            memory.record_turn(
                TurnRecord(conversation="c", agent="a", turn=n, user=text, reply="",
                           speaker=str(teller.name), person=teller.id)
            )  # fmt: skip
            asked += [Asked(q, text, n % 4) for q in english + chinese]
        memory.flush()
        there = {
            "nobody given": lambda k: [],
            "the teller and another": lambda k: [people[k], people[(k + 1) % 4]],
            "two others": lambda k: [people[(k + 1) % 4], people[(k + 2) % 4]],
        }
        rows: list[dict[str, object]] = []
        for name, who in there.items():
            told = [
                (a.answer, [m.text for m in memory.recall(a.question, people=who(a.teller))])
                for a in asked
            ]
            idle = [bool(memory.recall(q, people=who(n % 4))) for n, q in enumerate(UNRELATED)]
            rows.append(
                {
                    "there": name,
                    "right first %": 100 * float(np.mean([f[:1] == [t] for t, f in told])),
                    "right in 5 %": 100 * float(np.mean([t in f for t, f in told])),
                    "others a question": float(np.mean([len({*f} - {t}) for t, f in told])),
                    "unrelated that recall %": 100 * float(np.mean(idle)),
                }
            )
        said = [[m.text for m in memory.people.said(people[a.teller], a.question)] for a in asked]
        first = [f[:1] == [a.answer] for f, a in zip(said, asked, strict=True)]
        every = [a.answer in f[:5] for f, a in zip(said, asked, strict=True)]
        rows.append(
            {
                **dict.fromkeys(rows[0], ""),
                "there": "said(teller, about)",
                "right first %": 100 * float(np.mean(first)),
                "right in 5 %": 100 * float(np.mean(every)),
            }
        )
        return rows


# --- how long it takes ----------------------------------------------------------------------------


def speed(memories: int, people: int) -> list[dict[str, object]]:
    rng = random.Random(1)
    english = sorted({w for m, *_ in PAIRS if not is_unspaced(m) for w in m.split()})
    with tempfile.TemporaryDirectory() as folder:
        with Memory(folder, embedder=DrawnTexts([m for m, *_ in PAIRS])) as memory:
            known = memory.people
            everybody = [known.add(f"Guest {n}") for n in range(people)]
            began = time.perf_counter()
            for person in everybody:
                for take in range(10):
                    enrol(known, person.id, f"{person.name} {take}")
            enrolled = (time.perf_counter() - began) / people / 20
            for n in range(memories // 2):
                said = " ".join(rng.choices(english, k=rng.randint(4, 14))) + f" {rng.random():.6f}"
                person = everybody[n % people]
                memory.record_turn(
                    TurnRecord(conversation=f"c{n // 20}", agent="a", turn=n, user=said, reply=said,
                               speaker=str(person.name), person=person.id)
                )  # fmt: skip
            memory.flush()
            memory.recall("warm up the memory")
            questions = [q for _, en, zh in PAIRS for q in en + zh]
            heard = [VoicePrint(vector(f"v Guest {n} 3"), 3.0) for n in range(100)]
            seen = [FacePrint(vector(f"f Guest {n} 3"), 0.8) for n in range(100)]
            three = everybody[:3]
            rows = [
                timed("a voice among them", lambda p: known.identify_voice(p, DRAWN_VOICE), heard),
                timed("a face among them", lambda p: known.identify_face(p, DRAWN), seen),
                timed("recall, nobody given", memory.recall, questions),
                timed("recall, 3 there", lambda q: memory.recall(q, people=three), questions),
                timed("said(person, about)", lambda q: known.said(everybody[3], q), questions[:60]),
            ]
            strangers = []
            for n in range(8):
                stranger = known.add(call=f"call {n}")
                enrol(known, stranger.id, f"stranger {n}")
                strangers.append(f"call {n}")
            rows.append(timed("a call's strangers let go", known.expire_strangers, strangers))
            rows.append(timed("forget a person", memory.forget, everybody[:8]))
            mega = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 1e6
    rows.append(
        {"what": "enrol a print", "p50 ms": 1000 * enrolled, "p95 ms": "", "times": 20 * people}
    )
    for row in rows:
        row["of"] = f"{people} people, {memories} memories, {mega:.0f} MB"
    return rows


class _DrawnVoice:
    name, dim = DRAWN.name, DRAWN.dim
    rate, window, min_seconds = RATE, RATE, 1.0
    calibration = VoiceCalibration(
        mean=np.zeros(DRAWN.dim, np.float32), noise_seconds=1.5, same=0.69, different=0.65,
        margin=0.05, even=0.67, slope=22.0, merge_at=0.7, merge_noise_seconds=3.0,
    )  # fmt: skip

    def prints(self, stretches: np.ndarray) -> np.ndarray:
        raise AssertionError("drawn prints are compared, never made of sound")


DRAWN_VOICE = _DrawnVoice()


def enrol(people: People, person: str, seed: str) -> None:
    people.enrol(person, VoicePrint(vector(f"v {seed}"), 5.0), DRAWN)
    people.enrol(person, FacePrint(vector(f"f {seed}"), 0.8), DRAWN)


def timed(what: str, action: Callable[..., object], inputs: Sequence[object]) -> dict[str, object]:
    taken = []
    for given in inputs:
        began = time.perf_counter()
        action(given)
        taken.append(1000 * (time.perf_counter() - began))
    p50, p95 = np.percentile(taken, [50, 95])
    return {"what": what, "p50 ms": float(p50), "p95 ms": float(p95), "times": len(taken)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--voices", type=Path)
    options.add_argument("--made", type=int, default=12)
    options.add_argument("--memories", type=int, default=10_000)
    options.add_argument("--people", type=int, default=200)
    options.add_argument("--only", choices=["prints", "recall", "speed"])
    chosen = options.parse_args()
    if chosen.only in (None, "prints"):
        voices = recorded(chosen.voices) if chosen.voices else made(chosen.made)
        name = "known_people_recorded" if chosen.voices else "known_people"
        report(name, ways(voices), notes=[f"{len(voices)} voices"])
    if chosen.only in (None, "recall"):
        report("known_people_recall", recall_with_people())
    if chosen.only in (None, "speed"):
        report("known_people_speed", speed(chosen.memories, chosen.people))


if __name__ == "__main__":
    main()
