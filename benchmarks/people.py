"""Whose face a voice belongs to, in composed videos of several people.

    python benchmarks/people.py [--voices FOLDER] [--calls 6] [--seconds 40]

Two to four drawn faces are in view at 640 × 480 and 5 frames a second, one speaks at a time, in
turns of 1.5 to 4 s. FOLDER/SPEAKER/*.flac are recordings of people; without it voices are made
here. In half of the calls the outer two change seats half-way; in some the pictures are 0.3 s late,
one of the faces is a photograph on the wall, or one of the voices is off camera. Counted are pairs
of voice and face after 20 s and at the end: right, wrong (tied to another's face) and not sure.
Goal: ≥ 95 % right after 20 s; after a change of seats still right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report import report
from voice_material import Voices, made, recorded

from omni_agent.media import Audio
from omni_agent.memory import Memory
from omni_agent.memory.face_tracks import FaceTrack
from omni_agent.presence.presence import Presence
from omni_agent.presence.senses import PeopleSenses, shared_senses

sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))
from composed.scene import RATE, Line, Scene, faces_of

STEP = 0.1  # seconds of a call that are given at once

SEATS = {2: (0.3, 0.7), 3: (0.18, 0.5, 0.82), 4: (0.14, 0.38, 0.62, 0.86)}
NAMES = ("Anna", "Ben", "Carla", "Dan")


@dataclass(frozen=True, slots=True)
class Kind:
    """`swap`: two change seats half-way. `photo`: the last face never moves and has no voice.

    `hidden`: the last voice has no face. `late`: seconds by which the pictures come too late.
    """

    name: str
    swap: bool = False
    photo: bool = False
    hidden: bool = False
    late: float = 0.0


KINDS = (
    Kind("plain"), Kind("seats change", swap=True), Kind("pictures 0.3 s late", late=0.3),
    Kind("a photograph", photo=True), Kind("one off camera", hidden=True),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", type=Path)
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args()
    voices = recorded(options.voices) if options.voices else made(12)
    rows = []
    for number in range(options.calls):
        kind = KINDS[number % len(KINDS)]
        faces = max(2 + number % 3, 3 if kind.photo or kind.hidden else 2)
        scene, speakers = composed(voices, kind, faces, options.seconds, seed=number)
        rows.append({"call": f"{number + 1} {kind.name}", "faces": faces,
                     **bound(scene, speakers, kind, shared_senses())})  # fmt: skip
    for when in ("20 s", "end"):
        pairs = sum(int(row["pairs"]) for row in rows)
        right = sum(int(row[f"right, {when}"]) for row in rows)
        print(f"right after {when}: {right} of {pairs}")
    name = "people" if options.voices is None else "people_recorded"
    report(name, rows, notes=["goal: ≥ 95 % of pairs right after 20 s"])


def composed(
    voices: Voices, kind: Kind, faces: int, seconds: float, seed: int
) -> tuple[Scene, list[str]]:
    rng = np.random.default_rng(seed)
    people = list(NAMES[:faces])
    speakers = people[:-1] if kind.photo else people
    pool = {}
    for who, voice in zip(speakers, rng.permutation(sorted(voices)), strict=False):
        samples = np.concatenate(voices[str(voice)])
        pool[who] = samples * (0.06 / np.sqrt(np.mean(samples**2)))
    speakers = list(pool)
    at, lines, last, used = 1.0, [], "", dict.fromkeys(speakers, 0)
    while at < seconds - 4:
        # Whoever has said least speaks next, so that all are heard within 20 s.
        who = min((s for s in speakers if s != last), key=lambda s: used[s])
        length = round(RATE * rng.uniform(1.5, 4.0))
        if used[who] + length > len(pool[who]):
            used[who] = 0
        sound = pool[who][used[who] : used[who] + length].astype(np.float32)
        used[who] += length
        lines.append(Line(who, at, sound))
        at, last = lines[-1].end + rng.uniform(0.2, 0.8), who
    seen = people[:-1] if kind.hidden else people
    seats = dict(zip(seen, SEATS[len(seen)], strict=True))
    sitting = [(0.0, seats)]
    if kind.swap:
        order = [seen[-1], *seen[1:-1], seen[0]]
        sitting.append((seconds / 2, dict(zip(order, SEATS[len(seen)], strict=True))))
    return Scene(lines, faces_of(*people), sitting, seconds), speakers


def bound(
    scene: Scene, speakers: list[str], kind: Kind, senses: PeopleSenses
) -> Mapping[str, object]:
    with tempfile.TemporaryDirectory() as folder, Memory(folder) as memory:
        presence = Presence(memory.people, senses, call="benchmark")
        sound, frames = scene.sound().samples, scene.frames(late=kind.late)
        coming = next(frames, None)
        counts: dict[str, object] = {"pairs": len([s for s in speakers if s in scene.sitting(0)])}
        cost = 0.0
        for k in range(int(scene.seconds / STEP)):
            while coming is not None and coming.t <= k * STEP:
                presence.see(coming)
                coming = next(frames, None)
            part = sound[round(k * STEP * RATE) : round((k + 1) * STEP * RATE)]
            began = time.process_time()
            presence.hear(Audio(part, RATE))
            presence.wait_idle()
            cost += time.process_time() - began
            if round(k * STEP, 1) in (21.0, round(scene.seconds - 0.5, 1)):
                when = "20 s" if k * STEP < 22 else "end"
                for what, number in judged(presence, scene, k * STEP).items():
                    counts[f"{what}, {when}"] = number
        counts["of one core"] = round(cost / scene.seconds, 2)
        presence.close()
    return counts


def judged(presence: Presence, scene: Scene, now: float) -> dict[str, int]:
    """Pairs of voice and face, by what the memory would say of each voice."""
    company = presence._company
    right = wrong = 0
    here = scene.sitting(now)
    faces: dict[str, FaceTrack] = {}
    for track in company._in_view():
        middle = (track.box[0] + track.box[2] / 2) / 640
        faces[min(here, key=lambda who: abs(here[who] - middle))] = track
    for voice, part in company._cast.voices.items():
        owners: dict[str, float] = {}
        for line in scene.lines:
            if line.end < now and company._label(line.start, line.end) == voice:
                owners[line.who] = owners.get(line.who, 0.0) + line.end - line.start
        if not owners:
            continue
        owner = max(owners, key=lambda who: owners[who])
        mine = company._cast.person(part)
        for who, track in faces.items():
            theirs = company._cast.person(company._cast.faces.get(track.id))
            if mine is not None and theirs is not None and mine.id == theirs.id:
                right += who == owner
                wrong += who != owner
    return {"right": right, "wrong": wrong}


if __name__ == "__main__":
    main()
