"""What was answered to a turn, and where in the context it stands: so that it can be cut back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omni_agent.model.qwen.gated import GatedTokens
from omni_agent.model.qwen.thinker import Held


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One reply of a turn; a turn has several if tools were called. It stands behind `before`."""

    before: Held
    words: GatedTokens

    def cut(self, said: int) -> int:
        """Forget all but its first `said` characters; where the tokens end that lie within them."""
        return self.before.start + self.before.length + self.words.cut(said)


def heard_of(heard: str, said: Sequence[str]) -> tuple[int, int]:
    """Which of the answers `said` is the last that was heard, and how many characters of it.

    `heard` may span them all or begin with a later one; white space between and in them does not
    count. What is not what was said, was not heard.
    """
    wanted = "".join(heard.split())
    for first in range(len(said)):
        whole = "".join("".join(said[first:]).split())
        if whole.startswith(wanted) and (wanted or first == 0):
            return _place(wanted, said, first)
    return _place(wanted, said, len(said) - 1)


def _place(wanted: str, said: Sequence[str], first: int) -> tuple[int, int]:
    at = 0
    for index in range(first, len(said)):
        chars = 0
        for place, char in enumerate(said[index]):
            if char.isspace():
                continue
            if at == len(wanted) or char != wanted[at]:
                break
            at, chars = at + 1, place + 1
        if chars < len(said[index].rstrip()) or index == len(said) - 1:
            return index, chars
    raise AssertionError("there is at least one answer")
