"""What was had in a conversation: of each turn, what was asked, done, said, and really heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from omni_agent.events import ToolRun
from omni_agent.messages import Heard, Language, Message, Text


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One turn as it was. `reply`: all that the agent had to say.

    `heard_text`: what was heard of it. `interrupted_at_ms`: so much of its sound had been played
    when the user cut in; None where nobody did.
    """

    turn: int
    user: str
    reply: str
    heard_text: str
    interrupted_at_ms: int | None = None
    tools: tuple[ToolRun, ...] = ()
    language: Language = "en"

    @property
    def unheard_text(self) -> str:
        return self.reply[len(self.heard_text) :].strip()

    def cut(self, heard: Heard) -> PastTurn:
        """The same turn, of whose reply only `heard` was heard."""
        return replace(self, heard_text=heard.text, interrupted_at_ms=heard.played_ms)


def messages_of(past: Sequence[PastTurn]) -> tuple[Message, ...]:
    """The conversation as a model takes it up: what was never heard is not in it."""
    messages: list[Message] = []
    for turn in past:
        if turn.user:
            messages.append(Message("user", (Text(turn.user),)))
        for run in turn.tools:
            messages.append(Message("assistant", (run.call,)))
            messages.append(Message("tool", (run.result,)))
        if turn.heard_text:
            messages.append(Message("assistant", (Text(turn.heard_text),)))
    return tuple(messages)
