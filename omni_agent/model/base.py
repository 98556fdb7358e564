"""A model is a session you feed.

The expensive thing is context: a local model keeps its KV cache between turns, takes sound in
while it arrives, and cuts the cache back to what was heard. A remote model implements the same
verbs by keeping messages.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from omni_agent.events import AudioDelta, TextDelta, Usage
from omni_agent.media import Audio
from omni_agent.messages import (
    Exchange,
    Heard,
    InputPart,
    Language,
    Message,
    ToolCall,
    ToolSpec,
    Transcript,
)

Modality = Literal["text", "audio", "image", "video"]


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """What a model takes and gives, so that nobody has to check on names.

    `sight` tells how much of a picture is understood: nothing, the text that stands in it, or all.
    `memory_tokens` is how much recalled memory the model digests well in one prompt. `structured`:
    whether it keeps to `ResponseOptions.schema`.
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
    structured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOptions:
    """How to answer. `say` fixes the words: they are spoken as they are, in the session's voice.

    `keep=False` leaves what is said out of the context (fillers). `tools` is "auto" or "none".
    `language` None means: the language of the question. `schema`: the reply is JSON that fits this
    JSON Schema, and nothing else; no tool is called, nothing is spoken. A reply that ends with
    "length" broke off. Raises GenerationError where the model could not.
    """

    speak: bool = True
    say: str | None = None
    keep: bool = True
    tools: Literal["auto", "none"] = "auto"
    language: Language | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None


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


class Overhearing(Protocol):
    """Listening aside, while the session is busy: what it hears is no part of the context."""

    @property
    def text(self) -> str:
        """What is understood so far."""
        ...

    @property
    def seconds(self) -> float:
        """How much sound it was given."""
        ...

    def feed(self, audio: Audio) -> None: ...

    def close(self) -> None: ...


class ModelSession(Protocol):
    """One conversation with a model. Not for concurrent use."""

    async def feed(self, part: InputPart) -> None:
        """Grow the context now; may listen and prefill while the user still speaks.

        Consecutive `Audio` chunks are one utterance, which ends with `transcript` or `respond`.
        """
        ...

    async def transcript(self) -> Transcript | None:
        """What was said in all the sound fed since the last reply; None without sound or ears.

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

    async def reopen(self) -> None:
        """The user went on: the turn was not over, and what was begun as its answer never was.

        - The reply goes, whole: all that was answered since the user's last input, in however many
          `respond`s, each at its end, left in the middle or rewound; its calls, whether they ran
          or not, and the `ToolResult`s fed for them. The reply before it is again the last.
        - What the user gave for the turn is open input again, without being fed anew: words,
          sound, pictures. More of it may be fed, and the next `respond` answers the whole.
        - More `Audio` goes on with the utterance, also where `transcript` had ended it;
          `transcript` then gives the words of all of it.
        - Every `Context` of the turn goes: what bears on the longer words is fed for them.

        To be called before more of the turn is fed: words, sound or a picture fed after a reply
        take that reply as given. Where none was begun to the open input, its notes go and its
        utterance goes on; where there is no open input either, nothing happens.
        """
        ...

    async def discard(self) -> None:
        """Forget the open input: what was fed since the last reply, sound and notes too.

        Nothing happens where a reply was begun to it.
        """
        ...

    @property
    def caption(self) -> Transcript | None:
        """What is understood so far of the utterance that is being fed; None where unknown."""
        ...

    def overhear(self) -> Overhearing | None:
        """Listen to something that may not be meant for the model; None where it has no ears.

        May be called while the session responds.
        """
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
        history: Sequence[Message] = (),
    ) -> ModelSession:
        """Begin a conversation, or go on with one whose `history` is given, oldest first.

        Of the history, users' parts are taken in as if they were fed; the assistant's words and
        calls, and the tools' results, as if they had been this session's, but without a voice.
        What ends it is open where it wants an answer: input, a call, or its result. Where it is
        longer than the context, the newest turns count. Raises SettingsError for a history that
        cannot have been: see `earlier.earlier_turns`.
        """
        ...

    async def close(self) -> None: ...
