"""A conversation: one model session, the turns that were had in it, and who may speak up in it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from os import PathLike
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Any, cast

from omni_agent.attending import Attending, with_names
from omni_agent.errors import SettingsError, UsageError
from omni_agent.events import Event, Reply, TurnFinished
from omni_agent.history import PastTurn, messages_of
from omni_agent.media import Audio, Image, VideoFrame, load_part
from omni_agent.messages import Context, Heard, InputPart, Language, Message, Text, Transcript
from omni_agent.model.base import ModelSession, Overhearing
from omni_agent.persona import Persona
from omni_agent.telemetry import observed
from omni_agent.tools.base import Position, ToolContext
from omni_agent.tools.frames import FrameFeed
from omni_agent.tools.runner import late_note
from omni_agent.turn import Audience, Turn, all_of_it
from omni_agent.virtual_clock import working

if TYPE_CHECKING:
    from pathlib import Path

    from omni_agent.agent import Agent

    Input = str | bytes | Path | Text | Audio | Image | VideoFrame

PLAIN = Persona()


class Conversation:
    """Made by `Agent.conversation`. One turn at a time; a second one waits for the first.

    `place` may be set at any time: it is where the user is from the next turn on. `past` has the
    turns that were had, with what of each reply was really heard. `frames` is what tools that watch
    are shown. `attendance` knows who is there, in a call.
    """

    def __init__(
        self,
        agent: Agent,
        id: str | None,
        place: Position | None,
        persona: Persona = PLAIN,
        history: Sequence[Message] = (),
    ) -> None:
        self.id = id or uuid.uuid4().hex
        self.place = place
        self.past: list[PastTurn] = []
        self._before = tuple(history)
        self.frames = FrameFeed()
        self.attendance: Attending | None = None
        self._agent = agent
        self._wear(persona)
        self._session: ModelSession | None = None
        self._turns = 0
        self._one_at_a_time = asyncio.Lock()
        self._running: AsyncGeneratorType[Event, None] | None = None  # the turn under way
        self._reader: asyncio.Task[Any] | None = None  # who asked for it
        self._loop: asyncio.AbstractEventLoop | None = None
        self._announcements: asyncio.Queue[str] = asyncio.Queue()
        self._fed: list[InputPart] = []
        self._late: list[Context] = []  # what tools gave after their turn was cut short
        self._closed = False

    def _wear(self, persona: Persona) -> None:
        self.persona = persona
        self.language: Language = persona.language or self._agent.language
        self._runner = self._agent.runner.with_tools(persona.tools)

    async def change(self, persona: Persona) -> None:
        """Go on as somebody else: the next turn is had with this persona, and the same past."""
        async with self._one_at_a_time:
            self._wear(persona)
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    async def prepare(self) -> None:
        """Open the model's session now, so that the first turn need not wait for it."""
        async with self._one_at_a_time:
            await self._open()

    async def feed(self, *inputs: Input) -> None:
        """Give input ahead of the turn, such as speech while it arrives; `stream()` answers it."""
        parts = [await _loaded(value) for value in inputs]
        await self._check_not_left_open()
        async with self._one_at_a_time:
            session = await self._open()
            for part in parts:
                await session.feed(part)
                self._fed.append(part)

    async def discard(self) -> None:
        """Forget what was fed and not answered."""
        async with self._one_at_a_time:
            self._fed.clear()
            if self._session is not None:
                await self._session.discard()

    @property
    def has_words(self) -> bool:
        """Whether something other than speech and what a camera sees waits for an answer."""
        return any(not isinstance(part, Audio | VideoFrame) for part in self._fed)

    async def transcript(self) -> Transcript | None:
        """What was said in the speech that was fed; it stays to be answered."""
        async with self._one_at_a_time:
            return await (await self._open()).transcript()

    def overhear(self) -> Overhearing | None:
        """Listen aside to what may not be meant for the agent, also during a turn."""
        return None if self._session is None else self._session.overhear()

    @property
    def caption(self) -> Transcript | None:
        """What is understood so far of the speech that was fed; None where that is not known."""
        return None if self._session is None else self._session.caption

    async def stream(
        self,
        *inputs: Input,
        speak: bool | None = None,
        audience: Audience = all_of_it,
        certain: asyncio.Event | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Answer, event by event, ending with `TurnFinished`. Closing the iterator cancels.

        `speak` None means: aloud if the user spoke. `audience` and `certain` are for who plays the
        reply to somebody that can cut in: see `Turn`. Raises SettingsError where there is nothing
        to answer, UsageError where an earlier stream was left in the middle by the same task.
        """
        parts = [await _loaded(value) for value in inputs]
        await self._check_not_left_open()
        async with self._one_at_a_time:
            _check_not_empty(self._fed + parts)
            session = await self._open()
            fed, self._fed = self._fed, []
            notes = tuple(self._late)
            for note in notes:
                await session.feed(note)
            if speak is None:
                speak = any(isinstance(part, Audio) for part in fed + parts)
            turn = self._turn(session, speak=speak, audience=audience, certain=certain)
            running = turn.run(parts, fed=fed)
            if audience is all_of_it:  # a call is observed as a whole
                running = observed(
                    running, self._agent, model=self._model_name, conversation=self.id
                )
            try:
                async with aclosing(self._had(running)) as events:
                    async for event in events:
                        yield event
            finally:
                self._turns += 1
                if turn.is_draft:  # it never was: what was said stays open
                    self._fed = fed + parts
                else:
                    del self._late[: len(notes)]
                    self.language = turn.language
                    self.past.append(turn.as_past())

    async def ask(self, *inputs: Input, speak: bool | None = None) -> Reply:
        """Answer, whole."""
        async with aclosing(self.stream(*inputs, speak=speak)) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    return event.reply
        raise AssertionError("a turn ends with TurnFinished or an exception")

    async def say(
        self, text: str, *, speak: bool = True, audience: Audience = all_of_it
    ) -> AsyncGenerator[Event, None]:
        """Speak up unasked, word for word; it becomes part of the conversation."""
        await self._check_not_left_open()
        async with self._one_at_a_time:
            session = await self._open()
            turn = self._turn(session, speak=speak, audience=audience)
            try:
                async with aclosing(self._had(turn.speak_up(text))) as events:
                    async for event in events:
                        yield event
            finally:
                self._turns += 1
                self.past.append(turn.as_past())

    async def heard_only(self, heard: Heard) -> PastTurn:
        """The last reply was whole, but the user cut in while it was played."""
        async with self._one_at_a_time:
            last = self.past[-1]
            cut = self.past[-1] = last.cut(heard)
            if self._session is not None:
                await self._session.rewind(heard)
            if self._agent.memory is not None and last.user:
                await asyncio.to_thread(
                    self._agent.memory.cut_reply,
                    self.id,
                    last.turn,
                    heard=cut.heard_text,
                    unheard=cut.unheard_text,
                    interrupted_at_ms=heard.played_ms,
                )
            return cut

    async def announcements(self) -> AsyncIterator[str]:
        """What tools want to say by themselves, such as a timer that rings; never ends."""
        while True:
            yield await self._announcements.get()

    async def close(self) -> None:
        """End it. A turn whose stream was left in the middle is cancelled, another is waited for.

        May be called twice.
        """
        self._closed = True
        if await self._left_open() and self._running is not None:
            await self._running.aclose()
        elif self._running is not None:
            async with self._one_at_a_time:
                pass
        self._agent.ended(self)
        self.frames.close()
        await self._runner.end(self.id)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- inside ------------------------------------------------------------------------------

    async def _had(self, turn: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The turn's events; while it is read, it is known who reads it."""
        self._reader = asyncio.current_task()
        self._running = cast("AsyncGeneratorType[Event, None]", turn)
        try:
            with self._agent.at_work():
                async with aclosing(turn) as events:
                    async for event in events:
                        yield event
        finally:
            self._running = self._reader = None

    async def _open(self) -> ModelSession:
        if self._closed:
            raise UsageError("this conversation is closed; open another with agent.conversation()")
        if self._session is None:
            self._loop = asyncio.get_running_loop()
            self._model_name = (await self._agent.open_model()).profile.name
            had = (*self._before, *messages_of(self.past))
            with working(self._agent.clock):
                self._session = await self._agent.open_session(
                    self._context(), self.persona, self._runner.specs, had
                )
        return self._session

    async def _left_open(self) -> bool:
        """Whether a turn is under way that nobody reads on at the moment."""
        if self._running is None or self._running.ag_running:
            return False
        for _ in range(3):  # an iterator that was dropped is closed by the loop, in two rounds
            await asyncio.sleep(0)
        return self._running is not None and not self._running.ag_running

    async def _check_not_left_open(self) -> None:
        """Waiting for a stream that only this task could read on would never end."""
        mine = self._reader is not None and self._reader is asyncio.current_task()
        if mine and await self._left_open():
            raise UsageError(
                "an earlier stream of this conversation is still open; read it to its end or "
                "close it (async with aclosing(stream)) before the next turn"
            )

    def _announce(self, text: str, /) -> None:
        """Called by tools, from any thread."""
        assert self._loop is not None
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside or self._loop.is_closed():
            self._announcements.put_nowait(text)
        else:
            self._loop.call_soon_threadsafe(self._announcements.put_nowait, text)

    def _context(self) -> ToolContext:
        agent = self._agent
        return ToolContext(
            agent=agent.name,
            clock=agent.clock,
            language=self.language,
            conversation=self.id,
            place=self.place,
            people=with_names(agent.people, self.attendance),
            present=() if self.attendance is None else self.attendance.present,
            announce=self._announce,
            frames=self.frames,
            memory=agent.transient_memory if agent.memory is None else agent.memory,
        )

    def _turn(
        self,
        session: ModelSession,
        *,
        speak: bool,
        audience: Audience,
        certain: asyncio.Event | None = None,
    ) -> Turn:
        agent = self._agent
        return Turn(
            number=self._turns + 1,
            agent=agent.name,
            session=session,
            runner=self._runner,
            memory=agent.memory,
            context=self._context(),
            clock=agent.clock,
            speak=speak,
            language=self.language,
            max_steps=agent.max_steps,
            recall_limit=agent.recall_limit,
            audience=audience,
            certain=certain,
            attendance=self.attendance,
            late=lambda finished: self._late.append(late_note(finished)),
            unheard=self.past[-1].unheard_text if self.past else "",
        )


def as_part(value: Input) -> InputPart:
    """A string is text; bytes and paths are read as sound or a picture, by their content."""
    match value:
        case str():
            return Text(value)
        case Text() | Audio() | Image() | VideoFrame():
            return value
        case bytes() | PathLike():
            return load_part(value)
        case _:
            raise SettingsError(
                f"{value!r:.100} is a {type(value).__name__}; ask with text, a Path or bytes of a "
                "sound or picture, Audio, Image or VideoFrame"
            )


async def _loaded(value: Input) -> InputPart:
    if isinstance(value, bytes | PathLike):  # decoding takes its time
        return await asyncio.to_thread(as_part, value)
    return as_part(value)


def _check_not_empty(parts: Sequence[InputPart]) -> None:
    if not any(part.text.strip() if isinstance(part, Text) else True for part in parts):
        words = " ".join(part.text for part in parts if isinstance(part, Text))
        raise SettingsError(
            f"there is nothing to answer in {words!r:.40}; give some words, sound or a picture"
        )
