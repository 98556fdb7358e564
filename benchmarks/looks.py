"""Who wears glasses, and what colour the clothes are: how often it is right, wrong, or not sure.

    python benchmarks/looks.py [--photographs FOLDER] [--fit]

Glasses on drawn faces with drawn frames (demos/composed/looks.py), in three sizes. With
--photographs: FOLDER/PERSON/glasses/* and FOLDER/PERSON/plain/*; each photograph in three sizes,
and frames of eight kinds drawn into the plain ones. The numbers of embed/glasses.py come from such
a folder (--fit), so each person is judged here by numbers that were fitted without them.
Clothes: garments in colours that people were asked to name (colour_survey.py), shaded, creased and
noisy, in four lights.

"person": what the votes of one person's pictures come to (memory/look_votes.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from colour_survey import NAMES
from report import report

from omni_agent.media import Image
from omni_agent.memory.embed.appearance import SeenLook, looks_of
from omni_agent.memory.embed.clothes import NAMED, clothes_colour
from omni_agent.memory.embed.face import Face, YuNet, quality, upright
from omni_agent.memory.embed.glasses import (
    LEAST_EYES,
    MEASURES,
    eye_strip,
    glasses_log_odds,
    measures,
)
from omni_agent.memory.look_votes import LookVotes
from omni_agent.model.catalog import catalog

sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))
from composed.faces import PEOPLE, Seat, frame
from composed.looks import FRAMES, dressed, face_of, with_glasses

SIZES = (70.0, 40.0, 26.0)
"""Pixels between the eyes."""
PALE = PEOPLE[1]
BAR = 0.7  # confidence under which one picture alone counts as not sure


@dataclass(slots=True)
class Shot:
    """One picture of somebody with (`worn`) or without glasses, measured."""

    person: str
    kind: str
    worn: bool
    measured: np.ndarray
    log_odds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--fit", action="store_true", help="print the numbers of embed/glasses.py")
    options = parser.parse_args()
    if options.photographs:
        shots = list(photographed(options.photographs))
        cross_validated(shots)
        if options.fit:
            weights, bias = fitted(shots)
            print(dict(zip(MEASURES, weights.round(2).tolist(), strict=True)), round(bias, 2))
        report(
            "looks_glasses_photographed",
            [judged(kind, shots) for kind in dict.fromkeys(s.kind for s in shots)],
            notes=["judged by numbers fitted to other people, tenfold"],
        )
    report("looks_glasses", drawn(), notes=["drawn faces; none of them was fitted to"])
    report("looks_clothes", clothes(), notes=["138 colours as people name them"])


# --- glasses ---------------------------------------------------------------------------------


def photographed(folder: Path) -> Iterator[Shot]:
    finder = YuNet(catalog().ensure("face-finder")["face-finder"])
    rng = np.random.default_rng(0)
    for path in sorted(p for p in folder.glob("*/*/*") if p.parent.name in {"glasses", "plain"}):
        person, worn = path.parts[-3], path.parent.name == "glasses"
        image = Image.load(path).thumbnail(1280)
        if not (found := finder.find(image)):
            continue
        for size in SIZES:
            small = resized(image, found[0], size, rng)
            kind = f"worn, {size:g} px" if worn else f"none, {size:g} px"
            yield from measured(person, kind, worn, small, finder)
        if not worn:
            large = resized(image, found[0], SIZES[0], rng)
            if not (again := finder.find(large)):
                continue
            for name, style in FRAMES.items():
                drawn_in = with_glasses(large, again[0], style, rng)
                small = resized(drawn_in, again[0], float(rng.choice(SIZES)), rng)
                yield from measured(person, f"drawn: {name}", True, small, finder)


def resized(image: Image, face: Face, eyes: float, rng: np.random.Generator) -> Image:
    """The face with so many pixels between the eyes at most, as a camera compresses it."""
    import cv2

    x, y, width, height = face.box
    rows = slice(max(0, int(y - 0.6 * height)), int(y + 1.8 * height))
    columns = slice(max(0, int(x - 0.6 * width)), int(x + 1.6 * width))
    part = image.pixels[rows, columns]
    scale = min(1.0, eyes / float(np.hypot(*(face.landmarks[1] - face.landmarks[0]))))
    part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Image.load(Image(np.ascontiguousarray(part)).to_jpeg(int(rng.integers(70, 95))))


def measured(person: str, kind: str, worn: bool, image: Image, finder: YuNet) -> Iterator[Shot]:
    """Nothing where the face is no longer found, or not good enough to be judged."""
    for face in finder.find(image)[:1]:
        view = quality(face, upright(image, face))
        apart = float(np.hypot(*(face.landmarks[1] - face.landmarks[0])))
        good = min(view.size, view.sharpness, view.exposure) >= 0.25
        if good and view.frontal >= 0.3 and apart >= LEAST_EYES:
            yield Shot(person, kind, worn, measures(eye_strip(image, face)))


def cross_validated(shots: list[Shot], folds: int = 10) -> None:
    people = sorted({s.person for s in shots})
    order = np.random.default_rng(0).permutation(len(people))
    fold = {person: int(order[i]) % folds for i, person in enumerate(people)}
    for k in range(folds):
        weights, bias = fitted([s for s in shots if fold[s.person] != k])
        for shot in shots:
            if fold[shot.person] == k:
                shot.log_odds = float(shot.measured @ weights) + bias


def fitted(shots: list[Shot], ridge: float = 3.0) -> tuple[np.ndarray, float]:
    """Logistic regression by Newton's method; with and without glasses count the same."""
    x, y = np.array([s.measured for s in shots]), np.array([s.worn for s in shots], float)
    middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    z = np.hstack([(x - middle) / spread, np.ones((len(x), 1))])
    counts = np.where(y > 0, 0.5 / max(y.mean(), 1e-6), 0.5 / max(1 - y.mean(), 1e-6))
    theta = np.zeros(z.shape[1])
    hold = ridge * np.eye(len(theta))
    hold[-1, -1] = 0
    for _ in range(30):
        p = 1 / (1 + np.exp(-z @ theta))
        hessian = (z.T * (counts * p * (1 - p))) @ z + hold
        theta -= np.linalg.solve(hessian, z.T @ (counts * (p - y)) + hold @ theta)
    weights = theta[:-1] / spread
    return weights, float(theta[-1] - middle @ weights)


