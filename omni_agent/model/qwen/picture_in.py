"""Pictures and video frames as the vision encoder takes them, by Pillow alone.

The same numbers as transformers' Qwen2VLImageProcessorPil. For video, transformers has only a
processor that needs torchvision; frames are scaled here by Pillow's bicubic filter as pictures are,
and laid out as that processor lays them out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from transformers.vision_utils import (
    get_vision_cu_seqlens,
    get_vision_position_ids,
    get_vision_window_index,
)

from omni_agent.errors import MediaTooLarge, ModelLoadError
from omni_agent.media import MAX_PIXELS, Image

PATCH = 14
MERGE = 2
"""Patches a side of the square that becomes one token."""

PAIR = 2
"""Frames that are seen as one; a picture is seen as a pair of itself."""

CELL = PATCH * MERGE
"""Pixels a side of what becomes one token; pictures are scaled to multiples of it."""

LONGEST_STRIP = 200
"""The widest or highest ratio of sides."""


@dataclass(frozen=True, slots=True)
class PictureRules:
    """How pictures are scaled and normalised. Pixels are those after scaling."""

    min_pixels: int = 4 * CELL**2
    max_pixels: int = 16384 * CELL**2
    mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> PictureRules:
        """From what a checkpoint's preprocessor_config.json says.

        Raises ModelLoadError for a geometry that is not Qwen2.5-Omni's.
        """
        for name, ours in (("patch_size", PATCH), ("merge_size", MERGE)):
            if config.get(name, ours) != ours:
                raise ModelLoadError(
                    f"preprocessor_config.json has {name} {config[name]}; "
                    f"pictures are cut for {ours} here"
                )
        size = config.get("size") or {}
        usual = cls()
        return cls(
            config.get("min_pixels") or size.get("shortest_edge") or usual.min_pixels,
            config.get("max_pixels") or size.get("longest_edge") or usual.max_pixels,
            tuple(config.get("image_mean") or usual.mean),
            tuple(config.get("image_std") or usual.std),
        )

    def for_video(self) -> PictureRules:
        """The rules for frames, which Qwen2.5-Omni's processor fixes: 128 to 768 tokens each."""
        return replace(self, min_pixels=128 * CELL**2, max_pixels=768 * CELL**2)

    def at_most(self, tokens: int) -> PictureRules:
        """The same, but no picture becomes more than `tokens` (at least 4)."""
        most = min(self.max_pixels, max(tokens, 4) * CELL**2)
        return replace(self, min_pixels=min(self.min_pixels, most), max_pixels=most)


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """`values`: float32 [height * width * 4, 1176]; `height`, `width`: in tokens."""

    values: Tensor
    height: int
    width: int

    @property
    def tokens(self) -> int:
        return self.height * self.width

    @property
    def grid(self) -> Tensor:
        """[1, 3]: one moment, and patches of 14 pixels down and across."""
        return torch.tensor([[1, self.height * MERGE, self.width * MERGE]])


def scaled_size(image: Image, rules: PictureRules) -> tuple[int, int]:
    """Height and width to scale to: multiples of 28, about in proportion, within the rules.

    A picture of one pixel is scaled up to the least. Raises MediaTooLarge for more than
    50 megapixels, and for a strip more than 200 times as long as it is wide.
    """
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise MediaTooLarge(
            f"a picture of {width} × {height} pixels is over the limit of {MAX_PIXELS:,} pixels; "
            "make it smaller first (Image.thumbnail)"
        )
    ratio = max(width, height) / min(width, height)
    if ratio > LONGEST_STRIP:
        raise MediaTooLarge(
            f"a picture of {width} × {height} pixels is a strip {ratio:.0f} times as long as wide; "
            f"{LONGEST_STRIP} is the most that can be seen. Cut it into parts"
        )
    high, wide = round(height / CELL) * CELL, round(width / CELL) * CELL
    if high * wide > rules.max_pixels:
        shrink = math.sqrt(height * width / rules.max_pixels)
        high = max(CELL, math.floor(height / shrink / CELL) * CELL)
        wide = max(CELL, math.floor(width / shrink / CELL) * CELL)
    elif high * wide < rules.min_pixels:
        grow = math.sqrt(rules.min_pixels / (height * width))
        high = math.ceil(height * grow / CELL) * CELL
        wide = math.ceil(width * grow / CELL) * CELL
    return high, wide


def picture_patches(image: Image, rules: PictureRules) -> Patches:
    """One picture. Raises what `scaled_size` raises."""
    return _patches([_scaled(image, scaled_size(image, rules))], rules)


def pair_patches(
    first: Image, second: Image, size: tuple[int, int], rules: PictureRules
) -> Patches:
    """Two frames that follow each other, scaled to `size` (height, width) as `scaled_size` gave."""
    frames = [_scaled(first, size)]
    if second is not first:
        frames.append(_scaled(second, size))
    return _patches(frames, rules)


def encode_patches(visual: Any, patches: Sequence[Patches]) -> list[Tensor]:
    """Pictures or pairs → features [tokens, d] of each; they see nothing of each other.

    `visual`: a Qwen2_5OmniVisionEncoder, with sdpa.
    """
    weight = visual.patch_embed.proj.weight
    grid = torch.cat([each.grid for each in patches])
    index, windows = get_vision_window_index(
        grid, visual.spatial_merge_size, visual.window_size, visual.patch_size
    )
    encoded = visual(
        torch.cat([each.values for each in patches]).to(weight.device, weight.dtype),
        grid_thw=grid,
        position_ids=get_vision_position_ids(grid, visual.spatial_merge_size).to(weight.device),
        window_index=index.to(weight.device),
        # On the host, as the attention splits by them: it would wait for the device in every layer.
        cu_seqlens=get_vision_cu_seqlens(grid),
        cu_window_seqlens=windows,
    ).pooler_output
    return list(encoded.split([each.tokens for each in patches]))


def _scaled(image: Image, size: tuple[int, int]) -> np.ndarray:
    """uint8 [height, width, 3]"""
    high, wide = size
    picture = PIL.Image.fromarray(np.ascontiguousarray(image.pixels))
    return np.asarray(picture.resize((wide, high), PIL.Image.Resampling.BICUBIC))


def _patches(frames: list[np.ndarray], rules: PictureRules) -> Patches:
    """uint8 [height, width, 3], one or two → patches in the encoder's order."""
    high, wide = frames[0].shape[0] // CELL, frames[0].shape[1] // CELL
    cut = np.stack([frames[0], frames[-1]]).reshape(PAIR, high, MERGE, PATCH, wide, MERGE, PATCH, 3)
    # Down and across in cells, down and across in a cell, then colour, frame, and pixels of a patch
    cut = cut.transpose(1, 4, 2, 5, 7, 0, 3, 6).reshape(high * wide * MERGE**2, 3, -1)
    levels = _levels(rules.mean, rules.std)
    values = np.stack([levels[colour][cut[:, colour]] for colour in range(3)], axis=1)
    return Patches(torch.from_numpy(values.reshape(len(values), -1)), high, wide)


@cache
def _levels(mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """What each of the 256 levels of a colour becomes, float32 [3, 256].

    Rounded where transformers rounds: a 255th in double precision, the rest in single.
    """
    levels = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    shift, scale = np.array(mean, np.float32), np.array(std, np.float32)
    return (levels[None] - shift[:, None]) / scale[:, None]
