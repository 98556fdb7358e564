"""Pure values: everything a run can yield. `t` is seconds on the injected clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from omni_agent.media import Audio
from omni_agent.messages import Language, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class TurnStarted:
    turn: int
    t: float


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the model heard in the user's speech."""

    text: str
    language: Language
    t: float


@dataclass(frozen=True, slots=True)
class RecalledMemory:
    """One memory that was laid before the model. `score`: 0 … 1, fused from words, meaning, age."""

    id: str
    text: str
    kind: str
    at: datetime
    score: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryRecalled:
    memories: tuple[RecalledMemory, ...]
    t: float


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words of the reply. A filler bridges a slow tool and is no part of the answer."""

    text: str
    t: float
    filler: bool = False


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """More sound of the reply. `text_upto`: this many characters of its text are now covered."""

    audio: Audio
    text_upto: int
    t: float
    filler: bool = False


@dataclass(frozen=True, slots=True)
class ToolStarted:
    call: ToolCall
    t: float


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """A tool that `needs_approval` waits for the agent's approver."""

    call: ToolCall
    t: float


@dataclass(frozen=True, slots=True)
class ToolFinished:
    call: ToolCall
    result: ToolResult
    seconds: float
    t: float


@dataclass(frozen=True, slots=True)
class MemoryStored:
    ids: tuple[str, ...]
    t: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, and how many of the prompt's came out of the KV cache."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the end of the user's input; None where there was nothing of the kind.

    A filler does not count as the answer: `first_audio` is the answer's, `first_filler` its own.
    """

    first_text: float | None
    first_audio: float | None
    total: float
    tools: float = 0.0
    recall: float = 0.0
    first_filler: float | None = None


@dataclass(frozen=True, slots=True)
class ToolRun:
    call: ToolCall
    result: ToolResult
    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished turn: what was heard, done, said and remembered."""

    text: str
    audio: Audio | None
    heard: str
    language: Language
    tools: tuple[ToolRun, ...]
    recalled: tuple[RecalledMemory, ...]
    stored: tuple[str, ...]
    stopped: Literal["done", "length", "max_steps", "cancelled"]
    timings: Timings
    usage: Usage


@dataclass(frozen=True, slots=True)
class TurnFinished:
    reply: Reply
    t: float


Event = (
    TurnStarted
    | UserTranscript
    | MemoryRecalled
    | TextDelta
    | AudioDelta
    | ToolStarted
    | ApprovalRequested
    | ToolFinished
    | MemoryStored
    | TurnFinished
)
