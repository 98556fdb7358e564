"""Who spoke when, in composed calls of two to five voices with short turns and some overlap.

    python benchmarks/diarization.py [--voices FOLDER] [--calls 8] [--seconds 120]

FOLDER/SPEAKER/*.flac are recordings of people; without it voices are made here. Goal: a diarization
error ≤ 12 %. It is missed speech, false alarms and confused speakers over all speech, overlapping
speech counted for each of its speakers; once with the customary 0.25 s around each change left out,
once with none. "blind": nobody is known. "enrolled": everybody is, with 10 s.
"""

from __future__ import annotations

import argparse
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
from report import report
from voice_material import RATE, ComposedCall, compose, made, recorded

from omni_agent.media import Audio
from omni_agent.memory.diarize import FRAME, Diarizer, SpeakerSegment
from omni_agent.memory.embed.voice import Ge2eVoice, VoicePrinter, print_voice
from omni_agent.model.catalog import catalog

STEP = RATE // 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", type=Path)
    parser.add_argument("--made", type=int, default=12, help="how many voices to make")
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    printer = Ge2eVoice(catalog().ensure("voice-print")["voice-print"])
    voices = recorded(options.voices) if options.voices else made(options.made)
    voices = {n: r for n, r in voices.items() if sum(map(len, r)) >= 16 * RATE}
    rows = []
    for number in range(options.calls):
        speakers = min(2 + number % 4, len(voices))
        call = compose(voices, speakers, options.seconds, seed=number)
        for known in (False, True):
            began = time.process_time()
            diarizer = listened(call, printer, known)
            cost = (time.process_time() - began) / (len(call.sound) / RATE)
            segments = diarizer.segments()
            miss, alarm, confused = error(call.truth, segments, len(call.sound), collar=0.25)
            rows.append(
                {
                    "call": f"{number + 1} {'enrolled' if known else 'blind'}",
                    "speakers": speakers,
                    "found": len(diarizer.speakers),
                    "overlap %": round(100 * overlapped(call), 1),
                    "error %": round(100 * (miss + alarm + confused), 1),
                    "missed %": round(100 * miss, 1),
                    "false %": round(100 * alarm, 1),
                    "confused %": round(100 * confused, 1),
                    "error without collar %": round(
                        100 * sum(error(call.truth, segments, len(call.sound), collar=0.0)), 1
                    ),
                    "of one core": round(cost, 3),
                }
            )
    for kind in ("blind", "enrolled"):
        group = [r for r in rows if kind in str(r["call"])]
        mean = {k: round(float(np.mean([r[k] for r in group])), 3) for k in group[0] if k != "call"}
        rows.append({"call": f"mean, {kind}", **mean})
    own = "recordings" if options.voices else "made here"
    report(
        "diarization" if options.voices is None else "diarization_recorded",
        rows,
        notes=[f"{len(voices)} voices, {own}; {printer.name}; goal: error ≤ 12 %"],
    )


def listened(call: ComposedCall, printer: VoicePrinter, known: bool) -> Diarizer:
    """As in a call: half a second at a time."""
    diarizer = Diarizer(printer)
    if known:
        for name, samples in call.enrolment.items():
            if (heard := print_voice(printer, Audio(samples, RATE))) is not None:
                diarizer.enrol(name, heard)
    for i in range(0, len(call.speech), 16):
        diarizer.hear(call.sound[i * FRAME : (i + 16) * FRAME], call.speech[i : i + 16])
    return diarizer


def overlapped(call: ComposedCall) -> float:
    speaking = _grid(call.truth, len(call.sound))[1].sum(axis=0)
    return float(np.maximum(speaking - 1, 0).sum() / max(1, speaking.sum()))


def error(
    truth: list[tuple[int, int, str]],
    segments: tuple[SpeakerSegment, ...],
    samples: int,
    *,
    collar: float,
) -> tuple[float, float, float]:
    """Missed, false and confused speech as shares of all speech, under the best naming."""
    said = [(s.start, s.end, s.guess) for s in segments if s.guess]
    _, spoken = _grid(truth, samples)
    _, heard = _grid(said, samples)
    counted = np.ones(spoken.shape[1], bool)
    around = int(collar * RATE / STEP)
    if around:
        for start, end, _ in truth:
            for edge in (start // STEP, end // STEP):
                counted[max(0, edge - around) : edge + around] = False
    spoken, heard = spoken[:, counted], heard[:, counted]
    together = (spoken[:, None] & heard[None]).sum(axis=-1)
    order = np.argsort(-together.max(axis=0, initial=0))[:12]
    right = _best_naming(together[:, order])
    n, m = spoken.sum(axis=0), heard.sum(axis=0)
    total = max(1, int(n.sum()))
    missed, false = np.maximum(n - m, 0).sum(), np.maximum(m - n, 0).sum()
    return missed / total, false / total, (np.minimum(n, m).sum() - right) / total


def _best_naming(together: np.ndarray) -> int:
    @lru_cache(None)
    def best(speaker: int, used: int) -> int:
        if speaker == len(together):
            return 0
        found = best(speaker + 1, used)
        for name in range(together.shape[1]):
            if not used >> name & 1:
                rest = best(speaker + 1, used | 1 << name)
                found = max(found, int(together[speaker, name]) + rest)
        return found

    return best(0, 0)


def _grid(spans: list[tuple[int, int, str]], samples: int) -> tuple[list[str], np.ndarray]:
    names = sorted({name for *_, name in spans})
    grid = np.zeros((len(names), samples // STEP), bool)
    for start, end, name in spans:
        grid[names.index(name), start // STEP : end // STEP] = True
    return names, grid


if __name__ == "__main__":
    main()
