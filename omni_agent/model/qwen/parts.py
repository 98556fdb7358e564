"""What is put into a conversation, as tokens with their positions and their features.

A piece is something a person would name: words, a sound, a picture, a video. It is made of parts,
which are forwarded in order; a part is either words and marks, or the placeholders of a medium
with the features that stand in for them. A medium that is still coming grows by parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from omni_agent.errors import MediaError
from omni_agent.media import Audio, Image, Resampler
from omni_agent.model.qwen.audio_in import BLOCK_TOKENS, RATE, SoundBlocks, encode_blocks
from omni_agent.model.qwen.picture_in import (
    PAIR,
    PictureRules,
    encode_patches,
    pair_patches,
    picture_patches,
    scaled_size,
)
from omni_agent.model.qwen.positions import even_times, line_ids, picture_ids, time_id

_PAIRS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Words and marks of turns, as token ids."""

    token_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class AudioPiece:
    audio: Audio


@dataclass(frozen=True, slots=True)
class ImagePiece:
    image: Image


@dataclass(frozen=True, slots=True)
class VideoPiece:
    """Frames at even distances, the first at 0 s, and the sound to them where there is one.

    With sound there is at least one pair of frames in every 2 s; where there is none, the layout
    is by time, while transformers' then tears pictures apart.
    """

    frames: Sequence[Image]
    seconds_apart: float = 0.5
    sound: Audio | None = None


