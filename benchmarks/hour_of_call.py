"""How much of the disk an hour's call takes.

    python benchmarks/hour_of_call.py [--minutes 60]           goal: 60 MB or less

A busy hour: four people, a turn every six seconds, a new view every twelve (each told in words),
and of everybody a voice print and a face with its portrait every ten seconds. Pictures are drawn
with the spectrum of photographs (amplitude 1/f in each colour), so that their JPEGs are as large;
no two are alike. Vectors are drawn, as large as real ones.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from killed_writers import vector
from memory import Drawn as DrawnTexts
from memory_pairs import PAIRS
from report import report

from omni_agent.media import Image
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.embed.face import FaceThresholds
from omni_agent.memory.embed.voice import VoicePrint
from omni_agent.memory.people import FacePrint


class Voices:
    name, dim = "voices", 256


class Faces:
    name, dim = "faces", 128
    thresholds = FaceThresholds(same=0.4, different=0.3, margin=0.05)


def photograph(rng: np.random.Generator, height: int = 360, width: int = 640) -> Image:
    """Noise with the spectrum of photographs, about a grey mean."""
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falloff = 1 / np.maximum(np.hypot(y, x), 1 / width)
    common = np.fft.irfft2(
        falloff * np.fft.rfft2(rng.normal(size=(height, width))), (height, width)
    )
    colours = [
        common + 0.3 * np.fft.irfft2(falloff * np.fft.rfft2(rng.normal(size=common.shape)))
        for _ in range(3)
    ]
    pixels = np.stack(colours, -1)
    return Image(np.clip(128 + 50 * pixels / pixels.std(), 0, 255).astype(np.uint8))


def hour(memory: Memory, minutes: int) -> None:
    drawn, rng = random.Random(2), np.random.default_rng(2)
    words = sorted({w for m, *_ in PAIRS for w in m.split()})
    people = [memory.people.add(name) for name in ("Anna", "Ben", "Chen", "Dora")]
    began = datetime.now(UTC) - timedelta(minutes=minutes)

    def sentence(n: int) -> str:
        return " ".join(drawn.choices(words, k=n))

    for n in range(minutes * 10):
        at, person = began + timedelta(seconds=6 * n), people[n % 4]
        memory.record_turn(
            TurnRecord(conversation="call", agent="guide", turn=n, user=sentence(20), at=at,
                       reply=sentence(30), speaker=str(person.name), person=person.id)
        )  # fmt: skip
        if n % 2 == 0:
            memory.scenes.add(
                photograph(rng), at=at, conversation="call", people=[person],
                text=sentence(8), description=sentence(20),
            )  # fmt: skip
        if n % 2 == 1:
            for each in people:
                heard = _unit(vector(f"v {each.name}"), Voices.dim, rng)
                seen = _unit(vector(f"f {each.name}"), Faces.dim, rng)
                memory.people.enrol(each, VoicePrint(heard, 4.0), Voices(), call="call", at=at)
                memory.people.enrol(
                    each, FacePrint(seen, float(rng.uniform(0.5, 1.0))), Faces(), call="call",
                    at=at, picture=photograph(rng, 192, 192),
                )  # fmt: skip
            memory.people.look(
                person, "shirt", drawn.choice(["red", "blue"]), confidence=0.8, at=at
            )


def _unit(of: np.ndarray, dim: int, rng: np.random.Generator) -> np.ndarray:
    wide = np.resize(of, dim) / dim**0.5 * 8 + rng.normal(0, 0.6 / dim**0.5, dim)
    return (wide / np.linalg.norm(wide)).astype(np.float32)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=int, default=60)
    minutes: int = options.parse_args().minutes
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "memory"
        with Memory(folder, embedder=DrawnTexts([m for m, *_ in PAIRS])) as memory:
            hour(memory, minutes)
            memory.flush()
            prints = sum(len(memory.people.prints(p)) for p in memory.people.all())
            kept = {"turns": minutes * 10, "scenes": minutes * 5, "prints": prints}
        parts = {
            "ledger": [folder / "ledger.sqlite3"],
            "index": (folder / "index").rglob("*"),
            "pictures": (folder / "pictures").iterdir(),
        }
        sizes = {
            f"{name} MB": sum(f.stat().st_size for f in files if f.is_file()) / 1e6
            for name, files in parts.items()
        }
    row = {"minutes": minutes, **kept, **sizes, "MB": sum(sizes.values())}
    report("hour_of_call", [row], notes=["goal: 60 MB an hour"])


if __name__ == "__main__":
    main()
