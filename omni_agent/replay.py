"""Playing a recorded call again, through any model.

    clock = VirtualClock()
    agent = Agent("…", model=OnClock(await open_model("compact"), clock), clock=clock)
    async for event in replay(RecordedCall.open(folder), agent):
        ...

What went into the call goes in again, each thing at its time: sound, pictures, words, what the
loudspeaker took. What comes out is up to the model. On a `VirtualClock` nobody waits: see there for
what "free" and "timed" work means. On any other clock the call takes as long as it took.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from omni_agent.clock import Clock
from omni_agent.errors import OmniAgentError, UsageError
from omni_agent.events import Interrupted, LiveEvent, Trouble, TurnFinished, TurnStarted
from omni_agent.model.on_clock import OnClock
from omni_agent.model.scripted import ScriptedModel
from omni_agent.persona import Persona
from omni_agent.recorded_call import Came, RecordedCall
from omni_agent.replay_report import ReplayReport, compare
from omni_agent.virtual_clock import VirtualClock, working

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.live import LiveCall

logger = logging.getLogger("omni_agent.recording")

_ENDS_BY_ITSELF = ("idle", "too long")  # reasons
_FINISHING = 30.0  # seconds on the clock that an answer may go on after the recorded end
_STEP = 0.02
_ASKED = ("send", "respond", "configure", "interrupt", "truncate")
"""Of these somebody waits for what comes of it."""


async def replay(
    recording: RecordedCall,
    agent: Agent,
    *,
    persona: Persona | None = None,
    finish: bool = False,
) -> AsyncGenerator[LiveEvent, None]:
    """The events of the same call with this agent; on a virtual clock, it starts at the same time.

    `persona`: that of the call, where its tools are needed; a recording knows only their names.
    `finish`: an answer that is still being made at the recorded end is waited for. A virtual clock
    stands still while an event is handled. Raises UsageError for a virtual clock that cannot see
    when the model works, RecordingError for a recording that cannot be read.
    """
    clock = agent.clock
    async with _running(clock, recording, agent):
        options = recording.settings.options(persona)
        shift = clock.monotonic() - recording.began
        async with agent.live(**options) as call:
            feed = _Feed(call, recording, clock, shift)
            feeding = asyncio.create_task(feed.run(finish=finish))
            try:
                async for event in call:
                    feed.saw(event)
                    with working(clock):
                        yield event
            finally:
                if not feed.hangs_up:  # which must not be left in the middle
                    feeding.cancel()
                await asyncio.wait([feeding])
            if feed.failure is not None:
                raise feed.failure


async def replay_and_compare(
    recording: RecordedCall, agent: Agent, *, persona: Persona | None = None, finish: bool = True
) -> ReplayReport:
    """Replay it, and tell what was different. Raises what `replay` raises."""
    began = agent.clock.monotonic()
    async with aclosing(replay(recording, agent, persona=persona, finish=finish)) as events:
        replayed = [event async for event in events]
    if isinstance(agent.clock, VirtualClock):
        began = recording.began
    return compare(recording, replayed, began=began)


class _Feed:
    """Gives a call what was given to the recorded one, and hangs up as it was hung up."""

    def __init__(self, call: LiveCall, recording: RecordedCall, clock: Clock, shift: float) -> None:
        self._call = call
        self._recording = recording
        self._clock = clock
        self._shift = shift
        self._asking: set[asyncio.Task[object]] = set()
        self._answers = False
        self.hangs_up = False
        self.failure: Exception | None = None

    def saw(self, event: LiveEvent) -> None:
        """Told every event of the call."""
        match event:
            case TurnStarted():
                self._answers = True
            case TurnFinished() | Interrupted() | Trouble():
                self._answers = False
            case _:
                pass

    async def run(self, *, finish: bool) -> None:
        try:
            reason = await self._give_all(finish=finish)
        except Exception as error:
            self.failure, reason = error, "the recording cannot be read"
        if reason is not None:
            self.hangs_up = True
            await self._call.close(reason)

    async def _give_all(self, *, finish: bool) -> str | None:
        """Why to hang up; None where the call does so by itself."""
        end = self._recording.began
        for line in self._recording.lines():
            end = line.t
            if not isinstance(line, Came):
                continue
            if not line.at_once:
                await self._until(line.t)
            try:
                self._give(line)
            except UsageError:
                return None  # it has
            if line.verb in _ASKED:
                await asyncio.sleep(0)  # until it is asked
        if self._recording.reason in _ENDS_BY_ITSELF:
            return None
        await self._until(end)
        if finish:
            await self._finished()
        return self._recording.reason or "closed"

    async def _until(self, t: float) -> None:
        t += self._shift
        if isinstance(self._clock, VirtualClock):
            await self._clock.until(t)
        elif (left := t - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)

    def _give(self, line: Came) -> None:
        call, values = self._call, line.values
        match line.verb:
            case "fill":
                call.output.fill(values[0], ahead=values[1])
            case "send":
                self._ask(call.send(*values[0], respond=values[1]))
            case "respond":
                self._ask(call.respond(speak=values[0]))
            case "configure":
                persona, listening, speak, answers = values
                self._ask(
                    call.configure(
                        instructions=persona.instructions,
                        voice=persona.voice,
                        language=persona.language,
                        listening=listening,
                        speak=speak,
                        answers=answers,
                    )
                )
            case "interrupt" | "truncate":
                self._ask(getattr(call, line.verb)(*values))
            case verb:
                getattr(call, verb)(*values)

    def _ask(self, asked: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(asked)
        self._asking.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[object]) -> None:
        self._asking.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, OmniAgentError):  # as it may have been in the recorded call
            logger.info("an input was refused: %s", error)
        elif error is not None:
            logger.error("an input failed", exc_info=error)

    async def _finished(self) -> None:
        """Until the answer under way is made; the loudspeaker goes on taking."""
        upto = self._clock.monotonic() + _FINISHING
        while self._clock.monotonic() < upto:
            if not self._answers and self._call.state not in ("thinking", "acting"):
                return
            if self._recording.settings.player == "own":
                self._call.output.fill(round(_STEP * self._call.output_rate))
            await self._clock.sleep(_STEP)


@asynccontextmanager
async def _running(clock: Clock, recording: RecordedCall, agent: Agent) -> AsyncIterator[None]:
    if not isinstance(clock, VirtualClock):
        yield
        return
    model = await agent.open_model()
    sees = isinstance(model, OnClock) or (isinstance(model, ScriptedModel) and model.clock is clock)
    if not sees:
        raise UsageError(
            f"a virtual clock cannot see when {model.profile.name} works; give the agent "
            "model=OnClock(model, clock)"
        )
    clock.begin(at=recording.began, now=recording.began_at)
    async with clock:
        yield
