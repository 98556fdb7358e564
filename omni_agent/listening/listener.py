"""Speech or silence, words or a cough, a pause or the end: `TurnListener` tells what it hears."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np

from omni_agent.listening.bursts import Burst
from omni_agent.listening.heeds import Heed, SpeechSure, TurnOver
from omni_agent.listening.senses import Senses, shared_senses
from omni_agent.listening.settings import Asked, Listening
from omni_agent.listening.short_words import meaning, trails_off
from omni_agent.listening.turns import Turn
from omni_agent.listening.windows import WINDOW_MS, Frames, SpeechMeter, Window
from omni_agent.media import Audio

_KEPT = 250
"""Windows that are remembered: 8 s, which is what Smart Turn takes in."""
_BEFORE = 10  # windows before a sound by which the noise in the room is known
_LATE_WORDS = 62  # windows after a sound in which its words may still make it an interruption


class TurnListener:
    """One call's ear: give it all the sound of the microphone, in order.

    What it tells depends on the sound alone, by its samples and never by a clock: the same sound
    gives the same heeds at the same places, however it is cut into chunks. Loudspeaker echo has to
    be taken out before (by the browser, or by the transport).

    `senses`: the nets; None: those of the process, loaded by `prepare` or at the first sound.
    """

    def __init__(self, settings: Listening | None = None, *, senses: Senses | None = None) -> None:
        self.settings = settings or Listening()
        self._senses = senses
        self._frames = Frames()
        self._meter: SpeechMeter | None = None
        self._ahead: deque[tuple[np.ndarray, float, bool, Asked | None]] = deque()
        self._heard: deque[np.ndarray] = deque(maxlen=_KEPT)
        self._told: list[Heed] = []
        self._count = 0
        self._is_speech = False
        self._stage: Burst | Turn | None = None
        self._gone: tuple[int, Burst] | None = None  # the last sound that was let go, and when
        self._unsaid_from = 0  # ms from which on nothing was committed (push-to-talk)

    @property
    def now_ms(self) -> int:
        """How much sound has been judged."""
        return self._count * WINDOW_MS

    async def prepare(self) -> None:
        """Load the nets now. Raises MissingExtra, CatalogError, ModelLoadError."""
        if self._senses is None:
            judging = self.settings.judge == "smart-turn"
            self._senses = await shared_senses(judging=judging)
        if self._meter is None:
            self._meter = SpeechMeter(self._senses.vad)

    async def hear(
        self, audio: Audio, *, speaking: bool = False, asked: Asked | None = None
    ) -> list[Heed]:
        """Take sound in, of any rate and length; gives what happened in it, in order.

        `speaking`: whether the agent's voice sounds (or a reply to it is being prepared, if a cough
        should not undo that); `asked`: what it said last. Takes a fraction of a ms for 20 ms of
        sound; in a pause it waits, off the event loop, for Smart Turn where that takes longer than
        64 ms. Raises what `prepare` raises, and GenerationError where Smart Turn broke down: from
        then on silence ends turns, and what there was to tell comes with the next call.
        """
        self.settings.patience_after(asked)  # raises for an unknown one
        await self.prepare()
        assert self._senses is not None
        assert self._meter is not None
        frames = self._frames.cut(audio)
        done = 0
        for probabilities in self._meter.measure(frames):
            for probability in probabilities:
                self._ahead.append((frames[done].copy(), float(probability), speaking, asked))
                done += 1
            if done < len(frames):
                await asyncio.sleep(0)
        while self._ahead:
            self._told += await self._take(*self._ahead.popleft(), self._senses)
        told, self._told = self._told, []
        return told

    def heard_words(self, text: str) -> list[Heed]:
        """What has been understood so far of what is being said, or was said last.

        While the agent speaks, "stop" interrupts it at once and "yeah" lets it go on; in a pause,
        words that trail off ("and", "那个") make the listener more patient.
        """
        match self._stage:
            case Turn() as turn:
                turn.heard_words(trails_off(text))
                return []
            case Burst() as burst:
                return self._after(burst, burst.means(meaning(text)))
            case None:
                if self._gone is None or self._count - self._gone[0] > _LATE_WORDS:
                    return []
                if meaning(text) != "cuts in":
                    return []
                burst = self._gone[1]
                self._begin_turn(burst)
                return [SpeechSure(burst.start_ms)]

    def commit(self) -> list[Heed]:
        """The turn is over now, because the user says so.

        With push-to-talk all sound since the last turn is one; in "auto" there has to be speech.
        """
        stage, now = self._stage, self.now_ms
        heeds: list[Heed] = []
        match stage:
            case Turn():
                heeds = stage.end(now)
            case Burst():
                heeds = [SpeechSure(stage.start_ms), TurnOver(stage.end_ms, now - stage.end_ms)]
            case None:
                if self.settings.turns == "push-to-talk" and now > self._unsaid_from:
                    heeds = [SpeechSure(self._unsaid_from), TurnOver(now, 0)]
        self.clear()
        return heeds

    def clear(self) -> None:
        """Forget what was said and is not yet a turn; what follows begins anew."""
        if isinstance(self._stage, Turn):
            self._stage.end(self.now_ms)
        self._stage = self._gone = None
        self._unsaid_from = self.now_ms

    async def _take(
        self,
        frame: np.ndarray,
        probability: float,
        speaking: bool,
        asked: Asked | None,
        senses: Senses,
    ) -> list[Heed]:
        settings = self.settings
        threshold = settings.silence_below if self._is_speech else settings.speech_from
        is_deaf = speaking and not settings.interrupt
        self._is_speech = probability >= threshold and not is_deaf
        window = Window(self._count, frame, probability, self._is_speech, speaking, asked)
        self._heard.append(frame)
        self._count += 1
        match self._stage:
            case None:
                if not window.speech:
                    return []
                before = list(self._heard)[-1 - _BEFORE : -1]
                burst = self._stage = Burst(window, before, settings)
                return self._after(burst, burst.begin(window))
            case Burst() as burst:
                return self._after(burst, burst.hear(window))
            case Turn() as turn:
                heeds = await turn.hear(window, senses)
                if turn.is_over:
                    self._stage, self._unsaid_from = None, self.now_ms
                return heeds

    def _after(self, burst: Burst, heeds: list[Heed]) -> list[Heed]:
        """Where a burst leads to."""
        if burst.is_over:
            if isinstance(heeds[-1] if heeds else None, SpeechSure):
                self._begin_turn(burst)
            else:
                self._stage, self._gone = None, (self._count, burst)
        return heeds

    def _begin_turn(self, burst: Burst) -> None:
        self._gone = None
        self._stage = Turn(burst.start_ms, burst.end_ms, self.now_ms, self._heard, self.settings)
