"""A conversation: one model session, the turns that were had in it, and who may speak up in it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from omni_agent.events import AudioDelta, Event, Reply, TextDelta, TurnFinished
from omni_agent.media import Audio, Image, VideoFrame, load_part
from omni_agent.messages import InputPart, Language, Text
from omni_agent.model.base import ModelSession, ResponseOptions
from omni_agent.tools.base import Position, ToolContext
from omni_agent.turn import Turn

if TYPE_CHECKING:
    from pathlib import Path

    from omni_agent.agent import Agent

    Input = str | bytes | Path | Text | Audio | Image | VideoFrame


class Conversation:
    """Made by `Agent.conversation`. One turn at a time; a second one waits for the first.

    `place` may be set at any time: it is where the user is from the next turn on.
    """

    def __init__(self, agent: Agent, id: str | None, place: Position | None) -> None:
        self.id = id or uuid.uuid4().hex
        self.place = place
        self.language: Language = agent.language
        self._agent = agent
        self._session: ModelSession | None = None
        self._turns = 0
        self._one_at_a_time = asyncio.Lock()
        self._announcements: asyncio.Queue[str] = asyncio.Queue()
        self._fed_audio = False

    async def feed(self, *inputs: Input) -> None:
        """Give input ahead of the turn, such as speech while it arrives; `stream()` answers it."""
        session = await self._open()
        for part in inputs:
            loaded = as_part(part)
            self._fed_audio |= isinstance(loaded, Audio)
            await session.feed(loaded)

    async def stream(
        self, *inputs: Input, speak: bool | None = None
    ) -> AsyncGenerator[Event, None]:
        """Answer, event by event, ending with `TurnFinished`. Closing the iterator cancels.

        `speak` None means: aloud if the user spoke.
        """
        parts = [as_part(part) for part in inputs]
        async with self._one_at_a_time:
            session = await self._open()
            spoken = self._fed_audio or any(isinstance(part, Audio) for part in parts)
            self._fed_audio = False
            self._turns += 1
            turn = self._turn(session, speak=spoken if speak is None else speak)
            async with aclosing(turn.run(parts)) as events:
                async for event in events:
                    yield event
            self.language = turn.language

    async def ask(self, *inputs: Input, speak: bool | None = None) -> Reply:
        """Answer, whole."""
        async with aclosing(self.stream(*inputs, speak=speak)) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    return event.reply
        raise AssertionError("a turn ends with TurnFinished or an exception")

    async def say(
        self, text: str, *, speak: bool = True
    ) -> AsyncGenerator[TextDelta | AudioDelta, None]:
        """Speak up unasked, word for word; it becomes part of the conversation."""
        async with self._one_at_a_time:
            session = await self._open()
            options = ResponseOptions(say=text, speak=speak, language=self.language)
            async for event in session.respond(options):
                if isinstance(event, TextDelta | AudioDelta):
                    yield event

    async def announcements(self) -> AsyncIterator[str]:
        """What tools want to say by themselves, such as a timer that rings; never ends."""
        while True:
            yield await self._announcements.get()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _open(self) -> ModelSession:
        if self._session is None:
            self._session = await self._agent.open_session()
        return self._session

    def _turn(self, session: ModelSession, *, speak: bool) -> Turn:
        agent = self._agent
        context = ToolContext(
            clock=agent.clock,
            language=self.language,
            conversation=self.id,
            place=self.place,
            people=agent.people,
            announce=self._announcements.put_nowait,
            memory=agent.memory or agent.transient_memory,
        )
        return Turn(
            number=self._turns,
            agent=agent.name,
            session=session,
            runner=agent.runner,
            memory=agent.memory,
            context=context,
            clock=agent.clock,
            speak=speak,
            language=self.language,
            max_steps=agent.max_steps,
            recall_limit=agent.recall_limit,
        )


def as_part(value: Input) -> InputPart:
    """A string is text; bytes and paths are read as sound or a picture, by their content."""
    match value:
        case str():
            return Text(value)
        case Text() | Audio() | Image() | VideoFrame():
            return value
        case _:
            return load_part(value)
