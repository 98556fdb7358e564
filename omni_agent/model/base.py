"""A model is a session you feed.

The expensive thing is context: a local model keeps its KV cache between turns, takes sound in
while it arrives, and cuts the cache back to what was heard. A remote model implements the same
verbs by keeping messages.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from omni_agent.events import AudioDelta, TextDelta, Usage
from omni_agent.messages import (
    Exchange,
    Heard,
    InputPart,
    Language,
    ToolCall,
    ToolSpec,
    Transcript,
)

Modality = Literal["text", "audio", "image", "video"]


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a model takes and gives, so that nobody has to check on names.

    `sight` tells how much of a picture is understood: nothing, the text that stands in it, or all.
    `memory_tokens` is how much recalled memory the model digests well in one prompt.
    """

    name: str
    takes: frozenset[Modality]
    gives: frozenset[Modality]
    languages: tuple[Language, ...]
    voices: tuple[str, ...]
    input_rate: int
    output_rate: int
    context_tokens: int
    memory_tokens: int
    sight: Literal["none", "text", "full"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOptions:
    """How to answer. `say` fixes the words: they are spoken as they are, in the session's voice.

    `keep=False` leaves what is said out of the context (fillers). `tools` is "auto" or "none".
    `language` None means: the language of the question.
    """

    speak: bool = True
    say: str | None = None
    keep: bool = True
    tools: Literal["auto", "none"] = "auto"
    language: Language | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class MalformedCall:
    """The model tried to call a tool and failed; `problem` says how, in words for the model."""

    raw: str
    problem: str


@dataclass(frozen=True, slots=True)
class Finished:
    reason: Literal["done", "calls", "length"]
    usage: Usage


ModelEvent = TextDelta | AudioDelta | ToolCall | MalformedCall | Finished


class ModelSession(Protocol):
    """One conversation with a model. Not for concurrent use."""

    async def feed(self, part: InputPart) -> None:
        """Grow the context now; may listen and prefill while the user still speaks.

        Consecutive `Audio` chunks are one utterance, which ends with `transcript` or `respond`.
        """
        ...

    async def transcript(self) -> Transcript | None:
        """What was said in the sound fed since the last reply; None without sound or ears.

        A model that understands sound without words gives None before the reply, and may give what
        was said after it.
        """
        ...

    def respond(self, options: ResponseOptions) -> AsyncGenerator[ModelEvent, None]:
        """Answer as a stream that ends with `Finished`. Closing the iterator cancels the work."""
        ...

    async def rewind(self, heard: Heard) -> None:
        """After an interruption: forget what was never heard of the last reply."""
        ...

    async def close(self) -> None: ...


class OmniModel(Protocol):
    @property
    def profile(self) -> ModelProfile: ...

    async def open_session(
        self,
        system: str,
        tools: Sequence[ToolSpec] = (),
        voice: str | None = None,
        examples: Sequence[Exchange] = (),
    ) -> ModelSession: ...

    async def close(self) -> None: ...
