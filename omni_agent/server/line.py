"""A client's line to the agent: the live call, which is opened when it is first needed.

By then a client has said who the agent shall be, and has told what was said before: had the call
begun at once, a local model would read its instructions twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_agent.messages import Message
from omni_agent.persona import Persona
from omni_agent.server.client_tools import HandedOver, client_tools
from omni_agent.server.given import Given, as_history
from omni_agent.server.items import Item
from omni_agent.server.limits import Bucket, Limits
from omni_agent.server.session import Session
from omni_agent.server.wire import BadEvent
from omni_agent.tools.base import Position, Tool

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.live import LiveCall


@dataclass(slots=True, kw_only=True)
class Terms:
    """How a call is had. `sound` is how much of it may still come faster than it is said.

    `record` is the folder that holds the recordings, if any are made.
    """

    limits: Limits
    omni: bool
    place: Position | None
    sound: Bucket
    record: Path | None = None


@dataclass(slots=True)
class Line:
    """`call` is None until `opened` was awaited; `has_opened` is set from then on."""

    agent: Agent
    session: Session
    terms: Terms
    call: LiveCall | None = None
    has_opened: asyncio.Event = field(default_factory=asyncio.Event)
    handed_over: HandedOver = field(default_factory=HandedOver)
    _has_tools: tuple[Tool, ...] = ()
    _told: list[tuple[Item, Sequence[Given]]] = field(default_factory=list)

    async def opened(self) -> LiveCall:
        """The call, which begins now if it has not. Raises ModelError and its like."""
        if self.call is not None:
            return self.call
        wishes = self.session.wishes
        history, unanswered = self._had_before()
        call = self.agent.live(
            listening=wishes.listening,
            player="remote",
            persona=Persona(
                instructions=wishes.instructions,
                tools=self._tools(),
                voice=wishes.voice,
                language=wishes.language,
            ),
            place=self.terms.place,
            history=history,
            speak=wishes.speak,
            answers=wishes.answers,
            max_seconds=self.terms.limits.call_seconds,
            record=self._recording(),
        )
        await call.__aenter__()
        self.call = call
        self.has_opened.set()
        for parts in unanswered:
            await call.send(*parts, respond=False)
        return call

    def tell(self, item: Item, parts: Sequence[Given] = ()) -> None:
        """An item that a client made; before the call it is a part of its history."""
        if self.call is None:
            self._told.append((item, parts))

    async def give(self, *parts: Given) -> None:
        """Input that is answered later; before the call, `tell` has it."""
        if self.call is not None and parts:
            await self.call.send(*parts, respond=False)

    def change(self, changes: dict[str, Any]) -> frozenset[str]:
        """Change the session; the names of the wishes that are others now. Raises BadEvent."""
        tools = changes.get("tools")
        named = (tool.get("name") for tool in tools or () if isinstance(tool, dict))
        if taken := [name for name in named if name in self.agent.runner.tools]:
            raise BadEvent(
                f"the agent has a tool {taken[0]!r} already; give yours another name",
                code="invalid_value",
                param="session.tools",
            )
        return self.session.update(changes, self.terms.limits)

    async def apply(self, changed: Collection[str], *, drop_calls: bool = False) -> None:
        """Have the call be as the session wishes now.

        `drop_calls`: what the client was called to do comes to nothing with the turn that is cut
        short; else what it makes of it is told late.
        """
        if self.call is None or not changed:
            return
        had = self._has_tools if drop_calls else ()
        wishes = self.session.wishes
        every: dict[str, Any] = {
            "instructions": wishes.instructions or self.agent.instructions,
            "tools": self._tools() if "tools" in changed else (),
            "voice": self.session.voice,
            "language": wishes.language,
            "listening": wishes.listening,
            "speak": wishes.speak,
            "answers": wishes.answers,
        }
        for tool in had:
            tool.on_interrupt = "drop"
        try:
            await self.call.configure(**{name: every[name] for name in changed})
        finally:
            for tool in had:
                tool.on_interrupt = "keep"

    async def close(self, reason: str) -> None:
        """End the call; what was said is kept."""
        if self.call is not None:
            await self.call.close(reason)

    def _had_before(self) -> tuple[tuple[Message, ...], list[Sequence[Given]]]:
        """The conversation up to the agent's last word or deed, and what nobody has answered."""
        told, self._told = self._told, []
        users = ("user", "system")
        upto = max((n + 1 for n, (i, _) in enumerate(told) if i.role not in users), default=0)
        return as_history(told[:upto]), [parts for _, parts in told[upto:] if parts]

    def _recording(self) -> Path | None:
        if self.terms.record is None:
            return None
        began = self.agent.clock.now().strftime("%Y-%m-%d-%H%M%S")
        return self.terms.record / f"{began}-{self.session.id[-6:]}"

    def _tools(self) -> tuple[Tool, ...]:
        seconds = self.terms.limits.tool_seconds
        wanted = self.session.wishes.tools
        self._has_tools = client_tools(wanted, self.handed_over, timeout=seconds)
        return self._has_tools
