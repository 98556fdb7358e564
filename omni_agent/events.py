"""Pure values: everything a run can yield. `t` is seconds on the injected clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from omni_agent.errors import OmniAgentError
from omni_agent.media import Audio, Image
from omni_agent.messages import Language, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The agent takes the floor. `unasked`: it speaks up by itself, as when a timer rings."""

    turn: int
    t: float
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the model heard in the user's speech. `speaker` is a name where one is known."""

    text: str
    language: Language
    t: float
    speaker: str | None = None


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


# --- a live call --------------------------------------------------------------------------------

CallState = Literal["idle", "listening", "thinking", "speaking", "acting"]
"""Nobody speaks · the user does · the answer is awaited · the answer sounds · a tool runs."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: CallState
    before: CallState
    t: float


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user speaks, for sure. `at_ms`: where it began in the sound of the call's microphone."""

    at_ms: int
    t: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user's turn is over. `at_ms`: its last syllable; `waited`: seconds from there to now."""

    at_ms: int
    waited: float
    t: float


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """A caption of what is being said; it replaces the one before it."""

    text: str
    language: Language
    t: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class OutputControl:
    """What the loudspeaker has to do with the reply while it is unclear whether the user cuts in.

    "duck": 12 dB softer · "pause": silent at once, nothing is lost · "resume": as before, from
    where it stopped · "stop": drop what has not sounded.
    """

    action: Literal["duck", "pause", "resume", "stop"]
    t: float


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user cut in. Only `heard_text` of the turn's reply was heard, and stays in the history.

    `interrupted_at_ms`: so much of the reply had sounded.
    """

    turn: int
    heard_text: str
    unheard_text: str
    interrupted_at_ms: int
    t: float


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """A picture that was taken from a source and shown to the model."""

    source: str
    image: Image
    t: float


@dataclass(frozen=True, slots=True)
class PersonHere:
    """Somebody in the call. `id`: theirs in `Memory.people`. `name`: as given, which is data.

    `sure`: False where they are only thought to be this person ("Is that Ben?"). `x`: where their
    face is in the picture, 0 its left edge … 1 its right; None out of view. `looks`: slots and
    values ("glasses", "yes"). `pitch`: of their voice, in Hz.
    """

    id: str
    name: str | None = None
    sure: bool = True
    speaking: bool = False
    x: float | None = None
    looks: tuple[tuple[str, str], ...] = ()
    pitch: float | None = None


@dataclass(frozen=True, slots=True)
class PeoplePresent:
    """Who is there has changed: all who are in view or in earshot, from left to right."""

    people: tuple[PersonHere, ...]
    t: float


@dataclass(frozen=True, slots=True)
class TurnMeasured:
    """Seconds of one turn of a call; None where there was nothing of the kind.

    `end_of_turn`: from the user's last syllable until the turn was taken as over. `first_text`,
    `first_audio` and `first_filler` count from that last syllable too. `realtime_factor`: seconds
    it took to make one second of speech. `drafted`: the answer was begun before the turn was
    surely over; `drafts` were begun in all.
    """

    turn: int
    end_of_turn: float | None
    first_text: float | None
    first_audio: float | None
    first_filler: float | None
    tools: float
    realtime_factor: float | None
    drafted: bool
    drafts: int
    t: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong and the call goes on; `message` can be shown to the user."""

    message: str
    t: float
    kind: str = "error"

    @classmethod
    def of(cls, error: BaseException, t: float) -> Trouble:
        words = str(error) if isinstance(error, OmniAgentError) else repr(error)
        return cls(words, t, type(error).__name__)


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The last event of a call. `reason`: "closed", "idle", "too long", "gone" or an error."""

    reason: str
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
"""What one turn yields."""

LiveEvent = (
    Event
    | StateChanged
    | SpeechStarted
    | SpeechStopped
    | PartialTranscript
    | OutputControl
    | Interrupted
    | FrameSeen
    | PeoplePresent
    | TurnMeasured
    | Trouble
    | CallEnded
)
"""What a live call yields."""
