"""A live call as its user feels it: how soon it answers and stops, what it takes for heard.

    python benchmarks/live_call.py

Questions spoken by the project's own voice are played as if live, at the pace of speech, into one
call of the kitchen agent on the compact model; everything runs in this one process. Each is asked
twice, with drafts and without. Then the agent is cut short in the middle of a longer story: what it
takes to have been heard is compared with what a second pair of ears (Whisper, another instance)
hears in the sound that really left the loudspeaker. Last, "mm-hm" and the like over its answers.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from first_audio import ASKED_BY, QUESTIONS
from report import report

from omni_agent.agent import Agent
from omni_agent.agents.kitchen import kitchen
from omni_agent.events import (
    AudioDelta,
    Interrupted,
    LiveEvent,
    PartialTranscript,
    TurnFinished,
    TurnMeasured,
)
from omni_agent.live import LiveCall
from omni_agent.media import Audio
from omni_agent.model.compact.model import CompactModel
from omni_agent.model.select import open_model

RATE = 16_000
STEP = 0.02  # seconds
PAUSE = 0.4  # seconds inside each question, where the user seems to think
STORY = {
    "en": "Bread begins with flour, water, salt and a little yeast, kneaded until the dough is "
    "smooth. Then it rests in a warm corner until it has grown to twice its size. At last it is "
    "shaped, rises once more, and bakes in a very hot oven until its crust is brown.",
    "zh": "做面包先要把面粉、水、盐和一点酵母揉成光滑的面团。然后放在温暖的地方发酵，"
    "直到变成两倍大。最后整形，再发酵一次，放进很热的烤箱，烤到外皮金黄，敲起来有空空的声音。",
}
"""What the agent says while it is cut short."""
CUTS = {
    "en": ("Stop, wait a moment.", "No, not that one.", "Hold on, I have a question."),
    "zh": ("等一下，先停停。", "不是，我说的不是这个。", "先别说了，我有个问题。"),
}
ASSENT = {"en": ("Mm-hm.", "Uh-huh.", "Mm."), "zh": ("嗯。", "嗯嗯。", "唔。")}


async def main() -> None:
    arguments = _arguments()
    model = await open_model(arguments.model)
    assert isinstance(model, CompactModel)
    agent = kitchen(model=model)
    questions = QUESTIONS[: arguments.questions]
    rows = []
    for name, draft in (("with drafts", True), ("without", False)):
        answers = await _answers(agent, model, questions, draft=draft, verbose=arguments.verbose)
        rows.append(_answer_row(name, answers))
    verbose = arguments.verbose
    cuts = await _cuts(agent, model, arguments.cuts, CUTS, verbose=verbose)
    assents = await _cuts(agent, model, arguments.cuts, ASSENT, verbose=verbose)
    report("live_call", rows)
    report("live_call_cutting_in", [_cut_row(cuts), _assent_row(assents)])
    await agent.close()


# --- the room ---------------------------------------------------------------------------------


@dataclass
class Room:
    """A microphone and a loudspeaker on one clock. `log`: events with the sample they came at."""

    call: LiveCall
    log: list[tuple[float, LiveEvent]] = field(default_factory=list)
    out: list[np.ndarray] = field(default_factory=list)
    seconds: float = 0.0

    async def plays(self, sound: Audio | None = None, *, quiet: float = 0.0) -> None:
        """Let the call hear `sound`, then silence, at the pace of speech."""
        samples = np.concatenate(
            [
                np.zeros(0, np.float32) if sound is None else sound.samples,
                np.zeros(round(quiet * RATE), np.float32),
            ]
        )
        loop = asyncio.get_running_loop()
        began, count = loop.time(), round(STEP * RATE)
        for n, at in enumerate(range(0, len(samples) - count + 1, count)):
            self.call.hear(Audio(samples[at : at + count], RATE))
            self.out.append(self.call.output.fill(round(STEP * self.call.output_rate)))
            self.seconds += STEP
            await asyncio.sleep(max(0.0, began + (n + 1) * STEP - loop.time()))

    async def until(self, wanted: type, *, patience: float = 30.0) -> float | None:
        """Wait in silence for an event; the time it came at."""
        known = len(self.log)
        while patience > 0:
            await self.plays(quiet=STEP)
            patience -= STEP
            for at, event in self.log[known:]:
                if isinstance(event, wanted):
                    return at
            known = len(self.log)
        return None

    async def until_idle(self, *, patience: float = 60.0) -> None:
        while patience > 0 and self.call.state != "idle":
            await self.plays(quiet=0.1)
            patience -= 0.1

    def of(self, kind: type, since: int = 0) -> list[Any]:
        return [event for _, event in self.log[since:] if isinstance(event, kind)]

    async def read(self) -> None:
        async for event in self.call:
            self.log.append((self.seconds, event))

    def silent_from(self, at: float) -> float | None:
        """When, from `at` on, the loudspeaker fell silent for 100 ms."""
        first = round(at / STEP)
        for n in range(first, len(self.out) - 5):
            if not any(np.abs(block).max() > 0.002 for block in self.out[n : n + 5]):
                return n * STEP
        return None


async def _spoken(model: CompactModel, text: str, language: str, voice: str | None = None) -> Audio:
    sound = await model.speak(text, voice=voice or ASKED_BY[language], language=language)
    sound = sound.resampled(RATE)
    loud = np.flatnonzero(np.abs(sound.samples) > 0.02)
    return Audio(sound.samples[loud[0] : loud[-1] + 1], RATE)


def _language(text: str) -> str:
    return "en" if text.isascii() else "zh"


# --- how soon it answers ------------------------------------------------------------------------


async def _answers(
    agent: Agent, model: CompactModel, questions: Sequence[str], *, draft: bool, verbose: bool
) -> list[TurnMeasured]:
    measured: list[TurnMeasured] = []
    async with agent.live(draft=draft) as call:
        room = Room(call)
        reading = asyncio.create_task(room.read())
        await room.plays(quiet=0.5)
        warm = await _spoken(model, "Hello, can you hear me?", "en")
        for question in ("", *questions):  # the first is not counted
            sound = (
                _with_a_pause(await _spoken(model, question, _language(question)))
                if question
                else warm
            )
            since = len(room.log)
            await room.plays(sound)
            await room.until(TurnMeasured)
            await room.until_idle()
            await room.plays(quiet=0.6)
            found = [m for m in room.of(TurnMeasured, since) if m.first_audio is not None]
            tools = [f for f in room.of(TurnFinished, since) if f.reply.tools]
            if question and found and not tools:
                measured.append(found[-1])
                if verbose:
                    print(f"{question} {found[-1]}", flush=True)
        await call.close()
        await reading
    return measured


def _with_a_pause(sound: Audio) -> Audio:
    """A pause at the quietest place in the middle third."""
    third = len(sound.samples) // 3
    window = np.convolve(np.abs(sound.samples), np.ones(800) / 800, mode="same")
    at = third + int(window[third : 2 * third].argmin())
    gap = np.zeros(round(PAUSE * RATE), np.float32)
    return Audio(np.concatenate([sound.samples[:at], gap, sound.samples[at:]]), RATE)


def _answer_row(name: str, measured: Sequence[TurnMeasured]) -> dict[str, Any]:
    first = [m.first_audio for m in measured if m.first_audio is not None]
    waited = [m.end_of_turn for m in measured if m.end_of_turn is not None]
    return {
        "way": name,
        "turns": len(measured),
        "last syllable → first sound, median s": statistics.median(first),
        "p95 s": float(np.percentile(first, 95)),
        "end of turn, median s": statistics.median(waited),
        "drafts a turn": statistics.mean(m.drafts for m in measured),
    }


# --- cutting in ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """`to_silence`: seconds from the user's first sound. `off`: words wrongly taken as heard."""

    stopped: bool
    to_silence: float | None
    off: int | None


