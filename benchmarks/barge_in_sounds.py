"""How soon a listener notices that somebody cuts in, and what else stops the agent.

    python benchmarks/barge_in_sounds.py [--fit] [recording.flac ...]

While the agent speaks, a listener hears the sounds of interruptions.toml, hums, coughs, knocks,
typing and music, each in a quiet and in a noisy room, without any words from a recogniser. The
times count from the first sound to the decision, in sound: "maybe" lowers the reply, "likely"
silences it, "sure" interrupts it; else it goes on. The beginnings of recordings that are named
count as words. Of words, "stopped" is right; of everything else it is wrong. `--fit` takes the
sounds with which hums were learnt.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from fit_hums import rooms
from listening_sounds import RATE, Sound, interruptions, trimmed
from report import report

from omni_agent.listening import (
    SpeechGone,
    SpeechLikely,
    SpeechMaybe,
    SpeechSure,
    TurnListener,
)
from omni_agent.media import Audio

_ONSET_MS = 1000  # where `placed` puts a sound
_NAMES = {
    "words": "words",
    "recordings": "real readers",
    "short": "yeah, okay, 对, 好",
    "hum": "mm-hm, hm (mouth shut)",
    "fillers": "the last three together",
    "uh_huh": "uh-huh, 嗯",
    "uh_huh_twice": "uh-huh uh-huh, 嗯嗯",
}


@dataclass(slots=True)
class Heard:
    maybe: int | None = None
    likely: int | None = None
    sure: int | None = None
    gone: list[int] = field(default_factory=list)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("recordings", nargs="*", type=Path)
    options = parser.parse_args()
    sounds = interruptions("fit" if options.fit else "report")
    sounds += [beginning(path) for path in options.recordings]
    found: dict[str, list[Heard]] = defaultdict(list)
    for sound in sounds:
        for samples in rooms(sound):
            found[sound.kind].append(await listened(samples))
    found["fillers"] = found["hum"] + found["uh_huh"] + found["uh_huh_twice"]
    rows = [row(_NAMES.get(kind, kind), heard) for kind, heard in found.items()]
    notes = [
        "times in ms of sound since the first sound, in chunks of 20 ms; no recogniser's words",
        "all but the real readers' beginnings is synthesised; people's coughs were not at hand",
    ]
    report("barge_in_sounds" + ("_fit" if options.fit else ""), rows, notes=notes)


def beginning(path: Path) -> Sound:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    begun = trimmed(samples, below_db=-15)  # breath and room come before the first word
    return Sound("recordings", path.stem, path.parent.name, begun[: 2 * RATE])


async def listened(samples: np.ndarray) -> Heard:
    ear, heard = TurnListener(), Heard()
    for begin in range(0, len(samples), RATE // 50):
        chunk = Audio(samples[begin : begin + RATE // 50], RATE)
        for heed in await ear.hear(chunk, speaking=True):
            after = ear.now_ms - _ONSET_MS
            match heed:
                case SpeechMaybe() if heard.maybe is None:
                    heard.maybe = after
                case SpeechLikely() if heard.likely is None:
                    heard.likely = after
                case SpeechSure() if heard.sure is None:
                    heard.sure = after
                case SpeechGone():
                    heard.gone.append(after)
    return heard


def row(name: str, heard: list[Heard]) -> dict[str, object]:
    def share(of: list[object]) -> float:
        return 100 * sum(one is not None for one in of) / len(of)

    def median(times: list[int | None]) -> float:
        known = [time for time in times if time is not None]
        return statistics.median(known) if known else float("nan")

    likely = [one.likely for one in heard]
    return {
        "sound": name,
        "n": len(heard),
        "lowered %": share([one.maybe for one in heard]),
        "after ms": median([one.maybe for one in heard]),
        "silenced %": share(likely),
        "after ms ": median(likely),
        "p95 ms": float(np.percentile([t for t in likely if t is not None] or [np.nan], 95)),
        "stopped %": share([one.sure for one in heard]),
        "after ms  ": median([one.sure for one in heard]),
    }


if __name__ == "__main__":
    asyncio.run(main())
