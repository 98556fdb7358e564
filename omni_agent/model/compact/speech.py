"""Text in, text and sound out: the words of a reply are voiced clause by clause as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TYPE_CHECKING

import numpy as np

from omni_agent.clock import Clock
from omni_agent.events import AudioDelta, TextDelta
from omni_agent.media import Audio
from omni_agent.messages import Language
from omni_agent.model.compact.clauses import Clause, ClauseSplitter
from omni_agent.model.compact.language import spoken_language

if TYPE_CHECKING:
    from omni_agent.model.compact.voice import Spoken, Voice

RATE = 24_000
SECOND_VOICES = {("zh", "male"): "zm_yunxi", ("en", "male"): "am_michael"}
"""Who speaks a language that the chosen voice does not, where it is not the language's default."""


class Speech:
    """The voice engine with its one worker thread, shared by all sessions."""

    def __init__(self, engine: Voice, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="voice")

    def speaker(self, voice: str | None) -> Speaker:
        """Raises SettingsError, listing the voices, where there is none of this name."""
        return Speaker(self, voice)

    def close(self) -> None:
        self.worker.shutdown(wait=True, cancel_futures=True)


class Speaker:
    """One session's voice. `voice` None: each language's own."""

    def __init__(self, speech: Speech, voice: str | None) -> None:
        self._speech = speech
        self._chosen = None if voice is None else speech.engine.info(voice)

    async def speak(
        self, pieces: AsyncGenerator[str, None], language: Language
    ) -> AsyncGenerator[TextDelta | AudioDelta, None]:
        """Yield each piece as it comes, and each clause's sound as soon as it is made.

        Closing the iterator stops both the thinking and the voice.
        """
        now = self._speech.clock.monotonic
        events: asyncio.Queue[TextDelta | AudioDelta | None] = asyncio.Queue()
        clauses: asyncio.Queue[Clause | None] = asyncio.Queue()
        speaking = asyncio.Event()  # the first clause is voiced

        async def think() -> None:
            splitter = ClauseSplitter()
            async with aclosing(pieces):
                async for piece in pieces:
                    events.put_nowait(TextDelta(piece, now()))
                    for clause in splitter.push(piece):
                        clauses.put_nowait(clause)
                        await speaking.wait()  # all cores for the first sound
            for clause in splitter.finish():
                clauses.put_nowait(clause)
            clauses.put_nowait(None)

        async def voice() -> None:
            while (clause := await clauses.get()) is not None:
                begins = clause.text_upto - len(clause.text)
                async with aclosing(self._voiced(clause.text, language)) as said:
                    async for spoken in said:
                        audio = Audio(spoken.samples, RATE)
                        upto = begins + int(spoken.share * len(clause.text))
                        events.put_nowait(AudioDelta(audio, upto, now()))
                speaking.set()

        async def both() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(think())
                    group.create_task(voice())
            except BaseExceptionGroup as group_of_errors:
                raise group_of_errors.exceptions[0] from None
            finally:
                events.put_nowait(None)

        work = asyncio.create_task(both())
        try:
            while (event := await events.get()) is not None:
                yield event
            await work
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    async def voiced(self, text: str, language: Language) -> Audio:
        """All of the sound of `text` at once."""
        async with aclosing(self._voiced(text, language)) as said:
            parts = [spoken.samples async for spoken in said]
        return Audio(np.concatenate(parts) if parts else np.zeros(0, np.float32), RATE)

    async def _voiced(self, text: str, language: Language) -> AsyncGenerator[Spoken, None]:
        from omni_agent.model.compact.voice import CancelSpeech

        spoken = spoken_language(text, language)
        cancel, loop = CancelSpeech(), asyncio.get_running_loop()
        said = self._speech.engine.stream(text, self._voice_for(spoken), spoken, cancel=cancel)
        try:
            while more := await loop.run_in_executor(self._speech.worker, next, said, None):
                yield more
        finally:
            cancel.set()  # without effect once it is done

    def _voice_for(self, language: Language) -> str | None:
        if self._chosen is None:
            return None
        if self._chosen.language == language:
            return self._chosen.name
        return SECOND_VOICES.get((language, self._chosen.gender))
