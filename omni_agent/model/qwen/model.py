"""Qwen2.5-Omni: one model that hears, sees, thinks and speaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import SettingsError, UnsupportedInput
from omni_agent.messages import Exchange, Message, ToolSpec
from omni_agent.model.base import ModelProfile
from omni_agent.model.earlier import earlier_turns, newest
from omni_agent.model.progress import PullProgress
from omni_agent.model.qwen.codec_windows import Solver
from omni_agent.model.qwen.dialogue import Dialogue
from omni_agent.model.qwen.hub import find_checkpoint
from omni_agent.model.qwen.living import LivingContext
from omni_agent.model.qwen.loading import Modules, load
from omni_agent.model.qwen.machine import Machine
from omni_agent.model.qwen.parts import TextPiece
from omni_agent.model.qwen.picture_in import PictureRules
from omni_agent.model.qwen.plan import (
    PICTURE_TOKENS,
    DType,
    LoadPlan,
    Quantize,
    Shapes,
    plan_load,
    refuse_what_does_not_fit,
)
from omni_agent.model.qwen.session import QwenSession
from omni_agent.model.qwen.talker import TalkerContext
from omni_agent.model.qwen.thinker import ThinkerContext
from omni_agent.model.qwen.token2wav import SAMPLE_RATE, CodecVoice
from omni_agent.model.qwen.tokens import ChatTokens
from omni_agent.model.qwen.voices import Speakers, read_speakers
from omni_agent.model.qwen.voicing import Voice

MEMORY_TOKENS = 512

FirstCodes = Literal[12, 24]


class OnPlan(Protocol):
    def __call__(self, plan: LoadPlan, /) -> None:
        """What will be loaded and what it needs, before it is."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that all sessions of a model share."""

    plan: LoadPlan
    modules: Modules
    chat: ChatTokens
    rules: PictureRules
    codec: CodecVoice | None
    speakers: Speakers | None


