"""What the user has given and nobody has answered yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omni_agent.errors import GenerationError
from omni_agent.media import Audio
from omni_agent.messages import ToolResult, Transcript
from omni_agent.model.compact.prompt import Turn

if TYPE_CHECKING:
    from omni_agent.model.compact.ears import Ears, Listener


class OpenInput:
    """Words, notes, what tools gave back, and an utterance, which may go on after its end.

    `transcript`: of the whole utterance, once it was heard out, until it goes on.
    """

    def __init__(self, results: Sequence[ToolResult] = ()) -> None:
        self.words: list[str] = []
        self.notes: list[str] = []
        self.results = [*results]
        self.transcript: Transcript | None = None
        self._listener: Listener | None = None
        self._listening = False

    @property
    def said(self) -> list[str]:
        """What was typed, shown and, as the last of it, spoken."""
        return [*self.words, *([self.transcript.text] if self.transcript is not None else [])]

    @property
    def caption(self) -> Transcript | None:
        """What is understood so far of the utterance."""
        if self.transcript is not None or self._listener is None:
            return self.transcript
        partial = self._listener.partial
        return Transcript(partial.text, partial.language)

    def hear(
        self, audio: Audio, ears: Ears, hints: Sequence[str], on_partial: Callable[[str], None]
    ) -> None:
        """Raises what `Listener.feed` raises. `on_partial` is told too that somebody speaks."""
        if self._listener is None:
            self._listener = ears.open(hints=hints, on_partial=on_partial)
            on_partial("")
        elif not self._listening:
            self._listener.reopen()
        self._listening, self.transcript = True, None
        self._listener.feed(audio)

    async def hear_out(self) -> Transcript | None:
        """Raises GenerationError where the ears broke down; the utterance is lost then."""
        if self._listener is not None and self.transcript is None:
            self._listening = False
            try:
                self.transcript = await self._listener.finish()
            except GenerationError:
                self._listener = None
                raise
        return self.transcript

    def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()


@dataclass(frozen=True, slots=True)
class Begun:
    """What there was before an answer was begun. `turn`: one whose tools had not come back."""

    input: OpenInput
    turn: Turn | None
    past: list[Turn]
    calls: int
