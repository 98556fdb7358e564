"""The compact model: ears, eyes, Thinker and voice, small enough for two CPU cores."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.media import Audio
from omni_agent.messages import Exchange, Language, Message, ToolSpec
from omni_agent.model.base import ModelProfile
from omni_agent.model.catalog import Catalog, catalog
from omni_agent.model.compact.ears import Ears
from omni_agent.model.compact.eyes import Eyes
from omni_agent.model.compact.language import language_of
from omni_agent.model.compact.prompt import Prompt, shown
from omni_agent.model.compact.router import Routers
from omni_agent.model.compact.session import CompactSession, Organs
from omni_agent.model.compact.speech import Speech
from omni_agent.model.compact.thinker import Progress, Thinker
from omni_agent.model.compact.voice import DEFAULT_VOICES, Voice
from omni_agent.model.earlier import earlier_turns, newest
from omni_agent.model.progress import PullProgress
from omni_agent.text_embedding import open_text_embedder

logger = logging.getLogger("omni_agent.model")

ThinkerName = Literal["thinker-1.5b", "thinker-0.5b"]

CONTEXT_TOKENS = 6144
MEMORY_TOKENS = 96
"""More recalled memory than this costs a second of prefill and confuses a 1.5B model."""


class CompactModel:
    """Behind `OmniModel`. `open` loads it; one instance serves any number of sessions."""

    def __init__(
        self,
        organs: Organs,
        *,
        name: str,
        voices: Sequence[str],
        on_prefill: Progress | None,
        routers: Routers | None,
    ) -> None:
        self.profile = ModelProfile(
            name=name,
            takes=frozenset({"text", "audio", "image"}),
            gives=frozenset({"text", "audio"}),
            languages=("en", "zh"),
            voices=tuple(voices),
            input_rate=16_000,
            output_rate=24_000,
            context_tokens=CONTEXT_TOKENS,
            memory_tokens=MEMORY_TOKENS,
            sight="text",
            structured=True,
        )
        self._organs = organs
        self._on_prefill = on_prefill
        self._routers = routers

    @classmethod
    async def open(
        cls,
        thinker: ThinkerName = "thinker-1.5b",
        *,
        threads: int | None = None,
        files: Catalog | None = None,
        clock: Clock = SYSTEM_CLOCK,
        progress: PullProgress | None = None,
        on_prefill: Progress | None = None,
    ) -> CompactModel:
        """Get what is missing through the catalog and load it.

        `threads`: CPU threads for each part, by default one a core up to eight. `on_prefill` is
        told how far a new agent's prompt is prefilled: seconds the first time, then never again.
        Raises CatalogError if a file cannot be had, ModelLoadError or MissingExtra otherwise.
        """
        files = files or catalog()
        threads = threads or min(8, os.cpu_count() or 1)
        names = ("whisper-base", thinker, "kokoro", "kokoro-vocab", "kokoro-voices")
        paths = await asyncio.to_thread(files.ensure, *names, progress=progress)
        voice = await asyncio.to_thread(
            Voice, paths["kokoro"], paths["kokoro-vocab"], paths["kokoro-voices"], threads=threads
        )
        for name in DEFAULT_VOICES.values():
            await asyncio.to_thread(voice.prepare, name)
        organs = Organs(
            ears=await asyncio.to_thread(Ears, paths["whisper-base"], threads=threads),
            thinker=await asyncio.to_thread(
                Thinker,
                paths[thinker],
                states=files.folder / "prompts",
                threads=threads,
                context_tokens=CONTEXT_TOKENS,
            ),
            speech=Speech(voice, clock),
            eyes=Eyes(),
            clock=clock,
        )
        return cls(
            organs,
            name="compact" if thinker == "thinker-1.5b" else "compact-small",
            voices=[v.name for v in voice.voices()],
            on_prefill=on_prefill,
            routers=await asyncio.to_thread(_routers, files.folder / "routers"),
        )

    async def open_session(
        self,
        system: str,
        tools: Sequence[ToolSpec] = (),
        voice: str | None = None,
        examples: Sequence[Exchange] = (),
        history: Sequence[Message] = (),
    ) -> CompactSession:
        """Pictures and sound in the `history` are read and listened to again, as words. Of a long
        one, the newest turns are taken that fill half of the context's room.
        """
        prompt = Prompt.of(system, tools, examples)
        room = max(0, CONTEXT_TOKENS - _tokens(prompt.fixed))
        earlier = newest(earlier_turns(history), room // 2, _tokens)
        router = None
        if self._routers is not None:
            router = await asyncio.to_thread(self._routers.of, tools, examples)
        id = uuid.uuid4().hex
        session = CompactSession(
            self._organs,
            prompt,
            id=id,
            voice=voice,
            tool_names=frozenset(spec.name for spec in tools),
            hints=_vocabulary(tools),
            router=router,
        )
        try:
            await self._organs.thinker.open_slot(id, prompt.fixed, on_progress=self._on_prefill)
            await session.take_up(earlier)
        except BaseException:
            await session.close()
            raise
        return session

    async def speak(
        self, text: str, *, voice: str | None = None, language: Language | None = None
    ) -> Audio:
        """Just say `text`, 24 kHz. Raises SettingsError for a voice there is not."""
        spoken = language or language_of(text) or "en"
        return await self._organs.speech.speaker(voice).voiced(text, spoken)

    async def close(self) -> None:
        for part in (self._organs.thinker, self._organs.speech, self._organs.ears):
            await asyncio.to_thread(part.close)


def _tokens(text: str) -> int:
    """About how many: four letters, or four thirds of a Han character, are one."""
    return len(text.encode()) // 4


def _routers(folder: Path) -> Routers | None:
    try:
        return Routers(open_text_embedder(), folder)
    except (MissingExtra, ModelLoadError) as error:
        logger.warning("tools are chosen by the Thinker alone, which errs more: %s", error)
        return None


def _vocabulary(tools: Sequence[ToolSpec]) -> tuple[str, ...]:
    """Words the user may well say, for the ears: names in the tools' examples, longest first."""
    spoken = (
        value
        for spec in tools
        for example in shown(spec)
        for argument in (example.arguments or {}).values()
        for value in (argument if isinstance(argument, list) else [argument])
        if isinstance(value, str)
    )
    return tuple(sorted({word for word in spoken if len(word) > 1}, key=lambda w: (-len(w), w)))
