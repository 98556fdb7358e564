"""One turn: hear → recall → respond → run tools → respond … → remember."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from omni_agent.attending import Attending, SaidBy
from omni_agent.clock import Clock
from omni_agent.errors import TurnNotRemembered
from omni_agent.events import (
    AudioDelta,
    Event,
    MemoryRecalled,
    MemoryStored,
    RecalledMemory,
    Reply,
    TextDelta,
    Timings,
    ToolFinished,
    ToolRun,
    TurnFinished,
    TurnStarted,
    Usage,
    UserTranscript,
)
from omni_agent.filler import FILLER_AFTER, bridged
from omni_agent.history import PastTurn
from omni_agent.media import Audio
from omni_agent.messages import Context, Heard, InputPart, Language, Text, ToolCall, ToolResult
from omni_agent.model.base import Finished, MalformedCall, ModelSession, ResponseOptions
from omni_agent.remembering import TurnMemory, note_of, recall, record
from omni_agent.tools.base import ToolContext
from omni_agent.tools.runner import Late, ToolRunner
from omni_agent.wording import (
    APOLOGY,
    HEARD_NOTHING,
    TOO_MANY_STEPS,
    asks_to_go_on,
    gap_after,
    in_language,
    language_of_words,
)

logger = logging.getLogger("omni_agent.turn")

Stopped = Literal["done", "length", "max_steps", "cancelled"]


class Audience(Protocol):
    """Who listens to a reply."""

    def __call__(self, text: str, /) -> Heard:
        """What was heard of a reply of which `text` was made."""
        ...


def all_of_it(text: str, /) -> Heard:
    """The audience of a reply that nobody can cut into: whatever was made was heard."""
    return Heard(text, played_ms=0)


@dataclass(slots=True, kw_only=True)
class Turn:
    """Everything one turn needs; `run` yields what happens, ending with `TurnFinished`.

    Closing the iterator cancels the turn. What the `audience` heard up to then is remembered as
    such, and the model's session is cut back to it.

    A turn may be begun before it is `certain` that the user's turn is over: then it is a draft.
    Until that event is set, no tool runs and nothing is remembered; a draft that is cancelled
    leaves no trace, and what the user said stays open. `unheard` is what the last reply still had
    to say when the user cut in: asked to go on, the agent says it. `late` is told what tools give
    after the turn was cut short. `attendance` knows whose words the user's are.
    """

    number: int
    agent: str
    session: ModelSession
    runner: ToolRunner
    memory: TurnMemory | None
    context: ToolContext
    clock: Clock
    speak: bool
    language: Language
    max_steps: int
    recall_limit: int
    audience: Audience = all_of_it
    certain: asyncio.Event | None = None
    unheard: str = ""
    late: Late | None = None
    attendance: Attending | None = None

    text: str = ""
    heard: str = ""
    sound: list[Audio] = field(default_factory=list)
    runs: list[ToolRun] = field(default_factory=list)
    recalled: tuple[RecalledMemory, ...] = ()
    stored: tuple[str, ...] = ()
    stopped: Stopped = "cancelled"
    usage: Usage = field(default_factory=Usage)

    said_by: SaidBy = field(default_factory=SaidBy)

    _began: float = 0.0
    _first_text: float | None = None
    _first_audio: float | None = None
    _first_filler: float | None = None
    _recall_seconds: float = 0.0
    _tool_seconds: float = 0.0
    _responded: bool = False
    _cut: Heard | None = None

    async def run(
        self, parts: Sequence[InputPart], *, fed: Sequence[InputPart] = ()
    ) -> AsyncGenerator[Event, None]:
        """Answer `parts`; `fed` is what the session was given ahead of the turn.

        A memory that cannot be used at all (MemoryStoreError) is an error before anything is
        answered; one that only fails to recall is logged, and the turn goes on without. A turn
        that was answered but could not be recorded ends in TurnNotRemembered, which has the reply.
        """
        self._began = self.clock.monotonic()
        asked = (*fed, *parts)
        self.heard = " ".join(part.text for part in asked if isinstance(part, Text))
        try:
            yield TurnStarted(self.number, self._began)
            for part in parts:
                await self.session.feed(part)
            if (transcript := await self._listen()) is not None:
                yield transcript
            listens = transcript is not None
            if (recalled := await self._recall()) is not None:
                yield recalled
            only_sound = all(isinstance(part, Audio) for part in asked)
            heard_nothing = listens and only_sound and not self.heard
            say = in_language(HEARD_NOTHING, self.language) if heard_nothing else None
            if self.unheard and asks_to_go_on(self.heard):
                say = self.unheard
            async with aclosing(self._answer(say)) as events:
                async for event in events:
                    yield event
            # A model that understands sound without words may know them now.
            wanted = self.memory is not None and not self.heard
            if wanted and (transcript := await self._listen()) is not None:
                yield transcript
            await self._be_certain()
        except BaseException as error:  # closed, cancelled or broken down
            await self._cut_short(error)
            raise
        try:
            await self._remember(self.stopped)
        except Exception as error:
            raise TurnNotRemembered(self._reply(), error) from error
        if self.stored:
            yield MemoryStored(self.stored, self.clock.monotonic())
        yield TurnFinished(self._reply(), self.clock.monotonic())

    async def speak_up(self, text: str) -> AsyncGenerator[Event, None]:
        """Say `text` unasked; it is not remembered, since it answers nothing."""
        self.memory = None
        self._began = self.clock.monotonic()
        try:
            yield TurnStarted(self.number, self._began, unasked=True)
            async with aclosing(self._answer(text)) as events:
                async for event in events:
                    yield event
        except BaseException as error:
            await self._cut_short(error)
            raise
        yield TurnFinished(self._reply(), self.clock.monotonic())

    @property
    def is_draft(self) -> bool:
        return self.certain is not None and not self.certain.is_set()

    def as_past(self) -> PastTurn:
        """The turn as it was, as far as it came."""
        reply = self.text.strip()
        past = PastTurn(
            self.number, self.heard, reply, reply, tools=tuple(self.runs), language=self.language
        )
        return past if self._cut is None else past.cut(self._cut)

    # --- hearing and answering ---------------------------------------------------------------

    async def _listen(self) -> UserTranscript | None:
        """What was said or typed, and in which language; that is the tools' language too."""
        transcript = await self.session.transcript()
        if transcript is not None:
            self.heard = f"{self.heard} {transcript.text}".strip()
            self.language = transcript.language
        else:
            self.language = language_of_words(self.heard, self.language)
        self.context = replace(self.context, language=self.language, heard=self.heard)
        if self.attendance is not None and self.heard:
            self.said_by = await self.attendance.who(self.heard)
            present = self.attendance.present
            self.context = replace(self.context, present=present, speaker=self.said_by.person)
        if transcript is None:
            return None
        now, who = self.clock.monotonic(), self.said_by.name
        return UserTranscript(transcript.text, transcript.language, now, speaker=who)

    async def _answer(self, say: str | None) -> AsyncGenerator[Event, None]:
        """Respond and run tools until an answer without calls, or until `say` was said."""
        mended = too_many = False
        step = 0
        while True:
            step += 1
            last = step > self.max_steps
            options = ResponseOptions(
                speak=self.speak,
                say=say,
                tools="none" if last else "auto",
                language=self.language if say else None,
            )
            calls: list[ToolCall] = []
            malformed: MalformedCall | None = None
            length = False
            gap = gap_after(self.text)
            offset = len(self.text) + len(gap)
            self._responded = True
            async with aclosing(self.session.respond(options)) as events:
                async for event in events:
                    match event:
                        case TextDelta():
                            if self._first_text is None:
                                self._first_text = event.t - self._began
                            self.text += gap + event.text
                            yield TextDelta(gap + event.text, event.t) if gap else event
                            gap = ""
                        case AudioDelta():
                            if self._first_audio is None:
                                self._first_audio = event.t - self._began
                            self.sound.append(event.audio)
                            yield AudioDelta(event.audio, offset + event.text_upto, event.t)
                        case ToolCall():
                            calls.append(event)
                        case MalformedCall():
                            malformed = event
                        case Finished():
                            self.usage += event.usage
                            length = event.reason == "length"
            if say is not None or not (calls or malformed):
                self.stopped = "max_steps" if too_many else "length" if length else "done"
                return
            if last:
                too_many = True
                say = in_language(TOO_MANY_STEPS if calls else APOLOGY, self.language)
                continue
            if calls:
                async with aclosing(self._run_tools(calls)) as running:
                    async for happening in running:
                        yield happening
                results = [run.result for run in self.runs[-len(calls) :]]
                for result in results:
                    await self.session.feed(result)
                words = [result.say for result in results if result.say]
                if len(words) == len(results):  # the tools had the answer themselves
                    say = " ".join(words)
            if malformed is not None and say is None:
                if mended and not calls:
                    say = in_language(APOLOGY, self.language)
                else:
                    mended = True
                    await self.session.feed(_what_was_wrong(malformed))

    # --- tools -------------------------------------------------------------------------------

    async def _run_tools(self, calls: Sequence[ToolCall]) -> AsyncGenerator[Event, None]:
        """Run the calls; where they take long and nothing was said yet, a filler bridges."""
        await self._be_certain()
        began = self.clock.monotonic()
        running = self.runner.run(calls, self.context, late=self.late)
        happening: AsyncGenerator[Event, None] = running
        if not self.text and self._first_filler is None:
            happening = bridged(running, self._speak_filler(calls))
        try:
            async with aclosing(happening) as events:
                async for event in events:
                    if isinstance(event, ToolFinished):
                        self.runs.append(ToolRun(event.call, event.result, event.seconds))
                    yield event
        finally:
            self._tool_seconds += self.clock.monotonic() - began

    async def _speak_filler(self, calls: Sequence[ToolCall]) -> AsyncGenerator[Event, None]:
        """Apart from the answer: marked, not kept in the session, no part of the reply."""
        await self.clock.sleep(FILLER_AFTER)
        if (words := self.runner.filler(calls, self.context)) is None:
            return
        options = ResponseOptions(speak=self.speak, say=words, keep=False, language=self.language)
        async with aclosing(self.session.respond(options)) as events:
            async for event in events:
                if not isinstance(event, TextDelta | AudioDelta):
                    continue
                if self._first_filler is None:
                    self._first_filler = event.t - self._began
                yield replace(event, filler=True)

    async def _be_certain(self) -> None:
        if self.certain is not None:
            await self.certain.wait()

    # --- memory ------------------------------------------------------------------------------

    async def _recall(self) -> MemoryRecalled | None:
        """Lay before the model what it should remember of earlier conversations."""
        if self.attendance is not None and (note := self.attendance.note(self.said_by)):
            await self.session.feed(Context(note))
        if self.memory is None or not self.heard.strip():
            return None
        began = self.clock.monotonic()
        self.recalled = await recall(
            self.memory, self.heard, self.context, agent=self.agent, limit=self.recall_limit
        )
        self._recall_seconds = self.clock.monotonic() - began
        if not self.recalled:
            return None
        await self.session.feed(note_of(self.recalled))
        return MemoryRecalled(self.recalled, self.clock.monotonic())

    async def _remember(self, stopped: str) -> None:
        if self.attendance is not None and self.heard:
            self.said_by = await self.attendance.heard(self.heard)
        if self.memory is None or not (self.heard or self.text):
            return
        self.stored = await record(
            self.memory,
            self.context,
            agent=self.agent,
            turn=self.number,
            user=self.heard,
            reply=self.text,
            cut=self._cut,
            runs=self.runs,
            language=self.language,
            stopped=stopped,
            said_by=self.said_by,
        )
        if self.attendance is not None and self.heard and self.stored:
            self.attendance.kept(self.stored[0])

    async def _cut_short(self, error: BaseException) -> None:
        """Cut the session back to what was heard, and remember the turn as what it was.

        A session that has not begun to answer is left alone: its last reply is the turn before.
        """
        cancelled = isinstance(error, GeneratorExit | asyncio.CancelledError)
        heard = self.audience(self.text)
        self._cut = None if self.audience is all_of_it else heard
        try:
            if self.is_draft:
                await self.session.reopen()
                return
            if self._responded:
                await self.session.rewind(heard)
        except Exception:  # must not hide why the turn ended
            logger.exception("the session could not be cut back to what was heard")
        try:
            await self._remember("cancelled" if cancelled else "failed")
        except Exception:
            logger.exception("a turn that was cut short could not be remembered")

    def _reply(self) -> Reply:
        return Reply(
            text=self.text.strip(),
            audio=Audio.join(self.sound) if self.sound else None,
            heard=self.heard,
            language=self.language,
            tools=tuple(self.runs),
            recalled=self.recalled,
            stored=self.stored,
            stopped=self.stopped,
            timings=Timings(
                first_text=self._first_text,
                first_audio=self._first_audio,
                total=self.clock.monotonic() - self._began,
                tools=self._tool_seconds,
                recall=self._recall_seconds,
                first_filler=self._first_filler,
            ),
            usage=self.usage,
        )


def _what_was_wrong(malformed: MalformedCall) -> ToolResult:
    return ToolResult(
        call_id="",
        name="",
        content=f"That call could not be read: {malformed.problem} Try again, or answer in words.",
        is_error=True,
    )
