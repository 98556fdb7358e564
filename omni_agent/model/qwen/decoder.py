"""The Thinker's decoder with its cache: many tokens at once, or one as fast as it goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from omni_agent.errors import GenerationError, ModelLoadError
from omni_agent.model.qwen.audio_in import BLOCK_FRAMES
from omni_agent.model.qwen.cache import KVCache
from omni_agent.model.qwen.graphs import WARM_UP, CUDAGraphed, records_graphs
from omni_agent.model.qwen.picture_in import MERGE, PAIR, PATCH
from omni_agent.model.qwen.positions import CHUNK_SECONDS, IDS_PER_SECOND

CHUNK = 512
"""Tokens that are prefilled in one forward; in between, the work can be called off."""


class Cancelled(Exception):
    """The work was called off between two forwards."""


class Forwarded(NamedTuple):
    """`logits`: float32 [vocab]; `hidden` (final), `embed`: [d]; `broken`: bool []."""

    logits: Tensor
    hidden: Tensor
    embed: Tensor
    broken: Tensor


class Decoder:
    """Text model and head of a Qwen2_5OmniThinkerForConditionalGeneration, for one conversation.

    `static`: step in fixed shapes, so that a step can be recorded as a CUDA graph. Of these there
    is one for each window of rows that is attended to: the smallest that holds the context.
    Nothing here cuts the cache after an error.
    """

    def __init__(self, thinker: Any, limit: int, *, static: bool | None = None) -> None:
        _check_config(thinker.config)
        self._model = thinker.model.language_model
        self._lm_head = thinker.lm_head
        weight = self._model.embed_tokens.weight
        self.device = weight.device
        self.cache = KVCache.of(
            thinker.config.text_config, limit, dtype=weight.dtype, device=self.device
        )
        self.tokens = torch.zeros(limit, dtype=torch.int64, device=self.device)
        """Token ids, of which the first `cache.length` mean something."""
        self._static = records_graphs(self.device) if static is None else static
        self._steppers: dict[int, CUDAGraphed[Forwarded]] = {}
        self._index = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._position = torch.zeros(1, dtype=torch.int64, device=self.device)

    def embed(self, token_ids: Tensor) -> Tensor:
        """int64 [n] → input embeddings [n, d]"""
        embeds: Tensor = self._model.embed_tokens(token_ids)
        return embeds

    def prefill(
        self, embeds: Tensor, positions: Tensor, cancelled: Callable[[], bool]
    ) -> tuple[Tensor, Tensor]:
        """[n, d] at [3, n] → final hidden states [n, d] and the last one's logits, float32 [vocab].

        Raises Cancelled, and GenerationError for logits that are no numbers.
        """
        start, hidden = self.cache.length, []
        for begin in range(0, len(embeds), CHUNK):
            if cancelled():
                raise Cancelled
            end = min(begin + CHUNK, len(embeds))
            mask = self.cache.mask(end - begin)
            hidden.append(self._forward(embeds[begin:end], positions[:, begin:end], mask))
        logits = self._lm_head(hidden[-1][-1]).float()
        if not logits.isfinite().all():
            raise breakdown(start)
        return torch.cat(hidden), logits

    def step(self, token: Tensor, position: int) -> Forwarded:
        """Forward one token, int64 [1] on the device. The host does not wait for the device."""
        length = self.cache.length
        self._index.fill_(length)
        self._position.fill_(position)
        if not self._static:
            return self._forward_token(token, self._index, self._position)
        window = self.cache.window_for(length + 1)
        done = self._stepper(window)(token, self._index, self._position)
        self.cache.advance(1)
        return done

    def warm_up(self) -> None:
        """Record the graphs of all windows; overwrites the first token."""
        token = torch.zeros_like(self._index)
        for window in self.cache.windows if self._static else ():
            for _ in range(WARM_UP + 1):
                self._stepper(window)(token, self._index.zero_(), self._position.zero_())
        self.cache.cut(0)

    def _stepper(self, window: int) -> CUDAGraphed[Forwarded]:
        if window not in self._steppers:
            forward = partial(self._forward_token, window=window)
            self._steppers[window] = CUDAGraphed(forward, self.device)
        return self._steppers[window]

    def _forward_token(
        self, token: Tensor, index: Tensor, position: Tensor, *, window: int | None = None
    ) -> Forwarded:
        """All int64 [1] on the device; with a window, nothing in it hangs on the host."""
        self.tokens.index_copy_(0, index, token)
        embed = self.embed(token)  # [1, d]
        ids = position.expand(3, 1)
        if window is None:
            hidden = self._forward(embed, ids, None)
        else:
            with self.cache.static(index, window):
                hidden = self._forward(embed, ids, self.cache.static_mask(index, window))
        logits = self._lm_head(hidden[0]).float()
        return Forwarded(logits, hidden[0], embed[0], ~logits.isfinite().all())

    def _forward(self, embeds: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """[n, d] at [3, n] → final hidden states [n, d]; keys and values go to the cache."""
        hidden: Tensor = self._model(
            inputs_embeds=embeds[None],
            position_ids=positions[:, None],
            attention_mask={"full_attention": mask},
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden[0]


def breakdown(length: int) -> GenerationError:
    return GenerationError(
        f"the model's numbers broke down after {length} tokens: its logits hold NaN or infinity"
    )


def _check_config(config: Any) -> None:
    """Raises ModelLoadError for a geometry that the layouts here are not made for."""
    text, audio, vision = config.text_config, config.audio_config, config.vision_config
    for name, found, ours in (
        ("position_id_per_seconds", config.position_id_per_seconds, IDS_PER_SECOND),
        ("seconds_per_chunk", config.seconds_per_chunk, CHUNK_SECONDS),
        ("audio_config.n_window", audio.n_window, BLOCK_FRAMES // 2),
        ("vision_config.patch_size", vision.patch_size, PATCH),
        ("vision_config.spatial_merge_size", vision.spatial_merge_size, MERGE),
        ("vision_config.temporal_patch_size", vision.temporal_patch_size, PAIR),
        ("text_config.layer_types", {*text.layer_types}, {"full_attention"}),
        ("attention of the text model", text._attn_implementation, "sdpa"),
        ("attention of the audio encoder", audio._attn_implementation, "sdpa"),
        ("attention of the vision encoder", vision._attn_implementation, "sdpa"),
    ):
        if found != ours:
            raise ModelLoadError(f"{name} is {found}; only {ours} can be used here")
