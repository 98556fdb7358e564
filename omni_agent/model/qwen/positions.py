"""Where every token stands in time, height and width (TMRoPE), grown piece by piece.

A conversation is a row of pieces: words, a sound, a picture, a video. Inside a piece ids count from
where it begins; a piece begins one after the last id of the piece before. That is all that
`get_rope_index` of transformers does over a whole prompt, so that ids never have to be computed
again when something is added.

Words and sound have one id on all three axes, 25 a second for sound. A picture has one id in time;
a video 25 a second. The marks around a medium have ids of their own, except that the two opening
marks of a video with sound share one, and so do the two closing ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

IDS_PER_SECOND = 25
"""Ids of a second of sound or video; also the audio encoder's tokens."""

CHUNK_SECONDS = 2
"""A video with sound is laid out in chunks of this length: what was seen, then what was heard."""


def line_ids(count: int, first: int = 0) -> Tensor:
    """Words, sound, marks: `first`, `first + 1`, … on every axis. [3, count]"""
    return torch.arange(first, first + count).expand(3, -1)


def picture_ids(times: Tensor, height: int, width: int, first: int = 0) -> Tensor:
    """Merged patches of pictures, row by row. [3, len(times) * height * width]

    `times`: int64 [t], an id for each picture; `height`, `width`: in merged patches.
    """
    grid = torch.meshgrid(times, torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack(grid).flatten(1) + first


def even_times(count: int, seconds_apart: float) -> Tensor:
    """Ids of `count` pictures that are `seconds_apart`, int64 [count].

    In float32 and in this order, because what is cut off at the end hangs on the rounding.
    """
    seconds = torch.arange(count) * torch.tensor(seconds_apart, dtype=torch.float32)
    return (seconds * IDS_PER_SECOND).long()


def time_id(seconds: float) -> int:
    """The id of a moment of a video."""
    return int(torch.tensor(seconds, dtype=torch.float32) * IDS_PER_SECOND)


class Positions:
    """The ids of one conversation, up to `limit` tokens. On the host: nobody waits for a device."""

    def __init__(self, limit: int) -> None:
        self._ids = torch.zeros(3, limit, dtype=torch.int64)
        self._highest = torch.full((limit + 1,), -1, dtype=torch.int64)  # of the first i tokens
        self._length = 0

    @property
    def length(self) -> int:
        return self._length

    @property
    def ids(self) -> Tensor:
        """[3, length]"""
        return self._ids[:, : self._length]

    @property
    def next(self) -> int:
        """Where a piece begins that comes after all there is."""
        return int(self._ids[:, self._length - 1].max()) + 1 if self._length else 0

    @property
    def next_generated(self) -> int:
        """The id of the next token of a reply: after the highest of all.

        The same as `next`, but for one case: a video that went on longer than its sound within the
        last 2 s, and fewer words after it than that. `generate` counts a reply from the highest id,
        and prompts from the last; so do we.
        """
        return int(self._highest[self._length]) + 1

    def append(self, ids: Tensor) -> None:
        """Add tokens with these ids, [3, n]."""
        start, end = self._length, self._length + ids.shape[1]
        self._ids[:, start:end] = ids
        rising = torch.cat([self._highest[start : start + 1], ids.amax(0)]).cummax(0).values
        self._highest[start + 1 : end + 1] = rising[1:]
        self._length = end

    def cut(self, length: int) -> None:
        """Forget every token from `length` on."""
        if not 0 <= length <= self._length:
            raise ValueError(f"{self._length} positions cannot be cut to {length}")
        self._length = length
