"""What goes out over one WebSocket: events as JSON, in order, no more than a client takes."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from omni_agent.server.limits import Limits


def new_id(kind: str) -> str:
    """ "item" → "item_3f0c…", as in "resp", "event", "sess", "call"."""
    return f"{kind}_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class HangUp:
    """Why a connection ends. `message` is sent as a last error event, where there is one.

    `abort`: the client takes nothing any more, so that nobody waits for a goodbye.
    """

    code: int
    reason: str
    message: str | None = None
    abort: bool = False


class BadEvent(Exception):
    """A client's event cannot be obeyed. The call goes on; the client is told in an error event."""

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class Socket(Protocol):
    async def send_text(self, data: str) -> None: ...


class Outbox:
    """Events on their way to a client. `say` never waits; a client that is too slow is dropped."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._too_much = asyncio.Event()

    def say(self, type: str, /, **fields: Any) -> None:
        """Send an event of this type; it gets an `event_id`."""
        event = {"type": type, "event_id": new_id("event"), **fields}
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        self._more.set()
        if self._bytes + len(text) > self._limits.outgoing_bytes:
            self._too_much.set()
            return
        self._waiting.append(text)
        self._bytes += len(text)

    def error(
        self,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        """`event_id`: that of the client's event which was wrong."""
        error = {"type": type, "code": code, "message": message, "param": param}
        self.say("error", error={**error, "event_id": event_id})

    async def deliver(self, socket: Socket) -> HangUp:
        """Send what waits, for as long as the client takes it."""
        while True:
            while self._waiting:
                if not await self._send_next(socket):
                    return HangUp(1008, "stalled", abort=True)
            self._more.clear()
            await self._more.wait()

    async def overflow(self) -> HangUp:
        """Returns when more waits than is kept for anybody."""
        await self._too_much.wait()
        return HangUp(1008, "too slow", abort=True)

    async def flush(self, socket: Socket) -> None:
        """Send the rest before the connection is closed, unless the client takes nothing."""
        while self._waiting and await self._send_next(socket):
            pass

    async def _send_next(self, socket: Socket) -> bool:
        text = self._waiting[0]
        try:
            async with asyncio.timeout(self._limits.stalled_seconds):
                await socket.send_text(text)
        except TimeoutError:
            return False
        self._waiting.popleft()
        self._bytes -= len(text)
        return True
