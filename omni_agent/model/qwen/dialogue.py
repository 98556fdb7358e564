"""One conversation on the model's thread: turns go in, replies come out, all in one context.

What a turn brings is prefilled while it comes. What a reply then waits for is the last block of
sound, the words behind it and the closing marks, in one forward.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import suppress

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ContextFull, ModelError, UnsupportedInput
from omni_agent.events import Usage
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Context, Heard, InputPart, Text, ToolResult
from omni_agent.model.base import ResponseOptions
from omni_agent.model.qwen.answers import Answer, heard_of
from omni_agent.model.qwen.gated import GatedTokens, Ungated
from omni_agent.model.qwen.living import LivingContext
from omni_agent.model.qwen.parts import ImagePiece, Piece, TextPiece
from omni_agent.model.qwen.perceiving import OpenMedium
from omni_agent.model.qwen.sampling import Sampler, SamplingOptions
from omni_agent.model.qwen.speech import Reply, ReplyPiece, Said
from omni_agent.model.qwen.thinker import Held, Prefilled
from omni_agent.model.qwen.tokens import ChatTokens, Spelling, Turn
from omni_agent.model.qwen.voicing import Voice
from omni_agent.model.tool_gate import ToolGate

logger = logging.getLogger("omni_agent.model")

FORGOTTEN = "(Something was heard or seen here that is no longer kept.)"

WRITE_DOWN = (
    "Write down word for word what I have just said aloud, in the language that I said it in. "
    "Give nothing but these words."
)
WRITTEN_AT_MOST = 256
"""Tokens of a transcript."""


class Dialogue:
    """Everything here is for one thread; `cancel` for any.

    `context` holds what never changes already: instructions and tools. `preview`: see `Voicing`.
    """

    def __init__(
        self,
        context: LivingContext,
        chat: ChatTokens,
        *,
        voice: Voice | None = None,
        tool_names: frozenset[str] = frozenset(),
        preview: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.context = context
        self.spoken_to = False
        """Whether there was sound in the turn that was answered last."""
        self._chat = chat
        self._voice = voice
        self._tool_names = tool_names
        self._preview = preview
        self._clock = clock
        self._closing: list[Piece] = []  # of the last reply; comes before all that follows
        self._due: list[Piece] = []  # of the turn, and not in the context yet
        self._turn: Turn | None = None  # the user's, while it is open
        self._fed: list[Text | Audio | Image | VideoFrame] = []  # in it
        self._medium: OpenMedium | None = None
        self._notes: list[str] = []
        self._results: list[ToolResult] = []
        self._exchanges: list[Held] = []  # what each turn of the user's begins with
        self._turn_is_new = False  # nothing of it is in the context yet
        self._placed: Held | None = None  # what the turn begins with that is not answered yet
        self._answers: list[Answer] = []  # to the last of them
        self._words: GatedTokens | None = None  # of the reply under way
        self._prompt = (0, 0)  # its prompt's tokens, and those that were there before
        self._calls = 0
        self._samplers: dict[SamplingOptions, Sampler] = {}
        self._reply: Reply | None = None
        self._pieces: Generator[ReplyPiece, None, None] | None = None
        self._cut_back_to: int | None = None  # when the reply has ended
        self._cancelled = False
        context.thinker.cancelled = lambda: self._cancelled

    def cancel(self) -> None:
        """Call off what is under way, from any thread; `end` must follow."""
        self._cancelled = True
        if self._reply is not None:
            self._reply.cancel()

    # --- taking in -----------------------------------------------------------------------------

    def feed(self, part: InputPart) -> None:
        """Take something in, and prefill what can be. Raises MediaError, and what prefill raises.

        What raised an error is left out; the rest of the turn stays.
        """
        match part:
            case ToolResult():
                self._results.append(part)
            case Context():
                self._notes.append(part.text)
            case _:
                if self._turn is None and self._medium is not None:
                    self._prefill()  # was called off
                if self._turn is None:
                    self._turn, self._turn_is_new = self._chat.turn("user"), True
                    self._placed = None
                self._take(part, self._turn)
                self._fed.append(part)

    def _take(self, part: Text | Audio | Image | VideoFrame, turn: Turn) -> None:
        if isinstance(part, Text):
            self._close_medium()
            turn.text(part.text)
        elif isinstance(part, Image):
            self._close_medium()
            self._read_up_to_medium(turn)
            self._prefill(ImagePiece(part))
            self.context.catch_up()
        elif not isinstance(part, Audio) or len(part.samples):
            if self._medium is None:
                self._read_up_to_medium(turn)
                self._medium = OpenMedium(self.context)
            try:
                self._medium.feed(part)
            except ContextFull:
                # What did not fit is not lost: it is prefilled with what comes next.
                self._make_room(self.context.room + 1)
            self.context.catch_up()

    def _read_up_to_medium(self, turn: Turn) -> None:
        """Prefill what the turn has before a medium, which brings its marks with it."""
        if before := turn.mark(self._chat.specials.audio_begin)[:-1]:
            self._due.append(TextPiece(before))
        if self._due:
            self._prefill()

    def _close_medium(self) -> None:
        if self._medium is not None:
            self._prefill()
            self.context.catch_up()

    def _end_turn(self) -> None:
        """What the turn has left becomes due; it may not be in the context at all yet."""
        if self._turn is not None:
            if self._notes:
                self._turn.text("\n(" + "\n".join(self._notes) + ")")
            self._due.append(TextPiece(self._turn.end()))
            self._answers = []
            self.spoken_to = any(isinstance(part, Audio) for part in self._fed)
        if self._results:
            self._due.append(TextPiece(self._chat.results(self._results)))
        self._turn, self._fed, self._notes, self._results = None, [], [], []

    # --- answering -----------------------------------------------------------------------------

    def reply(self, options: ResponseOptions) -> Reply:
        """Prefill what is left of the turn, and get ready to answer: `advance`, then `end`.

        Raises UnsupportedInput where there is nothing to answer; ContextFull and GenerationError,
        after which the turn is as if it had never been.
        """
        if options.say is None and self._turn is None and not self._results:
            raise UnsupportedInput("there is nothing to answer: feed text, sound or an image")
        cached = self.context.length
        self._end_turn()
        said = self._chat.encode(self._chat.harmless(options.say or ""))
        limit = self.context.thinker.limit
        try:
            done = self._prefill(
                TextPiece(self._chat.reply_begin),
                *([TextPiece(said)] if said else []),
                reserve=0 if said else min(options.max_tokens, limit // 4),
            )
            start = self.context.length - len(said)
            self.context.catch_up(start)
        except ModelError:
            self._give_up_turn()
            raise
        self._closing = [TextPiece(self._chat.turn_end)]
        self._cut_back_to = None if options.keep else start - len(self._chat.reply_begin)
        gate = Ungated() if said else ToolGate(self._tool_names, first_id=self._calls + 1)
        words = GatedTokens(Spelling(self._chat), gate)
        reply = self._reply = Reply(
            self.context,
            voice=self._voice if options.speak else None,
            seed=options.seed,
            preview=self._preview,
            clock=self._clock,
        )
        self._words, self._prompt, self._placed = words, (start, cached), None
        if options.keep:
            self._answers.append(Answer(self.context.thinker.held[-2 if said else -1], words))
        if said:
            for token in said:
                words.push(token)
            self._pieces = reply.say(words.said, done, said)
        elif options.say is None:
            specials = self._chat.specials
            self._pieces = reply.think(
                done.logits,
                words,
                self._sampler(options),
                stops=(specials.turn_end, specials.end_of_text),
                max_tokens=options.max_tokens,
            )
        return reply

    def advance(self) -> ReplyPiece | None:
        """The next piece of the reply; None when it is over."""
        return None if self._pieces is None else next(self._pieces, None)

    def end(self) -> Usage:
        """The reply is over, or was called off; what it took."""
        if self._pieces is not None:
            self._pieces.close()
        if self._cut_back_to is not None:
            self.context.cut(self._cut_back_to)
            self._closing = []
        self._calls += self._words.calls if self._words is not None else 0
        usage = Usage(*self._prompt, len(self._reply.tokens) if self._reply is not None else 0)
        self._pieces = self._reply = self._cut_back_to = self._words = None
        self._cancelled = False
        return usage

    def rewind(self, heard: Heard) -> None:
        """Forget of the answers to the last turn what was not heard, to the token.

        What was fed since then stays.
        """
        if not self._answers:
            return
        at, said = heard_of(heard.text, [answer.words.said for answer in self._answers])
        end = self._answers[at].end_of(said)
        fed, self._fed = self._fed, []
        del self._answers[at + 1 :]
        self.context.cut(min(end, self.context.length))
        self._exchanges = [held for held in self._exchanges if held.length]
        self._closing = [TextPiece(self._chat.turn_end)]
        self._turn = self._medium = self._placed = None
        self._due, self._results, self._turn_is_new = [], [], False
        for part in fed:
            self.feed(part)

    def write_down(self) -> str:
        """Ask the model for the words of the last turn's sound; the context stays as it is."""
        length, closing = self.context.length, self._closing
        question = self._chat.whole_turn("user", WRITE_DOWN)
        words = GatedTokens(Spelling(self._chat), Ungated())
        try:
            done = self.context.prefill(*closing, TextPiece([*question, *self._chat.reply_begin]))
            reply = self._reply = Reply(self.context, clock=self._clock)
            specials = self._chat.specials
            stops = (specials.turn_end, specials.end_of_text)
            sampler = self._sampler(ResponseOptions())
            pieces = reply.think(
                done.logits, words, sampler, stops=stops, max_tokens=WRITTEN_AT_MOST
            )
            return "".join(piece.text for piece in pieces if isinstance(piece, Said)).strip()
        except ContextFull:
            logger.info("no room in the context to ask for what was said")
            return ""
        finally:
            self._reply, self._cancelled = None, False
            self.context.cut(length)

    def _sampler(self, options: ResponseOptions) -> Sampler:
        call = self._chat.encode("<tool_call>") if options.tools == "none" else []
        chosen = SamplingOptions(
            temperature=options.temperature, suppressed=tuple(call) if len(call) == 1 else ()
        )
        if chosen not in self._samplers:
            vocab = self.context.thinker.vocab
            self._samplers[chosen] = Sampler(vocab, chosen, self.context.thinker.device)
        self._samplers[chosen].begin(options.seed)
        return self._samplers[chosen]

    # --- the context ---------------------------------------------------------------------------

    def _prefill(self, *then: Piece, reserve: int = 0) -> Prefilled:
        """Everything that is due, and `then`; room for `reserve` more tokens is made if needed."""
        closing, due = self._closing, [*self._due, *then]
        need = sum(len(p.token_ids) for p in (*closing, *due) if isinstance(p, TextPiece))
        if self.context.room < need + reserve:
            self._make_room(need + reserve)
        try:
            done, first = self._forward(closing, due)
        except ContextFull:
            self._make_room(need + reserve)
            done, first = self._forward(closing, due)
        if self._turn_is_new:
            self._exchanges.append(first)
            self._turn_is_new, self._placed = False, first
        self._closing, self._due, self._medium = [], [], None
        return done

    def _forward(self, closing: list[Piece], due: list[Piece]) -> tuple[Prefilled, Held]:
        """What it gave, and the piece in the context that the first of `due` has become."""
        context = self.context
        if self._medium is not None:
            return self._medium.close(*due), context.thinker.held[-1]
        at = len(context.thinker.held) + len(closing)
        return context.prefill(*closing, *due), context.thinker.held[at]

    def _make_room(self, tokens: int) -> None:
        """For a quarter of the context if possible; the oldest media go first, then words.

        Raises ContextFull where that is not enough for `tokens`.
        """
        limit = self.context.thinker.limit
        instead = self._chat.encode(FORGOTTEN)
        for wanted in (limit // 4, limit // 8, tokens):
            with suppress(ContextFull):
                if wanted >= tokens and self.context.drop_media(wanted, instead):
                    logger.warning("the context is full: the oldest sounds and pictures leave it")
                if self.context.room >= tokens:
                    return
        if len(self._exchanges) < 2:
            return
        first, count = self._exchanges[0].start, 1
        while count < len(self._exchanges) - 1:
            if self.context.room + self._exchanges[count].start - first >= max(tokens, limit // 4):
                break
            count += 1
        logger.warning("the context is full: the %d oldest turns leave it", count)
        self.context.forget(first, self._exchanges[count].start)
        del self._exchanges[:count]

    def _give_up_turn(self) -> None:
        if self._placed is not None:
            self.context.cut(self._placed.start)
            self._exchanges = [held for held in self._exchanges if held.length]
        self._due, self._medium, self._turn_is_new = [], None, False
