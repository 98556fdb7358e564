"""From the end of the user's speech to the first sample of the spoken answer.

    python benchmarks/first_audio.py

Twenty questions that need no tool, spoken by the project's own voice and fed at the pace of
speech, to the kitchen agent with all its tools. Beside it, the same parts in the same process one
after another: hear it all, think it all, voice it all (with the fixed prompt already in the cache,
for both).
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from typing import Any

import numpy as np
from report import report

from omni_agent.agent import Agent
from omni_agent.agents.kitchen import kitchen
from omni_agent.events import AudioDelta, Reply, TurnFinished
from omni_agent.media import Audio
from omni_agent.model.base import Finished, ResponseOptions
from omni_agent.model.compact.model import CompactModel
from omni_agent.model.select import open_model

QUESTIONS = (
    "How do I keep an avocado from turning brown?",
    "What is the difference between baking soda and baking powder?",
    "Why does bread need to rest before baking?",
    "Is it safe to eat raw mushrooms?",
    "Thank you, you are very helpful.",
    "Can I freeze cooked rice?",
    "What goes well with grilled fish?",
    "How do I sharpen a kitchen knife?",
    "Where does pasta come from?",
    "Do you like chocolate?",
    "怎样才能切洋葱不流眼泪？",
    "为什么面团要醒一会儿？",
    "鸡蛋放在冰箱里能放多久？",
    "你最喜欢什么水果？",
    "谢谢你，今天的菜真香。",
    "煮过的米饭可以冷冻吗？",
    "喝绿茶有什么好处？",
    "怎样挑选新鲜的鱼？",
    "辣椒为什么会辣？",
    "吃火锅配什么饮料好？",
)
ASKED_BY = {"en": "am_michael", "zh": "zm_yunxi"}
CHUNK = 0.1  # seconds of sound a microphone would deliver at a time


async def main() -> None:
    arguments = _arguments()
    model = await open_model(arguments.model)
    assert isinstance(model, CompactModel)
    agent = kitchen(model=model)
    questions = QUESTIONS[: arguments.questions]
    rows: list[dict[str, Any]] = []
    live, serial = [], []
    # the first turn of a process loads what later ones use: not counted
    await _live(agent, await _spoken(model, "Hello, can you hear me?"))
    await _live(agent, await _spoken(model, "你好，听得见吗？"))
    for question in questions:
        sound = await _spoken(model, question)
        seconds, reply = await _live(agent, sound)
        live.append((seconds, reply))
        one_by_one = await _one_after_another(agent, model, sound)
        serial.append(one_by_one)
        if arguments.verbose:
            tools = [run.call.name for run in reply.tools]
            print(f"{seconds:.2f} s, {one_by_one:.2f} s: {reply.heard!r} {tools} → {reply.text!r}")
    counted = [(s, b) for (s, r), b in zip(live, serial, strict=True) if not r.tools]
    ours, theirs = [s for s, _ in counted], [b for _, b in counted]
    for name, values in (("streamed", ours), ("one after another", theirs)):
        rows.append(
            {
                "way": name,
                "questions": len(values),
                "median s": statistics.median(values),
                "p95 s": float(np.percentile(values, 95)),
                "worst s": max(values),
            }
        )
    ratio = statistics.median(b / a for a, b in counted)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    report(
        "first_audio",
        rows,
        notes=[
            f"one after another / streamed, pair by pair: median {ratio:.1f}",
            f"peak memory {peak:.2f} GB",
            f"answers that used a tool, not counted: {len(questions) - len(counted)}",
        ],
    )


async def _spoken(model: CompactModel, question: str) -> Audio:
    """The question as sound, 16 kHz, ending with its last syllable."""
    language = "en" if question.isascii() else "zh"
    sound = await model.speak(question, voice=ASKED_BY[language], language=language)
    sound = sound.resampled(16_000)
    loud = np.flatnonzero(np.abs(sound.samples) > 0.02)
    return Audio(sound.samples[: loud[-1] + 1], sound.rate)


async def _live(agent: Agent, sound: Audio) -> tuple[float, Reply]:
    """Speak at the pace of speech; seconds from the last sample to the answer's first one."""
    conversation = agent.conversation()
    step = int(CHUNK * sound.rate)
    began = time.perf_counter()
    for start in range(0, len(sound.samples), step):
        chunk = Audio(sound.samples[start : start + step], sound.rate)
        due = began + (start + len(chunk.samples)) / sound.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await conversation.feed(chunk)
    ended = time.perf_counter()
    first: float | None = None
    reply: Reply | None = None
    async for event in conversation.stream(speak=True):
        if isinstance(event, AudioDelta) and first is None:
            first = time.perf_counter() - ended
        if isinstance(event, TurnFinished):
            reply = event.reply
    await conversation.close()
    assert first is not None
    assert reply is not None
    return first, reply


async def _one_after_another(agent: Agent, model: CompactModel, sound: Audio) -> float:
    session = await agent.open_session()
    began = time.perf_counter()
    await session.feed(sound)
    transcript = await session.transcript()
    assert transcript is not None
    text = ""
    async for event in session.respond(ResponseOptions(speak=False)):
        if not isinstance(event, Finished):
            text += getattr(event, "text", "")
    await model.speak(text or "Sorry.", language=transcript.language)
    seconds = time.perf_counter() - began
    await session.close()
    return seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="compact", choices=["compact", "compact-small"])
    parser.add_argument("--questions", type=int, default=len(QUESTIONS))
    parser.add_argument("--verbose", action="store_true", help="print each question and answer")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
