"""What the user brings, turn by turn: prefilled while it comes, as far as it can be.

Words may join with those behind them into one token, so they wait for a mark; sound and frames go
in as they come. What is left when a turn ends is due, and goes into one forward with what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from omni_agent.errors import ContextFull, ModelError
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Context, InputPart, Text, ToolResult
from omni_agent.model.qwen.living import LivingContext, memory_told
from omni_agent.model.qwen.parts import ImagePiece, Piece, TextPiece
from omni_agent.model.qwen.perceiving import OpenMedium
from omni_agent.model.qwen.room import make_room
from omni_agent.model.qwen.thinker import Held, Prefilled
from omni_agent.model.qwen.tokens import ChatTokens, Turn

FORGOTTEN = "(Something was heard or seen here that is no longer kept.)"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A turn as it was when it was ended. `last`: what the context ended with, if that was of it;
    `before`: what the turn before it begins with.
    """

    turn: Turn
    medium: OpenMedium | None
    due: list[Piece]
    closing: list[Piece]
    fed: list[Text | Audio | Image | VideoFrame]
    results: list[ToolResult]
    last: Held | None
    before: Held | None


class UserTurns:
    """The user's side of a conversation in `context`. For one thread.

    `closing`: the mark that the assistant's last words want behind them, until it is prefilled.
    """

    def __init__(self, context: LivingContext, chat: ChatTokens) -> None:
        self.closing: list[Piece] = []
        self.fed: list[Text | Audio | Image | VideoFrame] = []  # in the turn that is open
        self.results: list[ToolResult] = []
        self._context = context
        self._chat = chat
        self._turn: Turn | None = None  # the one that is open
        self._medium: OpenMedium | None = None  # at its end
        self._notes: list[str] = []
        self._due: list[Piece] = []  # of the turn, and not in the context yet
        self._is_new = False  # nothing of the turn is in the context yet
        self._begin: Held | None = None  # what it begins with there, until it is answered
        self._begins: list[Held] = []  # of all turns
        self._asked: _Asked | None = None  # the turn that was ended last, if it can be reopened

    def feed(self, part: InputPart) -> None:
        """Take something in, and prefill what can be.

        Raises MediaError, which leaves the rest of the turn as it was; or ContextFull and
        GenerationError, after which the turn is as if it had never been.
        """
        match part:
            case ToolResult():
                self.results.append(part)
            case Context():
                self._notes.append(part.text)
            case _:
                self._asked = None
                try:
                    with memory_told():
                        self._take(part, self._turn or self._open())
                except ModelError:
                    self.give_up()
                    raise
                self.fed.append(part)

    def end(self) -> None:
        """What the turn has left, and what tools gave back, becomes due."""
        if self._turn is not None:
            self._asked = self._as_it_is(self._turn)
            if self._notes:
                self._turn.text("\n(" + "\n".join(self._notes) + ")")
            self._due.append(TextPiece(self._turn.end()))
        if self.results:
            self._due.append(TextPiece(self._chat.results(self.results)))
        self._turn, self.fed, self._notes, self.results = None, [], [], []

    def prefill(self, *then: Piece, reserve: int = 0) -> Prefilled:
        """Everything that is due, and `then`. Where the context is full, something old leaves it:
        for this, and for `reserve` more tokens. Raises ContextFull and GenerationError.
        """
        due = [*self._due, *then]
        pieces = [*self.closing, *due]
        need = sum(len(piece.token_ids) for piece in pieces if isinstance(piece, TextPiece))
        fixed, limit = self._begins[0].start if self._begins else 0, self._context.thinker.limit
        if fixed + need > limit:
            raise ContextFull(
                f"a turn of {need} tokens does not fit into a context of {limit}, of which "
                f"instructions and tools take {fixed}"
            )
        if self._context.room < need + reserve:
            self._make_room(need + reserve - self._context.room)
        done = None
        while done is None:
            room = self._context.room
            try:
                done = self._forward(due)
            except ContextFull:  # a medium is larger than it was known to be
                self._make_room(1)
                if self._context.room <= room:
                    raise
        self.closing, self._due, self._medium = [], [], None
        return done

    def answered(self) -> None:
        """The turn has an answer: it can no longer be given up."""
        self._begin = None

    def give_up(self) -> None:
        """Forget the turn that has no answer yet."""
        self._asked = None
        if self._begin is not None:
            self._context.cut(self._begin.start)
        self._forget_turn()

    def discard(self) -> None:
        """Forget the turn that is open, but not what tools gave back."""
        if self._asked is None:
            results = self.results
            self.give_up()
            self.results = results

    def past(self, tokens: Sequence[int]) -> None:
        """Something the assistant said or called after this, in an earlier conversation."""
        self._is_new = self._is_new or not (self._turn or self.results)
        self.end()
        with memory_told():
            self.prefill(TextPiece(tokens))
            self._context.catch_up()
        self.answered()
        self._asked = None

    def reopen(self) -> bool:
        """Have the turn that was ended last open again as it was, but without its notes; whether
        there was one. All that came behind it leaves the context.

        Raises ContextFull and GenerationError, after which the turn is as if it had never been.
        """
        self._notes = []
        if (asked := self._asked) is None:
            return False
        try:
            with memory_told():
                self._reopen(asked)
        except ModelError:
            self.give_up()
            raise
        self._asked = None
        return True

    def rewind(self, length: int) -> None:
        """Cut the context to where the assistant's last words end; the open turn begins anew."""
        fed, notes = self.fed, self._notes
        self._context.cut(length)
        self._forget_turn()
        self.closing = [TextPiece(self._chat.turn_end)]
        for part in (*fed, *map(Context, notes)):
            self.feed(part)

    # --- inside --------------------------------------------------------------------------------

    def _open(self) -> Turn:
        self._close_medium()  # of a turn whose answer was called off
        self._turn = self._chat.turn("user")
        self._is_new, self._begin = True, None
        return self._turn

    def _as_it_is(self, turn: Turn) -> _Asked:
        held = self._context.thinker.held
        return _Asked(
            copy(turn),
            self._medium,
            [*self._due],
            self.closing,
            self.fed,
            self.results,
            None if self._is_new else held[-1],
            self._begins[-1] if self._begins and self._is_new else None,
        )

    def _reopen(self, asked: _Asked) -> None:
        self._turn, self._medium, self._due = asked.turn, asked.medium, asked.due
        self.fed, self.results, self.closing = asked.fed, asked.results, asked.closing
        self._is_new = asked.last is None
        if asked.last is None:
            if self._begins and self._begins[-1] is not asked.before:
                self._context.cut(self._begins.pop().start)
                self.closing = []  # it stands before the turn
            return
        self._begin = self._begins[-1]
        if asked.medium is not None and asked.medium.is_in:
            asked.medium.reopen()
        elif asked.medium is None and asked.last in self._context.thinker.held:
            self._context.cut(asked.last.start + asked.last.length)
        else:  # something of it had to leave the full context: take it in anew
            self._context.cut(self._begin.start)
            self._forget_turn()
            for part in asked.fed:
                self.feed(part)
            self.results = asked.results

    def _forget_turn(self) -> None:
        self._turn = self._medium = self._begin = None
        self._due, self.fed, self._notes, self.results = [], [], [], []
        self._is_new = False
        self._begins = [held for held in self._begins if held.length]

    def _take(self, part: Text | Audio | Image | VideoFrame, turn: Turn) -> None:
        if isinstance(part, Text):
            self._close_medium()
            turn.text(part.text)
        elif isinstance(part, Image):
            self._close_medium()
            self._read_up_to_medium(turn)
            self.prefill(ImagePiece(part))
            self._context.catch_up()
        elif not isinstance(part, Audio) or len(part.samples):
            if self._medium is None:
                self._read_up_to_medium(turn)
                self._medium = OpenMedium(self._context)
            try:
                self._medium.feed(part)
            except ContextFull:  # it has kept what did not fit, and prefills it with what comes
                self._make_room(1)
            self._context.catch_up()

    def _read_up_to_medium(self, turn: Turn) -> None:
        """Prefill what the turn has before a medium, which brings its marks with it."""
        if before := turn.mark(self._chat.specials.audio_begin)[:-1]:
            self._due.append(TextPiece(before))
        if self._due:
            self.prefill()

    def _close_medium(self) -> None:
        if self._medium is not None:
            self.prefill()
            self._context.catch_up()

    def _forward(self, due: Sequence[Piece]) -> Prefilled:
        if self._medium is not None:
            return self._medium.close(*due)
        held = self._context.thinker.held
        at = len(held) + len(self.closing)
        done = self._context.prefill(*self.closing, *due)
        if self._is_new:
            self._is_new, self._begin = False, self._context.thinker.held[at]
            self._begins.append(self._begin)
        return done

    def _make_room(self, more: int) -> None:
        make_room(self._context, more, self._begins, self._chat.encode(FORGOTTEN))