def drawn() -> list[dict[str, object]]:
    rng = np.random.default_rng(1)
    shots = []
    for person in (*PEOPLE, *range(300, 330)):
        for size in (250, 180, 120):
            seat = Seat(person, 320, 220, size)
            face, bare = face_of(seat), frame(seat)
            faces = [("none", bare)]
            faces += [(f"drawn: {n}", with_glasses(bare, face, k, rng)) for n, k in FRAMES.items()]
            for kind, image in faces:
                strip = eye_strip(image, face)
                odds = glasses_log_odds(strip)
                shots.append(Shot(str(person), kind, kind != "none", measures(strip), odds))
    return [judged(kind, shots) for kind in dict.fromkeys(s.kind for s in shots)]


def judged(kind: str, shots: list[Shot]) -> dict[str, object]:
    mine = [s for s in shots if s.kind == kind]
    looks = [_look(s.log_odds) for s in mine]
    rights = [
        look.value == ("yes" if s.worn else "no") for s, look in zip(mine, looks, strict=True)
    ]
    sure = [look.confidence >= BAR for look in looks]
    by_person: dict[str, list[Shot]] = defaultdict(list)
    for shot in (s for s in shots if s.worn == mine[0].worn and _group(s.kind) == _group(kind)):
        by_person[shot.person].append(shot)
    verdicts = [_verdict(some) for some in by_person.values()]
    return {
        "glasses": kind,
        "pictures": len(mine),
        "right %": _percent([r and s for r, s in zip(rights, sure, strict=True)]),
        "not sure %": _percent([not s for s in sure]),
        "wrong %": _percent([s and not r for r, s in zip(rights, sure, strict=True)]),
        "people": len(verdicts),
        "people right %": _percent([v == "right" for v in verdicts]),
        "people wrong %": _percent([v == "wrong" for v in verdicts]),
    }


def _verdict(shots: list[Shot]) -> str:
    votes = LookVotes()
    for t, shot in enumerate(shots * (1 + 2 // len(shots))):
        votes.add([_look(shot.log_odds)], float(t))
    if (now := votes.now.get("glasses")) is None:
        return "not sure"
    return "right" if now.value == ("yes" if shots[0].worn else "no") else "wrong"


def _group(kind: str) -> str:
    return kind if kind.startswith("drawn") else kind.split(",")[0]


def _look(log_odds: float) -> SeenLook:
    sure = 1 / (1 + np.exp(-min(abs(log_odds), 2.5)))
    return SeenLook("glasses", "yes" if log_odds > 0 else "no", float(sure))


# --- clothes ---------------------------------------------------------------------------------


def clothes() -> list[dict[str, object]]:
    rows = []
    lights = {
        "even": (1.0, 1.0, 1.0),
        "dim": (0.65, 0.65, 0.65),
        "warm": (1.0, 0.93, 0.80),
        "cool": (0.90, 0.97, 1.05),
    }
    for name, light in lights.items():
        single: list[tuple[bool, float]] = []
        for seed, (name_given, rgb) in enumerate(NAMES):
            seat = Seat(PALE, 320, 150, 200)
            image = dressed(frame(seat), face_of(seat), rgb, seed=seed)
            lit = Image(np.clip(image.pixels * np.array(light), 0, 255).astype(np.uint8))
            found = clothes_colour(lit, face_of(seat))
            if found is not None:
                single.append((found[0] == name_given.split()[-1], found[1]))
        rows.append(_clothes_row(f"one colour, {name} light", single))
    double = []
    plain = [(c, tuple(bytes.fromhex(NAMED[c][0]))) for c in ("black", "white", "red", "blue")]
    for seed, (one, other) in enumerate([(a, b) for a in plain for b in plain if a[0] < b[0]] * 5):
        seat = Seat(PALE, 320, 150, 200)
        image = dressed(frame(seat), face_of(seat), one[1], stripes=other[1], seed=seed)
        if (found := clothes_colour(image, face_of(seat))) is not None:
            double.append((found[0] == f"{one[0]} and {other[0]}", found[1]))
    rows.append(_clothes_row("two colours, striped", double))
    seat = Seat(PEOPLE[0], 320, 150, 200)
    image, face = dressed(frame(seat), face_of(seat), (150, 20, 20)), face_of(seat)
    began = time.perf_counter()
    for _ in range(50):
        looks_of(image, face)
    rows[0]["ms a face, both looks"] = 20 * (time.perf_counter() - began)
    for row in rows[1:]:
        row["ms a face, both looks"] = ""
    return rows


def _clothes_row(what: str, found: list[tuple[bool, float]]) -> dict[str, object]:
    sure = [confidence >= 0.5 for _, confidence in found]
    return {
        "clothes": what,
        "pictures": len(found),
        "right %": _percent([r and s for (r, _), s in zip(found, sure, strict=True)]),
        "not sure %": _percent([not s for s in sure]),
        "wrong %": _percent([s and not r for (r, _), s in zip(found, sure, strict=True)]),
    }


def _percent(hits: list[bool]) -> float:
    return round(100 * float(np.mean(hits)), 1) if hits else 0.0


if __name__ == "__main__":
    main()
