"""A client's own tools: the model calls them here, the client runs them there."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from omni_agent.messages import ToolCall, ToolSpec
from omni_agent.server.wire import new_id
from omni_agent.tools.base import Tool
from omni_agent.tools.schema import Signature


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call that a client has to run. It has an `id` once the client was told."""

    name: str
    arguments: dict[str, Any]
    result: asyncio.Future[str]
    id: str | None = None
    output: str | None = None
    late: bool = False


class HandedOver:
    """The calls that were handed to one client, and wait for what it makes of them.

    A call goes on when the client has given its output and, with `release`, asked for the answer.
    One whose turn was cut short waits on by itself; what comes of it is told late.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._released = False

    async def run(self, name: str, arguments: dict[str, Any]) -> str:
        """Wait for the client's output; it goes to the model as it is."""
        result = asyncio.get_running_loop().create_future()
        waiting = _Waiting(name, arguments, result)
        self._waiting.append(waiting)
        self._released = False
        try:
            return await result
        finally:
            self._waiting.remove(waiting)

    def announce(self, call: ToolCall) -> str | None:
        """The call's event came: its id on the wire. None for a call of the agent's own tools."""
        for waiting in reversed(self._waiting):  # an older one may be left of a turn cut short
            same = (waiting.name, waiting.arguments) == (call.name, call.arguments)
            if same and waiting.id is None:
                waiting.id = new_id("call")  # a model counts its own anew in each session
                return waiting.id
        return None

    def answer(self, call_id: str, output: str) -> bool:
        """The client's output for a call; False where no such call waits."""
        for waiting in self._waiting:
            if waiting.id == call_id and waiting.output is None:
                waiting.output = output
                self._settle()
                return True
        return False

    def release(self) -> None:
        """The answer is wanted: go on as soon as every call has its output."""
        self._released = True
        self._settle()

    def known_of(self, call_ids: Collection[str]) -> dict[str, tuple[str, str | None]]:
        """The names of these calls, and their outputs where the client has given them."""
        return {
            waiting.id: (waiting.name, waiting.output)
            for waiting in self._waiting
            if waiting.id is not None and waiting.id in call_ids
        }

    def leave(self, call_ids: Collection[str]) -> None:
        """Their turn is over: nobody waits for these calls any more."""
        for waiting in self._waiting:
            waiting.late = waiting.late or waiting.id in call_ids
        self._settle()

    def _settle(self) -> None:
        of_turn = [waiting for waiting in self._waiting if not waiting.late]
        go_on = self._released and all(waiting.output is not None for waiting in of_turn)
        for waiting in self._waiting:
            if (waiting.late or go_on) and waiting.output is not None and not waiting.result.done():
                waiting.result.set_result(waiting.output)


@dataclass(frozen=True, slots=True)
class _AsGiven(Signature):
    """Arguments are handed on as the model wrote them: only the client knows what is right."""

    _model: type[BaseModel] = field(default=BaseModel)

    def parse(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(arguments)


class ClientTool(Tool):
    """A tool of which only name, description and JSON Schema are known; running it is to wait."""

    def __init__(self, spec: ToolSpec, handed_over: HandedOver, *, timeout: float) -> None:
        async def run(**arguments: Any) -> str:
            return await handed_over.run(spec.name, arguments)

        run.__name__ = run.__qualname__ = spec.name
        run.__doc__ = spec.description
        self.name = spec.name
        self.spec = spec
        self.timeout = timeout
        self.needs_approval = False
        self.on_interrupt = "keep"
        self.function = run
        self._filler = None
        self._signature = _AsGiven(spec.description, spec.parameters, {}, False)
        functools.update_wrapper(self, run)


def client_tools(
    specs: Sequence[ToolSpec], handed_over: HandedOver, *, timeout: float
) -> tuple[ClientTool, ...]:
    return tuple(ClientTool(spec, handed_over, timeout=timeout) for spec in specs)
