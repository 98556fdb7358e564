"""An earlier conversation, told in messages, as the turns that a session takes up."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from omni_agent.errors import SettingsError
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Context, InputPart, Message, Text, ToolCall, ToolResult

UserPart = Text | Audio | Image | VideoFrame | Context


@dataclass(slots=True)
class Step:
    """One thing that the assistant did: it said `words`, or called tools, or first one, then both.

    Each call has its result, but for the last step of all: there, calls may still wait for theirs.
    """

    words: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    results: list[ToolResult] = field(default_factory=list)


@dataclass(slots=True)
class EarlierTurn:
    """What the user gave, nothing where the assistant spoke up by itself; and what came of it."""

    asked: list[UserPart] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        return bool(self.steps) and not self.steps[-1].calls

    @property
    def text(self) -> str:
        """All its words, of either side and of the tools."""
        said = [part.text for part in self.asked if isinstance(part, Text | Context)]
        for step in self.steps:
            said += [step.words, *(str(call.arguments) for call in step.calls)]
            said += [result.content for result in step.results]
        return "\n".join(said)


def earlier_turns(history: Sequence[Message]) -> list[EarlierTurn]:
    """The turns of a conversation, oldest first; the last one may still want an answer.

    An assistant may begin, and may say nothing. Messages of one side that follow each other are
    one. Calls that never came back are left out, unless nothing came after them. Raises
    SettingsError for a result without its call, and for a part that its role cannot have.
    """
    turns: list[EarlierTurn] = []
    for index, message in enumerate(history):
        where = f"history[{index}]"
        match message.role:
            case "user":
                _drop_unanswered(turns[-1:])
                if not turns or turns[-1].steps:
                    turns.append(EarlierTurn())
                turns[-1].asked += [_of_user(part, where) for part in message.parts]
            case "assistant":
                step = _of_assistant(message, where)
                if not step.words and not step.calls:
                    continue
                _drop_unanswered(turns[-1:])
                if not turns or turns[-1].is_answered:
                    turns.append(EarlierTurn())
                turns[-1].steps.append(step)
            case "tool":
                for part in message.parts:
                    _give_back(part, turns, where)
            case _:
                raise SettingsError(
                    f"{where} has the role {message.role!r}; it is user, assistant or tool"
                )
    if turns and turns[-1].steps and turns[-1].steps[-1].results:
        _drop_unanswered(turns[-1:])
    return [turn for turn in turns if turn.asked or turn.steps]


def newest(
    turns: Sequence[EarlierTurn], budget: int, size: Callable[[str], int]
) -> list[EarlierTurn]:
    """The last of the turns, as many as fit into `budget`, by the `size` of their words; at least
    the last one.
    """
    kept: list[EarlierTurn] = []
    for turn in reversed(turns):
        budget -= size(turn.text)
        if kept and budget < 0:
            break
        kept.append(turn)
    return kept[::-1]


def last_call(turns: Sequence[EarlierTurn]) -> int:
    """The highest n of all calls named "call_n", so that the next one gets an id of its own."""
    ids = (call.id for turn in turns for step in turn.steps for call in step.calls)
    return max((int(n[1]) for id in ids if (n := re.fullmatch(r"call_(\d{1,9})", id))), default=0)


def _of_user(part: InputPart | ToolCall, where: str) -> UserPart:
    match part:
        case Text() | Audio() | Image() | VideoFrame() | Context():
            return part
        case ToolCall() | ToolResult():
            raise _misplaced(part, "the user", where)
        case _:
            assert_never(part)


def _of_assistant(message: Message, where: str) -> Step:
    """Sound that was made of words is left out: it is in no model's context either."""
    step = Step()
    for part in message.parts:
        match part:
            case Text(text):
                step.words = f"{step.words} {text}".strip()
            case ToolCall():
                step.calls.append(part)
            case Audio() if message.text.strip():
                pass
            case Audio():
                raise SettingsError(f"{where} is the assistant's sound without words; add its Text")
            case Image() | VideoFrame() | Context() | ToolResult():
                raise _misplaced(part, "the assistant", where)
            case _:
                assert_never(part)
    return step


def _give_back(part: InputPart | ToolCall, turns: Sequence[EarlierTurn], where: str) -> None:
    """Put a result beside its call, of which there may be several steps in a turn."""
    if not isinstance(part, ToolResult):
        raise _misplaced(part, "a tool", where)
    for step in reversed(turns[-1].steps if turns else ()):
        open_calls = {call.id for call in step.calls} - {result.call_id for result in step.results}
        if part.call_id in open_calls:
            step.results.append(part)
            return
    raise SettingsError(
        f"{where} is what {part.name!r} gave back to the call {part.call_id!r}, which was not made "
        "since the user spoke last, or has its result already"
    )


def _drop_unanswered(turns: Sequence[EarlierTurn]) -> None:
    for turn in turns:
        for step in turn.steps:
            back = {result.call_id for result in step.results}
            step.calls = [call for call in step.calls if call.id in back]
        turn.steps = [step for step in turn.steps if step.words or step.calls]


def _misplaced(part: object, who: str, where: str) -> SettingsError:
    return SettingsError(f"{where} has a {type(part).__name__} of {who}, who cannot give one")
