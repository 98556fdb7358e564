"""Our real server on loopback, with a scripted agent and ears that really listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from synthetic_speech import spoken

from omni_agent.agent import Agent
from omni_agent.media import Audio
from omni_agent.model.scripted import ScriptedModel
from omni_agent.server import ServerSettings, create_app
from omni_agent.server.serving import Server, server_of
from omni_agent.tools.base import Tool, tool

RATE = 24_000
TURN_DETECTION = {"type": "server_vad", "silence_duration_ms": 400}
"""By silence alone, so that no weights are needed."""

LONG = (
    "Peel the onion and cut it in half. Then cut each half lengthwise, nearly up to the root. "
    "Then cut it across, and it falls into cubes. Fry them in butter until they are soft."
)
LONG_SECONDS = len(LONG) / 15


@dataclass
class Served:
    """`url` ends in /v1. `model` tells what the agent's model was given."""

    url: str
    agent: Agent
    model: Any
    _port: int
    _running: tuple[Server, asyncio.Task[None]] | None = None

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/realtime"

    async def start(self) -> None:
        settings = ServerSettings(port=self._port)
        server = server_of(create_app({"kitchen": self.agent}, settings), settings)
        task = asyncio.create_task(server.serve())
        self._running = (server, task)
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.005)
        self._port = server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/v1"

    async def stop(self) -> None:
        assert self._running is not None
        server, task = self._running
        server.should_exit = True
        await asyncio.wait_for(task, 15)

    async def restart(self) -> None:
        """The server is stopped during a call, and is there again at the same address."""
        await self.stop()
        await self.start()


@asynccontextmanager
async def serving(
    *turns: Any, tools: Sequence[Tool] = (), transcripts: Sequence[str] = (), **options: Any
) -> AsyncIterator[Served]:
    """An agent called "kitchen" that answers so."""
    model = ScriptedModel(*turns, audio=True, transcripts=transcripts)
    async with Agent("Be brief.", name="kitchen", model=model, tools=tools, **options) as agent:
        served = Served("", agent, model, 0)
        await served.start()
        try:
            yield served
        finally:
            await served.stop()


@tool
async def oven_timer(minutes: int) -> str:
    """Set the oven's timer. The agent's own: it runs on the server."""
    return f"rings in {minutes} minutes"


def speech(text: str) -> Audio:
    """Words that are said, and the silence by which the server knows that they are over."""
    room = [Audio.silence(0.2, RATE), spoken(text, rate=RATE), Audio.silence(0.8, RATE)]
    noise = np.random.default_rng(0).normal(0, 0.0005, sum(len(part.samples) for part in room))
    return Audio((Audio.join(room).samples + noise).astype(np.float32), RATE)


async def chunks(sound: Audio, *, live: bool = False) -> AsyncIterator[bytes]:
    """PCM16 in small pieces; `live`: as fast as a microphone gives it."""
    seconds = 0.04
    pcm = sound.pcm16()
    size = 2 * round(seconds * sound.rate)
    for at in range(0, len(pcm), size):
        yield pcm[at : at + size]
        if live:
            await asyncio.sleep(seconds)


def photo() -> bytes:
    """A red JPEG."""
    into = BytesIO()
    Image.new("RGB", (64, 48), (200, 20, 20)).save(into, "JPEG")
    return into.getvalue()
