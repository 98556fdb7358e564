"""The tool gate with its tokens: which of them may be spoken, and where each stands in the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from omni_agent.messages import ToolCall
from omni_agent.model.base import MalformedCall
from omni_agent.model.qwen.tokens import Spelling
from omni_agent.model.tool_gate import Words

Found = str | ToolCall | MalformedCall
"""Words, a call, or what should have been one."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What one more token has decided. `spoken`: indices of the reply's tokens, in order."""

    found: list[Found]
    spoken: list[int]


class Gate(Protocol):
    """What `ToolGate` does."""

    @property
    def decided(self) -> int: ...

    @property
    def in_call(self) -> bool: ...

    def push(self, piece: str) -> Sequence[Words | ToolCall | MalformedCall]: ...

    def finish(self) -> Sequence[Words | ToolCall | MalformedCall]: ...


class Ungated:
    """Lets everything through, for words that are not the model's own."""

    def __init__(self) -> None:
        self.decided = 0
        self.in_call = False

    def push(self, piece: str) -> list[Words]:
        start, self.decided = self.decided, self.decided + len(piece)
        return [Words(piece, tuple(range(start, self.decided)))] if piece else []

    def finish(self) -> list[Words]:
        return []


class GatedTokens:
    """A reply's tokens on their way to the voice.

    A token is spoken when words are all that its characters are part of. One whose text may still
    become a call waits; one that has a character of a call is never spoken, nor one without text.
    Words behind a call are left out altogether: they were made before its result was known.
    """

    def __init__(self, spelling: Spelling, gate: Gate) -> None:
        self.said = ""
        self.calls = 0
        self._spelling = spelling
        self._gate = gate
        self._stream = ""  # everything the tokens spell
        self._ends: list[int] = []  # of each token in the stream
        self._starts: list[int] = []
        self._waiting = 0  # the first token that is not decided
        self._spoken_at: list[int] = []  # for each character said, where in the stream it is
        self._is_spoken: set[int] = set()
        self._called = False

    @property
    def in_call(self) -> bool:
        """Whether a call has begun: there will be no more words."""
        return self._called or self._gate.in_call

    def push(self, token: int) -> Passed:
        start = len(self._stream)
        piece = self._spelling.push(token)
        self._stream += piece
        self._starts.append(start)
        # A token that ends inside of a character is part of one that is still to come.
        self._ends.append(len(self._stream) + self._spelling.is_inside)
        return self._pass(self._gate.push(piece))

    def finish(self) -> Passed:
        """There are no more tokens."""
        rest = self._spelling.finish()
        self._stream += rest
        return self._pass([*self._gate.push(rest), *self._gate.finish()])

    def cut(self, said: int) -> int:
        """Forget all but the first `said` characters that were said, and the tokens that do not lie
        whole within them; how many do. If they are all, and no call follows, so do all tokens.
        """
        if said < len(self.said.rstrip()) or self._called:
            end = self._spoken_at[said - 1] + 1 if said else 0
            kept = next((n for n, at in enumerate(self._ends) if at > end), len(self._ends))
            self.said = self.said[:said]
            del self._spoken_at[said:], self._starts[kept:], self._ends[kept:]
            self._called = False
        return len(self._ends)

    def _pass(self, items: Iterable[Words | ToolCall | MalformedCall]) -> Passed:
        found: list[Found] = []
        for item in items:
            if not isinstance(item, Words):
                self._called = True
                self.calls += isinstance(item, ToolCall)
                found.append(item)
            elif not self._called:
                self.said += item.text
                self._spoken_at += item.at
                self._is_spoken.update(item.at)
                found.append(item.text)
        spoken = []
        decided = self._gate.decided
        while self._waiting < len(self._ends) and self._ends[self._waiting] <= decided:
            if self._is_words(self._waiting):
                spoken.append(self._waiting)
            self._waiting += 1
        return Passed(found, spoken)

    def _is_words(self, token: int) -> bool:
        """White space may be missing: the gate drops some that is part of no call."""
        places = range(self._starts[token], self._ends[token])
        return any(at in self._is_spoken for at in places) and all(
            at in self._is_spoken or self._stream[at].isspace() for at in places
        )
