"""One turn: hear → recall → feed → respond → run tools → respond … → remember."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

from omni_agent.clock import Clock
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
from omni_agent.media import Audio
from omni_agent.memory.records import TurnRecord
from omni_agent.messages import Context, Heard, InputPart, Language, Text, ToolCall, ToolResult
from omni_agent.model.base import Finished, MalformedCall, ModelSession, ResponseOptions
from omni_agent.tools.base import ToolContext
from omni_agent.tools.runner import RunnerEvent, ToolRunner
from omni_agent.wording import APOLOGY, HEARD_NOTHING, TOO_MANY_STEPS, in_language

FILLER_AFTER = 0.7
"""Seconds of silence that a running tool may cause before its filler is spoken."""

Stopped = Literal["done", "length", "max_steps", "cancelled"]


class TurnMemory(Protocol):
    """What a turn wants of the memory; its calls may block and are made in a worker thread."""

    def recall(
        self, query: str, *, limit: int, exclude_conversation: str
    ) -> Sequence[RecalledMemory]: ...

    def record_turn(self, turn: TurnRecord) -> tuple[str, ...]: ...


@dataclass(slots=True, kw_only=True)
class Turn:
    """Everything one turn needs; `run` yields what happens, ending with `TurnFinished`.

    Closing the iterator cancels the turn. What was said up to then is remembered as such, and
    the model's session is cut back to it.
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

    text: str = ""
    heard: str = ""
    sound: list[Audio] = field(default_factory=list)
    runs: list[ToolRun] = field(default_factory=list)
    recalled: tuple[RecalledMemory, ...] = ()
    stored: tuple[str, ...] = ()
    stopped: Stopped = "cancelled"
    usage: Usage = field(default_factory=Usage)

    _began: float = 0.0
    _first_text: float | None = None
    _first_audio: float | None = None
    _first_filler: float | None = None
    _recall_seconds: float = 0.0
    _tool_seconds: float = 0.0

    async def run(self, parts: Sequence[InputPart]) -> AsyncGenerator[Event, None]:
        self._began = self.clock.monotonic()
        yield TurnStarted(self.number, self._began)
        for part in parts:
            await self.session.feed(part)
        finished = False
        try:
            async with aclosing(self._answer(parts)) as events:
                async for event in events:
                    yield event
            finished = True
        finally:
            # A turn that was cut short is kept too; the answer's end is what was said of it.
            if self.heard or self.text:
                await self._remember()
            if not finished:
                await self.session.rewind(Heard(self.text, played_ms=0))
        if self.stored:
            yield MemoryStored(self.stored, self.clock.monotonic())
        yield TurnFinished(self._reply(), self.clock.monotonic())

    async def _answer(self, parts: Sequence[InputPart]) -> AsyncGenerator[Event, None]:
        typed = " ".join(part.text for part in parts if isinstance(part, Text))
        transcript = await self.session.transcript()
        self.heard = typed
        if transcript is not None:
            self.language = transcript.language
            self.heard = f"{typed} {transcript.text}".strip()
            yield UserTranscript(transcript.text, transcript.language, self.clock.monotonic())
            if not self.heard and all(isinstance(part, Audio) for part in parts):
                async for event in self._say(in_language(HEARD_NOTHING, self.language)):
                    yield event
                self.stopped = "done"
                return
        await self._recall()
        if self.recalled:
            yield MemoryRecalled(self.recalled, self.clock.monotonic())
            notes = "\n".join(f"[{m.id}] {m.text}" for m in self.recalled)
            await self.session.feed(Context(f"What you remember:\n{notes}"))
        async for event in self._steps():
            yield event

    async def _steps(self) -> AsyncGenerator[Event, None]:
        """Respond and run tools until an answer without calls."""
        broken_calls = 0
        for step in range(self.max_steps + 1):
            calls: list[ToolCall] = []
            malformed: MalformedCall | None = None
            last = step == self.max_steps
            options = ResponseOptions(speak=self.speak, tools="none" if last else "auto")
            async with aclosing(self._respond(options)) as events:
                async for event in events:
                    match event:
                        case ToolCall():
                            calls.append(event)
                        case MalformedCall():
                            malformed = event
                        case _:
                            yield event
            if malformed is not None and not calls:
                broken_calls += 1
                if broken_calls > 1:
                    async for event in self._say(in_language(APOLOGY, self.language)):
                        yield event
                    self.stopped = "done"
                    return
                await self.session.feed(_what_was_wrong(malformed))
                continue
            if not calls:
                return
            if last:
                async for event in self._say(in_language(TOO_MANY_STEPS, self.language)):
                    yield event
                self.stopped = "max_steps"
                return
            before = len(self.runs)
            async with aclosing(self._run_tools(calls)) as events:
                async for event in events:
                    yield event
            results = [run.result for run in self.runs[before:]]
            for result in results:
                await self.session.feed(result)
            words = [result.say for result in results if result.say]
            if len(words) == len(results):  # the tools had the answer themselves
                async for event in self._say(" ".join(words)):
                    yield event
                self.stopped = "done"
                return

    async def _say(self, words: str) -> AsyncGenerator[Event, None]:
        async with aclosing(self._respond(ResponseOptions(speak=self.speak, say=words))) as events:
            async for event in events:
                if not isinstance(event, ToolCall | MalformedCall):
                    yield event

    async def _respond(
        self, options: ResponseOptions
    ) -> AsyncGenerator[Event | ToolCall | MalformedCall, None]:
        """One answer of the model; its words and sound are counted into the reply."""
        offset = len(self.text)
        async with aclosing(self.session.respond(options)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        if self._first_text is None:
                            self._first_text = event.t - self._began
                        self.text += event.text
                        yield event
                    case AudioDelta():
                        if self._first_audio is None:
                            self._first_audio = event.t - self._began
                        self.sound.append(event.audio)
                        yield AudioDelta(event.audio, offset + event.text_upto, event.t)
                    case Finished():
                        self.usage += event.usage
                        self.stopped = "length" if event.reason == "length" else "done"
                    case _:
                        yield event
        if len(self.text) > offset and not self.text[-1].isspace():
            self.text += " "  # between what was said before a call and after it

    async def _run_tools(self, calls: Sequence[ToolCall]) -> AsyncGenerator[Event, None]:
        """Run the calls; where they take long and nothing was said yet, a filler bridges."""
        began = self.clock.monotonic()
        events: asyncio.Queue[RunnerEvent | None] = asyncio.Queue()

        async def run() -> None:
            try:
                async with aclosing(self.runner.run(calls, self.context)) as running:
                    async for event in running:
                        events.put_nowait(event)
            finally:
                events.put_nowait(None)

        work = asyncio.create_task(run())
        patience = asyncio.create_task(self.clock.sleep(FILLER_AFTER))
        try:
            while True:
                coming = asyncio.ensure_future(events.get())
                await asyncio.wait({coming, patience}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done() and not self.text and self._first_filler is None:
                    async with aclosing(self._filler(calls)) as spoken:
                        async for filler in spoken:
                            yield filler
                event = await coming
                if event is None:
                    break
                if isinstance(event, ToolFinished):
                    self.runs.append(ToolRun(event.call, event.result, event.seconds))
                yield event
            await work
        finally:
            patience.cancel()
            if not work.done():
                work.cancel()
                await asyncio.wait([work])
            self._tool_seconds += self.clock.monotonic() - began

    async def _filler(self, calls: Sequence[ToolCall]) -> AsyncGenerator[Event, None]:
        tools = (self.runner.tools.get(call.name) for call in calls)
        words = next((w for t in tools if t and (w := t.filler_for(self.language))), None)
        if words is None:
            return
        options = ResponseOptions(speak=self.speak, say=words, keep=False, language=self.language)
        async with aclosing(self.session.respond(options)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        yield TextDelta(event.text, event.t, filler=True)
                    case AudioDelta():
                        if self._first_filler is None:
                            self._first_filler = event.t - self._began
                        yield AudioDelta(event.audio, event.text_upto, event.t, filler=True)

    async def _recall(self) -> None:
        if self.memory is None or not self.heard:
            return
        began = self.clock.monotonic()
        found = await asyncio.to_thread(
            self.memory.recall,
            self.heard,
            limit=self.recall_limit,
            exclude_conversation=self.context.conversation,
        )
        self.recalled = tuple(found)
        self._recall_seconds = self.clock.monotonic() - began

    async def _remember(self) -> None:
        if self.memory is None:
            return
        record = TurnRecord(
            conversation=self.context.conversation,
            agent=self.agent,
            turn=self.number,
            user=self.heard,
            reply=self.text.strip(),
            tools=tuple(
                {
                    "name": run.call.name,
                    "arguments": run.call.arguments,
                    "result": run.result.content,
                    "is_error": run.result.is_error,
                }
                for run in self.runs
            ),
            language=self.language,
            at=self.clock.now(),
            place=asdict(self.context.place) if self.context.place else None,
            stopped=self.stopped,
        )
        self.stored = await asyncio.to_thread(self.memory.record_turn, record)

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
