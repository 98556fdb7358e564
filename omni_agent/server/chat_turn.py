"""A turn that is had over one or more requests: it waits while a client runs tools of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from omni_agent.errors import TurnNotRemembered, UsageError
from omni_agent.events import Event, Reply, ToolFinished, ToolStarted, TurnFinished
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.server.client_tools import HandedOver
from omni_agent.server.narrator import CALLS_OF_ONE_STEP

if TYPE_CHECKING:
    from omni_agent.conversation import Conversation


class ChatTurn:
    """Reads a turn ahead of whoever asks for it; `upto_client` gives its events until the client
    is to do something: hear the end, or run `calls`.
    """

    def __init__(
        self,
        conversation: Conversation,
        events: AsyncGenerator[Event, None],
        handed_over: HandedOver,
    ) -> None:
        self.calls: dict[str, ToolCall] = {}
        self.reply: Reply | None = None
        self._conversation = conversation
        self._handed_over = handed_over
        self._acting = 0
        self._queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read(events))

    async def upto_client(self) -> AsyncIterator[Event]:
        """Raises what the turn raises. `reply` is set at its end, `calls` where it waits."""
        self.calls = {}
        while True:
            waits = bool(self.calls) and not self._acting
            try:
                async with asyncio.timeout(CALLS_OF_ONE_STEP if waits else None):
                    event = await self._queue.get()
            except TimeoutError:
                return
            match event:
                case None:
                    return
                case BaseException():
                    raise event
                case ToolStarted(call=call):
                    if (id := self._handed_over.announce(call)) is not None:
                        self.calls[id] = call
                    else:
                        self._acting += 1
                        yield event
                case ToolFinished(call=call):
                    if call not in self.calls.values():
                        self._acting = max(0, self._acting - 1)
                        yield event
                case TurnFinished(reply=reply):
                    self.reply = reply
                    yield event
                case _:
                    yield event

    def go_on(self, results: Sequence[ToolResult]) -> None:
        """What the client's tools gave."""
        for result in results:
            self._handed_over.answer(result.call_id, result.content)
        self._handed_over.release()

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self._reading.cancel()

    async def close(self) -> None:
        """A turn that is not at its end is cancelled; what was said is remembered as such."""
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self._handed_over.leave(self.calls)
        await self._conversation.close()

    async def _read(self, events: AsyncGenerator[Event, None]) -> None:
        end: Any = None
        try:
            async with aclosing(events) as turn:
                async for event in turn:
                    self._queue.put_nowait(event)
        except TurnNotRemembered as error:  # the answer was given
            self._queue.put_nowait(TurnFinished(error.reply, 0.0))
        except asyncio.CancelledError:
            end = UsageError("the answer was cancelled")
            raise
        except Exception as error:
            end = error
        finally:
            self._queue.put_nowait(end)
