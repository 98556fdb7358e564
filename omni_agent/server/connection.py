"""One WebSocket of `/v1/realtime`: what is read, obeyed, told and sent, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from omni_agent.errors import OmniAgentError
from omni_agent.events import CallEnded, StateChanged
from omni_agent.server.gate import accepted_subprotocol
from omni_agent.server.limits import Bucket
from omni_agent.server.line import Line, Terms
from omni_agent.server.realtime import Realtime
from omni_agent.server.session import Session
from omni_agent.server.wire import BadEvent, HangUp, Outbox, new_id

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.model.base import ModelProfile
    from omni_agent.server.metrics import Metrics

logger = logging.getLogger("omni_agent.server")

GONE = HangUp(1000, "gone")
_INBOX = 256  # events that were read and not yet obeyed
_GOODBYE = 2.0  # seconds that a client has to take the last events


class Connection:
    """Serves one client until it, the server or a limit ends the call, which is always closed."""

    def __init__(
        self,
        socket: WebSocket,
        name: str,
        agent: Agent,
        profile: ModelProfile,
        metrics: Metrics,
        terms: Terms,
    ) -> None:
        self._socket = socket
        self._name = name
        self._agent = agent
        self._profile = profile
        self._limits = limits = terms.limits
        self._metrics = metrics
        self._terms = terms
        self._outbox = Outbox(limits)
        self._inbox: asyncio.Queue[str | bytes] = asyncio.Queue(_INBOX)
        self._ended: asyncio.Future[HangUp] = asyncio.get_running_loop().create_future()
        self._active_at = time.monotonic()

    def hang_up(self, why: HangUp) -> None:
        if not self._ended.done():
            self._ended.set_result(why)

    async def serve(self) -> None:
        """Accept, and return when the connection is closed."""
        await self._socket.accept(accepted_subprotocol(self._socket.scope["subprotocols"]))
        session = Session(
            new_id("sess"),
            self._name,
            instructions=self._agent.instructions,
            voice=self._agent.voice,
            profile=self._profile,
        )
        line = Line(self._agent, session, self._terms)
        realtime = Realtime(line, self._outbox)
        self._outbox.say("session.created", session=session.as_wire())
        self._metrics.call_began(self._name)
        work = [self._read(), self._obey(realtime, line), self._tell(realtime, line)]
        work += [self._outbox.deliver(self._socket), self._outbox.overflow()]
        work += [self._watch(), self._wait()]
        tasks = [asyncio.create_task(part) for part in work]
        why = HangUp(1011, "error", "the server broke down; the call is over")
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            why = next(iter(done)).result()
        except WebSocketDisconnect:
            why = GONE
        except Exception:
            logger.exception("a connection broke down")
            self._metrics.error("connection")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._end(realtime, why)

    # --- the parts that run side by side; the first to return ends the connection --------------

    async def _read(self) -> HangUp:
        events = Bucket.full(
            rate=self._limits.events_per_second,
            size=self._limits.event_burst,
            at=time.monotonic(),
        )
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return GONE
            text = message.get("text") or message.get("bytes") or ""
            if len(text) > self._limits.message_bytes:
                limit = self._limits.message_bytes
                return HangUp(1009, "too big", f"a message has {limit} bytes at most")
            if not events.take(1, at=time.monotonic()):
                rate = self._limits.events_per_second
                return HangUp(1008, "too many events", f"{rate:g} events a second are allowed")
            await self._inbox.put(text)

    async def _obey(self, realtime: Realtime, line: Line) -> HangUp:
        while True:
            text = await self._inbox.get()
            event_id = None
            try:
                event = _parsed(text)
                event_id = event.get("event_id")
                if event.get("type") != "input_audio_buffer.append":
                    self._active_at = time.monotonic()
                await realtime.obey(event)
            except BadEvent as error:
                self._outbox.error(
                    error.message,
                    code=error.code,
                    param=error.param,
                    event_id=event_id if isinstance(event_id, str) else None,
                )
            except Exception as error:
                words = str(error) if isinstance(error, OmniAgentError) else "it broke down"
                logger.exception("an event could not be done")
                self._metrics.error(type(error).__name__)
                if line.call is None:
                    return HangUp(1011, "not opened", f"the call could not be opened: {words}")
                self._outbox.error(
                    f"this could not be done: {words}",
                    type="server_error",
                    code=type(error).__name__,
                    event_id=event_id if isinstance(event_id, str) else None,
                )

    async def _tell(self, realtime: Realtime, line: Line) -> HangUp:
        await line.has_opened.wait()
        call = await line.opened()
        own_tools = self._agent.runner.tools
        async for event in call:
            if not isinstance(event, StateChanged):
                self._active_at = time.monotonic()
            self._metrics.see(self._name, event, own_tools=own_tools)
            realtime.narrator.tell(event)
            if isinstance(event, CallEnded):
                return HangUp(1000, "ended", f"the call is over: {event.reason}")
        return HangUp(1000, "ended")

    async def _watch(self) -> HangUp:
        """Ends a call in which nothing happens, and one that lasts too long."""
        began = self._active_at
        while True:
            idle_at = self._active_at + self._limits.idle_seconds
            over_at = began + self._limits.call_seconds
            now = time.monotonic()
            if now >= over_at:
                seconds = self._limits.call_seconds
                return HangUp(1001, "too long", f"a call lasts {seconds:g} seconds at most")
            if now >= idle_at:
                seconds = self._limits.idle_seconds
                return HangUp(1001, "idle", f"nothing happened for {seconds:g} seconds")
            await asyncio.sleep(min(idle_at, over_at) - now)

    async def _wait(self) -> HangUp:
        return await self._ended

    # --- the end -------------------------------------------------------------------------------

    async def _end(self, realtime: Realtime, why: HangUp) -> None:
        if why.abort:
            self._metrics.dropped()
            abort = self._socket.scope.get("state", {}).get("abort")
            if abort is not None:
                abort()
        closing = asyncio.create_task(realtime.close(why.reason))
        try:
            if not why.abort and why is not GONE:
                await self._say_goodbye(why)
        finally:
            await asyncio.shield(closing)  # what was said is kept, whatever happens here
            self._metrics.call_ended(self._name, why.reason)

    async def _say_goodbye(self, why: HangUp) -> None:
        if why.message is not None:
            at_fault = why.code in (1008, 1009)
            kind = "invalid_request_error" if at_fault else "server_error"
            self._outbox.error(why.message, type=kind, code=why.reason.replace(" ", "_"))
        try:
            async with asyncio.timeout(_GOODBYE):
                await self._outbox.flush(self._socket)
                if self._socket.application_state is WebSocketState.CONNECTED:
                    await self._socket.close(why.code, why.reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            logger.info("a client was gone before it could be told: %s", why.reason)


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"this is no JSON: {error}", code="invalid_json") from error
    if not isinstance(event, dict):
        raise BadEvent(f"an event is a JSON object, not {event!r:.60}", code="invalid_event")
    return event
