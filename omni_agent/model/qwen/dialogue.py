"""One conversation on the model's thread: turns go in, replies come out, all in one context."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ModelError, UnsupportedInput
from omni_agent.events import Usage
from omni_agent.media import Audio
from omni_agent.messages import Heard, InputPart
from omni_agent.model.base import ResponseOptions
from omni_agent.model.earlier import EarlierTurn, last_call
from omni_agent.model.qwen.answers import Answer, heard_of
from omni_agent.model.qwen.gated import GatedTokens, Ungated
from omni_agent.model.qwen.living import LivingContext, memory_told
from omni_agent.model.qwen.parts import TextPiece
from omni_agent.model.qwen.sampling import Sampler, SamplingOptions
from omni_agent.model.qwen.speech import Reply, ReplyPiece, Said
from omni_agent.model.qwen.thinker import Prefilled
from omni_agent.model.qwen.tokens import ChatTokens, Spelling
from omni_agent.model.qwen.user_turns import UserTurns
from omni_agent.model.qwen.voicing import Voice
from omni_agent.model.tool_gate import ToolGate

logger = logging.getLogger("omni_agent.model")

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
        self._turns = UserTurns(context, chat)
        self._answers: list[Answer] = []  # to the last turn
        self._answers_before: list[Answer] = []  # to the one before
        self._calls = self._calls_before = 0
        self._sampler: Sampler | None = None
        # Of the reply under way:
        self._reply: Reply | None = None
        self._pieces: Generator[ReplyPiece, None, None] | None = None
        self._words: GatedTokens | None = None
        self._prompt = (0, 0)  # tokens, and how many of them had been prefilled before
        self._cut_back_to: int | None = None
        self._cancelled = False
        context.thinker.cancelled = lambda: self._cancelled

    def cancel(self) -> None:
        """Call off what is under way, from any thread; `end` must follow."""
        self._cancelled = True
        if (reply := self._reply) is not None:
            reply.cancel()

    def feed(self, part: InputPart) -> None:
        """See `UserTurns.feed`."""
        self._turns.feed(part)

    def discard(self) -> None:
        """See `UserTurns.discard`."""
        self._turns.discard()

    def take_up(self, history: Sequence[EarlierTurn]) -> None:
        """Make these turns the conversation so far; the last may still want its answer.

        As in a prompt of transformers', the assistant's part is words, which the Talker reads like
        everything else; of speech, neither keeps anything. Raises what `feed` raises.
        """
        chat = self._chat
        self._calls = last_call(history)
        for earlier in history:
            for part in earlier.asked:
                self._turns.feed(part)
            for step in earlier.steps:
                self._turns.past(chat.called(step.calls, step.words))
                for result in step.results:
                    self._turns.feed(result)

    def reply(self, options: ResponseOptions) -> Reply:
        """Prefill what is left of the turn, and get ready to answer: `advance`, then `end`.

        Raises UnsupportedInput where there is nothing to answer; ContextFull and GenerationError,
        after which the turn is as if it had never been.
        """
        turns, chat = self._turns, self._chat
        if options.say is None and not turns.fed and not turns.results:
            raise UnsupportedInput("there is nothing to answer: feed text, sound or an image")
        if turns.fed:
            self.spoken_to = any(isinstance(part, Audio) for part in turns.fed)
            self._answers_before, self._calls_before = self._answers, self._calls
            self._answers = []
        cached = self.context.length
        said = [] if options.say is None else chat.encode(chat.harmless(options.say))
        reserve = min(options.max_tokens, self.context.thinker.limit // 4)
        turns.end()
        try:
            with memory_told():
                done = turns.prefill(
                    TextPiece(chat.reply_begin),
                    *([TextPiece(said)] if said else []),
                    reserve=reserve if options.say is None else 0,
                )
                start = self.context.length - len(said)
                self.context.catch_up(start)
        except ModelError:
            turns.give_up()
            raise
        turns.answered()
        turns.closing = [TextPiece(chat.turn_end)]
        self._prompt = start, cached
        self._cut_back_to = None if options.keep else start - len(chat.reply_begin)
        reply = self._reply = Reply(
            self.context,
            voice=self._voice if options.speak else None,
            seed=options.seed,
            preview=self._preview,
            clock=self._clock,
        )
        if options.say is None:
            gate = ToolGate(self._tool_names, first_id=self._calls + 1)
            self._words = GatedTokens(Spelling(chat), gate)
            self._pieces = self._think(reply, done, self._words, options)
        else:
            self._words = GatedTokens(Spelling(chat), Ungated())
            for token in said:
                self._words.push(token)
            self._pieces = reply.say(self._words.said, done, said)
        if options.keep:
            held = self.context.thinker.held
            self._answers.append(Answer(held[-2 if said else -1], self._words))
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
            self._turns.closing = []
        self._calls += self._words.calls if self._words is not None else 0
        usage = Usage(*self._prompt, len(self._reply.tokens) if self._reply is not None else 0)
        self._pieces = self._reply = self._cut_back_to = self._words = None
        self._cancelled = False
        return usage

    def rewind(self, heard: Heard) -> None:
        """Forget of the answers to the last turn what was not heard, to the token.

        What was fed since then stays, and is taken in anew.
        """
        if not self._answers:
            return
        at, said = heard_of(heard.text, [answer.words.said for answer in self._answers])
        del self._answers[at + 1 :]
        # A token that broke the reply was let through, and is not in the context.
        self._turns.rewind(min(self._answers[at].cut(said), self.context.length))

    def reopen(self) -> None:
        """Forget the answers to the last turn, which is open again: see `UserTurns.reopen`."""
        if self._turns.reopen():
            held = self.context.thinker.held
            answers, self._calls = self._answers_before, self._calls_before
            self._answers = answers if all(each.before in held for each in answers) else []

    def write_down(self) -> str:
        """Ask the model for the words of the last turn's sound; the context stays as it is."""
        length, chat = self.context.length, self._chat
        question = [*chat.whole_turn("user", WRITE_DOWN), *chat.reply_begin]
        words = GatedTokens(Spelling(chat), Ungated())
        options = ResponseOptions(max_tokens=WRITTEN_AT_MOST)
        try:
            with memory_told():
                done = self.context.prefill(*self._turns.closing, TextPiece(question))
                reply = self._reply = Reply(self.context, clock=self._clock)
                pieces = self._think(reply, done, words, options)
                return "".join(piece.text for piece in pieces if isinstance(piece, Said)).strip()
        except ModelError as error:
            logger.warning("what was said aloud could not be written down: %s", error)
            return ""
        finally:
            self._reply, self._cancelled = None, False
            self.context.cut(length)

    def _think(
        self, reply: Reply, done: Prefilled, words: GatedTokens, options: ResponseOptions
    ) -> Generator[ReplyPiece, None, None]:
        call = self._chat.encode("<tool_call>") if options.tools == "none" else []
        sampling = SamplingOptions(
            temperature=options.temperature, suppressed=tuple(call) if len(call) == 1 else ()
        )
        if self._sampler is None or self._sampler.options != sampling:
            vocab, device = self.context.thinker.vocab, self.context.thinker.device
            self._sampler = Sampler(vocab, sampling, device)
        self._sampler.begin(options.seed)
        specials = self._chat.specials
        stops = (specials.turn_end, specials.end_of_text)
        return reply.think(
            done.logits, words, self._sampler, stops=stops, max_tokens=options.max_tokens
        )
