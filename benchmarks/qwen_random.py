"""Qwen2.5-Omni in its exact shapes with random weights, and a conversation of noise for it.

Nothing is fetched and nothing is stored: the weights are drawn on the device. How long a step takes
does not hang on what the weights are, and that the lengths are fixed is arranged by them: rows of
the heads that would end a reply are zero, and lose to thousands of random ones.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import Qwen2_5OmniForConditionalGeneration

from omni_agent.model.qwen.checkpoint import parse_config
from omni_agent.model.qwen.published import PUBLISHED, Published

ShapesName = Literal["7b", "3b", "tiny"]

SPEAKER, SPEAKER_BOS = "Chelsie", 151872
REFERENCE_FRAMES = 400
"""Mel frames of the speaker's reference; those of the published voices are about as long."""

FIRST_SPECIAL = 151643
FIRST_SILENT = 8193
"""Code from which on none has a sound."""

TURN_END = [151645, 198]
SYSTEM = [151644, 8948, 198]
USER = [151644, 872, 198]
ASSISTANT = [151644, 77091, 198]
AUDIO, AUDIO_BEGIN, AUDIO_END = 151646, 151647, 151648
RATE = 16_000

_IDS = {
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "vision_token_id": 151654,
    "bos_token_id": 151644,
    "eos_token_id": 151645,
    "pad_token_id": 151643,
}
"""As in the published configurations; generate asks for them, and transformers has no defaults."""


def published(name: ShapesName) -> Published:
    """The shapes of a published model; or of the one that the tests run on."""
    if name != "tiny":
        model = PUBLISHED[f"qwen2.5-omni-{name}"]
        thinker = model.config["thinker_config"] | _IDS
        return replace(model, config={**model.config, "thinker_config": thinker})
    tests = Path(__file__).parents[1] / "tests" / "model" / "qwen"
    sys.path.insert(0, str(tests))
    try:
        from tiny import CONFIG
    finally:
        sys.path.remove(str(tests))
    return Published("tiny", "a tiny Qwen2.5-Omni", "", "", CONFIG)


def random_model(name: ShapesName, *, dtype: torch.dtype, device: torch.device) -> Any:
    """transformers' own model on `device`, in eval mode; what makes its sound is float32."""
    config = parse_config(published(name).config, name)
    with init_empty_weights(include_buffers=False):
        model: Any = Qwen2_5OmniForConditionalGeneration._from_config(
            config, attn_implementation="sdpa"
        )
    noise = torch.Generator(device).manual_seed(0)
    for path, empty in list(model.named_parameters()):
        kind = torch.float32 if path.startswith("token2wav.") else dtype
        drawn = torch.empty(empty.shape, dtype=kind, device=device)
        _draw(path, drawn, noise)
        owner, _, leaf = path.rpartition(".")
        module = model.get_submodule(owner)
        module.register_parameter(leaf, nn.Parameter(drawn, requires_grad=False))
    model.to(device)  # buffers
    with torch.no_grad():
        model.thinker.lm_head.weight[FIRST_SPECIAL:] = 0
        model.talker.codec_head.weight[FIRST_SILENT:] = 0
    model.speaker_map[SPEAKER] = {
        "bos_token": SPEAKER_BOS,
        "cond": torch.randn(1, 192, generator=noise, device=device),
        "ref_mel": torch.randn(1, REFERENCE_FRAMES, 80, generator=noise, device=device) - 4,
    }
    return model.eval().requires_grad_(False)


def _draw(path: str, weight: torch.Tensor, noise: torch.Generator) -> None:
    """Of a size that lets signals neither die nor grow, as no kernel is to meet infinity or NaN."""
    weight.normal_(generator=noise)
    if weight.ndim == 1:
        weight.mul_(0.1)
        if "norm" in path and path.endswith("weight"):
            weight.add_(1)
    elif "embed" in path and weight.shape[0] > 8000:
        weight.mul_(0.5)
    else:
        gain = 0.3 if "resblocks" in path else 0.4 if "conv_post" in path else 1.0
        weight.mul_(gain / math.sqrt(weight[0].numel()))


def words(count: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(100, FIRST_SPECIAL, count).tolist()


def system_turn(count: int) -> list[int]:
    """`count` tokens of instructions and tools, up to where the user's turn begins."""
    marks = len(SYSTEM) + len(TURN_END) + len(USER)
    return [*SYSTEM, *words(count - marks, seed=0), *TURN_END, *USER]


def speech(seconds: float, seed: int) -> np.ndarray:
    """Tones and pauses over room noise, float32 at 16 kHz, loudest in the first quarter second.

    A microphone's noise is within 80 dB of the loudest moment, so that no moment makes the encoder
    hear what came before it otherwise (see omni_agent/model/qwen/audio_in.py).
    """
    noise = np.random.default_rng(seed)
    count, span = round(seconds * RATE), RATE // 4
    pitch = np.repeat(noise.uniform(0.02, 0.8, count // span + 1), span)[:count]
    loudness = noise.choice([0.0, 0.02, 0.1, 0.25], count // span + 1)
    loudness[0] = 0.3
    tones = np.sin(np.cumsum(pitch)) * np.repeat(loudness, span)[:count]
    return (tones + 3e-3 * noise.standard_normal(count)).astype(np.float32)
