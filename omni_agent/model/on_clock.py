"""A model under a virtual clock, which cannot see by itself when an engine in a thread works."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from omni_agent.clock import Clock
from omni_agent.events import AudioDelta, TextDelta
from omni_agent.messages import Exchange, Heard, InputPart, Message, ToolSpec, Transcript
from omni_agent.model.base import (
    ModelEvent,
    ModelProfile,
    ModelSession,
    OmniModel,
    Overhearing,
    ResponseOptions,
)
from omni_agent.virtual_clock import working


class OnClock:
    """The same model; the clock waits for its work, and its events carry the clock's time."""

    def __init__(self, model: OmniModel, clock: Clock) -> None:
        self.model = model
        self.clock = clock

    @property
    def profile(self) -> ModelProfile:
        return self.model.profile

    async def open_session(
        self,
        system: str,
        tools: Sequence[ToolSpec] = (),
        voice: str | None = None,
        examples: Sequence[Exchange] = (),
        history: Sequence[Message] = (),
    ) -> ModelSession:
        with working(self.clock):
            session = await self.model.open_session(system, tools, voice, examples, history)
        return _Session(session, self.clock)

    async def close(self) -> None:
        await self.model.close()


class _Session:
    def __init__(self, session: ModelSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    async def feed(self, part: InputPart) -> None:
        with working(self._clock):
            await self._session.feed(part)

    async def transcript(self) -> Transcript | None:
        with working(self._clock):
            return await self._session.transcript()

    async def respond(self, options: ResponseOptions) -> AsyncGenerator[ModelEvent, None]:
        async with aclosing(self._session.respond(options)) as events:
            while True:
                with working(self._clock):
                    event = await anext(events, None)
                match event:
                    case None:
                        return
                    case TextDelta() | AudioDelta():
                        yield replace(event, t=self._clock.monotonic())
                    case _:
                        yield event

    async def rewind(self, heard: Heard) -> None:
        with working(self._clock):
            await self._session.rewind(heard)

    async def reopen(self) -> None:
        with working(self._clock):
            await self._session.reopen()

    async def discard(self) -> None:
        with working(self._clock):
            await self._session.discard()

    def overhear(self) -> Overhearing | None:
        return self._session.overhear()

    @property
    def caption(self) -> Transcript | None:
        return self._session.caption

    async def close(self) -> None:
        with working(self._clock):
            await self._session.close()
