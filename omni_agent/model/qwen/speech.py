"""One reply: Thinker, gate, Talker and codec in turn, text and sound as soon as they are made.

    Thinker step → token → gate → Talker, a token for each code → codec, a window for 24 codes

While words still come, each of the Thinker's steps lets the Talker make one code; when the words
are over, it goes on by itself until it has spoken them. All on one thread and one device, which is
never waited for longer than its next number takes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.messages import ToolCall
from omni_agent.model.base import MalformedCall
from omni_agent.model.qwen.decoder import breakdown
from omni_agent.model.qwen.gated import GatedTokens, Passed
from omni_agent.model.qwen.living import LivingContext, memory_told
from omni_agent.model.qwen.pace import Progress
from omni_agent.model.qwen.readback import Readback
from omni_agent.model.qwen.sampling import Sampler
from omni_agent.model.qwen.talker import MAX_CODES
from omni_agent.model.qwen.thinker import Prefilled
from omni_agent.model.qwen.token2wav import SAMPLE_RATE, SpeechPiece
from omni_agent.model.qwen.voicing import CODES_PER_SECOND, Voice, Voicing

RUNAWAY = 4.0
RUNAWAY_SECONDS = 5.0
"""A speech so many times as long as its words should take, and this on top, has lost its end."""

_BROKEN = -1


@dataclass(frozen=True, slots=True)
class Said:
    """More words of the reply."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Sounded:
    """More sound: float32 [n], 24 kHz. `text_upto`: an estimate, see `pace`; the last is exact."""

    samples: np.ndarray
    text_upto: int


ReplyPiece = Said | Sounded | ToolCall | MalformedCall


@dataclass(slots=True)
class ReplyTimes:
    """Moments on the clock; None where nothing of the kind has happened."""

    began: float = 0.0
    first_token: float | None = None
    first_words: float | None = None
    first_code: float | None = None
    first_sound: float | None = None
    words_ended: float | None = None
    ended: float | None = None


