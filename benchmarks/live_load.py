"""What the live runtime itself costs, without a model: idle calls, many calls, a long call.

    python benchmarks/live_load.py

- One idle call hears a quiet room: processor time of one core, voice activity detection included.
- Fifty calls at once with a scripted model hear speech in 20 ms frames and answer: how late the
  loop gets, and whether a loudspeaker ever runs dry in the middle of a reply.
- Ten minutes of one call with a hundred interruptions, on a virtual clock: memory, tasks, states.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
from report import report

from omni_agent.agent import Agent
from omni_agent.clock import FakeClock
from omni_agent.events import AudioDelta, Interrupted, StateChanged, TurnFinished
from omni_agent.live import LiveCall
from omni_agent.media import Audio
from omni_agent.model.catalog import catalog
from omni_agent.model.scripted import ScriptedModel

FRAME = 0.02  # seconds
RATE = 16_000
ANSWER = "Chop the onions finely, then fry them in butter until they are soft and golden."


async def main() -> None:
    arguments = _arguments()
    await asyncio.to_thread(catalog().ensure, "smart-turn")
    rows = [
        *await _idle(arguments.seconds),
        *await _many(arguments.calls, arguments.seconds),
        *await _long(arguments.interruptions),
    ]
    report("live_load", rows)


def _row(what: str, figure: float, unit: str, goal: str) -> dict[str, Any]:
    return {"what": what, "figure": round(figure, 3), "unit": unit, "goal": goal}


async def _idle(seconds: float) -> list[dict[str, Any]]:
    """A room in which a fan hums."""
    noise = np.random.default_rng(0).normal(0, 1e-3, round(seconds * RATE)).astype(np.float32)
    used = []
    before = time.process_time()
    await _hear(None, noise)  # what it takes only to let the time pass
    clock = 100 * (time.process_time() - before) / seconds
    for count in (1, 10):
        agent = Agent("", model=ScriptedModel(audio=True))
        calls = [agent.live() for _ in range(count)]
        for call in calls:
            await call.__aenter__()
        await asyncio.gather(*(_hear(call, noise[:RATE]) for call in calls))  # loads the rest
        before = time.process_time()
        await asyncio.gather(*(_hear(call, noise) for call in calls))
        spent = 100 * (time.process_time() - before) / seconds
        used.append((spent - clock * count) / count)
        await agent.close()
    return [
        _row("the microphone that feeds it, not counted", clock, "% of a core", ""),
        _row("one idle call", used[0], "% of a core", "≤ 2"),
        _row("each of ten idle calls", used[1], "% of a core", "≤ 2"),
    ]


async def _hear(call: LiveCall | None, sound: np.ndarray) -> None:
    began, step = time.monotonic(), round(FRAME * RATE)
    for at in range(0, len(sound), step):
        chunk = Audio(sound[at : at + step], RATE)
        if call is not None:
            call.hear(chunk)
        await asyncio.sleep(max(0.0, began + (at + step) / RATE - time.monotonic()))


async def _many(count: int, seconds: float) -> list[dict[str, Any]]:
    """Everybody types a question every three seconds and listens to the answer."""
    questions = int(seconds // 8) + 1
    model = ScriptedModel(*([ANSWER] * (count * questions)), audio=True)
    agent = Agent("", model=model)
    lateness: list[float] = []
    dry = answered = 0

    async def one(index: int) -> None:
        nonlocal dry, answered
        async with agent.live() as call:
            making: set[int] = set()  # the reply that is under way, once it sounds
            reading = asyncio.create_task(_read(call, making))
            asking = asyncio.create_task(_ask(call, questions, index))
            noise = np.zeros(round(FRAME * RATE), np.float32)
            began = time.monotonic()
            for step in range(round(seconds / FRAME)):
                due = began + (step + 1) * FRAME
                call.hear(Audio(noise, RATE))
                out = call.output.fill(round(FRAME * call.output_rate))
                dry += bool(making and not out.any())
                answered += bool(out.any())
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                lateness.append(time.monotonic() - due)
            asking.cancel()
            await call.close()
            await reading

    before = time.process_time()
    await asyncio.gather(*(one(index) for index in range(count)))
    used = 100 * (time.process_time() - before) / seconds / count
    await agent.close()
    late = np.percentile(lateness, [50, 99]) * 1000
    return [
        _row(f"each of {count} talking calls", used, "% of a core", ""),
        _row("a 20 ms frame is late by, median", float(late[0]), "ms", ""),
        _row("a 20 ms frame is late by, 99 %", float(late[1]), "ms", "< 20"),
        _row("frames in which a reply ran dry", float(dry), "frames", "0"),
        _row("frames in which a reply sounded", float(answered), "frames", ""),
    ]


async def _ask(call: LiveCall, questions: int, index: int) -> None:
    await asyncio.sleep(index * 0.05)
    for _ in range(questions):
        await call.send("What next?")
        await asyncio.sleep(8.0)


async def _read(call: LiveCall, making: set[int]) -> None:
    async for event in call:
        if isinstance(event, AudioDelta):
            making.add(1)
        elif isinstance(event, TurnFinished):
            making.clear()


async def _long(interruptions: int) -> list[dict[str, Any]]:
    """Every six seconds a question, cut short in the middle of its answer."""
    clock = FakeClock()
    model = ScriptedModel(*([ANSWER] * interruptions), audio=True, clock=clock)
    agent = Agent("", model=model, clock=clock)
    call = agent.live()
    cut = heard_wrong = 0
    sizes: list[int] = []
    await call.__aenter__()
    tasks = len(asyncio.all_tasks())
    events: list[Any] = []

    async def read() -> None:
        async for event in call:
            if isinstance(event, Interrupted | StateChanged | TurnFinished | AudioDelta):
                events.append(type(event))
                if isinstance(event, Interrupted):
                    nonlocal cut, heard_wrong
                    cut += 1
                    heard_wrong += not ANSWER.startswith(event.heard_text)

    reading = asyncio.create_task(read())
    tracemalloc.start()
    for turn in range(interruptions):
        asking = asyncio.create_task(call.send("What next?"))
        await _passes(call, clock, 1.5)
        await asking
        stopping = asyncio.create_task(call.interrupt())
        await _passes(call, clock, 4.5)
        await stopping
        assert call.state == "idle", call.state
        events.clear()
        if turn % 10 == 9:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    left = len(asyncio.all_tasks()) - tasks - 1  # the reader
    await call.close()
    await reading
    await agent.close()
    return [
        _row("interruptions in a long call", float(cut), "", str(interruptions)),
        _row("of them with a wrong heard text", float(heard_wrong), "", "0"),
        _row("tasks left", float(left), "", "0"),
        _row("memory, last ninth against first", _growth(sizes), "kB a turn", "flat"),
    ]


def _growth(sizes: Sequence[int]) -> float:
    return (sizes[-1] - sizes[1]) / 1000 / (10 * (len(sizes) - 2)) if len(sizes) > 2 else 0.0


async def _passes(call: LiveCall, clock: FakeClock, seconds: float) -> None:
    for _ in range(round(seconds / FRAME)):
        call.output.fill(round(FRAME * call.output_rate))
        await clock.advance(FRAME)
        await asyncio.sleep(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--interruptions", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
