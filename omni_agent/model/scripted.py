"""A model that says what it is told to: for testing an agent without a model's whims.

Each argument of `ScriptedModel` is what one `respond` yields:

    model = ScriptedModel(
        ["Let me look.", ToolCall("call_1", "find_dish", {"dish": "sushi"})],
        "Two places serve sushi.",
        transcripts=["Where can I get sushi?"],
    )
    reply = await Agent(model=model, tools=[find_dish]).ask("Where can I get sushi?")
    assert reply.text == "Two places serve sushi."
    assert model.sessions[0].fed[-1] == ToolResult("call_1", "find_dish", "Aoi, Kaze")
    model.assert_exhausted()

An answer that is taken back by `reopen` is given again to the longer turn, so that a script need
not know how often a call drafts; a `Draft` is not. A transcript is used up by whoever asked for it,
so those of a user who goes on grow: `transcripts=["I want to cook", "I want to cook soup."]`.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.events import AudioDelta, TextDelta, Usage
from omni_agent.media import Audio
from omni_agent.messages import (
    Context,
    Exchange,
    Heard,
    InputPart,
    Message,
    ToolCall,
    ToolResult,
    ToolSpec,
    Transcript,
)
from omni_agent.model.base import (
    Finished,
    MalformedCall,
    ModelEvent,
    ModelProfile,
    ResponseOptions,
)
from omni_agent.model.earlier import earlier_turns, last_call
from omni_agent.model.tone import TONE_RATE, Tone
from omni_agent.model.tool_gate import ToolGate, Words

_PIECE = re.compile(r"[\u3040-\u9fff\uff00-\uffef]\s*|[^\s\u3040-\u9fff\uff00-\uffef]+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Pause:
    """Think for so many seconds on the model's clock before the next step."""

    seconds: float


class Draft(tuple["Step", ...]):
    """An answer of these steps that is used up even if it is taken back."""

    def __new__(cls, *steps: Step) -> Draft:
        return super().__new__(cls, steps)


Step = (
    str
    | ToolCall
    | MalformedCall
    | Finished
    | Pause
    | BaseException
    | Callable[["ScriptedSession"], Any]
)
"""One thing that a scripted answer does. A callable sees the session and returns more steps."""

Turn = Step | Sequence[Step]


class ScriptedModel:
    """Answers from a script, in order over all its sessions, and records what it was fed.

    A text comes out word by word, an exception is raised, a `Pause` waits, a callable is given
    the session and returns what to say. `raw=True` sends texts through the gate that real models'
    words go through, so that a call may be written the way a model spells it. `audio=True` adds
    a tone as long as the words would take to say. `transcripts` are what the sound that is fed
    turns out to mean: the next one is taken when an utterance is asked for the first time, and
    again when it went on after `reopen`.

    A call that the script does not foresee raises AssertionError.
    """

    def __init__(
        self,
        *turns: Turn,
        raw: bool = False,
        audio: bool = False,
        transcripts: Sequence[str | Transcript] = (),
        clock: Clock = SYSTEM_CLOCK,
        profile: ModelProfile | None = None,
    ) -> None:
        self.profile = profile or ModelProfile(
            name="scripted",
            takes=frozenset({"text", "audio", "image", "video"}),
            gives=frozenset({"text", "audio"}) if audio else frozenset({"text"}),
            languages=("en", "zh"),
            voices=("tone",),
            input_rate=16_000,
            output_rate=TONE_RATE,
            context_tokens=8192,
            memory_tokens=256,
            sight="full",
        )
        self.clock = clock
        self.raw = raw
        self.sessions: list[ScriptedSession] = []
        self.closed = False
        self._turns = deque(turns)
        self._transcripts = deque(transcripts)

    async def open_session(
        self,
        system: str,
        tools: Sequence[ToolSpec] = (),
        voice: str | None = None,
        examples: Sequence[Exchange] = (),
        history: Sequence[Message] = (),
    ) -> ScriptedSession:
        session = ScriptedSession(
            self, system, tuple(tools), voice, tuple(examples), tuple(history)
        )
        self.sessions.append(session)
        return session

    async def close(self) -> None:
        self.closed = True

    def add(self, *turns: Turn) -> None:
        """Write more of the script."""
        self._turns.extend(turns)

    def assert_exhausted(self) -> None:
        """AssertionError unless everything in the script was asked for."""
        assert not self._turns, f"never asked for: {list(self._turns)!r}"
        assert not self._transcripts, f"never heard: {list(self._transcripts)!r}"

    def _next_turn(self, session: ScriptedSession) -> Turn:
        if not self._turns:
            last = session.fed[-1] if session.fed else "nothing"
            raise AssertionError(f"the script is at its end, but an answer is due to {last!r}")
        return self._turns.popleft()

    def _give_back(self, turns: Sequence[Turn]) -> None:
        self._turns.extendleft(turn for turn in reversed(turns) if not isinstance(turn, Draft))

    def _next_transcript(self) -> Transcript:
        if not self._transcripts:
            raise AssertionError("sound was fed, but no transcript is left in the script")
        heard = self._transcripts.popleft()
        return heard if isinstance(heard, Transcript) else Transcript(heard, _language_of(heard))


