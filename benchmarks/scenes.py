"""Whether scenes are found by words, which frames begin one, and what an hour of a camera costs.

    python benchmarks/scenes.py [--minutes 60]      goal: an hour's call ≤ 60 MB

Finding: 24 scenes that were told and read, half of the questions Chinese, a third of them in
another language than the scene; and things said that no scene answers (scene_pairs.py).
Keeping: a call of rooms that are drawn, with things that are put down and somebody who sits and
moves; two frames a second of 1280 × 720, as a call's camera gives them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from report import report
from scene_pairs import SCENES, UNSEEN

from omni_agent.clock import FakeClock
from omni_agent.media import Image
from omni_agent.memory import Memory
from omni_agent.memory.scene_search import MIN_FOUND
from omni_agent.memory.words import is_unspaced

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "memory"))
from views import camera, later, room, with_thing

FPS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    report("scenes_found", found(), notes=[f"found: a score of {MIN_FOUND} or more"])
    report("scenes_kept", [kept(options.minutes)], notes=["goal: an hour's call ≤ 60 MB"])


def found() -> list[dict[str, object]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(folder, clock=FakeClock(later(3600))) as memory,
    ):
        ids = [
            memory.scenes.add(room(i), at=later(10 * i), description=told, text=read)
            for i, (told, read, _, _) in enumerate(SCENES)
        ]
        memory.flush(120)
        rows: list[dict[str, object]] = []
        for name, across in (("one language", False), ("two languages", True)):
            asked = [
                (id, question)
                for id, (told, _, english, chinese) in zip(ids, SCENES, strict=True)
                for question in english + chinese
                if (is_unspaced(told) != is_unspaced(question)) == across
            ]
            answers = [[s.id for s in memory.scenes.find(q)] for _, q in asked]
            rows.append(
                {
                    "questions": name,
                    "asked": len(asked),
                    "right first %": _percent(
                        [a[:1] == [id] for a, (id, _) in zip(answers, asked, strict=True)]
                    ),
                    "right in 5 %": _percent(
                        [id in a for a, (id, _) in zip(answers, asked, strict=True)]
                    ),
                    "scenes found": float(np.mean([len(a) for a in answers])),
                    "finds nothing %": _percent([not a for a in answers]),
                }
            )
        idle = [memory.scenes.find(q) for q in UNSEEN]
        rows.append(
            {
                "questions": "that no scene answers",
                "asked": len(UNSEEN),
                "right first %": "",
                "right in 5 %": "",
                "scenes found": float(np.mean([len(i) for i in idle])),
                "finds nothing %": _percent([not i for i in idle]),
            }
        )
        return rows


def kept(minutes: int) -> dict[str, object]:
    began, taken, scenes = time.perf_counter(), [], 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(folder, embedder=_Nothing(), clock=FakeClock(later(60 * minutes))) as memory,
    ):
        for i, image in enumerate(watched(minutes)):
            at = later(i / FPS)
            before = time.perf_counter()
            scenes += memory.scenes.see(image, at=at, conversation="c") is not None
            taken.append(1000 * (time.perf_counter() - before))
        memory.scenes.end("c")
        size = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 1e6
        lost = scenes - len(memory.scenes.find(limit=10_000))
    print(f"{time.perf_counter() - began:.0f} s for {minutes} minutes")
    return {
        "minutes": minutes,
        "frames": len(taken),
        "scenes": scenes,
        "lost": lost,
        "MB": size,
        "MB an hour": size * 60 / minutes,
        "ms a frame p50": float(np.percentile(taken, 50)),
        "ms a frame p99": float(np.percentile(taken, 99)),
    }


def watched(minutes: int) -> Iterator[Image]:
    """Half of the time somebody sits in a room; then things are put down; then one walks about."""
    rng = np.random.default_rng(0)
    for minute in range(minutes):
        view = room(minute // 4)
        match minute % 8:
            case 6:  # a walk: another room every 5 seconds
                views = [room(1000 + 12 * minute + s // (5 * FPS)) for s in range(60 * FPS)]
            case 3 | 5:  # something is put down
                thing = with_thing(view, int(rng.integers(20, 250)), 190, 40, 30)
                views = [view] * (30 * FPS) + [thing] * (30 * FPS)
            case _:
                places = rng.normal(0, 6, (60 * FPS, 2)).astype(int)
                views = [with_thing(view, 130 + x, 75 + y, 65, 90, 90) for x, y in places]
        for one in views:
            small = camera(one, rng).pixels
            yield Image(np.repeat(np.repeat(small, 3, axis=0), 4, axis=1))


class _Nothing:
    """No embedding: nothing is told of these scenes."""

    name, dim = "nothing", 8

    def query(self, texts: list[str]) -> np.ndarray:
        return np.full((len(texts), self.dim), self.dim**-0.5, np.float32)

    passage = query


def _percent(hits: list[bool]) -> float:
    return round(100 * float(np.mean(hits)), 1) if hits else 0.0


if __name__ == "__main__":
    main()