async def _cuts(
    agent: Agent,
    model: CompactModel,
    count: int,
    words: Mapping[str, Sequence[str]],
    *,
    verbose: bool,
) -> list[Cut]:
    made: list[Cut] = []
    ears = await agent.open_session()
    async with agent.live() as call:
        room = Room(call)
        reading = asyncio.create_task(room.read())
        for index in range(count):
            language = ("en", "zh")[index % 2]
            said = words[language][index // 2 % len(words[language])]
            over = await _spoken(model, said, language)
            call.say(STORY[language])
            if await room.until(AudioDelta) is None:
                continue
            begins = len(room.out)
            await room.plays(quiet=1.2 + 0.37 * (index % 5))
            if call.state != "speaking":
                await room.until_idle()
                continue
            since, at = len(room.log), room.seconds
            await room.plays(over, quiet=1.0)
            cut = room.of(Interrupted, since)
            silent = room.silent_from(at)
            off = None
            if cut:
                heard = np.concatenate(
                    room.out[begins : begins + round((silent or 0) / STEP) - begins + 5]
                )
                told = cut[0].heard_text
                really = await _heard(ears, Audio(heard, call.output_rate))
                off = abs(_count(told) - _count(really))
            made.append(Cut(bool(cut), None if silent is None else silent - at, off))
            if verbose:
                captions = [event.text for event in room.of(PartialTranscript, since)]
                print(said, made[-1], captions, flush=True)
            await call.interrupt()
            await room.plays(quiet=0.3)
            call.clear()
            await room.until_idle()
            await room.plays(quiet=1.0)
        await call.close()
        await reading
    await ears.close()
    return made


async def _heard(ears: Any, sound: Audio) -> str:
    await ears.feed(sound.resampled(RATE))
    transcript = await ears.transcript()
    await ears.discard()
    return transcript.text if transcript is not None else ""


def _count(text: str) -> int:
    """Words, and Chinese characters."""
    return len(re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+(?:'\w+)?", text))


def _cut_row(cuts: Sequence[Cut]) -> dict[str, Any]:
    took = [c.to_silence for c in cuts if c.to_silence is not None and c.stopped]
    off = [c.off for c in cuts if c.off is not None]
    return {
        "what": "words over the answer",
        "times": len(cuts),
        "stopped it %": 100 * sum(c.stopped for c in cuts) / max(1, len(cuts)),
        "speech → silence, median s": statistics.median(took) if took else float("nan"),
        "heard text off by, median words": statistics.median(off) if off else float("nan"),
    }


def _assent_row(cuts: Sequence[Cut]) -> dict[str, Any]:
    return {
        "what": "mm-hm over the answer",
        "times": len(cuts),
        "stopped it %": 100 * sum(c.stopped for c in cuts) / max(1, len(cuts)),
        "speech → silence, median s": float("nan"),
        "heard text off by, median words": float("nan"),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="compact", choices=["compact", "compact-small"])
    parser.add_argument("--questions", type=int, default=len(QUESTIONS))
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--verbose", action="store_true", help="print what was measured of each")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
