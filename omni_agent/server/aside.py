"""Responses that are no part of the conversation (`conversation: "none"`): a title, a summary."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from omni_agent.errors import OmniAgentError
from omni_agent.events import AudioDelta, TextDelta, Usage
from omni_agent.messages import Text
from omni_agent.model.base import Finished, ResponseOptions
from omni_agent.server.items import Items
from omni_agent.server.response import Response, Said, Wanted
from omni_agent.server.wire import BadEvent, Outbox

if TYPE_CHECKING:
    from omni_agent.agent import Agent

logger = logging.getLogger("omni_agent.server")


class Aside:
    """Has a session of the model for each, without the agent's tools and memory. One at a time."""

    def __init__(self, agent: Agent, outbox: Outbox, items: Items) -> None:
        self._agent = agent
        self._outbox = outbox
        self._items = items
        self._running: asyncio.Task[None] | None = None

    def begin(self, params: dict[str, Any], wanted: Wanted) -> None:
        """Answer `params["input"]`, or what the conversation has up to now. Raises BadEvent."""
        if self._running is not None and not self._running.done():
            raise BadEvent(
                "a response outside the conversation is under way already; wait for its end",
                code="conversation_already_has_active_response",
            )
        words = self._words(params.get("input"))
        instructions = params.get("instructions")
        if not isinstance(instructions, str) or not instructions.strip():
            instructions = self._agent.instructions
        self._running = asyncio.create_task(self._respond(instructions, words, wanted))

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _words(self, given: Any) -> str:
        if given is None:
            lines = [f"{item.role}: {item.text}" for item in self._items if item.role and item.text]
            return "\n".join(lines) or "(Nothing was said yet.)"
        if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
            raise BadEvent("response.input has to be a list of items", param="response.input")
        words = []
        for item in given:
            if item.get("type") == "item_reference":
                code = "item_retrieve_invalid_item_id"
                words.append(self._items.get(str(item.get("id")), code=code).text)
                continue
            content = item.get("content")
            for part in content if isinstance(content, list) else ():
                text = part.get("text") or part.get("transcript") if isinstance(part, dict) else ""
                if isinstance(text, str) and text:
                    words.append(text)
        if not words:
            raise BadEvent("response.input has no words", param="response.input")
        return "\n".join(words)

    async def _respond(self, instructions: str, words: str, wanted: Wanted) -> None:
        response = Response(self._outbox, None, wanted, Said(0))
        response.begin()
        usage = Usage()
        try:
            model = await self._agent.open_model()
            session = await model.open_session(instructions, (), self._agent.voice)
            try:
                await session.feed(Text(words))
                options = ResponseOptions(speak=wanted.speaks, tools="none")
                async with aclosing(session.respond(options)) as events:
                    async for event in events:
                        match event:
                            case TextDelta():
                                response.words(event.text)
                            case AudioDelta():
                                response.sound(event.audio)
                            case Finished():
                                usage = event.usage
                            case _:
                                pass  # it was given no tools
            finally:
                await session.close()
        except Exception as error:
            logger.exception("a response outside the conversation failed")
            words = str(error) if isinstance(error, OmniAgentError) else "it broke down"
            response.finish("failed", error=words, usage=usage)
        else:
            response.finish("completed", usage=usage)
