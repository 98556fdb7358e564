"""Who is speaking: four people are enrolled with 10 s each, then turns are named.

    python benchmarks/voices.py [--voices FOLDER] [--printer FILE]
    python benchmarks/voices.py --voices FOLDER --printer FILE --calibrate FILE.voice.json

FOLDER/SPEAKER/*.flac are recordings of people; without it voices are made here, which are easier.
Goals, turns of 3 s: right ≥ 97 %, a wrong name ≤ 1 %, a stranger called one ≥ 95 %. Every four of
the speakers (at most 60 such groups) are enrolled in turn; all turns of all speakers are named.
Enrolment is clean sound; the turns are what the first column says.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import report
from voice_material import RATE, Voices, in_a_room, made, noisy, over_the_phone, recorded, split

from omni_agent.media import Audio
from omni_agent.memory.embed.voice import (
    VoiceCalibration,
    VoicePrint,
    VoicePrinter,
    identify,
    open_voice_printer,
    print_voice,
    windows,
)
from omni_agent.model.catalog import catalog

SOUNDS = {
    "clean": lambda x, rng: x,
    "30 dB quieter": lambda x, rng: (x * 10 ** (-30 / 20)).astype(np.float32),
    "over the phone": lambda x, rng: over_the_phone(x),
    "noise 15 dB": lambda x, rng: noisy(x, 15, rng),
    "noise 5 dB": lambda x, rng: noisy(x, 5, rng),
    "in a room": in_a_room,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", type=Path)
    parser.add_argument("--made", type=int, default=12, help="how many voices to make")
    parser.add_argument("--printer", type=Path, help="a .pt or .onnx file; the packaged one else")
    parser.add_argument("--calibrate", type=Path, help="fit to these voices, and write it here")
    options = parser.parse_args()
    printer = open_voice_printer(options.printer or catalog().ensure("voice-print")["voice-print"])
    voices = recorded(options.voices) if options.voices else made(options.made)
    if options.calibrate:
        calibrate(printer, voices)
        printer.calibration.save(options.calibrate)
    enrolled = {n: of(printer, split(r, 10.0)[0]) for n, r in voices.items()}
    rows = []
    for name, seconds in [("clean", s) for s in (1.5, 3.0, 5.0)] + [
        (s, 3.0) for s in SOUNDS if s != "clean"
    ]:
        rng = np.random.default_rng(0)
        turns = [
            (speaker, of(printer, SOUNDS[name](turn, rng)))
            for speaker, recordings in voices.items()
            for turn in cut(split(recordings, 10.0)[1], seconds)
        ]
        rows.append({"sound": name, "turn s": seconds, "turns": len(turns)})
        rows[-1] |= named(turns, enrolled, printer.calibration)
    own = "recordings" if options.voices else "made here"
    speed = real_time_factor(printer)
    report(
        "voices" if options.voices is None else "voices_recorded",
        rows,
        notes=[
            f"{len(voices)} voices, {own}; {printer.name}; real-time factor {speed:.3f} of one core"
        ],
    )


def of(printer: VoicePrinter, samples: np.ndarray) -> VoicePrint:
    made_of = print_voice(printer, Audio(samples, RATE))
    if made_of is None:
        raise SystemExit(f"{len(samples) / RATE:.1f} s of sound are too few for a print")
    return made_of


def cut(recordings: list[np.ndarray], seconds: float, most: int = 6) -> list[np.ndarray]:
    length = int(seconds * RATE)
    every = [r[i : i + length] for r in recordings for i in range(0, len(r) - length + 1, length)]
    return every[:most]


def named(
    turns: list[tuple[str, VoicePrint]],
    enrolled: dict[str, VoicePrint],
    calibration: VoiceCalibration,
) -> dict[str, object]:
    groups = list(itertools.combinations(sorted(enrolled), min(4, len(enrolled))))
    if len(enrolled) <= 4:  # so that there are strangers at all
        groups += list(itertools.combinations(sorted(enrolled), len(enrolled) - 1))
    rng = np.random.default_rng(1)
    if len(groups) > 60:
        groups = [groups[i] for i in rng.choice(len(groups), 60, replace=False)]
    count = dict.fromkeys(
        ("right", "wrong", "unsure", "as stranger", "unsure stranger", "named"), 0
    )
    for group in groups:
        people = {name: enrolled[name] for name in group}
        for speaker, heard in turns:
            match = identify(heard, people, calibration)
            known = match.verdict == "known"
            if speaker in people:
                right = known and match.person == speaker
                count["right" if right else "wrong" if known else "unsure"] += 1
            elif known:
                count["named"] += 1
            else:
                count["as stranger" if match.verdict == "stranger" else "unsure stranger"] += 1
    own = max(1, count["right"] + count["wrong"] + count["unsure"])
    strangers = max(1, count["as stranger"] + count["unsure stranger"] + count["named"])
    return {
        "right %": round(100 * count["right"] / own, 1),
        "wrong name %": round(100 * count["wrong"] / own, 2),
        "not sure %": round(100 * count["unsure"] / own, 1),
        "stranger as stranger %": round(100 * count["as stranger"] / strangers, 1),
        "stranger named %": round(100 * count["named"] / strangers, 2),
    }


def real_time_factor(printer: VoicePrinter) -> float:
    sound = np.random.default_rng(0).normal(0, 0.05, 10 * RATE).astype(np.float32)
    of(printer, sound)
    began = time.process_time()
    of(printer, sound)
    return (time.process_time() - began) / 10.0


def calibrate(printer: VoicePrinter, voices: Voices) -> None:
    """Set the printer's calibration to the mean of these voices, and its thresholds to where the
    goals are met for them: as far from the same voice's scores as from other voices'."""
    printer.calibration = replace(printer.calibration, mean=np.zeros(printer.dim, np.float32))
    whole = {n: np.concatenate(r) for n, r in voices.items()}
    means = [
        printer.prints(windows(x, printer.window, printer.window)).mean(0) for x in whole.values()
    ]
    printer.calibration = replace(printer.calibration, mean=np.mean(means, axis=0))
    same: dict[float, list[float]] = {}
    other: dict[float, list[float]] = {}
    enrolled = {n: of(printer, split(r, 10.0)[0]) for n, r in voices.items()}
    for seconds in (1.6, 3.0, 5.0):
        for speaker, recordings in voices.items():
            for turn in cut(split(recordings, 10.0)[1], seconds):
                heard = of(printer, turn).vector
                for name, known in enrolled.items():
                    into = same if name == speaker else other
                    into.setdefault(seconds, []).append(float(known.vector @ heard))
    fits = []
    for noise in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0):
        gain = {s: float(np.sqrt((1 + noise / 10.0) * (1 + noise / s))) for s in same}
        near = np.concatenate([gain[s] * np.array(v) for s, v in same.items()])
        far = np.concatenate([gain[s] * np.array(v) for s, v in other.items()])
        low, high = np.quantile(near, 0.03), np.quantile(far, 0.9875)
        fits.append(((low - high) / near.std(), noise, float(low), float(high), float(near.std())))
    _, noise, low, high, spread = max(fits)
    even = max(high, (low + high) / 2)
    printer.calibration = replace(
        printer.calibration,
        noise_seconds=noise,
        same=even,
        different=high,
        even=even,
        slope=3.0 / spread,
    )


if __name__ == "__main__":
    main()
