"""Pure values that pass between an agent, its model and its tools. They carry no ids of storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from omni_agent.media import Audio, Image, VideoFrame

Language = str
"""A BCP 47 primary subtag: "en", "zh"."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words typed by the user."""

    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """Notes laid beside the user's words: memories, the time, the place. Data, never orders."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool to run. `arguments` is what it said, not yet validated."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back, in words or JSON for the model.

    `say` is set where the tool has the answer itself, to be spoken word for word.
    """

    call_id: str
    name: str
    content: str
    is_error: bool = False
    say: str | None = None


InputPart = Text | Audio | Image | VideoFrame | Context | ToolResult
"""Everything a model session can be fed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation's history."""

    role: Literal["user", "assistant", "tool"]
    parts: tuple[InputPart | ToolCall, ...]

    @property
    def text(self) -> str:
        return " ".join(p.text for p in self.parts if isinstance(p, Text))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the user really heard of the last reply before it was interrupted."""

    text: str
    played_ms: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """Speech in words, with the language it was spoken in."""

    text: str
    language: Language


@dataclass(frozen=True, slots=True)
class ToolExample:
    """An utterance and the call it should lead to; teaches small models when to use the tool.

    Where `arguments` is None it teaches only that.
    """

    utterance: str
    arguments: dict[str, Any] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """An utterance and the words to answer it with; teaches small models when *not* to call.

    Without a reply it teaches only that.
    """

    utterance: str
    reply: str = ""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model needs to know of a tool. `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]
    examples: tuple[ToolExample, ...] = ()