Piece = TextPiece | AudioPiece | ImagePiece | VideoPiece


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`token_ids`: int64 [n]. `ids`: positions [3, n], counted from where the piece begins.

    `features`: [n, d] on the device where all tokens are placeholders, None where none is.
    """

    token_ids: Tensor
    ids: Tensor
    features: Tensor | None = None

    def __len__(self) -> int:
        return len(self.token_ids)

    def up_to(self, count: int) -> Part:
        """The first `count` tokens."""
        features = None if self.features is None else self.features[:count]
        return Part(self.token_ids[:count], self.ids[:, :count], features)


class Senses:
    """The encoders of a Thinker, with its marks."""

    def __init__(self, thinker: Any, rules: PictureRules) -> None:
        """`thinker`: a Qwen2_5OmniThinkerForConditionalGeneration."""
        self.rules = rules
        self._audio_tower = thinker.model.audio_tower
        self._visual = thinker.model.visual
        self._config = thinker.config
        self._vocab = thinker.config.text_config.vocab_size

    def words(self, token_ids: Sequence[int], first: int = 0) -> Part:
        """Raises ValueError for an id that is no token."""
        ids = torch.tensor(list(token_ids), dtype=torch.int64)
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self._vocab:
            raise ValueError(f"token ids go from 0 to {self._vocab - 1}; these are {ids.tolist()}")
        return Part(ids, line_ids(len(ids), first))

    def mark(
        self, edge: Literal["start", "end"], *media: Literal["audio", "vision"], at: int
    ) -> Part:
        """The marks that open or close media; two at once share their id."""
        ids = [getattr(self._config, f"{medium}_{edge}_token_id") for medium in media]
        return Part(torch.tensor(ids), torch.full((3, len(ids)), at))

    @torch.no_grad()
    def blocks(self, blocks: Sequence[Tensor], first: Iterable[int]) -> list[Part]:
        """Mel blocks [128, frames] whose first tokens have the ids `first`."""
        encoded = encode_blocks(self._audio_tower, blocks)
        token = self._config.audio_token_id
        return [
            _placeholders(token, line_ids(len(features), at), features)
            for features, at in zip(encoded, first, strict=True)
        ]

    @torch.no_grad()
    def picture(self, image: Image) -> list[Part]:
        """A picture with its marks."""
        patches = picture_patches(image, self.rules)
        ids = picture_ids(torch.zeros(1, dtype=torch.int64), patches.height, patches.width, first=1)
        (features,) = encode_patches(self._visual, [patches])
        return [
            self.mark("start", "vision", at=0),
            _placeholders(self._config.image_token_id, ids, features),
            self.mark("end", "vision", at=int(ids.max()) + 1),
        ]

    @torch.no_grad()
    def pairs(
        self, pairs: Sequence[tuple[Image, Image]], times: Sequence[int], size: tuple[int, int]
    ) -> list[Part]:
        """Pairs of frames of a video at the ids `times`, counted from the first after the marks."""
        cut = [pair_patches(*pair, size, self.rules.for_video()) for pair in pairs]
        token = self._config.video_token_id
        parts = []
        for patches, time, features in zip(
            cut, times, encode_patches(self._visual, cut), strict=True
        ):
            moment = torch.tensor([time])
            ids = picture_ids(moment, patches.height, patches.width, first=1)
            parts.append(_placeholders(token, ids, features))
        return parts


class SoundParts:
    """A sound's parts, growing with it. A part of `parts` that changes is another object then.

    A sound that may yet go on is closed by closing a copy; `reopen` then says that it does.
    """

    def __init__(self, senses: Senses) -> None:
        self._senses = senses
        self._ear = _Ear(senses)
        self.parts = [senses.mark("start", "audio", at=0)]

    def feed(self, audio: Audio) -> None:
        self._take(self._ear.feed(audio))

    def copy(self) -> SoundParts:
        other = copy(self)
        other._ear, other.parts = self._ear.copy(), [*self.parts]
        return other

    def reopen(self) -> None:
        self._ear.reopen()

    def close(self) -> None:
        self._take(self._ear.close())
        self.parts.append(self._senses.mark("end", "audio", at=1 + self._ear.tokens))

    def _take(self, changed: dict[int, Part]) -> None:
        for index, part in changed.items():
            self.parts[1 + index : 2 + index] = [part]


class ClipParts:
    """A video's parts, growing with it: pairs of frames, and the sound to them if it is `sounding`.

    With sound, the layout is in chunks of 2 s, what was seen before what was heard. A chunk ends
    when its 2 s have been heard, so frames are to be fed before the sound that follows them: one
    that comes later counts as the first moment of the chunk that is open. A frame that is alone
    when its chunk ends is seen as a pair of itself. So at an even number of frames in 2 s, or with
    all frames fed before the sound, the layout is that of the whole clip.

    All frames are scaled to what the first one's size gives. `copy` and `reopen` are as for sound.
    """

    def __init__(self, senses: Senses, *, sounding: bool) -> None:
        self._senses = senses
        self._ear = _Ear(senses) if sounding else None
        self._size: tuple[int, int] | None = None
        self._alone: _Pair | None = None  # a frame that waits for its second
        self._ahead: list[tuple[int, Part]] = []  # pairs of later chunks, with their ids
        self._blocks: list[int] = []  # where in `parts` each block of sound is
        self._last_t = -1.0
        media: tuple[Literal["audio", "vision"], ...] = (
            ("vision", "audio") if sounding else ("vision",)
        )
        self._media = media
        self.parts = [senses.mark("start", *media, at=0)]

    def frame(self, image: Image, t: float) -> None:
        """A frame at `t` seconds. Raises MediaError unless it is later than the one before."""
        self._see(self._frame(image, t, time_id(t)))

    def frames(self, images: Sequence[Image], seconds_apart: float) -> None:
        """All frames of a clip at even distances, from 0 s on, before any sound."""
        moments = even_times(math.ceil(len(images) / PAIR), PAIR * seconds_apart).tolist()
        pairs = []
        for index, image in enumerate(images):
            pairs += self._frame(image, index * seconds_apart, moments[index // PAIR])
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            self._see(pairs[start : start + _PAIRS_AT_ONCE])

    def sound(self, audio: Audio) -> None:
        if self._ear is None:
            raise MediaError("this video was begun without sound, and sound was fed to it")
        self._take(self._ear.feed(audio))

    def copy(self) -> ClipParts:
        other = copy(self)
        other._ear = None if self._ear is None else self._ear.copy()
        other._ahead, other._blocks, other.parts = [*self._ahead], [*self._blocks], [*self.parts]
        return other

    def reopen(self) -> None:
        if self._ear is not None:
            self._ear.reopen()

    def close(self) -> None:
        if self._ear is not None:
            self._take(self._ear.close())
        self._see_the_last()
        self.parts += [part for _, part in self._ahead]
        self._ahead.clear()
        after = int(self.parts[-1].ids.max()) + 1
        self.parts.append(self._senses.mark("end", *reversed(self._media), at=after))

    def _frame(self, image: Image, t: float, moment: int) -> list[_Pair]:
        """The pair that is complete with it, if one is."""
        if not t > self._last_t:
            raise MediaError(
                f"a frame of {t} s came after one of {self._last_t} s; frames come in their order"
            )
        if self._size is None:
            self._size = scaled_size(image, self._senses.rules.for_video())
        self._last_t = t
        if self._alone is None:
            self._alone = _Pair(image, image, moment)
            return []
        pair, self._alone = replace(self._alone, second=image), None
        return [pair]

    def _see(self, pairs: list[_Pair]) -> None:
        if not pairs:
            return
        assert self._size is not None
        begun = len(self._blocks) * BLOCK_TOKENS
        moments = [max(pair.moment, begun) for pair in pairs]
        parts = self._senses.pairs([(p.first, p.second) for p in pairs], moments, self._size)
        for moment, part in zip(moments, parts, strict=True):
            if self._ear is None or (not self._ahead and moment < self._end_of_chunk):
                self.parts.append(part)
            else:
                self._ahead.append((moment, part))

    def _see_the_last(self) -> None:
        if self._alone is not None:
            pair, self._alone = self._alone, None
            self._see([pair])

    @property
    def _end_of_chunk(self) -> int:
        """The first id that is not in the open chunk."""
        return (len(self._blocks) + 1) * BLOCK_TOKENS

    def _take(self, changed: dict[int, Part]) -> None:
        for index, part in changed.items():
            if index < len(self._blocks):
                self.parts[self._blocks[index]] = part
                continue
            if self._alone is not None and self._alone.moment < self._end_of_chunk:
                self._see_the_last()
            self._blocks.append(len(self.parts))
            self.parts.append(part)
            while self._ahead and self._ahead[0][0] < self._end_of_chunk:
                self.parts.append(self._ahead.pop(0)[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two frames that become one picture; `moment`: the first one's id in time."""

    first: Image
    second: Image
    moment: int


