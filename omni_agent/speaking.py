"""The agent's side of a live call: answers on their way to the loudspeaker, and being cut short."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from omni_agent.answering import Answering, Begin
from omni_agent.clock import Clock
from omni_agent.errors import UsageError
from omni_agent.events import (
    AudioDelta,
    Event,
    Interrupted,
    LiveEvent,
    OutputControl,
    Trouble,
    TurnFinished,
)
from omni_agent.messages import Heard
from omni_agent.playback import PlaybackBuffer, RemotePlayback
from omni_agent.turn import Audience

if TYPE_CHECKING:
    from omni_agent.conversation import Conversation

_KEPT_TURNS = 8  # whose sound a distant player may still tell about


class Emit(Protocol):
    """Gives an event out."""

    def __call__(self, event: LiveEvent, /) -> None: ...


class Act(Protocol):
    def __call__(self) -> Awaitable[object]: ...


class Post(Protocol):
    """Has something done on the call's task, after what is waiting there."""

    def __call__(self, act: Act, /) -> None: ...


class Speaking:
    """At most one turn is under way (`answer`), and the speech of at most one is heard.

    The two need not be the same: a model is done long before its words have sounded. `freed` is
    awaited when a turn has ended and the session can be fed again.
    """

    def __init__(
        self,
        conversation: Conversation,
        output: PlaybackBuffer,
        *,
        clock: Clock,
        emit: Emit,
        post: Post,
        freed: Act,
    ) -> None:
        self.answer: Answering | None = None
        self.output = output
        self.to_say: deque[str] = deque()  # unasked, as soon as nobody speaks
        self.said = ""  # what the agent said last
        self.held_back: Literal["no", "ducked", "paused"] = "no"
        self.held_at = 0.0  # since when speech is held back
        self.changed_at = clock.monotonic()  # when somebody last spoke
        self._conversation = conversation
        self._clock = clock
        self._emit = emit
        self._post = post
        self._freed = freed
        self._heard: Answering | None = None  # whose speech is heard
        self._turns: deque[Answering] = deque(maxlen=_KEPT_TURNS)
        self._draining: asyncio.Task[None] | None = None

    @property
    def is_sounding(self) -> bool:
        """The agent's speech is heard, or held back for a moment."""
        return self.output.seconds_left > 0

    @property
    def is_drafting(self) -> bool:
        return self.answer is not None and not self.answer.certain.is_set()

    # --- answers -----------------------------------------------------------------------------

    def start(
        self,
        turn: Begin,
        *,
        certain: bool = True,
        waited: float = 0.0,
        drafts: int = 0,
        aloud: bool = True,
        unasked: str | None = None,
        only_speech: bool = False,
    ) -> None:
        """Begin a turn; if not `certain`, as a draft that `confirm` or `drop_draft` decides on.

        `only_speech`: where the ears find no words in it, nothing was said.
        """
        self.answer = Answering(
            turn,
            deliver=self._deliver,
            wordless=lambda answer: self._post(partial(self._take_back, answer)),
            ended=lambda answer, error: self._post(partial(self._has_ended, answer, error)),
            clock=self._clock,
            certain=certain,
            waited=waited,
            drafts=drafts,
            aloud=aloud,
            unasked=unasked,
            only_speech=only_speech,
        )

    def say(self, text: str, *, speak: bool) -> None:
        """Speak up now, unasked."""

        def turn(audience: Audience, sure: asyncio.Event) -> AsyncGenerator[Event, None]:
            return self._conversation.say(text, speak=speak, audience=audience)

        self.start(turn, aloud=speak, unasked=text)

    async def drop_draft(self) -> None:
        """It never was."""
        if self.is_drafting and self.answer is not None:
            answer, self.answer = self.answer, None
            await answer.cancel()

    def _deliver(self, answer: Answering, event: Event) -> None:
        self.changed_at = self._clock.monotonic()
        match event:
            case AudioDelta():
                if self._heard is not answer:
                    self._heard = answer
                    self._turns.append(answer)
                    answer.spoken = self.output.spoken
                self.output.add(event.audio, None if event.filler else event.text_upto)
            case _:
                pass
        self._emit(event)
        if isinstance(event, TurnFinished):
            self._emit(answer.measured())

    async def _take_back(self, answer: Answering) -> None:
        """The ears heard no words: nothing was said, and nothing is answered."""
        if self.answer is answer:
            self.answer = None
            answer.certain.clear()
            await answer.cancel()
            await self._conversation.discard()
            await self._freed()

    async def _has_ended(self, answer: Answering, error: BaseException | None) -> None:
        """The model has said all it had to say; much of it may not have sounded yet."""
        if self.answer is not answer:
            return
        self.answer = None
        if error is not None:
            self._emit(Trouble.of(error, self._clock.monotonic()))
        self.said = answer.text
        await self._freed()
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        while (left := self.output.seconds_left) > 0:
            await self._clock.sleep(min(left, 0.25))
        self._post(self._has_sounded)

    async def _has_sounded(self) -> None:
        if self.answer is None and not self.is_sounding:
            self.output.interrupt()  # the next reply begins its own count
            self._heard = None
            self.held_back = "no"
            self.changed_at = self._clock.monotonic()
            await self._freed()

    async def close(self) -> None:
        self.output.interrupt()
        if self._draining is not None:
            self._draining.cancel()
        answer, self.answer = self.answer, None
        if answer is not None:
            await answer.cancel()

    # --- cutting in --------------------------------------------------------------------------

    def hold_back(self, how: Literal["ducked", "paused"]) -> None:
        """Speak more softly, or fall silent without losing anything: somebody may cut in."""
        if not self.is_sounding or self.held_back in (how, "paused"):
            return
        self.held_back = how
        self.held_at = self._clock.monotonic()
        if how == "ducked":
            self.output.duck()
        else:
            self.output.pause()
        self._emit(OutputControl("duck" if how == "ducked" else "pause", self.held_at))

    def let_go(self) -> None:
        """It was nothing: play on."""
        if self.held_back != "no":
            self.held_back = "no"
            self.output.resume()
            self._emit(OutputControl("resume", self._clock.monotonic()))

    async def interrupt(self, played_ms: int | None = None) -> Interrupted | None:
        """Stop talking; `played_ms` is what a distant player says. None where nothing was cut."""
        answer = self.answer or self._heard
        if answer is None or self.is_drafting:
            await self.drop_draft()
            return None
        spoken = answer is self._heard
        played = (
            self.output.spoken.at(played_ms)
            if spoken and played_ms is not None
            else self.output.played
        )
        if self.is_sounding:
            self._emit(OutputControl("stop", self._clock.monotonic()))
        self.output.interrupt()
        self.held_back, self._heard = "no", None
        if self.answer is None:
            if played.chars >= len(answer.text.rstrip()):
                return None  # all of it was heard
            await self._conversation.heard_only(played.of(answer.text))
            return self._was_cut(answer, played.of(answer.text))
        self.answer, answer.cut = None, played
        unnoticed = not (spoken and played.ms) if answer.aloud else not answer.first_heard
        if unnoticed and not answer.acted and answer.unasked is None:
            answer.certain.clear()  # what the user goes on to say belongs to what was said before
        await answer.cancel()
        heard, past = answer.heard, self._conversation.past
        if heard is None:  # it was at its end, too late to cut itself
            heard = answer.audience(answer.text)
            if past and past[-1].turn == answer.number:
                await self._conversation.heard_only(heard)
        return self._was_cut(answer, heard)

    async def make_way(self) -> None:
        """For something typed. A distant player that has the whole reply plays it to its end."""
        if self.answer is None and isinstance(self.output, RemotePlayback):
            self._heard = None
            self.output.next_reply()
        else:
            await self.interrupt()

    def told(self, turn: int, played_ms: int) -> None:
        """A distant player tells how far it has come."""
        sounds = self._heard is not None and self._heard.number == turn
        if sounds and isinstance(self.output, RemotePlayback):
            self.output.told(played_ms)

    async def truncate(self, turn: int, played_ms: int) -> Interrupted:
        """What a distant player really played of a turn. Raises UsageError for an unknown one."""
        talking = self.answer or self._heard
        is_talking = talking is not None and talking.number == turn and not self.is_drafting
        if is_talking and (cut := await self.interrupt(played_ms)) is not None:
            return cut
        answer = next((a for a in self._turns if a.number == turn), None)
        if answer is None or answer.spoken is None:
            raise UsageError(f"turn {turn} cannot be cut: nothing of it was spoken, or long ago")
        played = answer.spoken.at(played_ms)
        heard = played.of(answer.text)
        past = self._conversation.past
        if past and past[-1].turn == turn and self.answer is None:
            await self._conversation.heard_only(heard)
        return self._was_cut(answer, heard)

    def _was_cut(self, answer: Answering, heard: Heard) -> Interrupted:
        if answer.unasked is not None and not heard.text:
            self.to_say.appendleft(answer.unasked)  # nobody heard it: once more, later
        unheard = answer.text[len(heard.text) :].strip()
        now = self._clock.monotonic()
        cut = Interrupted(answer.number, heard.text, unheard, heard.played_ms, now)
        self._emit(cut)
        return cut
