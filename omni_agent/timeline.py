"""A recorded call told in order: who said what when, what was done, and what was never heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, assert_never

from omni_agent.events import (
    ApprovalRequested,
    AudioDelta,
    CallEnded,
    FrameSeen,
    Interrupted,
    MemoryRecalled,
    MemoryStored,
    OutputControl,
    PartialTranscript,
    PeoplePresent,
    SpeechStarted,
    SpeechStopped,
    StateChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    UserTranscript,
)
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Text, ToolCall, ToolResult
from omni_agent.recorded_call import Came, Line, Lost, RecordedCall, Went

Kind = Literal["said", "typed", "shown", "reply", "filler", "tool", "recalled", "noise", "trouble",
               "lost", "ended"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened `t` seconds into the call.

    `text`: the words; of a reply those that were heard, and `unheard` the rest. `speaker`: the
    user's name where it is known. `call` and `result` are of a "tool", which took `seconds`; of a
    reply that was cut, `seconds` were heard. `unasked`: the agent spoke up by itself.
    """

    t: float
    kind: Kind
    text: str = ""
    unheard: str = ""
    speaker: str | None = None
    call: ToolCall | None = None
    result: ToolResult | None = None
    seconds: float | None = None
    unasked: bool = False
    measured: TurnMeasured | None = None


def timeline(recording: RecordedCall) -> list[Moment]:
    """Raises RecordingError where it cannot be read."""
    told = _Told(recording.began)
    for line in recording.lines(media=False):
        told.take(line)
    return sorted(told.moments, key=lambda moment: moment.t)


@dataclass(slots=True)
class _Told:
    began: float
    moments: list[Moment] = field(default_factory=list)
    _spoke_at: float | None = None
    _reply: int | None = None  # where the reply that is made stands
    _replies: dict[int, int] = field(default_factory=dict)  # by turn
    _turn: int = 0
    _unasked: bool = False
    _tools: dict[str, float] = field(default_factory=dict)
    _held_at: float | None = None

    def take(self, line: Line) -> None:
        t = line.t - self.began
        match line:
            case Came():
                self._came(line, t)
            case Went():
                self._went(line, t)
            case Lost():
                self._add(Moment(t=t, kind="lost", text=str(line.count)))
            case _:
                assert_never(line)

    def _came(self, line: Came, t: float) -> None:
        if line.verb == "send" and line.values[0]:
            self._add(Moment(t=t, kind="typed", text=_in_words(line.values[0])))

    def _went(self, line: Went, t: float) -> None:
        match line.event:
            case SpeechStarted():
                self._spoke_at = t
            case UserTranscript() as event:
                if event.text or self._spoke_at is not None:
                    at = t if self._spoke_at is None else self._spoke_at
                    said = Moment(t=at, kind="said", text=event.text, speaker=event.speaker)
                    self._add(said)
                self._spoke_at = None
            case FrameSeen() as event:
                last = self.moments[-1] if self.moments else None
                if last is None or (last.kind, last.text) != ("shown", event.source):
                    self._add(Moment(t=t, kind="shown", text=event.source))
            case TurnStarted() as event:
                self._turn, self._unasked, self._reply = event.turn, event.unasked, None
            case TextDelta(text=text, filler=True):
                if self.moments and self.moments[-1].kind == "filler":
                    self._change(len(self.moments) - 1, text=self.moments[-1].text + text)
                else:
                    self._add(Moment(t=t, kind="filler", text=text))
            case TextDelta(text=text):
                if self._reply is None:
                    self._reply = self._replies[self._turn] = len(self.moments)
                    self._add(Moment(t=t, kind="reply", unasked=self._unasked))
                self._change(self._reply, text=self.moments[self._reply].text + text)
            case ToolStarted() as event:
                self._tools[event.call.id] = t
            case ToolFinished() as event:
                at = self._tools.pop(event.call.id, t)
                took, call, result = event.seconds, event.call, event.result
                self._add(Moment(t=at, kind="tool", call=call, result=result, seconds=took))
            case MemoryRecalled() as event:
                for memory in event.memories:
                    self._add(Moment(t=t, kind="recalled", text=memory.text))
            case Interrupted() as event:
                if (place := self._replies.get(event.turn)) is not None:
                    self._change(
                        place,
                        text=event.heard_text,
                        unheard=event.unheard_text,
                        seconds=event.interrupted_at_ms / 1000,
                    )
            case TurnMeasured() as event:
                if (place := self._replies.get(event.turn)) is not None:
                    self._change(place, measured=event)
            case OutputControl() as event:
                self._output(event, t)
            case Trouble() as event:
                self._add(Moment(t=t, kind="trouble", text=event.message))
            case CallEnded() as event:
                self._add(Moment(t=t, kind="ended", text=event.reason))
            case (
                AudioDelta()
                | ApprovalRequested()
                | MemoryStored()
                | TurnFinished()
                | StateChanged()
                | SpeechStopped()
                | PartialTranscript()
                | PeoplePresent()
            ):
                pass
            case other:
                assert_never(other)

    def _output(self, event: OutputControl, t: float) -> None:
        match event.action:
            case "duck" | "pause":
                self._held_at = t if self._held_at is None else self._held_at
            case "resume":
                if self._held_at is not None:
                    self._add(Moment(t=self._held_at, kind="noise", seconds=t - self._held_at))
                self._held_at = None
            case "stop":
                self._held_at = None
            case _:
                assert_never(event.action)

    def _add(self, moment: Moment) -> None:
        self.moments.append(moment)

    def _change(self, at: int, **changes: object) -> None:
        self.moments[at] = replace(self.moments[at], **changes)  # type: ignore[arg-type]


def _in_words(inputs: Sequence[object]) -> str:
    """What was sent; what is no text is named."""
    words: list[str] = []
    for value in inputs:
        match value:
            case str():
                words.append(value)
            case Text():
                words.append(value.text)
            case Audio():
                words.append("[sound]")
            case Image() | VideoFrame():
                words.append("[picture]")
            case _:
                words.append("[file]")
    return " ".join(words)
