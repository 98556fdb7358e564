"""One turn of a live call, from the model to whoever listens.

A turn may be begun before it is certain that the user has finished. Its events are held back until
then; a draft that is dropped was never there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from omni_agent.clock import Clock
from omni_agent.events import (
    AudioDelta,
    Event,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    UserTranscript,
)
from omni_agent.messages import Heard
from omni_agent.playback import Played, SpokenMap
from omni_agent.turn import Audience


class Begin(Protocol):
    def __call__(
        self, audience: Audience, certain: asyncio.Event, /
    ) -> AsyncGenerator[Event, None]: ...


class Deliver(Protocol):
    def __call__(self, answering: Answering, event: Event, /) -> None: ...


class Wordless(Protocol):
    def __call__(self, answering: Answering, /) -> None: ...


class Ended(Protocol):
    def __call__(self, answering: Answering, error: BaseException | None, /) -> None: ...


class Answering:
    """A turn under way. `deliver` is given its events, `ended` is told once when it is over.

    `wordless` is told where the turn has `only_speech` and the ears find no words in it; then
    nothing of it is delivered.

    `waited`: seconds since the user's last syllable. `unasked`: what the agent says by itself.
    `cut` is set before the turn is cancelled: what had been played when the user cut in.
    """

    def __init__(
        self,
        begin: Begin,
        *,
        deliver: Deliver,
        wordless: Wordless,
        ended: Ended,
        clock: Clock,
        certain: bool,
        waited: float = 0.0,
        drafts: int = 0,
        aloud: bool = True,
        unasked: str | None = None,
        only_speech: bool = False,
    ) -> None:
        self.number = 0
        self.text = ""
        self.acting = 0  # tools that run
        self.acted = False
        self.aloud = aloud
        self.unasked = unasked
        self.alive_at = clock.monotonic()  # of the last event
        self.cut: Played | None = None
        self.heard: Heard | None = None  # of the reply, once it was cut short
        self.spoken: SpokenMap | None = None
        self.certain = asyncio.Event()
        self._clock = clock
        self._deliver = deliver
        self._wordless = wordless
        self._may_be_wordless = only_speech
        self._drafts = drafts
        self._drafted = not certain
        self._held: list[Event] = []
        self._began = clock.monotonic()
        self._last_syllable = self._began - waited
        self._end_of_turn: float | None = waited or None
        self._first_text: float | None = None
        self._first_audio: float | None = None
        self._first_filler: float | None = None
        self._last_audio = 0.0
        self._audio_seconds = 0.0
        self._tool_seconds = 0.0
        if certain:
            self.certain.set()
        self._task = asyncio.create_task(self._read(begin(self.audience, self.certain)))
        self._task.add_done_callback(lambda task: ended(self, _error_of(task)))

    @property
    def first_heard(self) -> bool:
        """Whether anything of it has come out."""
        return self._first_text is not None

    def confirm(self, *, waited: float) -> None:
        """The user has really finished, `waited` seconds ago: out with what was held back."""
        self._end_of_turn = waited
        self._last_syllable = self._clock.monotonic() - waited
        self.certain.set()
        held, self._held = self._held, []
        for event in held:
            self._hand_on(event)

    async def cancel(self) -> None:
        """Stop it, and wait until its session is free."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def measured(self) -> TurnMeasured:
        return TurnMeasured(
            turn=self.number,
            end_of_turn=self._end_of_turn,
            first_text=self._first_text,
            first_audio=self._first_audio,
            first_filler=self._first_filler,
            tools=self._tool_seconds,
            realtime_factor=(
                (self._last_audio - self._began) / self._audio_seconds
                if self._audio_seconds
                else None
            ),
            drafted=self._drafted,
            drafts=self._drafts,
            t=self._clock.monotonic(),
        )

    def audience(self, text: str) -> Heard:
        """What is or will be heard of a reply that ends with this text."""
        if self.cut is not None:
            heard = self.cut.of(text) if self.spoken is not None else Heard(text, played_ms=0)
        else:  # it broke off by itself, and what was made will sound
            heard = Heard(text, self.spoken.ms if self.spoken else 0)
        self.heard = heard
        return heard

    async def _read(self, events: AsyncGenerator[Event, None]) -> None:
        async with aclosing(events) as turn:
            async for event in turn:
                if self.certain.is_set():
                    self._hand_on(event)
                else:
                    self._held.append(event)

    def _hand_on(self, event: Event) -> None:
        now = self.alive_at = self._clock.monotonic()
        if self._may_be_wordless:
            match event:
                case TurnStarted():
                    self._held.append(event)  # until it is known that something was said
                    return
                case UserTranscript(text=""):
                    self._held.clear()
                    self._wordless(self)
                    return
                case _ if self._held:
                    self._may_be_wordless = False
                    self._hand_on(self._held.pop())
                case _:
                    return  # of a turn that is being taken back
        since = now - self._last_syllable
        match event:
            case TurnStarted():
                self.number = event.turn
            case TextDelta(filler=False):
                self.text += event.text
                self._first_text = since if self._first_text is None else self._first_text
            case AudioDelta(filler=False):
                self._audio_seconds += event.audio.seconds
                self._last_audio = event.t
                self._first_audio = since if self._first_audio is None else self._first_audio
            case AudioDelta():
                self._first_filler = since if self._first_filler is None else self._first_filler
            case ToolStarted():
                self.acting += 1
                self.acted = True
            case ToolFinished():
                self.acting = max(0, self.acting - 1)
            case TurnFinished():
                self._tool_seconds = event.reply.timings.tools
            case _:
                pass
        self._deliver(self, event)


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
