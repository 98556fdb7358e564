"""Thinker and Talker side by side: what one has forwarded, the other has read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from omni_agent.errors import GenerationError
from omni_agent.model.qwen.parts import Piece
from omni_agent.model.qwen.talker import TalkerContext
from omni_agent.model.qwen.thinker import Prefilled, Stepped, ThinkerContext


@contextmanager
def memory_told() -> Iterator[None]:
    """Out of memory becomes a GenerationError."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise GenerationError(f"the device is out of memory: {error}") from error


class LivingContext:
    """One conversation in both. The Talker reads by `catch_up`, and never in a reply of its own.

    Without a `talker` there is only the Thinker. Not for two threads at once.
    """

    def __init__(self, thinker: ThinkerContext, talker: TalkerContext | None = None) -> None:
        self.thinker = thinker
        self.talker = talker
        self._unread: list[_Rows] = []

    @property
    def length(self) -> int:
        return self.thinker.length

    @property
    def room(self) -> int:
        return self.thinker.room

    def prefill(self, *pieces: Piece) -> Prefilled:
        """As `ThinkerContext.prefill`, whose errors it raises."""
        done = self.thinker.prefill(*pieces)
        self.note(done)
        return done

    def note(self, done: Prefilled | None) -> None:
        """Something was prefilled past this context, such as sound that is coming."""
        if done is not None:
            self._forget_from(done.start)
            self._keep(done.start, done.talker_inputs, done.positions)

    def step(self, token: Tensor) -> Stepped:
        """As `ThinkerContext.step`."""
        done = self.thinker.step(token)
        self._keep(done.index, done.talker_input[None], torch.full((3, 1), done.position))
        return done

    def catch_up(self, end: int | None = None) -> None:
        """Have the Talker read what it has not, up to the token `end`. Raises ContextFull."""
        end = self.length if end is None else end
        due = [read for rows in self._unread if (read := rows.before(end)) is not None]
        if self.talker is None or not due:
            return
        inputs = torch.cat([rows.inputs for rows in due])
        positions = torch.cat([rows.positions.to(inputs.device) for rows in due], dim=1)
        self.talker.extend(inputs, positions, start=due[0].start)
        self._unread = [left for rows in self._unread if (left := rows.after(end)) is not None]

    def cut(self, length: int) -> None:
        """Forget every token from `length` on, in both; a reply of the Talker's too."""
        self.thinker.cut(length)
        self._forget_from(length)

    def drop_media(self, tokens: int, instead: Sequence[int] = ()) -> None:
        """As `ThinkerContext.drop_media`."""
        try:
            self.note(self.thinker.drop_media(tokens, instead))
        finally:
            self._forget_from(self.thinker.length)

    def forget(self, start: int, end: int) -> None:
        """As `ThinkerContext.forget`."""
        try:
            self.note(self.thinker.forget(start, end))
        finally:
            self._forget_from(self.thinker.length)

    def warm_up(self) -> None:
        """Record what can be recorded; only while it is empty."""
        self.thinker.warm_up()
        if self.talker is not None:
            self.talker.warm_up()

    def _keep(self, start: int, inputs: Tensor, positions: Tensor) -> None:
        if self.talker is not None:
            self._unread.append(_Rows(start, inputs, positions))

    def _forget_from(self, length: int) -> None:
        self._unread = [kept for rows in self._unread if (kept := rows.before(length)) is not None]
        if self.talker is not None:
            self.talker.cut(min(length, self.talker.prompt_length))


class _Rows:
    """What the Talker has to read from `start` on: [n, d] at [3, n]."""

    def __init__(self, start: int, inputs: Tensor, positions: Tensor) -> None:
        self.start, self.inputs, self.positions = start, inputs, positions

    def before(self, end: int) -> _Rows | None:
        count = min(end - self.start, len(self.inputs))
        if count <= 0:
            return None
        return _Rows(self.start, self.inputs[:count], self.positions[:, :count])

    def after(self, start: int) -> _Rows | None:
        count = max(0, start - self.start)
        if count >= len(self.inputs):
            return None
        return _Rows(self.start + count, self.inputs[count:], self.positions[:, count:])