class _Ear:
    """Sound at any one rate → parts of 2 s, by block."""

    def __init__(self, senses: Senses) -> None:
        self._senses = senses
        self._blocks = SoundBlocks()
        self._resampler: Resampler | None = None
        self._resampled: list[Audio] = []  # what it was given, all the while
        self._due: set[int] = set()  # blocks to encode; they stay due if that fails

    @property
    def tokens(self) -> int:
        return self._blocks.tokens

    def feed(self, audio: Audio) -> dict[int, Part]:
        """The blocks that are new or have changed. Raises MediaError for a change of rate."""
        if self._resampler is None:
            self._resampler = Resampler(audio.rate, RATE)
        if audio.rate != RATE:
            self._resampled.append(audio)
        self._due.update(self._blocks.push(self._resampler.push(audio).samples))
        return self._encode()

    def copy(self) -> _Ear:
        """Another one that was fed the same. When it is closed, this one must be reopened."""
        other = copy(self)
        other._blocks, other._due = self._blocks.copy(), {*self._due}
        return other

    def reopen(self) -> None:
        """Have the resampler, which a copy has flushed, as it was: it is given all once more."""
        if self._resampler is not None and self._resampled:
            self._resampler = Resampler(self._resampler.from_rate, RATE)
            for audio in self._resampled:
                self._resampler.push(audio)

    def close(self) -> dict[int, Part]:
        if self._resampler is not None:
            self._due.update(self._blocks.push(self._resampler.flush().samples))
        self._due.update(self._blocks.close())
        return self._encode()

    def _encode(self) -> dict[int, Part]:
        if not self._due:
            return {}
        due = sorted(self._due)
        first = [1 + index * BLOCK_TOKENS for index in due]  # after the marks, whose id is 0
        parts = self._senses.blocks([self._blocks.features(index) for index in due], first)
        self._due.clear()
        return dict(zip(due, parts, strict=True))


def _placeholders(token: int, ids: Tensor, features: Tensor) -> Part:
    return Part(torch.full((len(features),), token), ids, features)