class QwenModel:
    """Behind `OmniModel`. `open` loads it; one instance serves any number of sessions in turn.

    All work is done on one thread, one step at a time. Each session has a context of its own,
    with buffers that are handed on to the next session when it is closed.
    """

    def __init__(
        self, loaded: Loaded, worker: ThreadPoolExecutor, *, first_codes: FirstCodes, clock: Clock
    ) -> None:
        speakers = loaded.speakers
        self.plan = loaded.plan
        self.profile = ModelProfile(
            name=loaded.plan.title,
            takes=frozenset({"text", "audio", "image", "video"}),
            gives=frozenset({"text", "audio"} if speakers else {"text"}),
            languages=("en", "zh"),
            voices=tuple(speakers) if speakers else (),
            input_rate=16_000,
            output_rate=SAMPLE_RATE,
            context_tokens=loaded.plan.context_tokens,
            memory_tokens=MEMORY_TOKENS,
            sight="full",
            structured=True,
        )
        self._loaded = loaded
        self._worker = worker
        self._first_codes = first_codes
        self._clock = clock
        self._voices: dict[str, Voice] = {}
        self._idle: tuple[LivingContext, list[int]] | None = None  # with what it begins

    @classmethod
    async def open(
        cls,
        source: str | Path,
        *,
        device: str | None = None,
        dtype: DType | None = None,
        quantize: Quantize | None = None,
        talker: bool = True,
        context_tokens: int = 8192,
        first_codes: FirstCodes = 24,
        solver: Solver = "rk4",
        solver_steps: int = 10,
        tf32: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        progress: PullProgress | None = None,
        on_plan: OnPlan | None = None,
    ) -> QwenModel:
        """Load "qwen2.5-omni-7b", "qwen2.5-omni-3b" or the checkpoint in a folder.

        `talker=False` takes less memory and gives text only. `first_codes=12` gives the first
        sound sooner. `solver`, `solver_steps` and `tf32` are those of `CodecVoice`. `on_plan` is
        told what will be loaded. Raises UnknownModel, ModelLoadError (also for what does not fit
        into the memory), DownloadFailed, DiskFull, MissingExtra.
        """
        if first_codes not in (12, 24):
            raise SettingsError(f"first_codes is 12 or 24, not {first_codes}")

        def opened() -> QwenModel:
            checkpoint = find_checkpoint(source, progress)
            shapes = Shapes.of_checkpoint(checkpoint)
            plan = plan_load(
                shapes,
                Machine.here(device),
                dtype=dtype,
                quantize=quantize,
                talker=talker,
                context_tokens=context_tokens,
            )
            if on_plan is not None:
                on_plan(plan)
            refuse_what_does_not_fit(plan, shapes)
            modules = load(checkpoint, plan)
            loaded = Loaded(
                plan,
                modules,
                ChatTokens(checkpoint.tokenizer(), modules.config),
                PictureRules.of(checkpoint.preprocessor()).at_most(PICTURE_TOKENS),
                None
                if modules.token2wav is None
                else CodecVoice(modules.token2wav, solver=solver, steps=solver_steps, tf32=tf32),
                read_speakers(checkpoint.speakers_file()) if plan.talker else None,
            )
            model = cls(loaded, worker, first_codes=first_codes, clock=clock)
            model._warm_up()
            return model

        worker = ThreadPoolExecutor(1, thread_name_prefix="qwen")
        try:
            return await asyncio.wrap_future(worker.submit(opened))
        except BaseException:
            worker.shutdown(wait=False)
            raise

    async def open_session(
        self,
        system: str,
        tools: Sequence[ToolSpec] = (),
        voice: str | None = None,
        examples: Sequence[Exchange] = (),
        history: Sequence[Message] = (),
    ) -> QwenSession:
        """Of a long `history`, the newest turns are taken whose words fill half of the room.

        Raises SettingsError for a voice that the checkpoint does not have and for a history that
        cannot have been; and what feeding the history raises: MediaError, ContextFull.
        """
        earlier = earlier_turns(history)

        def opened() -> QwenSession:
            chosen = self._voice(voice)
            fixed = self._loaded.chat.system(_taught(system, tools, examples), tools)
            context = self._context(fixed)
            dialogue = Dialogue(
                context,
                self._loaded.chat,
                voice=chosen,
                tool_names=frozenset(spec.name for spec in tools),
                preview=self._first_codes == 12,
                clock=self._clock,
            )
            try:
                chat = self._loaded.chat
                dialogue.take_up(
                    newest(earlier, context.room // 2, lambda text: len(chat.encode(text)))
                )
            except BaseException:
                self._take_back(dialogue, fixed)
                raise
            return QwenSession(
                dialogue,
                self._worker,
                clock=self._clock,
                on_close=lambda: self._take_back(dialogue, fixed),
            )

        return await asyncio.wrap_future(self._worker.submit(opened))

    async def close(self) -> None:
        """Let go of everything; sessions that are open can no longer be used."""
        self._idle = None
        await asyncio.to_thread(self._worker.shutdown)

    # --- on the worker's thread ----------------------------------------------------------------

    def _warm_up(self) -> None:
        """Record the graphs, where there are any, so that no reply has to wait for it."""
        if self._loaded.modules.device.type != "cuda":
            return
        context = self._new_context()
        context.warm_up()
        if (voice := self._voice(None)) is not None:
            voice.codec.warm_up(voice.features)
        self._idle = context, []

    def _context(self, fixed: list[int]) -> LivingContext:
        """A context that begins with these tokens; they are not read again if one has them."""
        idle, self._idle = self._idle, None
        context, begins = idle or (self._new_context(), [])
        if begins != fixed:
            context.cut(0)
            context.prefill(TextPiece(fixed))
            context.catch_up()
        return context

    def _new_context(self) -> LivingContext:
        modules, plan = self._loaded.modules, self._loaded.plan
        thinker = ThinkerContext(modules.thinker, plan.context_tokens, rules=self._loaded.rules)
        if modules.talker is None:
            return LivingContext(thinker)
        embeddings = modules.thinker.get_input_embeddings()
        return LivingContext(thinker, TalkerContext(modules.talker, embeddings, plan.talker_tokens))

    def _take_back(self, dialogue: Dialogue, fixed: list[int]) -> None:
        dialogue.end()
        dialogue.context.cut(len(fixed))
        if self._idle is None:
            self._idle = dialogue.context, fixed

    def _voice(self, name: str | None) -> Voice | None:
        speakers, codec = self._loaded.speakers, self._loaded.codec
        if speakers is None or codec is None:
            if name is not None:
                raise SettingsError(f"voice={name!r}: this model was opened without speech")
            return None
        try:
            speaker = speakers[name] if name is not None else speakers.default
        except UnsupportedInput as error:
            raise SettingsError(str(error)) from error
        if speaker.name not in self._voices:
            features = codec.speaker(speaker.cond, speaker.ref_mel)
            self._voices[speaker.name] = Voice(speaker.name, speaker.bos_token, features, codec)
        return self._voices[speaker.name]


def _taught(system: str, tools: Sequence[ToolSpec], examples: Sequence[Exchange]) -> str:
    """The instructions, with a line for each tool's first example and each exchange."""
    first = (
        next(((spec, e) for e in spec.examples if e.arguments is not None), None) for spec in tools
    )
    lines = [
        f'- "{example.utterance}" → {spec.name} {json.dumps(example.arguments, ensure_ascii=False)}'
        for spec, example in filter(None, first)
    ]
    lines += [f'- "{e.utterance}" → "{e.reply}"' for e in examples if e.reply]
    taught = "Examples of what is said to you, and what you do:\n" + "\n".join(lines)
    return f"{system.strip()}\n\n{taught}" if lines else system
