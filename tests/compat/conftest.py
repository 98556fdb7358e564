"""The server with the real model, in a thread of its own, as it would be in another process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest
from served import RATE, Served

from omni_agent.agent import Agent
from omni_agent.media import Audio
from omni_agent.model.select import open_model


@dataclass(frozen=True, slots=True)
class Real:
    """`question` is asked aloud, and goes on into silence; its answer has `answer` in it."""

    served: Served
    question: Audio
    words: str = "capital of france"
    answer: str = "Paris"


@pytest.fixture(scope="session")
def real() -> Iterator[Real]:
    ready: Future[Real] = Future()
    over = threading.Event()

    async def serve() -> None:
        model = await open_model("compact")
        instructions = "You answer questions in one short sentence."
        async with Agent(instructions, name="kitchen", model=model) as agent:
            asked = await model.speak("What is the capital of France?", voice="am_michael")
            served = Served("", agent, model, 0)
            await served.start()
            silence = Audio.silence(1.5, RATE)
            ready.set_result(Real(served, Audio.join([asked.resampled(RATE), silence])))
            await asyncio.to_thread(over.wait)
            await served.stop()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="server")
    thread.start()
    try:
        yield ready.result(timeout=240)
    finally:
        over.set()
        thread.join(30)


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who does not speak: the net that judges pauses need not be fetched."""
    monkeypatch.setattr("omni_agent.listening.senses._shared", {})
    monkeypatch.setattr("omni_agent.listening.senses._smart_turn", lambda: None)
