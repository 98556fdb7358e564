"""The checkpoints that have a name here: where they are published, and the shapes they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
_SEES = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}


@dataclass(frozen=True, slots=True)
class Published:
    """`revision`: the commit that is fetched. `config`: what its weights' sizes follow from."""

    name: str
    title: str
    repo: str
    revision: str
    config: Mapping[str, Any]


PUBLISHED = {
    "qwen2.5-omni-7b": Published(
        name="qwen2.5-omni-7b",
        title="Qwen2.5-Omni 7B",
        repo="Qwen/Qwen2.5-Omni-7B",
        revision="ae9e1690543ffd5c0221dc27f79834d0294cba00",
        config={
            "model_type": "qwen2_5_omni",
            "thinker_config": {
                "text_config": {
                    "vocab_size": 152064,
                    "hidden_size": 3584,
                    "intermediate_size": 18944,
                    "num_hidden_layers": 28,
                    "num_attention_heads": 28,
                    "num_key_value_heads": 4,
                    "rope_parameters": _ROPE,
                    "tie_word_embeddings": False,
                },
                "audio_config": {"output_dim": 3584},
                "vision_config": {**_SEES, "out_hidden_size": 3584},
            },
            "talker_config": {
                "embedding_size": 3584,
                "hidden_size": 896,
                "intermediate_size": 18944,
                "head_dim": 128,
                "num_hidden_layers": 24,
                "num_attention_heads": 12,
                "num_key_value_heads": 4,
                "rope_parameters": _ROPE,
            },
            "token2wav_config": {"dit_config": {}, "bigvgan_config": {}},
        },
    ),
    "qwen2.5-omni-3b": Published(
        name="qwen2.5-omni-3b",
        title="Qwen2.5-Omni 3B",
        repo="Qwen/Qwen2.5-Omni-3B",
        revision="f75b40e3da2003cdd6e1829b1f420ca70797c34e",
        config={
            "model_type": "qwen2_5_omni",
            "thinker_config": {
                "text_config": {
                    "vocab_size": 151936,
                    "hidden_size": 2048,
                    "intermediate_size": 11008,
                    "num_hidden_layers": 36,
                    "num_attention_heads": 16,
                    "num_key_value_heads": 2,
                    "rope_parameters": _ROPE,
                    "tie_word_embeddings": False,
                },
                "audio_config": {"output_dim": 2048},
                "vision_config": {**_SEES, "out_hidden_size": 2048},
            },
            "talker_config": {
                "embedding_size": 2048,
                "hidden_size": 896,
                "intermediate_size": 4864,
                "head_dim": 64,
                "num_hidden_layers": 24,
                "num_attention_heads": 14,
                "num_key_value_heads": 2,
                "rope_parameters": _ROPE,
            },
            "token2wav_config": {"dit_config": {}, "bigvgan_config": {}},
        },
    ),
}