class Reply:
    """One reply in `context`, which must end where the assistant's words begin.

    Iterate over `think` or `say`; each piece comes as soon as it is made, and after `cancel` (from
    any thread) there is no more than the step that is under way. Then the Talker is as it was, and
    the Thinker holds the reply's tokens so far: `start` is where the first one is.

    `voice` None: in words only. `preview`: see `Voicing`. `max_codes`: where the speech is cut off
    at the latest; by default where it is far too long for its words.
    """

    def __init__(
        self,
        context: LivingContext,
        *,
        voice: Voice | None = None,
        seed: int | None = None,
        preview: bool = False,
        max_codes: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.times = ReplyTimes()
        self.ended: Literal["done", "calls", "length", "cancelled"] = "cancelled"
        self.start = context.length
        self.tokens: list[int] = []
        self.text = ""
        self._context = context
        self._clock = clock
        self._voice = voice
        self._voicing: Voicing | None = None
        if voice is not None and context.talker is not None:
            self._voicing = Voicing(context.talker, voice, seed=seed, preview=preview)
            self._progress = Progress(voice.pace)
            if max_codes is not None:
                self._voicing.max_codes = max_codes
        self._max_codes = max_codes
        self._sounded = 0  # samples
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    @property
    def codes(self) -> int:
        return self._voicing.codes if self._voicing is not None else 0

    @property
    def seconds(self) -> float:
        """Of sound that was given out."""
        return self._sounded / SAMPLE_RATE

    # --- the two ways to a reply ---------------------------------------------------------------

    def think(
        self,
        logits: Tensor,
        words: GatedTokens,
        sampler: Sampler,
        *,
        stops: Sequence[int],
        max_tokens: int,
    ) -> Generator[ReplyPiece, None, None]:
        """Go on from `logits` [vocab] until a stop token, which is not forwarded.

        Raises GenerationError; the context then ends before the token that broke it.
        """
        self.times.began = self._clock.monotonic()
        return self._closing(self._thought(logits, words, sampler, frozenset(stops), max_tokens))

    def say(
        self, text: str, forwarded: Prefilled, tokens: Sequence[int]
    ) -> Generator[ReplyPiece, None, None]:
        """Speak words that are in the context already, as what `forwarded` ends with."""
        self.times.began = self._clock.monotonic()
        return self._closing(self._fixed(text, forwarded, tokens))

    def _closing(self, pieces: Iterator[ReplyPiece]) -> Generator[ReplyPiece, None, None]:
        try:
            with torch.no_grad(), memory_told():
                yield from pieces
        finally:
            if self._voicing is not None:
                self._voicing.end()
            self.times.ended = self._clock.monotonic()

    def _thought(
        self,
        logits: Tensor,
        words: GatedTokens,
        sampler: Sampler,
        stops: frozenset[int],
        max_tokens: int,
    ) -> Iterator[ReplyPiece]:
        numbers = Readback(logits.device)
        inputs: dict[int, Tensor] = {}  # of tokens that may yet be spoken
        chosen = self._choose(logits, sampler, numbers)
        while True:
            token = numbers.take()
            if token == _BROKEN:
                self._context.cut(self._context.length - 1)
                raise breakdown(self._context.length)
            if self._cancelled:
                return
            if token in stops:
                self.ended = "calls" if self.ended == "calls" else "done"
                break
            if len(self.tokens) == max_tokens or not self._context.room:
                self.ended = "calls" if self.ended == "calls" else "length"
                break
            stepped = self._context.step(chosen)
            chosen = self._choose(stepped.logits, sampler, numbers, stepped.broken)
            if not self.tokens:
                self.times.first_token = self._clock.monotonic()
            inputs[len(self.tokens)] = stepped.talker_input
            self.tokens.append(token)
            yield from self._let_through(words.push(token), inputs)
            if words.in_call:
                self._close_words()
            yield from self._voiced()
        yield from self._let_through(words.finish(), inputs)
        self.times.words_ended = self._clock.monotonic()
        yield from self._speak_on()

    def _fixed(
        self, text: str, forwarded: Prefilled, tokens: Sequence[int]
    ) -> Iterator[ReplyPiece]:
        talker_inputs = forwarded.talker_inputs[len(forwarded.talker_inputs) - len(tokens) :]
        self.start -= len(tokens)
        self.tokens = list(tokens)
        self.ended = "done"
        if text:
            yield self._said(text)
        self.times.words_ended = self._clock.monotonic()
        if self._voicing is not None:
            for talker_input in talker_inputs:
                if self._cancelled:
                    break
                self._voicing.feed(talker_input)
                yield from self._voiced()
        yield from self._speak_on()

    # --- the stages ----------------------------------------------------------------------------

    def _choose(
        self, logits: Tensor, sampler: Sampler, numbers: Readback, broken: Tensor | None = None
    ) -> Tensor:
        """The next token, int64 [1] on the device; its number comes back in its own time."""
        chosen = sampler.choose(logits, sampler.draw_noise()).view(1)
        numbers.send(chosen if broken is None else torch.where(broken, _BROKEN, chosen))
        return chosen

    def _let_through(self, passed: Passed, inputs: dict[int, Tensor]) -> Iterator[ReplyPiece]:
        for item in passed.found:
            if isinstance(item, str):
                yield self._said(item)
            else:
                self.ended = "calls"
                yield item
        if self._voicing is not None:
            for index in passed.spoken:
                self._voicing.feed(inputs.pop(index))

    def _said(self, text: str) -> Said:
        if self.times.first_words is None:
            self.times.first_words = self._clock.monotonic()
        self.text += text
        return Said(text)

    def _voiced(self) -> Iterator[Sounded]:
        """The codes that can be made now; a single one for each step if there is no need for more,
        as while a call is being thought whose words have all been fed.
        """
        while self._voicing is not None and self._voicing.can_go_on and not self._cancelled:
            yield from self._sounds(self._voicing.step())
            if self._voicing.closed:
                return

    def _speak_on(self) -> Iterator[Sounded]:
        """Everything that is left, with no more words to come."""
        self._close_words()
        finished, self.ended = self.ended, "cancelled"
        while self._voicing is not None and not self._voicing.ended:
            if self._cancelled:
                return
            yield from self._sounds(self._voicing.step())
        if self._cancelled:
            return
        if self._voicing is not None:
            yield from self._sounds(self._voicing.finish(), last=True)
            if self._voice is not None and self._voicing.stopped_itself and finished == "done":
                self._voice.pace.learn(self.text, self._voicing.seconds)
        self.ended = finished

    def _close_words(self) -> None:
        if self._voicing is not None and self._voice is not None and not self._voicing.closed:
            self._voicing.close()
            if self._max_codes is None:
                most = RUNAWAY * self._voice.pace.seconds(self.text) + RUNAWAY_SECONDS
                self._voicing.max_codes = min(MAX_CODES, round(most * CODES_PER_SECOND))

    def _sounds(self, pieces: Sequence[SpeechPiece], *, last: bool = False) -> Iterator[Sounded]:
        if self.times.first_code is None and self.codes:
            self.times.first_code = self._clock.monotonic()
        for index, piece in enumerate(pieces):
            samples = piece.samples.float().cpu().numpy()
            if self.times.first_sound is None:
                self.times.first_sound = self._clock.monotonic()
            self._sounded += len(samples)
            upto = self._progress.upto(self.text, self.seconds)
            is_last = last and index == len(pieces) - 1
            yield Sounded(samples, len(self.text) if is_last else upto)
