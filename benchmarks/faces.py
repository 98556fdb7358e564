"""Whose face it is, and what following faces costs.

    python benchmarks/faces.py [--faces FOLDER]

Matching: every two pictures of FOLDER, where anna.jpg, anna2.jpg … show one person; without it
faces are drawn (demos/composed/faces.py), which look more alike than people. Goal: none wrong,
all right. Following: composed calls of 640 × 480 at 5 frames a second, drawn. Goal: three faces at
≤ 60 % of one core.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from report import report

from omni_agent.media import Image, VideoFrame
from omni_agent.memory.embed.face import SFace, YuNet, quality, upright
from omni_agent.memory.face_tracks import FaceTracker
from omni_agent.model.catalog import catalog

sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))
from composed.faces import PEOPLE, Seat, frame

FRAMES_PER_SECOND = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path)
    options = parser.parse_args()
    at = catalog().ensure("face-finder", "face-print")
    finder, printer = YuNet(at["face-finder"]), SFace(at["face-print"])
    pictures = photographs(options.faces) if options.faces else drawings()
    report(
        "faces" if options.faces is None else "faces_photographed",
        [matching(pictures, finder, printer)],
        notes=[f"{printer.name}; goal: none wrong, all right"],
    )
    rows = [
        following(name, seats, finder, printer)
        for name, seats in (
            ("3 faces, one talks", three(swap=False)),
            ("3 faces, seats swapped, one hidden for 2 s", three(swap=True)),
            ("20 faces", crowd()),
        )
    ]
    report("faces_followed", rows, notes=["goal: 3 faces, 5 frames a second, ≤ 0.6 of one core"])


def photographs(folder: Path) -> list[tuple[str, Image]]:
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in {".jpg", ".png", ".webp"}]
    return [(p.stem.rstrip("0123456789-_"), Image.load(p)) for p in files]


def drawings() -> list[tuple[str, Image]]:
    views = ((200, 0.0, 320), (170, 0.5, 250))
    return [
        (str(p), frame(Seat(p, x, 240, size, mouth))) for p in PEOPLE for size, mouth, x in views
    ]


def matching(pictures: list[tuple[str, Image]], finder: YuNet, printer: SFace) -> dict[str, object]:
    known = []
    for name, picture in pictures:
        found = finder.find(picture)
        crop = upright(picture, found[0]) if found else None
        if crop is not None and quality(found[0], crop).usable:
            known.append((name, printer.prints([crop])[0]))
    bars = printer.thresholds
    count = dict.fromkeys(("right", "wrong", "not sure"), 0)
    same, other = [], []
    for (a, x), (b, y) in itertools.combinations(known, 2):
        score = float(x @ y)
        (same if a == b else other).append(score)
        if bars.different < score < bars.same:
            count["not sure"] += 1
        else:
            count["right" if (score >= bars.same) == (a == b) else "wrong"] += 1
    return {
        "pictures": len(pictures),
        "used": len(known),
        "pairs": len(same) + len(other),
        **count,
        "lowest of one person": round(min(same, default=math.nan), 3),
        "highest of two": round(max(other, default=math.nan), 3),
    }


def following(
    name: str, seats: Iterator[list[Seat]], finder: YuNet, printer: SFace
) -> dict[str, object]:
    frames = [(now, frame(*now)) for now in seats]
    tracker, ids, right, seen, cost = FaceTracker(finder, printer), {}, 0, 0, 0.0
    for i, (now, image) in enumerate(frames):
        began = time.process_time()
        tracks = tracker.see(VideoFrame(image, i / FRAMES_PER_SECOND))
        cost += time.process_time() - began
        for k, seat in enumerate(now):
            here = [t for t in tracks if _inside(t.box, seat)]
            if here:
                seen += 1
                whose = seat.person if len(now) <= len(PEOPLE) else k
                ids.setdefault(whose, here[0].id)
                right += tracker.resolve(ids[whose]) == here[0].id
    return {
        "call": name,
        "seconds": len(frames) / FRAMES_PER_SECOND,
        "found %": round(100 * seen / sum(len(now) for now, _ in frames), 1),
        "right track %": round(100 * right / max(1, seen), 1),
        "of one core": round(cost / (len(frames) / FRAMES_PER_SECOND), 3),
    }


def _inside(box: tuple[float, float, float, float], seat: Seat) -> bool:
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return abs(x - seat.x) < seat.size / 3 and abs(y - seat.y) < seat.size / 3


def three(*, swap: bool) -> Iterator[list[Seat]]:
    """30 s. They sway; after 10 s two change seats, after 20 s one is away for 2 s."""
    rng = np.random.default_rng(0)
    for i in range(150):
        places = [120, 330, 530]
        if swap and i >= 50:
            places = [330, 120, 530]
        sway = rng.normal(0, 2, 6)
        talk = abs(math.sin(i * 1.3))
        now = [
            Seat(p, int(x + sway[k]), int(240 + sway[k + 3]), 170, talk if k == 0 else 0.0)
            for k, (p, x) in enumerate(zip(PEOPLE, places, strict=False))
        ]
        yield [s for s in now if not (swap and 100 <= i < 110 and s.person == PEOPLE[1])]


def crowd() -> Iterator[list[Seat]]:
    for i in range(50):
        yield [
            Seat(PEOPLE[k % len(PEOPLE)], 64 + 128 * (k % 5) + i % 3, 60 + 118 * (k // 5), 118)
            for k in range(20)
        ]


if __name__ == "__main__":
    main()