class ScriptedSession:
    """One conversation with a `ScriptedModel`, and everything that happened in it.

    `fed`: all parts in order. `asked`: the options of each `respond`, and `answered` what was in
    the turn by then: with what was open again, without the notes that were dropped. `said`: the
    words of each answer as far as they were taken. `kept`: those that stayed in the context, cut
    by `rewound`; what was `reopened` (so many times) is not among them.
    """

    def __init__(
        self,
        model: ScriptedModel,
        system: str,
        tools: tuple[ToolSpec, ...],
        voice: str | None,
        examples: tuple[Exchange, ...],
        history: tuple[Message, ...] = (),
    ) -> None:
        self.system = system
        self.tools = tools
        self.voice = voice
        self.examples = examples
        self.history = history
        self.fed: list[InputPart] = []
        self.asked: list[ResponseOptions] = []
        self.answered: list[tuple[InputPart, ...]] = []
        self.said: list[str] = []
        self.kept: list[str] = []
        self.rewound: list[Heard] = []
        self.cancelled = self.reopened = self.discarded = 0
        self.closed = False
        self._model = model
        self._turn = _OpenTurn()
        self._reply: _Reply | None = None  # what was begun as the answer to `_turn`
        self._responding = False
        self._next_call_id = last_call(earlier_turns(history)) + 1

    async def feed(self, part: InputPart) -> None:
        self._check_open()
        self.fed.append(part)
        if self._reply is not None and not isinstance(part, Context | ToolResult):
            self._turn, self._reply = self._turn.following(self._reply), None
        self._turn.take(part)

    async def transcript(self) -> Transcript | None:
        turn = self._turn
        if not turn.sound_fed or self._reply is not None:
            return None
        if turn.utterance is None:
            turn.utterance = self._model._next_transcript()
        return turn.utterance

    async def respond(self, options: ResponseOptions) -> AsyncGenerator[ModelEvent, None]:
        self._check_open()
        assert not self._responding, "respond was called before the last answer was closed"
        self._responding = True
        self.asked.append(options)
        self.answered.append(tuple(self._turn.parts))
        self.said.append("")
        if options.keep:
            self._begin_reply(unasked=options.say is not None)
            self.kept.append("")
        finished = False
        try:
            called = False
            pieces = 0
            async with aclosing(self._events(options)) as events:
                async for event in events:
                    match event:
                        case TextDelta():
                            pieces += 1
                            self.said[-1] += event.text
                            if options.keep:
                                self.kept[-1] += event.text
                        case ToolCall() | MalformedCall():
                            called = True
                        case Finished():
                            finished = True
                    yield event
                    if finished:
                        return
            finished = True
            usage = Usage(prompt_tokens=len(self.fed), completion_tokens=pieces)
            yield Finished("calls" if called else "done", usage)
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled += not finished
            raise
        finally:
            self._responding = False

    async def rewind(self, heard: Heard) -> None:
        self._check_open()
        self.rewound.append(heard)
        if self.kept:
            self.kept[-1] = heard.text

    async def reopen(self) -> None:
        self._check_open()
        assert not self._responding, "reopen was called before the answer was closed"
        self.reopened += 1
        turn, reply, self._reply = self._turn, self._reply, None
        if reply is not None:
            turn.parts = reply.parts
            del self.kept[reply.kept :]
            self._next_call_id = reply.first_call_id
            self._model._give_back(reply.script)
        turn.parts = [part for part in turn.parts if not isinstance(part, Context)]
        turn.goes_on = True

    async def discard(self) -> None:
        self._check_open()
        if self._reply is None:
            self.discarded += 1
            self._turn = _OpenTurn()

    @property
    def caption(self) -> Transcript | None:
        return self._turn.utterance

    def overhear(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True

    def _begin_reply(self, *, unasked: bool) -> None:
        turn = self._turn
        if self._reply is None and (turn.parts or not unasked):
            self._reply = _Reply([*turn.parts], len(self.kept), self._next_call_id)
        if self._reply is not None:
            self._reply.answered = len(turn.parts)

    async def _events(self, options: ResponseOptions) -> AsyncGenerator[ModelEvent, None]:
        clock = self._model.clock
        mouth = Tone() if options.speak and "audio" in self._model.profile.gives else None
        said = 0
        async for step in self._steps(options):
            if not isinstance(step, str):
                yield step
                continue
            for piece in _PIECE.findall(step):
                said += len(piece)
                yield TextDelta(piece, clock.monotonic())
                if mouth is not None:
                    yield AudioDelta(mouth.say(piece), said, clock.monotonic())

    async def _steps(
        self, options: ResponseOptions
    ) -> AsyncIterator[str | ToolCall | MalformedCall | Finished]:
        if options.say is not None:
            yield options.say
            return
        gate: ToolGate | None = None
        if self._model.raw:
            gate = ToolGate([tool.name for tool in self.tools], first_id=self._next_call_id)
        turn = self._model._next_turn(self)
        if self._reply is not None:
            self._reply.script.append(turn)
        pending: deque[Any] = deque([turn])
        while pending:
            match pending.popleft():
                case str(text) if gate is not None:
                    for piece in _PIECE.findall(text):
                        for found in gate.push(piece):
                            yield found.text if isinstance(found, Words) else found
                case str() | ToolCall() | MalformedCall() | Finished() as step:
                    yield step
                case Pause(seconds):
                    await self._model.clock.sleep(seconds)
                case BaseException() as error:
                    raise error
                case list() | tuple() as steps:
                    pending.extendleft(reversed(steps))
                case call if callable(call):
                    more = call(self)
                    if inspect.isawaitable(more):
                        more = await more
                    if more is not None:
                        pending.appendleft(more)
                case other:
                    raise TypeError(f"{other!r} is no step of a script")
        if gate is not None:
            for found in gate.finish():
                yield found.text if isinstance(found, Words) else found
            self._next_call_id = gate.next_id

    def _check_open(self) -> None:
        assert not self.closed, "the session was closed"


@dataclass(slots=True)
class _OpenTurn:
    """What was fed since the last reply that was taken as given."""

    parts: list[InputPart] = field(default_factory=list)
    sound_fed: bool = False
    utterance: Transcript | None = None
    goes_on: bool = False  # it was opened again: more sound makes another utterance of it

    def take(self, part: InputPart) -> None:
        self.parts.append(part)
        if isinstance(part, Audio):
            self.sound_fed = True
            if self.goes_on:
                self.utterance, self.goes_on = None, False

    def following(self, reply: _Reply) -> _OpenTurn:
        """The next one, for which there may be notes already."""
        late = self.parts[reply.answered :]
        return _OpenTurn([part for part in late if isinstance(part, Context)])


@dataclass(slots=True)
class _Reply:
    """What is to be put back when the turn is opened again."""

    parts: list[InputPart]
    kept: int
    first_call_id: int
    script: list[Turn] = field(default_factory=list)
    answered: int = 0  # parts of the turn, by the last respond


def _language_of(text: str) -> str:
    return "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
