"""A live call: sound and pictures go in while they happen, speech and events come out.

    async with agent.live() as call:
        call.hear(chunk)                 # the microphone, again and again
        async for event in call:
            ...

One task takes everything in, in order. Whose turn it is, is decided in `floor`; the agent's speech
and how it is cut short are in `speaking`.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from omni_agent.attending import attendance_of
from omni_agent.call_settings import CallSettings
from omni_agent.call_tap import CallTap
from omni_agent.errors import UsageError
from omni_agent.events import (
    CallEnded,
    CallState,
    Interrupted,
    LiveEvent,
    StateChanged,
    Trouble,
)
from omni_agent.floor import Floor
from omni_agent.history import PastTurn
from omni_agent.listening import Listening
from omni_agent.media import Audio, VideoFrame
from omni_agent.messages import Language
from omni_agent.persona import Persona
from omni_agent.playback import PlaybackBuffer, RemotePlayback
from omni_agent.scene_watch import SceneWatch
from omni_agent.seeing import FrameSampler
from omni_agent.telemetry import observer
from omni_agent.timekeeper import Timekeeper
from omni_agent.virtual_clock import working

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.conversation import Input
    from omni_agent.speaking import Act
    from omni_agent.tools.base import Tool

logger = logging.getLogger("omni_agent.live")
T = TypeVar("T")

_BEHIND = 10.0  # seconds of sound that may wait for a busy loop; then the oldest goes
_MOST_UNREAD = 20_000  # events that nobody reads


class LiveCall:
    """Made by `Agent.live`; runs while it is entered. Iterating gives its events, to one reader.

    `output` is the speech on its way to the loudspeaker: with player="own" a sound card takes it
    out with `fill`; with player="remote" a distant player gets the AudioDelta events, and what it
    has played is reckoned by the clock until it tells (`truncate`).
    `dropped_seconds`: sound that was lost because the process could not keep up.
    """

    def __init__(
        self,
        agent: Agent,
        settings: CallSettings,
        *,
        persona: Persona,
        tap: CallTap | None = None,
        record: Path | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.agent = agent
        self.state: CallState = "idle"
        self.dropped_seconds = 0.0
        self.input_rate = self.output_rate = 0
        self.output: PlaybackBuffer
        self._clock = agent.clock
        self._conversation = agent.conversation(
            self.id, place=settings.place, persona=persona, history=settings.history
        )
        self._settings = replace(settings, place=self._conversation.place)
        self._tap, self._record = tap, record
        self._floor: Floor
        self._scenes: SceneWatch | None = None
        self._inbox: asyncio.Queue[Act] = asyncio.Queue()
        self._events: asyncio.Queue[LiveEvent] = asyncio.Queue()
        self._arrived: deque[Audio] = deque()
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: set[asyncio.Future[Any]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._open = self._ended = False
        self._while_open = ExitStack()

    # --- what goes in ------------------------------------------------------------------------

    def hear(self, audio: Audio) -> None:
        """Sound of the microphone, in chunks of any length and rate; returns at once."""
        self._came("hear", audio)
        if not self._arrived:
            self._post(self._hear)
        self._arrived.append(audio)
        while sum(chunk.seconds for chunk in self._arrived) > _BEHIND and len(self._arrived) > 1:
            self.dropped_seconds += self._arrived.popleft().seconds

    def see(self, frame: VideoFrame, source: str = "camera") -> None:
        """A picture of a camera or screen, as often as there are any; few reach the model."""
        self._came("see", frame, source)
        if self._scenes is not None:
            self._scenes.see(frame, source)
        self._post(partial(self._floor.see, frame, source))

    def hide(self, source: str = "camera") -> None:
        """The camera or screen was switched off."""
        self._came("hide", source)
        self._post(partial(self._floor.hide, source))

    async def send(self, *inputs: Input, respond: bool = True) -> None:
        """Typed words, pictures, files. They are answered at once, or with the next turn."""
        self._came("send", inputs, respond)
        await self._done(partial(self._send, inputs, respond))

    async def respond(self, *, speak: bool | None = None) -> None:
        """Answer now what was given. `speak` None: as the call does."""
        self._came("respond", speak)
        await self._done(partial(self._respond, speak))

    def commit(self) -> None:
        """The user's turn is over now (push-to-talk)."""
        self._came("commit")
        self._post(self._floor.commit)

    def clear(self) -> None:
        """Drop what was said and not answered yet."""
        self._came("clear")
        self._post(self._floor.clear)

    async def interrupt(self, played_ms: int | None = None) -> Interrupted | None:
        """Stop talking; None where nothing was cut off. `played_ms`: what a distant player says."""
        self._came("interrupt", played_ms)
        return await self._done(partial(self._floor.speaking.interrupt, played_ms))

    async def truncate(self, turn: int, played_ms: int) -> Interrupted:
        """A distant player tells what it really played of a turn.

        Raises UsageError for a turn whose sound is not known (any more).
        """
        self._came("truncate", turn, played_ms)
        return await self._done(partial(self._floor.speaking.truncate, turn, played_ms))

    def played(self, turn: int, ms: int) -> None:
        """A distant player tells how much of a turn's speech it has played up to now."""
        self._came("played", turn, ms)
        self._floor.speaking.told(turn, ms)

    def say(self, text: str) -> None:
        """Speak up, word for word, as soon as nobody speaks."""
        self._came("say", text)
        self._floor.speaking.to_say.append(text)

    async def configure(
        self,
        *,
        instructions: str | None = None,
        tools: Sequence[Tool] | None = None,
        voice: str | None = None,
        language: Language | None = None,
        listening: Listening | None = None,
        speak: bool | None = None,
        answers: bool | None = None,
    ) -> None:
        """Change the call while it goes on; None leaves a thing as it is.

        `answers=False`: what is said is understood, and answered only when `respond` asks for it.
        Other instructions, tools or another voice open the model's session anew with the same past:
        a local model reads it again.
        """
        now = self._conversation.persona
        persona = Persona(
            instructions=now.instructions if instructions is None else instructions,
            tools=now.tools if tools is None else tuple(tools),
            voice=voice or now.voice,
            language=language or now.language,
        )
        self._came("configure", persona, listening, speak, answers)
        await self._done(partial(self._configure, persona, listening, speak, answers))

    # --- what comes out ----------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveEvent:
        if self._ended and self._events.empty():
            raise StopAsyncIteration
        return await self._events.get()

    @property
    def history(self) -> tuple[PastTurn, ...]:
        """The turns that were had, with what of each reply was really heard."""
        return tuple(self._conversation.past)

    # --- life --------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        profile = (await self.agent.open_model()).profile
        self.input_rate, self.output_rate = profile.input_rate, profile.output_rate
        settings = self._settings
        playback = PlaybackBuffer if settings.player == "own" else RemotePlayback
        self.output = playback(self.output_rate, clock=self._clock)
        if self._record is not None:
            from omni_agent.recording import Recorder

            self._tap = Recorder(
                self._record,
                call=self.id,
                agent=self.agent.name,
                profile=profile,
                settings=settings,
                output=self.output,
                clock=self._clock,
            )
        self._observer = observer(self.agent, model=profile.name, conversation=self.id)
        self._floor = Floor(
            self._conversation,
            self.output,
            FrameSampler(profile.sight, settings.seeing),
            listening=settings.listening,
            input_rate=self.input_rate,
            speak=settings.speak and "audio" in profile.gives,
            answers=settings.answers,
            drafting=settings.draft,
            clock=self._clock,
            emit=self._emit,
            post=self._post,
        )
        await self._floor.prepare()
        self._conversation.attendance = self._floor.attendance = await attendance_of(
            self.agent.memory, call=self.id, clock=self._clock, emit=self._emit
        )
        self._scenes = await SceneWatch.of(self, self._conversation)
        self._open = True
        self._while_open.enter_context(self.agent.at_work())
        timekeeper = Timekeeper(
            self, self._floor, settings, clock=self._clock, emit=self._emit, post=self._post
        )
        for work in (self._run(), timekeeper.watch(), self._take_announcements()):
            self._tasks.append(asyncio.create_task(work))
        if settings.prepare:
            self._post(self._conversation.prepare)
        return self

    async def close(self, reason: str = "closed") -> None:
        """Hang up: what was heard is remembered, nothing goes on. May be called twice."""
        self.hang_up(reason)
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def hang_up(self, reason: str) -> None:
        """Begin to hang up; `close` waits for its end."""
        if self._open:
            self._open = False
            self._closing = asyncio.create_task(self._close(reason))

    async def _close(self, reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for outcome in [*self._waiting]:
            outcome.set_exception(UsageError("the call has ended"))
        await self._floor.speaking.interrupt()
        await self._floor.speaking.close()
        if self._scenes is not None:
            await self._scenes.close()
        await self._conversation.close()
        if self._floor.attendance is not None:
            await self._floor.attendance.close()
        self._while_open.close()
        self._emit(CallEnded(reason, self._clock.monotonic()))
        self._ended = True
        self._observer.close()
        if self._tap is not None:
            await asyncio.to_thread(self._tap.close)  # it writes what is left

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- inside ------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Everything that came in, one after the other."""
        while True:
            act = await self._inbox.get()
            try:
                with working(self._clock):
                    await act()
            except Exception as error:
                logger.exception("the call goes on after an error")
                self._emit(Trouble.of(error, self._clock.monotonic()))
            self._settle()

    def _settle(self) -> None:
        before, self.state = self.state, self._floor.state
        if self.state != before:
            self._emit(StateChanged(self.state, before, self._clock.monotonic()))

    async def _take_announcements(self) -> None:
        async for text in self._conversation.announcements():
            self._floor.speaking.to_say.append(text)

    async def _hear(self) -> None:
        chunks = [*self._arrived]
        self._arrived.clear()
        for rate in dict.fromkeys(chunk.rate for chunk in chunks):
            await self._floor.hear(Audio.join(c for c in chunks if c.rate == rate))

    async def _send(self, inputs: Sequence[Input], respond: bool) -> None:
        if not respond:
            await self._floor.feed(*inputs)
            return
        await self._floor.speaking.make_way()
        await self._floor.answer(*inputs)

    async def _respond(self, speak: bool | None) -> None:
        await self._floor.speaking.make_way()
        await self._floor.answer(speak=speak)

    async def _configure(
        self,
        persona: Persona,
        listening: Listening | None,
        speak: bool | None,
        answers: bool | None,
    ) -> None:
        if answers is not None:
            self._floor.answers = answers
        if speak is not None:
            self._floor.speak = speak
        if listening is not None and listening != self._floor.listening:
            self._floor.listen(listening)
        if persona != self._conversation.persona:
            await self._floor.speaking.make_way()
            await self._conversation.change(persona)

    def _emit(self, event: LiveEvent) -> None:
        self._observer.see(event)
        if self._floor.attendance is not None:
            self._floor.attendance.went(event)
        if self._tap is not None:
            self._tap.went(event)
        if self._events.qsize() >= _MOST_UNREAD:
            self._events.get_nowait()  # nobody reads: the oldest goes
        self._events.put_nowait(event)

    def _post(self, act: Act) -> None:
        if not self._ended:
            self._inbox.put_nowait(act)

    async def _done(self, act: Callable[[], Awaitable[T]]) -> T:
        """Have it done in its turn, and wait for what comes of it."""
        self._check_open()
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            try:
                result = await act()
            except Exception as error:
                if not outcome.done():
                    outcome.set_exception(error)
            else:
                if not outcome.done():
                    outcome.set_result(result)

        self._waiting.add(outcome)
        outcome.add_done_callback(self._waiting.discard)
        self._post(work)
        return await outcome

    def _came(self, verb: str, *values: Any) -> None:
        self._check_open()
        if self._tap is not None:
            self._tap.came(verb, *values)

    def _check_open(self) -> None:
        if not self._open:
            raise UsageError("this call is not open; use: async with agent.live() as call")
