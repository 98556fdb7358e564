"""How long after the end of the speech its transcript is there, and what it costs in words.

    python benchmarks/ears.py [--chunk-ms 40] [--tail 0.0] [recording.flac ...]

Twenty utterances in the project's own voice (and any recordings named) are fed in real time, as
a microphone would. The delay counts from the last sample to the return of `finish`. The words
are compared with what was said, for recordings with their transcript in one full 30 s window;
Chinese by characters. `--tail` is silence after the speech, as a turn detector waits for: heard
in it, the transcript is ready before it is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from report import report

from omni_agent.media import Audio
from omni_agent.model.catalog import catalog
from omni_agent.model.compact.ears import Ears
from omni_agent.model.compact.voice import Voice

ENGLISH = """How do I make mapo tofu?
What's next?
Can you repeat that, please?
How much soy sauce do I need for four people?
Is there a Sichuan restaurant near here that is open now?
I have eggs, tomatoes and half an onion. What can I cook with that?
Where can I eat ramen tonight, somewhere that is wheelchair accessible?
Go back to the previous step.
What is the capital of France?
My name is Anna, and I am allergic to peanuts.""".splitlines()
CHINESE = """麻婆豆腐怎么做？
下一步是什么？
你可以再说一遍吗？
四个人需要多少酱油？
附近有没有现在还开着的川菜馆？
我有鸡蛋、西红柿和半个洋葱，可以做什么菜？
今天晚上哪里可以吃拉面？
回到上一步。
法国的首都是哪里？
我叫小明，我对花生过敏。""".splitlines()
HINTS = ("mapo tofu", "Sichuan", "ramen", "麻婆豆腐", "川菜馆", "酱油", "拉面")


@dataclass(frozen=True, slots=True)
class Case:
    group: str
    audio: Audio
    expected: str


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunk-ms", type=int, default=40)
    parser.add_argument("--tail", type=float, default=0.0, help="seconds of silence at the end")
    parser.add_argument("recordings", nargs="*", type=Path)
    options = parser.parse_args()
    at = catalog().ensure("whisper-base", "kokoro", "kokoro-vocab", "kokoro-voices")
    ears = Ears(at["whisper-base"])
    cases = spoken(Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"]))
    cases += [recorded(path, ears) for path in options.recordings]
    found: dict[str, list[tuple[float, int, int]]] = {}
    for case in cases:
        delay, text = await timed(ears, case.audio, options.chunk_ms, options.tail)
        said, heard = units(case.expected), units(text)
        entry = (delay, distance(said, heard), len(said))
        found.setdefault(case.group, []).append(entry)
        print(f"{delay * 1000:5.0f} ms  {case.expected}  →  {text}")
    found["all"] = [entry for entries in found.values() for entry in entries]
    rows = [
        {
            "speech": group,
            "utterances": len(entries),
            "median ms": 1000 * statistics.median(entry[0] for entry in entries),
            "p95 ms": 1000 * float(np.percentile([entry[0] for entry in entries], 95)),
            "errors %": 100 * sum(e[1] for e in entries) / sum(e[2] for e in entries),
        }
        for group, entries in found.items()
    ]
    note = f"{options.chunk_ms} ms chunks in real time, {options.tail:g} s of silence at the end"
    report("ears", rows, notes=[note])
    ears.close()


def spoken(voice: Voice) -> list[Case]:
    """Cut at the last sound, so that the voice's own silence is no head start."""
    cases = []
    for language, sentences in (("en", ENGLISH), ("zh", CHINESE)):
        for text in sentences:
            said = voice.speak(text, None, language)
            last = int(np.flatnonzero(np.abs(said.samples) > 0.01)[-1]) + said.rate // 20
            cases.append(Case(language, Audio(said.samples[:last], said.rate), text))
    return cases


def recorded(path: Path, ears: Ears) -> Case:
    samples, rate = soundfile.read(path, dtype="float32")
    encoded = ears.whisper.encode(samples, full=True)
    return Case(
        "recordings", Audio(samples, rate), ears.whisper.transcribe(samples, encoded, "en").text
    )


async def timed(ears: Ears, audio: Audio, chunk_ms: int, tail: float) -> tuple[float, str]:
    samples = np.pad(audio.samples, (0, int(tail * audio.rate)))
    step = audio.rate * chunk_ms // 1000
    listener = ears.open(hints=HINTS)
    began = time.perf_counter()
    for start in range(0, len(samples), step):
        chunk = samples[start : start + step]
        # A chunk exists once its last sample has been recorded.
        due = began + (start + len(chunk)) / audio.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        listener.feed(Audio(chunk, audio.rate))
    ended = time.perf_counter()
    transcript = await listener.finish()
    return time.perf_counter() - ended, transcript.text


def units(text: str) -> list[str]:
    """Words, or characters where they are Chinese."""
    return re.findall(r"[\u4e00-\u9fff]|[a-z0-9']+", text.lower())


def distance(said: list[str], heard: list[str]) -> int:
    """Levenshtein's: insertions, deletions and substitutions."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


if __name__ == "__main__":
    asyncio.run(main())
