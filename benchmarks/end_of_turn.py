"""How often a pause within a turn is taken for its end, and how long its end is waited for.

    python benchmarks/end_of_turn.py [--fit]

60 utterances of turns.toml, half English and half Chinese, in the project's own voices, with one or
two pauses of 0.3 to 1.2 s inside. Once with "um" or "那个" before every pause, as most people who
stop to think say; once as they stand, where two pauses of three come without: after a clause that
may well be all, or in the middle of a phrase, of which the voice knows nothing. Each is heard at
some level in some noise, in chunks of 20 ms, with Smart Turn and with the usual 700 ms of silence
instead. A turn counts as cut off where it is taken as over in any of its pauses. The wait is sound
after the last syllable (the last 5 ms above −40 dB); the time that Smart Turn takes lies within it
and is told apart. `--fit` takes the other utterances and voices, with
which the settings were chosen.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from listening_sounds import HESITATION, RATE, Split, phrases, placed, turns
from report import report

from omni_agent.listening import Listening, SpeechSure, TurnListener, TurnOver
from omni_agent.listening.senses import shared_senses
from omni_agent.media import Audio

_AFTER = 3.0  # seconds of silence behind an utterance


@dataclass(frozen=True, slots=True)
class Utterance:
    """`pauses`: kind, begin and end in ms; `end_ms`: its last syllable."""

    language: str
    text: str
    samples: np.ndarray
    pauses: tuple[tuple[str, int, int], ...]
    end_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """`cut`: the kinds of the pauses that were taken for the end; `wait_ms` after the last."""

    cut: tuple[str, ...]
    wait_ms: int | None
    heard: bool


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    split: Split = "fit" if parser.parse_args().fit else "report"
    rows = []
    for hesitating in (True, False):
        utterances = made(split, hesitating=hesitating)
        for judge, settings in (
            ("Smart Turn", Listening()),
            ("700 ms of silence", Listening(judge="silence", silence_ms=700)),
        ):
            outcomes = [(u, await listened(u, settings)) for u in utterances]
            for language in ("en", "zh", "all"):
                chosen = [(u, o) for u, o in outcomes if language in (u.language, "all")]
                pauses = "after um" if hesitating else "any"
                rows.append({"pauses": pauses, "judge": judge, **row(language, chosen)})
            for u, o in outcomes:
                if o.cut or not o.heard:
                    how = "cut off after a " + ", ".join(o.cut) if o.cut else "not heard"
                    print(f"{judge}: {how}: {u.text}")
    asked_ms = 1000 * await seconds_to_judge()
    notes = [
        f"Smart Turn takes {asked_ms:.0f} ms each time it is asked, twice a pause, on one thread",
        "waits in ms of sound after the last syllable; 20 ms chunks",
    ]
    report("end_of_turn" + ("_fit" if split == "fit" else ""), rows, notes=notes)


def made(split: Split, *, hesitating: bool) -> list[Utterance]:
    rng = np.random.default_rng(7)
    found = []
    for language, voice, text in turns(split, hesitating=hesitating):
        pieces, pauses, at = [], [], 0
        parts = phrases(text, voice, language)
        for part, words in zip(parts, text.split("|"), strict=True):
            pieces.append(part)
            at += len(part)
            if len(pieces) < 2 * len(parts) - 1:
                silence = int(rng.uniform(0.3, 1.2) * RATE)
                pauses.append((kind_of(words), at * 1000 // RATE, (at + silence) * 1000 // RATE))
                pieces.append(np.zeros(silence, np.float32))
                at += silence
        level, noise = rng.uniform(-32, -18), rng.uniform(-72, -55)
        samples = placed(
            np.concatenate(pieces), rng, dbfs=level, noise_dbfs=noise, before=0.6, after=_AFTER
        )
        before = 600
        shifted = tuple((kind, begin + before, end + before) for kind, begin, end in pauses)
        end_ms = at * 1000 // RATE + before
        found.append(Utterance(language, text, samples, shifted, end_ms))
    return found


def kind_of(words: str) -> str:
    if HESITATION.search(words):
        return "hesitation"
    return "clause" if words.rstrip()[-1] in ",，.。" else "phrase"


async def listened(utterance: Utterance, settings: Listening) -> Outcome:
    ear = TurnListener(settings)
    overs, heard = [], False
    for begin in range(0, len(utterance.samples), RATE // 50):
        chunk = Audio(utterance.samples[begin : begin + RATE // 50], RATE)
        for heed in await ear.hear(chunk, asked="statement"):
            heard |= isinstance(heed, SpeechSure)
            if isinstance(heed, TurnOver):
                overs.append(heed.at_ms + heed.waited_ms)
    cut = tuple(
        kind for kind, begin, end in utterance.pauses if any(begin <= t < end for t in overs)
    )
    last = next((t - utterance.end_ms for t in overs if t >= utterance.end_ms), None)
    return Outcome(cut, last, heard)


def row(language: str, outcomes: list[tuple[Utterance, Outcome]]) -> dict[str, object]:
    waits = [o.wait_ms for _, o in outcomes if o.wait_ms is not None]
    pauses: dict[str, int] = defaultdict(int)
    cuts: dict[str, int] = defaultdict(int)
    for utterance, outcome in outcomes:
        for kind, _, _ in utterance.pauses:
            pauses[kind] += 1
        for kind in outcome.cut:
            cuts[kind] += 1
    return {
        "speech": language,
        "turns": len(outcomes),
        "cut off %": 100 * sum(bool(o.cut) for _, o in outcomes) / len(outcomes),
        "median wait ms": statistics.median(waits),
        "p95 wait ms": float(np.percentile(waits, 95)),
        **{
            f"cut at {kind}": f"{cuts[kind]} of {pauses[kind]}"
            for kind in ("hesitation", "clause", "phrase")
        },
    }


async def seconds_to_judge() -> float:
    senses = await shared_senses(judging=True)
    sound = np.random.default_rng(0).normal(0, 0.1, 8 * RATE).astype(np.float32)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        senses.ask(sound).result()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    asyncio.run(main())
