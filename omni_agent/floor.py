"""Who has the floor in a live call: what the user says and shows, and when it is answered.

Everything here runs on the call's one task, one input after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, assert_never

import numpy as np

from omni_agent.attending import Attending
from omni_agent.clock import Clock
from omni_agent.events import (
    CallState,
    Event,
    FrameSeen,
    PartialTranscript,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
)
from omni_agent.listening import (
    Heed,
    Listening,
    Paused,
    SpeechGone,
    SpeechLikely,
    SpeechMaybe,
    SpeechSure,
    TurnListener,
    TurnOver,
    WentOn,
    asked_by,
)
from omni_agent.media import Audio, VideoFrame
from omni_agent.model.base import Overhearing
from omni_agent.playback import PlaybackBuffer
from omni_agent.recent_sound import RecentSound
from omni_agent.seeing import FrameSampler
from omni_agent.speaking import Emit, Post, Speaking
from omni_agent.turn import Audience

if TYPE_CHECKING:
    from omni_agent.conversation import Conversation, Input

PREROLL_MS = 300
"""So much sound before the first sign of speech goes to the model too: soft consonants."""

LONGEST_ASIDE = 3.0
"""Seconds for which it is listened aside to what may become an interruption."""

DRAFT_FROM = 0.3
"""The probability that a turn is over from which on its answer is drafted."""

_PIECE = 0.032  # seconds; as much as the detector of speech looks at


class Floor:
    """`speaking` is the agent's side of it; this is the user's."""

    def __init__(
        self,
        conversation: Conversation,
        output: PlaybackBuffer,
        sampler: FrameSampler,
        *,
        listening: Listening,
        input_rate: int,
        speak: bool,
        answers: bool,
        drafting: bool,
        clock: Clock,
        emit: Emit,
        post: Post,
    ) -> None:
        self.speak = speak
        self.answers = answers
        self.listening = listening
        self.speaking = Speaking(
            conversation, output, clock=clock, emit=emit, post=post, freed=self._catch_up
        )
        self._conversation = conversation
        self._listener = TurnListener(listening)
        self._listens_from = 0  # ms of the microphone's sound when this listener began
        self._sampler = sampler
        self._recent = RecentSound(input_rate, seconds=2.0)
        self._clock = clock
        self._emit = emit
        self._user_speaks = False
        self._waiting: list[Input] = []  # what came while a turn held the session
        self._drafting = drafting
        self._drafts = 0
        self._caption = ""
        self._aside: Overhearing | None = None
        self.attendance: Attending | None = None

    @property
    def state(self) -> CallState:
        if self._user_speaks:
            return "listening"
        if self.speaking.is_sounding:
            return "speaking"
        answer = self.speaking.answer
        if answer is None or self.speaking.is_drafting:
            return "idle"
        return "acting" if answer.acting else "thinking"

    @property
    def _is_manual(self) -> bool:
        return self.listening.turns == "push-to-talk"

    # --- the user's voice --------------------------------------------------------------------

    async def hear(self, audio: Audio) -> None:
        """The microphone's sound, however much of it there is at once.

        It is taken piece by piece, so that one turn's end and the next one's beginning, which may
        both be in what has arrived, are not in the same piece: else it would be in both turns.
        """
        size = round(_PIECE * audio.rate)
        for at in range(0, len(audio.samples), size):
            await self._hear(Audio(audio.samples[at : at + size], audio.rate))

    async def _hear(self, audio: Audio) -> None:
        sound = self._recent.add(audio)
        sounding = self.speaking.is_sounding
        if self.attendance is not None:
            own = sounding and not self._user_speaks and not self._is_manual
            self.attendance.hear(sound, own=own)
        if self._is_manual:
            if self.attendance is not None and not self._user_speaks:
                self.attendance.speech_begins(self._recent.ms - round(1000 * sound.seconds))
            await self._take_in(sound)
            return
        if sounding and not self.listening.interrupt:  # deaf, but the time passes
            sound = Audio(np.zeros_like(sound.samples), sound.rate)
        spoke = self._user_speaks
        # A cough must not undo an answer that is being made either.
        holds_floor = sounding or (self.speaking.answer is not None and not self._user_speaks)
        heeds = await self._listener.hear(
            sound, speaking=holds_floor, asked=asked_by(self.speaking.said)
        )
        await self._heed(heeds)
        if spoke and self._user_speaks:
            await self._take_in(sound)
        elif self._aside is not None:
            await self._overhear(sound)

    async def prepare(self) -> None:
        """Load what listening needs before the first sound comes."""
        await self._listener.prepare()

    def listen(self, listening: Listening) -> None:
        """Listen in another way from now on."""
        self.listening = listening
        self._listener = TurnListener(listening)
        self._listens_from = self._recent.ms

    async def commit(self) -> None:
        """The user says so: the turn is over."""
        rest = self._recent.rest()
        if self._user_speaks and len(rest.samples):
            await self._take_in(rest)
        if not self._is_manual:
            await self._heed(self._listener.commit())
        elif self._user_speaks:
            await self._turn_over(self._recent.ms, waited=0.0)

    async def clear(self) -> None:
        """Drop what was said and not answered."""
        self._listener.clear()
        self._waiting = [value for value in self._waiting if not isinstance(value, Audio)]
        self._user_speaks = False
        await self.speaking.drop_draft()
        if self.speaking.answer is None:
            await self._conversation.discard()

    async def _heed(self, heeds: Sequence[Heed]) -> None:
        for heed in heeds:
            at_ms = heed.at_ms + self._listens_from
            match heed:
                case SpeechMaybe():
                    self.speaking.hold_back("ducked")
                case SpeechLikely():
                    self.speaking.hold_back("paused")
                    self._aside = self._conversation.overhear()
                    await self._overhear(self._recent.since(at_ms - PREROLL_MS))
                case SpeechGone():
                    self.speaking.let_go()
                case SpeechSure():
                    self._stop_overhearing()
                    await self._user_begins(at_ms)
                case Paused():
                    self._speech_ends(at_ms)
                    await self._maybe_draft(heed.over)
                case WentOn():
                    self._speech_ends(None)
                    await self.speaking.drop_draft()
                    await self._catch_up()
                case TurnOver():
                    if self._user_speaks:
                        await self._turn_over(at_ms, waited=heed.waited_ms / 1000)
                case _:
                    assert_never(heed)

    async def _maybe_draft(self, over: float) -> None:
        worth_it = self.answers and self._drafting and over >= DRAFT_FROM
        if worth_it and self._user_speaks and self.speaking.answer is None:
            self._drafts += 1
            await self.answer(certain=False)

    async def _overhear(self, sound: Audio) -> None:
        """Understand what is said over the agent's words, to tell "stop" from "yeah"."""
        aside = self._aside
        if aside is None:
            return
        aside.feed(sound)
        if aside.seconds > LONGEST_ASIDE:
            self._stop_overhearing()
        elif aside.text != self._caption:
            self._caption = aside.text
            await self._heed(self._listener.heard_words(aside.text))

    def _stop_overhearing(self) -> None:
        aside, self._aside = self._aside, None
        self._caption = ""
        if aside is not None:
            aside.close()

    async def _user_begins(self, at_ms: int) -> None:
        await self.speaking.interrupt()
        self._user_speaks = True
        self._caption = ""
        if self.attendance is not None:
            self.attendance.speech_begins(at_ms)
        self._emit(SpeechStarted(at_ms, self._clock.monotonic()))
        await self._take_in(self._recent.since(at_ms - PREROLL_MS))

    async def _take_in(self, sound: Audio) -> None:
        self._user_speaks = True
        self.speaking.changed_at = self._clock.monotonic()
        await self.feed(sound)
        caption = None if self.speaking.answer else self._conversation.caption
        if caption is not None and caption.text != self._caption:
            self._caption = caption.text
            now = self._clock.monotonic()
            who = None if self.attendance is None else self.attendance.speaking
            self._emit(PartialTranscript(caption.text, caption.language, now, speaker=who))
            await self._heed(self._listener.heard_words(caption.text))

    async def _turn_over(self, at_ms: int, *, waited: float) -> None:
        self._user_speaks = False
        self._speech_ends(at_ms)
        self._emit(SpeechStopped(at_ms, waited, self._clock.monotonic()))
        answer = self.speaking.answer
        if answer is not None and self.speaking.is_drafting:
            self._waiting.clear()  # silence after the last syllable
            answer.confirm(waited=waited)
        elif self.answers:
            await self.speaking.interrupt()
            await self.answer(waited=waited)
        else:
            await self._understand()
        self._drafts = 0

    async def _understand(self) -> None:
        """Tell what was said, and leave it to be answered later."""
        heard = await self._conversation.transcript()
        if heard is not None:
            who = None
            if self.attendance is not None:
                who = (await self.attendance.heard(heard.text)).name
            now = self._clock.monotonic()
            self._emit(UserTranscript(heard.text, heard.language, now, speaker=who))

    def _speech_ends(self, at_ms: int | None) -> None:
        if self.attendance is not None:
            self.attendance.speech_ends(at_ms)

    # --- what is given, and when it is answered -----------------------------------------------

    async def feed(self, *inputs: Input) -> None:
        """Give input that is answered later; while a turn holds the session, it waits."""
        if self.speaking.answer is not None or (self._is_manual and self.speaking.is_sounding):
            self._waiting += inputs
        else:
            await self._conversation.feed(*inputs)

    async def see(self, frame: VideoFrame, source: str) -> None:
        self._conversation.frames.put(frame, source)
        if self.attendance is not None:
            self.attendance.see(frame, source)
        shown = self._sampler.take(frame, source, speaking=self._user_speaks)
        if shown is not None:
            self._emit(FrameSeen(source, shown.image, self._clock.monotonic()))
            await self.feed(shown)

    async def hide(self, source: str) -> None:
        self._conversation.frames.switch_off(source)
        self._sampler.forget(source)

    async def answer(
        self, *inputs: Input, certain: bool = True, waited: float = 0.0, speak: bool | None = None
    ) -> None:
        """Answer what was given; if not `certain`, as a draft."""
        await self._catch_up()
        for seen in self._sampler.for_turn():
            await self._conversation.feed(seen.frame)
            self._emit(FrameSeen(seen.source, seen.frame.image, self._clock.monotonic()))
        aloud = self.speak if speak is None else speak

        def turn(audience: Audience, sure: asyncio.Event) -> AsyncGenerator[Event, None]:
            return self._conversation.stream(*inputs, speak=aloud, audience=audience, certain=sure)

        words = bool(inputs) or self._conversation.has_words
        self.speaking.start(
            turn,
            certain=certain,
            waited=waited,
            drafts=self._drafts,
            aloud=aloud,
            only_speech=not words,
        )

    async def _catch_up(self) -> None:
        """The session is free: feed what has waited for it."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self._conversation.feed(*waiting)
