"""The Thinker's living context: one conversation, of which nothing is forwarded twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

import torch
from torch import Tensor

from omni_agent.errors import ContextFull, GenerationError, UsageError
from omni_agent.model.qwen.decoder import Decoder, breakdown
from omni_agent.model.qwen.parts import (
    AudioPiece,
    ClipParts,
    ImagePiece,
    Part,
    Piece,
    Senses,
    SoundParts,
    TextPiece,
    VideoPiece,
)
from omni_agent.model.qwen.picture_in import PictureRules
from omni_agent.model.qwen.positions import Positions, line_ids

Kind = Literal["text", "audio", "image", "video", "reply"]
_MEDIA: tuple[Kind, ...] = ("audio", "image", "video")


@dataclass(frozen=True, slots=True, eq=False)
class Prefilled:
    """What a stretch of context gave; everything is on the device.

    `start`: where in the context it begins. Where sound made what was there before it wrong, that
    is before the old end, and what was given out from there on is void.
    `talker_inputs`: [n, d], final hidden state + input embedding, the latter zero for placeholders
    of media. `positions`: [3, n]. `token_ids`: [n]. `logits`: float32 [vocab], after the last one.
    """

    start: int
    talker_inputs: Tensor
    positions: Tensor
    token_ids: Tensor
    logits: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """What forwarding one token gave, on the device; the host does not know yet if it is `broken`.

    `logits` (float32 [vocab]), `hidden` and `embed` ([d]) are overwritten by the next step where
    steps are recorded as graphs; `talker_input` ([d], the sum of the two) is not.
    """

    logits: Tensor
    hidden: Tensor
    embed: Tensor
    talker_input: Tensor
    broken: Tensor
    index: int
    position: int

    def check(self) -> None:
        """Wait for the device, and raise GenerationError if a logit is no number.

        The context is then to be cut to `index` or before.
        """
        if self.broken:
            raise breakdown(self.index)


@dataclass(slots=True, eq=False)
class Held:
    """A piece in a context: where its tokens and its positions begin, and its parts.

    A stepped reply has no parts: its ids stand in the context's `tokens`.
    """

    kind: Kind
    start: int = 0
    origin: int = 0
    length: int = 0
    parts: list[Part] = field(default_factory=list)
    cut_off: bool = False


class ThinkerContext:
    """One conversation of up to `limit` tokens with a Qwen2_5OmniThinkerForConditionalGeneration.

    Fed in pieces or whole, stepped or prefilled, cut and gone on: what comes out is what
    transformers gives for the whole prompt, to the rounding of the type.

    `static`: step in fixed shapes, recorded as graphs; by default where there are graphs.
    `cancelled`: asked before each forward of a prefill, which raises Cancelled if it is true.
    """

    def __init__(
        self,
        thinker: Any,
        limit: int,
        *,
        rules: PictureRules | None = None,
        static: bool | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._decoder = Decoder(thinker, limit, static=static)
        self.device = self._decoder.device
        self.limit = limit
        self.cancelled = cancelled
        self.senses = Senses(thinker, rules or PictureRules())
        self.cache = self._decoder.cache
        self.tokens = self._decoder.tokens
        self.vocab: int = thinker.config.text_config.vocab_size
        self.positions = Positions(limit)
        self.held: list[Held] = []

    @property
    def length(self) -> int:
        return self.cache.length

    @property
    def room(self) -> int:
        """How many more tokens fit."""
        return self.limit - self.length

    # --- growing -----------------------------------------------------------------------------

    def prefill(self, *pieces: Piece) -> Prefilled:
        """Add pieces at the end, in one go. After an error the context is as it was.

        Raises ContextFull, Cancelled, GenerationError (NaN, out of memory), and what media raise.
        Sound and video that are still coming have a module of their own, `incoming`.
        """
        done = self._rewrite(len(self.held), self._held(pieces))
        if done is None:
            raise UsageError("there is nothing in what was to be prefilled")
        return done

    def put(self, last: Held, parts: Sequence[Part], *then: Piece) -> Prefilled | None:
        """Make `parts` the parts of the piece at the end, and add pieces behind it.

        `last` is the context's last piece, or new. Of its parts, those it begins with and still
        begins with stay; from the first that differs on, the context is forwarded anew. None where
        nothing differs. Raises what `prefill` raises; only what stays is then left of the piece.
        """
        if last.cut_off or (last.length and last not in self.held[-1:]):
            raise UsageError(
                "this piece can no longer grow: it was cut off, or others came behind it"
            )
        at = len(self.held) - bool(last.length)
        return self._rewrite(at, [(last, list(parts)), *self._held(then)])

    def step(self, token: Tensor) -> Stepped:
        """Forward one token of a reply, int64 [1] on the device. Nothing waits for the device.

        Raises ContextFull where there is no room, GenerationError where there is no memory.
        """
        self.cache.need(1)
        index, position = self.length, self.positions.next_generated
        with self._or_back_to(index):
            done = self._decoder.step(token, position)
            talker_input = done.hidden + done.embed
        if not self.held or self.held[-1].kind != "reply":
            self.held.append(Held("reply", index, position))
        self.held[-1].length += 1
        self.positions.append(torch.full((3, 1), position))
        return Stepped(
            done.logits, done.hidden, done.embed, talker_input, done.broken, index, position
        )

    def warm_up(self) -> None:
        """Record the graphs of steps, which would else happen in the middle of replies.

        Raises UsageError unless the context is empty; it stays so.
        """
        if self.length:
            raise UsageError("a context is warmed up before anything is in it")
        with torch.no_grad():
            self._decoder.warm_up()

    # --- shrinking ---------------------------------------------------------------------------

    def cut(self, length: int) -> None:
        """Forget every token from `length` on, exactly as if they had never been there.

        Raises ValueError where no context could end: inside a sound, a picture or a video.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"a context of {self.length} tokens cannot be cut to {length}")
        for held in self.held:
            if held.start < length < held.start + held.length and held.kind in _MEDIA:
                raise ValueError(
                    f"the context cannot be cut at {length}: tokens {held.start} to "
                    f"{held.start + held.length - 1} are one piece of {held.kind}"
                )
        for held in self.held:
            held.cut_off = held.start >= length
        self._back_to(length)

    def reopen(self, last: Held, parts: Sequence[Part]) -> None:
        """Forget what came behind `last`, a piece that is in the context, and what of it is not the
        first of `parts`; then it can grow again by `put`.
        """
        at = self.held.index(last)
        same = 0
        while same < min(len(last.parts), len(parts)) and last.parts[same] is parts[same]:
            same += 1
        for held in self.held[at + 1 :]:
            held.cut_off = True
        self._back_to(last.start + sum(len(part) for part in parts[:same]))

    def drop_media(self, tokens: int, instead: Sequence[int] = ()) -> Prefilled | None:
        """Make room for `tokens`: drop the oldest sounds, pictures and videos, keep the words.

        The token ids `instead` are put where one was; the last piece stays, as it may be growing.
        What came after the first that is dropped is forwarded anew; None if there was room already.
        Raises ContextFull, and drops nothing, if it would not be enough. Any other error leaves
        what came before the first that was to be dropped.
        """
        spare, first, wanted = self.room, None, []
        for index, held in enumerate(self.held):
            gain = held.length - len(instead)
            if spare < tokens and held.kind in _MEDIA and held is not self.held[-1] and gain > 0:
                spare += gain
                first = index if first is None else first
                wanted.append((Held("text"), [self.senses.words(instead)]))
            elif first is not None:
                wanted.append((held, self._parts_of(held)))
        if spare < tokens:
            raise ContextFull(
                f"{tokens} more tokens do not fit after {self.length}: the context ends at "
                f"{self.limit}, and with no sounds and pictures but the last only {spare} would"
            )
        return None if first is None else self._rewrite(first, wanted)

    def forget(self, start: int, end: int) -> Prefilled | None:
        """Forget the pieces from token `start` up to `end`, where others begin or the context ends.

        What came after them is forwarded anew; None if nothing did. After an error the context ends
        at `start`.
        """
        borders = {held.start for held in self.held} | {self.length}
        if not (start < end and {start, end} <= borders):
            raise ValueError(f"tokens {start} to {end - 1} are no whole pieces of this context")
        at = next(index for index, held in enumerate(self.held) if held.start == start)
        after = [(held, self._parts_of(held)) for held in self.held if held.start >= end]
        if not after:
            self._back_to(start)
            return None
        return self._rewrite(at, after)

    def _back_to(self, length: int) -> None:
        self.cache.cut(length)
        self.positions.cut(length)
        for held in self.held:
            held.length = min(held.length, max(0, length - held.start))
            held.parts = _up_to(held.parts, held.length)
        self.held = [held for held in self.held if held.length]

    @contextmanager
    def _or_back_to(self, length: int) -> Iterator[None]:
        """On any error the context is cut to `length`; out of memory becomes a GenerationError."""
        try:
            with torch.no_grad():
                yield
        except torch.OutOfMemoryError as error:
            self._back_to(length)
            raise GenerationError(f"out of memory after {length} tokens: {error}") from error
        except BaseException:
            self._back_to(length)
            raise

    # --- pieces ------------------------------------------------------------------------------

    def _held(self, pieces: Sequence[Piece]) -> list[tuple[Held, list[Part]]]:
        return [self._rendered(piece) for piece in pieces]

    def _rendered(self, piece: Piece) -> tuple[Held, list[Part]]:
        match piece:
            case TextPiece():
                return Held("text"), [self.senses.words(piece.token_ids)]
            case AudioPiece():
                sound = SoundParts(self.senses)
                sound.feed(piece.audio)
                sound.close()
                return Held("audio"), sound.parts
            case ImagePiece():
                return Held("image"), self.senses.picture(piece.image)
            case VideoPiece():
                clip = ClipParts(self.senses, sounding=piece.sound is not None)
                clip.frames(piece.frames, piece.seconds_apart)
                if piece.sound is not None:
                    clip.sound(piece.sound)
                clip.close()
                return Held("video"), clip.parts
            case _:
                assert_never(piece)

    def _parts_of(self, held: Held) -> list[Part]:
        """Its parts; what was stepped becomes one."""
        done = sum(map(len, held.parts))
        if done == held.length:
            return held.parts
        stepped = self.tokens[held.start + done : held.start + held.length].cpu()
        return [*held.parts, Part(stepped, line_ids(len(stepped), done))]

    def _rewrite(self, at: int, wanted: list[tuple[Held, list[Part]]]) -> Prefilled | None:
        """Have `wanted` stand in place of the pieces from `at` on; what is the same stays."""
        new = [(held, part) for held, parts in wanted for part in parts if len(part)]
        old = [(held, part) for held in self.held[at:] for part in held.parts]
        same = 0
        while same < min(len(old), len(new)) and _is_same(old[same], new[same]):
            same += 1
        start = self.held[at].start if at < len(self.held) else self.length
        start += sum(len(part) for _, part in new[:same])
        fresh = new[same:]
        if not fresh:
            return None
        count = sum(len(part) for _, part in fresh)
        if start + count > self.limit:
            raise ContextFull(
                f"{count} more tokens do not fit after {start}: the context ends at {self.limit}"
            )
        self._back_to(start)
        with self._or_back_to(start):
            for held, part in fresh:
                if held not in self.held[-1:]:
                    reply = held.kind == "reply"
                    held.start = self.positions.length
                    held.origin = self.positions.next_generated if reply else self.positions.next
                    held.length, held.parts = 0, []
                    self.held.append(held)
                self.positions.append(part.ids + held.origin)
                held.length += len(part)
                held.parts.append(part)
            return self._forward(start, [part for _, part in fresh])

    # --- forwarding --------------------------------------------------------------------------

    def _forward(self, start: int, parts: list[Part]) -> Prefilled:
        token_ids = torch.cat([part.token_ids for part in parts]).to(self.device)
        positions = self.positions.ids[:, start:].to(self.device)
        embeds = self._decoder.embed(token_ids)  # [n, d]
        for_talker = embeds.clone()
        at = 0
        for part in parts:
            if part.features is not None:
                embeds[at : at + len(part)] = part.features.to(embeds.dtype)
                for_talker[at : at + len(part)] = 0
            at += len(part)
        hidden, logits = self._decoder.prefill(embeds, positions, self.cancelled)
        self.tokens[start : start + at] = token_ids
        return Prefilled(start, hidden + for_talker, positions, token_ids, logits)


def _is_same(old: tuple[Held, Part], new: tuple[Held, Part]) -> bool:
    return old[0] is new[0] and old[1] is new[1]


def _up_to(parts: list[Part], length: int) -> list[Part]:
    """The parts of the first `length` tokens; the last one is cut."""
    kept: list[Part] = []
    for part in parts:
        if length <= 0:
            break
        kept.append(part if len(part) <= length else part.up_to(length))
        length -= len(part)
    return kept
