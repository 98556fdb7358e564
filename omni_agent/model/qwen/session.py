"""A conversation as the rest of the program meets it; the work is done on the model's thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import TypeVar, assert_never

from omni_agent.clock import Clock
from omni_agent.errors import UsageError
from omni_agent.events import AudioDelta, TextDelta, Usage
from omni_agent.media import Audio
from omni_agent.messages import Heard, InputPart, ToolCall, Transcript
from omni_agent.model.base import Finished, MalformedCall, ModelEvent, ResponseOptions
from omni_agent.model.compact.language import language_of
from omni_agent.model.qwen.dialogue import Dialogue
from omni_agent.model.qwen.speech import ReplyPiece, Said, Sounded
from omni_agent.model.qwen.token2wav import SAMPLE_RATE
from omni_agent.model.structured import asked_in_words

logger = logging.getLogger("omni_agent.model")

Done = TypeVar("Done")


class QwenSession:
    """Behind `ModelSession`; made by `QwenModel.open_session`.

    `worker`: the one thread that may touch the model. `on_close` is called there at the end.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        worker: ThreadPoolExecutor,
        *,
        clock: Clock,
        on_close: Callable[[], None],
    ) -> None:
        self._dialogue = dialogue
        self._worker = worker
        self._clock = clock
        self._on_close = on_close
        self._closed = False
        self._written_down = True  # nothing was said aloud that could be

    async def feed(self, part: InputPart) -> None:
        await self._run(lambda: self._dialogue.feed(part))

    async def transcript(self) -> Transcript | None:
        """Nothing before the reply, as sound is understood without words; after it, what was said
        aloud, asked of the model itself and left out of the context again.
        """
        if self._written_down:
            return None
        self._written_down = True
        try:
            text = await self._run(self._dialogue.write_down)
        except asyncio.CancelledError:
            self._call_off()
            raise
        return Transcript(text, language_of(text) or "en") if text else None

    async def respond(self, options: ResponseOptions) -> AsyncGenerator[ModelEvent, None]:
        if options.schema is not None:
            async with aclosing(asked_in_words(self, options, self._clock)) as events:
                async for event in events:
                    yield event
            return
        ending: Future[Usage] | None = None
        self._written_down = True
        try:
            reply = await self._run(lambda: self._dialogue.reply(options))
            coming = self._submit(self._dialogue.advance)
            while (piece := await asyncio.wrap_future(coming)) is not None:
                coming = self._submit(self._dialogue.advance)  # while this one is being used
                yield self._event(piece)
            ending = self._submit(self._dialogue.end)
            usage = await asyncio.wrap_future(ending)
        finally:
            if ending is None:
                self._call_off()
        if options.say is None:
            self._written_down = not self._dialogue.spoken_to
        assert reply.ended != "cancelled", "only who closes this iterator cancels"
        yield Finished(reply.ended, usage)

    async def rewind(self, heard: Heard) -> None:
        await self._run(lambda: self._dialogue.rewind(heard))

    async def reopen(self) -> None:
        self._written_down = True
        await self._run(self._dialogue.reopen)

    async def discard(self) -> None:
        await self._run(self._dialogue.discard)

    @property
    def caption(self) -> Transcript | None:
        return None

    def overhear(self) -> None:
        return None

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._dialogue.cancel()
            with suppress(RuntimeError):  # the model is closed, and its worker with it
                await asyncio.wrap_future(self._worker.submit(self._on_close))

    # --- inside --------------------------------------------------------------------------------

    def _call_off(self) -> None:
        """Whatever is under way ends with its step, and is tidied up before anything else."""
        if not self._closed:
            self._dialogue.cancel()
            self._submit(self._dialogue.end).add_done_callback(_told)

    def _event(self, piece: ReplyPiece) -> ModelEvent:
        match piece:
            case Said(text):
                return TextDelta(text, self._clock.monotonic())
            case Sounded(samples, text_upto):
                return AudioDelta(Audio(samples, SAMPLE_RATE), text_upto, self._clock.monotonic())
            case ToolCall() | MalformedCall():
                return piece
            case _:
                assert_never(piece)

    def _submit(self, work: Callable[[], Done]) -> Future[Done]:
        if self._closed:
            raise UsageError("this session is closed; open another with open_session()")
        try:
            return self._worker.submit(work)
        except RuntimeError as error:
            raise UsageError("the model of this session is closed") from error

    async def _run(self, work: Callable[[], Done]) -> Done:
        return await asyncio.wrap_future(self._submit(work))


def _told(ending: Future[Usage]) -> None:
    """Nobody waits for a reply that was called off."""
    if not ending.cancelled() and (error := ending.exception()) is not None:
        logger.error("a reply could not be ended: %s", error, exc_info=error)
