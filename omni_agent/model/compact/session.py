"""One conversation with the compact model.

Everything overlaps: the ears work and the Thinker prefills while the user speaks; the first
clause is voiced while the rest of the answer is still being thought.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from omni_agent.clock import Clock
from omni_agent.errors import ContextFull, GenerationError, UnsupportedInput
from omni_agent.events import TextDelta, Usage
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import (
    Context,
    Heard,
    InputPart,
    Language,
    Text,
    ToolCall,
    ToolResult,
    Transcript,
)
from omni_agent.model.base import Finished, MalformedCall, ModelEvent, ResponseOptions
from omni_agent.model.compact.answer import Answering
from omni_agent.model.compact.aside import Aside
from omni_agent.model.compact.language import language_of
from omni_agent.model.compact.open_input import Begun, OpenInput
from omni_agent.model.compact.prompt import Prompt, Turn
from omni_agent.model.compact.router import Router
from omni_agent.model.compact.sight import Sight
from omni_agent.model.compact.speech import Speech
from omni_agent.model.compact.structured import structured
from omni_agent.model.compact.thinker import Completed, Thinker
from omni_agent.model.earlier import EarlierTurn, last_call
from omni_agent.model.tool_gate import ToolGate, Words

if TYPE_CHECKING:
    from omni_agent.model.compact.ears import Ears
    from omni_agent.model.compact.eyes import Eyes

logger = logging.getLogger("omni_agent.model")

CHARS_PER_TOKEN_AT_MOST = 8
"""A text longer than this many characters for every token of context cannot fit; said at once."""


@dataclass(frozen=True, slots=True)
class Organs:
    """The loaded parts, shared by all sessions of a model."""

    ears: Ears
    thinker: Thinker
    speech: Speech
    eyes: Eyes
    clock: Clock


class CompactSession:
    """Behind `ModelSession`; made by `CompactModel.open_session`."""

    def __init__(
        self,
        organs: Organs,
        prompt: Prompt,
        *,
        id: str,
        voice: str | None,
        tool_names: frozenset[str],
        hints: tuple[str, ...] = (),
        router: Router | None = None,
    ) -> None:
        self._organs = organs
        self._prompt = prompt
        self._router = router
        self._id = id
        self._speaker = organs.speech.speaker(voice)
        self._tool_names = tool_names
        self._hints = hints
        self._past: list[Turn] = []  # finished exchanges
        self._turn: Turn | None = None  # the one being answered
        self._input = OpenInput()
        self._begun: Begun | None = None  # what `reopen` goes back to
        self._language: Language = "en"
        self._prefilling: asyncio.Task[None] | None = None
        self._calls = 0
        self._sight = Sight(organs.eyes)

    # --- taking in ---------------------------------------------------------------------------

    async def feed(self, part: InputPart) -> None:
        match part:
            case Text():
                self._check_length(part.text)
                self._input.words.append(part.text)
            case Audio():
                organs = self._organs
                self._input.hear(part, organs.ears, self._hints, self._prefill_while_listening)
            case Image():
                self._input.words.append(await self._sight.look(part))
            case VideoFrame():
                if (text := await self._sight.glance(part.image)) is not None:
                    self._input.words.append(text)
            case Context():
                self._input.notes.append(part.text)
            case ToolResult():
                self._input.results.append(part)
            case _:
                assert_never(part)
        if not isinstance(part, Context | ToolResult):
            self._begun = None

    async def transcript(self) -> Transcript | None:
        heard = await self._input.hear_out()
        if heard is not None:
            await self._stop_prefilling()
        return heard

    @property
    def caption(self) -> Transcript | None:
        return self._input.caption

    def overhear(self) -> Aside:
        return Aside(self._organs.ears.open(hints=self._hints))

    async def discard(self) -> None:
        if self._begun is None:
            await self._stop_prefilling()
            self._input.close()
            self._input = OpenInput(self._input.results)

    async def reopen(self) -> None:
        await self._stop_prefilling()
        if (begun := self._begun) is not None:
            self._begun = None
            self._input, self._turn = begun.input, begun.turn
            self._past, self._calls = begun.past, begun.calls
        self._input.notes = []

    # --- answering ---------------------------------------------------------------------------

    async def respond(self, options: ResponseOptions) -> AsyncGenerator[ModelEvent, None]:
        await self.transcript()
        await self._stop_prefilling()
        language = options.language or self._question_language()
        if options.say is not None and not options.keep:
            async with aclosing(self._voiced(_one(options.say), language, options)) as spoken:
                async for event in spoken:
                    yield event
            yield Finished("done", Usage())
            return
        turn = self._begin_turn(unasked=options.say is not None)
        found = _Found()
        if options.say is not None:
            pieces: AsyncGenerator[str, None] = _one(options.say)
        elif options.schema is not None:
            pieces = self._spell_out(turn, options, found)
        else:
            pieces = self._think(turn, options, found)
        try:
            async with aclosing(self._voiced(pieces, language, options)) as spoken:
                async for event in spoken:
                    if isinstance(event, TextDelta):
                        turn.reply += event.text
                    yield event
        finally:
            # Also when the reply is cut short: what was said so far has been said.
            turn.reply = turn.reply.strip()
            if found.calls:
                turn.steps.append((found.calls, []))
                turn.reply = ""  # words before a call are not the answer
            elif found.malformed is None:
                self._past.append(turn)
                self._turn = None
        for call in found.calls:
            yield call
        if found.malformed is not None:
            yield found.malformed
        if self._turn is None:  # the reply is being listened to: time to read it in
            self._prefill_ahead(self._prompt.render(self._past))
        yield Finished("calls" if found.calls else found.reason, found.usage)

    async def rewind(self, heard: Heard) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:  # cut before it was answered
            turn.take([])
            self._past.append(turn)
        if self._past:
            self._past[-1].reply = heard.text.strip()

    async def close(self) -> None:
        await self._stop_prefilling()
        self._input.close()
        self._organs.thinker.release(self._id)

    async def take_up(self, history: Sequence[EarlierTurn]) -> None:
        """Make these turns the conversation so far; the last may still want its answer."""
        self._calls = last_call(history)
        for earlier in history:
            for part in earlier.asked:
                await self.feed(part)
            await self.transcript()
            if not earlier.steps:
                continue
            turn = self._begin_turn(unasked=True)
            for step in earlier.steps:
                if step.calls:  # words before a call are not the answer
                    turn.steps.append((step.calls, step.results))
                else:
                    turn.reply = step.words
            if earlier.is_answered:
                self._past.append(turn)
                self._turn = None
        self._begun = None
        if self._past:
            self._prefill_ahead(self._prompt.render(self._past))

    # --- inside ------------------------------------------------------------------------------

    def _prefill_while_listening(self, partial: str) -> None:
        """The words are stable so far: let the Thinker read them before the rest is spoken."""
        if self._prefilling is None or self._prefilling.done():
            words = " ".join(filter(None, [*self._input.words, partial]))
            self._prefill_ahead(self._prompt.opening(self._past, words))

    def _prefill_ahead(self, prompt: str) -> None:
        self._prefilling = asyncio.create_task(self._prefill(prompt))

    async def _prefill(self, prompt: str) -> None:
        try:
            slot = await self._slot()
            await self._organs.thinker.prefill(prompt, slot=slot)
        except (ContextFull, GenerationError) as error:
            logger.debug("no prefill ahead of the turn: %s", error)

    async def _stop_prefilling(self) -> None:
        task, self._prefilling = self._prefilling, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    def _begin_turn(self, *, unasked: bool) -> Turn:
        """The turn to answer: the open one, whose tools have come back, or a new one."""
        turn, given, said = self._turn, self._input, self._input.said
        if turn is None and not said and not unasked:
            raise UnsupportedInput("there is nothing to answer: feed text, sound or an image")
        if said:
            self._begun = Begun(given, turn and turn.copy(), [*self._past], self._calls)
        if turn is not None:
            turn.take(given.results)
            if said:  # the user spoke on before an answer came
                said.insert(0, turn.words)
                turn = None
        if turn is None:
            turn = self._turn = Turn(" ".join(filter(None, said)), notes=given.notes)
        self._input = OpenInput()
        return turn

    async def _think(
        self, turn: Turn, options: ResponseOptions, found: _Found
    ) -> AsyncGenerator[str, None]:
        """The Thinker's words; calls and the outcome go into `found`."""
        gate = ToolGate(self._tool_names, first_id=self._calls + 1)
        async with aclosing(self._complete(turn, options)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completed):
                    found.reason, found.usage = piece.reason, piece.usage
                    continue
                for item in gate.push(piece):
                    if isinstance(item, Words):
                        yield item.text
                    else:
                        found.add(item)
        for item in gate.finish():
            if isinstance(item, Words):
                yield item.text
            else:
                found.add(item)
        self._calls = gate.next_id - 1

    async def _complete(
        self, turn: Turn, options: ResponseOptions
    ) -> AsyncGenerator[str | Completed, None]:
        """The completion; while the context is too full, the older half of the past is dropped."""
        while True:
            answering = Answering(
                self._organs.thinker, await self._slot(), self._prompt, self._router
            )
            try:
                async with aclosing(answering.answer(self._past, turn, options)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except ContextFull:
                if not self._past:
                    raise
                logger.info("the context is full: the older half of the conversation leaves it")
                del self._past[: (len(self._past) + 1) // 2]

    async def _spell_out(
        self, turn: Turn, options: ResponseOptions, found: _Found
    ) -> AsyncGenerator[str, None]:
        """JSON that fits the schema; no part of it is taken for a call."""
        prompt = self._prompt.render([*self._past, turn])
        thinker, slot = self._organs.thinker, await self._slot()
        async with aclosing(structured(thinker, prompt, slot=slot, options=options)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completed):
                    found.reason, found.usage = piece.reason, piece.usage
                else:
                    yield piece

    async def _slot(self) -> int:
        return await self._organs.thinker.open_slot(self._id, self._prompt.fixed)

    def _voiced(
        self, pieces: AsyncGenerator[str, None], language: Language, options: ResponseOptions
    ) -> AsyncGenerator[ModelEvent, None]:
        if options.speak and options.schema is None:
            return self._speaker.speak(pieces, language)
        return self._written(pieces)

    async def _written(self, pieces: AsyncGenerator[str, None]) -> AsyncGenerator[ModelEvent, None]:
        async with aclosing(pieces):
            async for piece in pieces:
                yield TextDelta(piece, self._organs.clock.monotonic())

    def _question_language(self) -> Language:
        heard = self._input.transcript
        if heard is not None and heard.text:
            self._language = heard.language
        elif self._input.words:
            self._language = language_of(" ".join(self._input.words)) or self._language
        return self._language

    def _check_length(self, text: str) -> None:
        limit = self._organs.thinker.context_tokens * CHARS_PER_TOKEN_AT_MOST
        if len(text) > limit:
            raise ContextFull(
                f"the text has {len(text):,} characters; more than {limit:,} cannot fit into "
                f"the model's context of {self._organs.thinker.context_tokens} tokens"
            )


class _Found:
    """What a completion held besides words."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self.malformed: MalformedCall | None = None
        self.reason: Literal["done", "length"] = "done"
        self.usage = Usage()

    def add(self, item: ToolCall | MalformedCall) -> None:
        if isinstance(item, ToolCall):
            self.calls.append(item)
        else:
            self.malformed = item


async def _one(text: str) -> AsyncGenerator[str, None]:
    yield text
