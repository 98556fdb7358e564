"""A server on loopback with a scripted agent, and clients of it that look at every event."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import numpy as np
import websockets
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter
from starlette.applications import Starlette

from omni_agent.agent import Agent
from omni_agent.listening import Heed, SpeechSure, TurnOver
from omni_agent.model.scripted import ScriptedModel
from omni_agent.server import ServerSettings, create_app
from omni_agent.server.serving import Server, server_of
from omni_agent.tools.base import Tool

RATE = 24_000


class ToldListener:
    """Stands in for `TurnListener`: gives what the test says is heard in the next sound."""

    made: ToldListener

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.heeds: deque[Heed] = deque()
        ToldListener.made = self

    async def hear(self, audio: Any, *, speaking: bool, asked: str | None) -> list[Heed]:
        return self.commit()

    def commit(self) -> list[Heed]:
        heeds = [*self.heeds]
        self.heeds.clear()
        return heeds

    def clear(self) -> None:
        self.heeds.clear()

    def heard_words(self, text: str) -> list[Heed]:
        return []

    async def prepare(self) -> None: ...


@cache
def _events() -> TypeAdapter[Any]:
    return TypeAdapter(RealtimeServerEvent)


@dataclass
class Client:
    """Speaks the protocol; whatever comes is checked against OpenAI's own types."""

    socket: websockets.ClientConnection
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def next(self, *, within: float = 5.0) -> dict[str, Any]:
        event = json.loads(await asyncio.wait_for(self.socket.recv(), within))
        if not event["type"].startswith("omni."):
            _events().validate_python(event)
        assert event["event_id"]
        self.seen.append(event)
        return event

    async def until(self, type: str, *, within: float = 5.0) -> dict[str, Any]:
        """Read on up to an event of this type."""
        async with asyncio.timeout(within):
            while (event := await self.next(within=within))["type"] != type:
                pass
        return event

    async def quiet(self, seconds: float = 0.15) -> list[dict[str, Any]]:
        """What still comes in a short while."""
        before = len(self.seen)
        try:
            while True:
                await self.next(within=seconds)
        except TimeoutError:
            return self.seen[before:]

    def since(self, type: str) -> list[str]:
        """The types from the last event of this type on."""
        types = self.types
        return types[len(types) - 1 - types[::-1].index(type) :]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.seen]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event["type"] == type]

    async def says(self, seconds: float = 1.0) -> None:
        """The user says something for so long, and the server hears that it is over."""
        ms = round(seconds * 1000)
        await self.hears(SpeechSure(0))
        await self.hears(seconds=seconds - 0.1)
        await self.hears(TurnOver(ms, 300))

    async def hears(self, *heeds: Heed, seconds: float = 0.1) -> None:
        await self.send("input_audio_buffer.append", audio=sound(seconds))
        listener = await _made()
        listener.heeds.extend(heeds)
        await self.send("input_audio_buffer.append", audio=sound(0.02))
        async with asyncio.timeout(5):
            while listener.heeds:
                await asyncio.sleep(0.005)

    async def asks(self, text: str, **response: Any) -> dict[str, Any]:
        """Type something, and read the answer up to its end."""
        await self.types_in(text)
        await self.send("response.create", **({"response": response} if response else {}))
        return await self.until("response.done")

    async def types_in(self, text: str, **item: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.creates({"type": "message", "role": "user", "content": content, **item})

    async def creates(self, item: dict[str, Any], **fields: Any) -> dict[str, Any]:
        await self.send("conversation.item.create", item=item, **fields)
        return await self.until("conversation.item.done")


async def _made() -> ToldListener:
    async with asyncio.timeout(5):
        while not hasattr(ToldListener, "made"):
            await asyncio.sleep(0.005)
    return ToldListener.made


@dataclass
class Running:
    """A server that listens."""

    app: Starlette
    server: Server
    url: str
    agent: Agent
    model: ScriptedModel

    @asynccontextmanager
    async def client(
        self, query: str = "", *, started: bool = True, **options: Any
    ) -> AsyncIterator[Client]:
        url = self.url.replace("http", "ws", 1) + f"/v1/realtime{query}"
        async with websockets.connect(url, max_size=2**24, **options) as socket:
            client = Client(socket)
            if started:
                await client.until("session.created")
            yield client

    @property
    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=10)


def agent_of(*turns: Any, tools: Sequence[Tool] = (), **options: Any) -> Agent:
    scripted = {k: options.pop(k) for k in ("transcripts", "profile") if k in options}
    model = ScriptedModel(*turns, audio=options.pop("audio", True), **scripted)
    return Agent("Be brief.", **{"name": "kitchen", "model": model, "tools": tools, **options})


@asynccontextmanager
async def serving(
    *turns: Any, settings: ServerSettings | None = None, **options: Any
) -> AsyncIterator[Running]:
    """A server with one agent, called "kitchen", that answers so."""
    agent = agent_of(*turns, **options)
    settings = settings or ServerSettings(port=0)
    app = create_app({"kitchen": agent}, settings)
    try:
        async with running(app, settings, agent) as server:
            yield server
    finally:
        await agent.close()


@asynccontextmanager
async def running(app: Starlette, settings: ServerSettings, agent: Agent) -> AsyncIterator[Running]:
    if hasattr(ToldListener, "made"):
        del ToldListener.made
    server = server_of(app, settings, log_level="error")
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    model = await agent.open_model()
    assert isinstance(model, ScriptedModel)
    try:
        yield Running(app, server, f"http://127.0.0.1:{port}", agent, model)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 15)


def sound(seconds: float, *, rate: int = RATE) -> str:
    """Base64 of PCM16: a quiet hum."""
    samples = 3000 * np.sin(np.arange(round(seconds * rate)) / 20)
    return base64.b64encode(samples.astype("<i2").tobytes()).decode()


def seconds_of(events: Sequence[dict[str, Any]]) -> float:
    """How long the sound in these events is."""
    return sum(len(base64.b64decode(event["delta"])) for event in events) / 2 / RATE
