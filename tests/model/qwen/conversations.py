"""Conversations as pieces, and as transformers takes them whole.

The whole is made by transformers' own processors as far as they run without torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import WhisperFeatureExtractor
from transformers.models.qwen2_5_omni.processing_qwen2_5_omni import (
    Qwen2_5OmniProcessor,
    _get_feat_extract_output_lengths,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from omni_agent.media import Audio, Image
from omni_agent.model.qwen.parts import AudioPiece, ImagePiece, Piece, TextPiece, VideoPiece
from omni_agent.model.qwen.picture_in import PictureRules, pair_patches, scaled_size
from omni_agent.model.qwen.thinker import ThinkerContext

RULES = PictureRules().at_most(20)

USER = [151644, 872, 198]
END = [151645, 198]
ASSISTANT = [151644, 77091, 198]
AUDIO, AUDIO_BOS, AUDIO_EOS = 151646, 151647, 151648
VISION_BOS, VISION_EOS, IMAGE, VIDEO = 151652, 151653, 151655, 151656
MARKS = {"<|audio_bos|>": AUDIO_BOS, "<|audio_eos|>": AUDIO_EOS, "<A>": AUDIO, "<V>": VIDEO}


def new_context(reference, limit=4096, **settings) -> ThinkerContext:
    return ThinkerContext(reference.thinker, limit, rules=RULES, **settings)


def words(count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(100, 150_000, count).tolist()


def sound(seconds: float, seed: int = 0) -> Audio:
    """Tones that change, with pauses; whoever comes later is sometimes louder."""
    noise = np.random.default_rng(seed)
    count = round(seconds * 16000)
    pitch = np.repeat(noise.uniform(0.02, 0.8, count // 4000 + 1), 4000)[:count]
    loudness = np.repeat(noise.choice([0, 0.001, 0.02, 0.3], count // 4000 + 1), 4000)[:count]
    hiss = 1e-4 * noise.standard_normal(count)
    return Audio((np.sin(np.cumsum(pitch)) * loudness + hiss).astype(np.float32), 16000)


def picture(width: int, height: int, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image(pixels)


def video(frames: int, seed: int = 0, seconds: float = 0, **settings) -> VideoPiece:
    """With sound if it has `seconds` of it."""
    shots = tuple(picture(56, 42, seed + index) for index in range(frames))
    return VideoPiece(shots, sound=sound(seconds, seed) if seconds else None, **settings)


@dataclass
class Whole:
    """What transformers takes for a row of pieces."""

    ids: list[int] = field(default_factory=list)
    mels: list[torch.Tensor] = field(default_factory=list)  # [128, frames]
    images: list[Any] = field(default_factory=list)
    videos: list[torch.Tensor] = field(default_factory=list)
    grids: list[list[int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    sounding: bool = False

    def inputs(self) -> dict[str, Any]:
        ids = torch.tensor([self.ids])
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if self.mels:
            longest = max(mel.shape[1] for mel in self.mels)
            given["input_features"] = torch.stack(
                [torch.nn.functional.pad(mel, (0, longest - mel.shape[1])) for mel in self.mels]
            )
            lengths = torch.tensor([[mel.shape[1]] for mel in self.mels])
            given["feature_attention_mask"] = (torch.arange(longest)[None] < lengths).long()
        if self.images:
            given["pixel_values"] = torch.cat([image["pixel_values"] for image in self.images])
            given["image_grid_thw"] = torch.cat([image["image_grid_thw"] for image in self.images])
        if self.videos:
            given["pixel_values_videos"] = torch.cat(self.videos)
            given["video_grid_thw"] = torch.tensor(self.grids)
            given["video_second_per_grid"] = torch.tensor(self.seconds)
        if self.sounding:
            given["use_audio_in_video"] = True
        return given

    def positions(self, thinker: Any) -> tuple[torch.Tensor, int]:
        """([3, n], the id of the first token of a reply) by `get_rope_index`."""
        given = self.inputs()
        mask = given.get("feature_attention_mask")
        ids, deltas = thinker.get_rope_index(
            given["input_ids"],
            given.get("image_grid_thw"),
            given.get("video_grid_thw"),
            given["attention_mask"],
            self.sounding,
            None if mask is None else mask.sum(-1),
            given.get("video_second_per_grid"),
        )
        return ids[:, 0], len(self.ids) + int(deltas)

    def add(self, piece: Piece) -> None:
        match piece:
            case TextPiece():
                self.ids += piece.token_ids
            case AudioPiece():
                self.ids += [AUDIO_BOS, *[AUDIO] * self._hear(piece.audio), AUDIO_EOS]
            case ImagePiece():
                processor = Qwen2VLImageProcessorPil(
                    min_pixels=RULES.min_pixels, max_pixels=RULES.max_pixels
                )
                seen = processor(
                    piece.image.pixels, return_tensors="pt", input_data_format="channels_last"
                )
                self.images.append(seen)
                count = int(seen["image_grid_thw"].prod()) // 4
                self.ids += [VISION_BOS, *[IMAGE] * count, VISION_EOS]
            case VideoPiece():
                self._watch(piece)

    def _hear(self, audio: Audio) -> int:
        self.mels.append(mel(audio.samples))
        return _get_feat_extract_output_lengths(self.mels[-1].shape[1])

    def _watch(self, piece: VideoPiece) -> None:
        frames = [*piece.frames, piece.frames[-1]][: len(piece.frames) + len(piece.frames) % 2]
        rules = RULES.for_video()
        size = scaled_size(frames[0], rules)
        pairs = [
            pair_patches(*pair, size, rules) for pair in zip(frames[::2], frames[1::2], strict=True)
        ]
        self.videos.append(torch.cat([pair.values for pair in pairs]))
        grid = [len(pairs), size[0] // 14, size[1] // 14]
        self.grids.append(grid)
        self.seconds.append(2 * piece.seconds_apart)
        if piece.sound is None:
            count = len(pairs) * pairs[0].tokens
            self.ids += [VISION_BOS, *[VIDEO] * count, VISION_EOS]
            return
        self.sounding = True
        stand_in = SimpleNamespace(
            video_processor=SimpleNamespace(merge_size=2), video_token="<V>", audio_token="<A>"
        )
        stand_in.audio_bos_token, stand_in.audio_eos_token = "<|audio_bos|>", "<|audio_eos|>"
        stand_in.get_chunked_index = partial(Qwen2_5OmniProcessor.get_chunked_index, stand_in)
        laid_out = Qwen2_5OmniProcessor.replace_video_with_audio_token(
            stand_in,
            {"video_grid_thw": np.array([grid]), "video_second_per_grid": self.seconds[-1:]},
            0,
            {"num_audio_tokens": [self._hear(piece.sound)]},
            0,
            position_id_per_seconds=25,
            seconds_per_chunk=2.0,
        )
        for mark in MARKS:
            laid_out = laid_out.replace(mark, f" {MARKS[mark]}")
        self.ids += [VISION_BOS, *map(int, laid_out.split()), VISION_EOS]


def whole(pieces: list[Piece]) -> Whole:
    made = Whole()
    for piece in pieces:
        made.add(piece)
    return made


@cache
def extractor() -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=128, chunk_length=30)


def mel(samples: np.ndarray) -> torch.Tensor:
    """[128, frames]"""
    given = extractor()(
        samples, sampling_rate=16000, return_attention_mask=True, return_tensors="pt"
    )
    return given["input_features"][0][:, : int(given["attention_mask"].sum())]


SYSTEM = TextPiece(words(12, seed=5))
TYPED = [TextPiece([*USER, *words(20), *END, *ASSISTANT])]
SPOKEN = [TextPiece(USER), AudioPiece(sound(5.3)), TextPiece([*END, *ASSISTANT])]
SHOWN = [TextPiece(USER), ImagePiece(picture(100, 60)), TextPiece([*words(5), *END, *ASSISTANT])]
SILENT = [TextPiece(USER), video(5), TextPiece([*words(4), *END, *ASSISTANT])]
SOUNDING = [TextPiece(USER), video(9, seconds=5.1), TextPiece([*words(4), *END, *ASSISTANT])]
CONVERSATIONS = {
    "text": TYPED,
    "audio": SPOKEN,
    "image": SHOWN,
    "video": SILENT,
    "video with audio": SOUNDING,
    "mixed": [*SPOKEN, TextPiece([*words(3), *END]), *SHOWN, TextPiece(END), *SOUNDING],
}

close = partial(torch.testing.assert_close, rtol=2e-4, atol=2e-4)


def assert_same_context(ours, theirs):
    assert ours.length == theirs.length
    end = ours.length
    assert torch.equal(ours.tokens[:end], theirs.tokens[:end])
    assert torch.equal(ours.positions.ids, theirs.positions.ids)
    close(ours.cache.keys[:, :, :, :end], theirs.cache.keys[:, :, :, :end])
    close(ours.cache.values[:, :, :, :end], theirs.cache.values[:, :, :, :end])
