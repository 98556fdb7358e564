"""Sound as the audio encoder takes it, while it is still coming.

The encoder hears in blocks of 2 s that know nothing of each other, so a block can be encoded as
soon as its mel frames are final. One thing is not final: the features are cut off 80 dB below the
loudest moment of the *whole* sound (as WhisperFeatureExtractor does), and a louder moment may come.
So the unclipped frames are kept, and a block whose clipped values have changed is given out again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

RATE = 16_000
BANDS = 128
HOP = 160
BLOCK_FRAMES = 200
"""Mel frames of 10 ms in a block of the encoder."""

BLOCK_TOKENS = 50
_FFT = 400
_HALF = _FFT // 2
_SILENCE = -10.0  # log10 of the least power that is told from none
_RANGE = 8.0  # log10: 80 dB


def token_count(frames: int) -> int:
    """How many tokens a sound of so many mel frames becomes; 0 below 3 frames."""
    convolved = (frames - 1) // 2 + 1
    return (convolved - 2) // 2 + 1


class LogMel:
    """16 kHz sound, in pieces of any size → log10 mel powers, each frame as soon as it is final.

    Equal to WhisperFeatureExtractor(feature_size=128) on the whole sound, padded with silence to a
    length that is longer than the sound, before its clipping and scaling. (A sound that ends within
    12 ms of the extractor's 300 s meets a mirror there instead of silence.)
    """

    def __init__(self) -> None:
        self._samples = 0
        self._frames = 0
        self._early: Tensor | None = torch.zeros(0)  # until there is enough to mirror
        self._pending = torch.zeros(0)  # from where the next frame begins
        self.peak = _SILENCE
        """The highest value so far, of frames that were given out or will never be."""

    def push(self, samples: np.ndarray) -> Tensor:
        """float32 [n] → the frames that have become final, float32 [128, m]."""
        self._samples += len(samples)
        self._take(torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)))
        return self._frames_of(max(0, (len(self._pending) - _FFT) // HOP + 1))

    def close(self) -> Tensor:
        """The rest of ceil(samples / 160) frames, float32 [128, m]."""
        left = math.ceil(self._samples / HOP) - self._frames
        # Frames past the end are dropped, but where they reach back into the sound they count for
        # the peak: a click in the last sample is loudest in a frame that nobody sees.
        touched = math.ceil((self._samples + _HALF) / HOP) - self._frames
        self._take(torch.zeros(_FFT + touched * HOP))
        return self._frames_of(touched)[:, :left]

    def _take(self, samples: Tensor) -> None:
        if self._early is None:
            self._pending = torch.cat([self._pending, samples])
            return
        self._early = torch.cat([self._early, samples])
        if len(self._early) > _HALF:
            mirrored = self._early[1 : _HALF + 1].flip(0)
            self._pending, self._early = torch.cat([mirrored, self._early]), None

    def _frames_of(self, count: int) -> Tensor:
        if count <= 0:
            return torch.zeros(BANDS, 0)
        span = self._pending[: (count - 1) * HOP + _FFT]
        self._pending = self._pending[count * HOP :]
        self._frames += count
        spectrum = torch.stft(
            span, _FFT, HOP, window=torch.hann_window(_FFT), center=False, return_complex=True
        )
        power = (spectrum.abs() ** 2).contiguous()  # [201, count]
        frames = (_filters().T @ power).clamp(min=1e-10).log10()
        self.peak = max(self.peak, float(frames.max()))
        return frames


class SoundBlocks:
    """One sound, cut into the encoder's blocks."""

    def __init__(self) -> None:
        self._mel = LogMel()
        self._blocks: list[Tensor] = []  # unclipped, [128, 200], the last one maybe shorter
        self._lowest: list[float] = []
        self._open = torch.zeros(BANDS, 0)
        self._floor = -math.inf

    def __len__(self) -> int:
        """How many blocks are complete."""
        return len(self._blocks)

    @property
    def tokens(self) -> int:
        """How many tokens the complete blocks become."""
        return sum(token_count(block.shape[1]) for block in self._blocks)

    def copy(self) -> SoundBlocks:
        """The same sound so far, which goes on by itself."""
        other = copy(self)
        other._mel = copy(self._mel)  # whose tensors are never written to
        other._blocks, other._lowest = [*self._blocks], [*self._lowest]
        return other

    def push(self, samples: np.ndarray) -> list[int]:
        """float32 [n] at 16 kHz → the blocks to encode, in order: changed ones and new ones."""
        self._open = torch.cat([self._open, self._mel.push(samples)], dim=1)
        return self._cut_blocks()

    def close(self) -> list[int]:
        """The same for the rest of the sound, whose last block may be a short one."""
        self._open = torch.cat([self._open, self._mel.close()], dim=1)
        return self._cut_blocks(last=True)

    def features(self, index: int) -> Tensor:
        """A block as the encoder takes it, by what has been heard so far. float32 [128, frames]"""
        return (self._blocks[index].clamp(min=self._floor) + 4.0) / 4.0

    def _cut_blocks(self, *, last: bool = False) -> list[int]:
        before, old_floor = len(self._blocks), self._floor
        self._floor = self._mel.peak - _RANGE
        changed = [i for i in range(before) if max(self._lowest[i], old_floor) < self._floor]
        while self._open.shape[1] >= BLOCK_FRAMES:
            self._append(self._open[:, :BLOCK_FRAMES])
            self._open = self._open[:, BLOCK_FRAMES:]
        if last and token_count(self._open.shape[1]):
            self._append(self._open)
        return [*changed, *range(before, len(self._blocks))]

    def _append(self, frames: Tensor) -> None:
        self._blocks.append(frames.clone())
        self._lowest.append(float(frames.min()))


def encode_blocks(audio_tower: Any, blocks: Sequence[Tensor]) -> list[Tensor]:
    """Blocks [128, frames], of which only the last may be short → features [tokens, d] of each.

    `audio_tower`: a Qwen2_5OmniAudioEncoder, with sdpa.
    """
    weight = audio_tower.conv1.weight
    frames = [block.shape[1] for block in blocks]
    # On the host, as the attention splits by them: it would wait for the device in every layer.
    lengths = torch.tensor([0, *((count - 1) // 2 + 1 for count in frames)], dtype=torch.int32)
    encoded = audio_tower(
        torch.cat(list(blocks), dim=1).to(weight.device, weight.dtype),
        feature_lens=torch.tensor([sum(frames)], device=weight.device),
        cu_seqlens=lengths.cumsum(0).to(torch.int32),
    ).last_hidden_state
    return list(encoded.split([token_count(count) for count in frames]))


@cache
def _filters() -> Tensor:
    """Slaney's triangles, float32 [201, 128]."""
    filters = mel_filter_bank(
        num_frequency_bins=1 + _FFT // 2,
        num_mel_filters=BANDS,
        min_frequency=0.0,
        max_frequency=RATE / 2,
        sampling_rate=RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters).to(torch.float32)
