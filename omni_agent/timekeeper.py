"""What only time tells in a call: the end of a doubt, of patience, and of the call."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from omni_agent.call_settings import CallSettings
from omni_agent.clock import Clock
from omni_agent.errors import GenerationError
from omni_agent.events import CallState, Trouble
from omni_agent.floor import Floor
from omni_agent.speaking import Emit, Post

QUIET_BEFORE_SPEAKING_UP = 0.5
"""Seconds in which nobody must have spoken before the agent speaks up unasked."""

_UNDECIDED = 3.0  # seconds that speech may be held back without a decision
_TICK = 0.5


class Watched(Protocol):
    """What of a call is watched."""

    @property
    def state(self) -> CallState: ...

    def hang_up(self, reason: str) -> None: ...


class Timekeeper:
    def __init__(
        self,
        call: Watched,
        floor: Floor,
        settings: CallSettings,
        *,
        clock: Clock,
        emit: Emit,
        post: Post,
    ) -> None:
        self._call, self._floor, self._settings = call, floor, settings
        self._clock, self._emit, self._post = clock, emit, post

    async def watch(self) -> None:
        began = self._clock.monotonic()
        while True:
            await self._clock.sleep(_TICK)
            now = self._clock.monotonic()
            since = now - self._floor.speaking.changed_at
            if now - began >= self._settings.max_seconds:
                return self._call.hang_up("too long")
            idle = self._settings.idle_seconds
            if idle is not None and since >= idle:
                return self._call.hang_up("idle")
            self._post(partial(self._look_after, now, since))

    async def _look_after(self, now: float, since: float) -> None:
        speaking = self._floor.speaking
        if speaking.held_back != "no" and now - speaking.held_at >= _UNDECIDED:
            speaking.let_go()
        answer = speaking.answer
        thinks = answer is not None and not answer.acting and self._call.state == "thinking"
        patience = self._settings.stall_seconds
        if answer is not None and thinks and now - answer.alive_at >= patience:
            await speaking.interrupt()
            stalled = GenerationError(f"the model gave nothing for {patience:g} seconds")
            self._emit(Trouble.of(stalled, now))
        quiet = self._call.state == "idle" and answer is None and since >= QUIET_BEFORE_SPEAKING_UP
        if quiet and speaking.to_say:
            speaking.say(speaking.to_say.popleft(), speak=self._floor.speak)
