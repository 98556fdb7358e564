"""The keys and values of one conversation, in buffers that never move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from omni_agent.errors import ContextFull

SMALLEST_WINDOW = 1024
"""Rows that a step of fixed shapes attends to at least; doubled as needed, up to the limit."""


@dataclass(frozen=True, slots=True)
class _Static:
    """Where a forward of fixed shapes writes, and how much it attends to."""

    index: Tensor  # [n] int64, on the device
    window: int


class KVCache(Cache):
    """Keys and values of every layer for up to `limit` tokens, batch 1.

    Two ways to forward with it as `past_key_values`:

    - as it is: the n new tokens are written at `length`, the layers get the first `length + n`
      rows, and `length` grows once the last layer has written. For prefill, and for CPUs.
    - inside `static(index)`: the tokens are written at `index`, a tensor on the device, and the
      layers get the whole window whatever `length` is. Nothing depends on a number on the host, so
      the forward can be captured as a CUDA graph; rows past the end must be masked
      (`static_mask`), and `advance` tells the cache afterwards how many were written.

    Rows beyond `length` are zero or finite: a masked row weighs 0, and 0 × NaN would be NaN.
    """

    def __init__(
        self,
        *,
        layers: int,
        kv_heads: int,
        head_dim: int,
        limit: int,
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        shape = (layers, 1, kv_heads, limit, head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.limit = limit
        self._length = 0
        self._reach = 0  # rows from here on were never written
        self._most_at_once = 0  # in a forward of fixed shapes, which the host may not see
        self._static: _Static | None = None
        super().__init__(layers=[_Layer(self, index) for index in range(layers)])

    @classmethod
    def of(
        cls, config: Any, limit: int, *, dtype: torch.dtype, device: torch.device | str
    ) -> KVCache:
        """A cache for the decoder of a Thinker's text configuration or a Talker's."""
        heads = config.num_attention_heads
        return cls(
            layers=config.num_hidden_layers,
            kv_heads=config.num_key_value_heads,
            head_dim=getattr(config, "head_dim", None) or config.hidden_size // heads,
            limit=limit,
            dtype=dtype,
            device=device,
        )

    @property
    def length(self) -> int:
        """How many tokens are in it."""
        return self._length

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def cut(self, length: int) -> None:
        """Forget every token from `length` on."""
        if not 0 <= length <= self._length:
            raise ValueError(f"a cache of {self._length} tokens cannot be cut to {length}")
        # A forward that broke off may have written further than `length`. Not all rows, though:
        # they may be gigabytes that were never touched.
        end = max(self._reach, self._length + self._most_at_once)
        self.keys[:, :, :, length:end] = 0
        self.values[:, :, :, length:end] = 0
        self._length = self._reach = length

    def advance(self, count: int) -> None:
        """Say that `count` tokens were written at the end by forwards inside `static`."""
        self.need(count)
        self._length += count
        self._reach = max(self._reach, self._length)

    def need(self, count: int) -> None:
        """Raise ContextFull unless `count` more tokens fit."""
        if self._length + count > self.limit:
            raise ContextFull(
                f"{count} more tokens do not fit after {self._length}: "
                f"the context ends at {self.limit}"
            )

    @contextmanager
    def static(self, index: Tensor, window: int | None = None) -> Iterator[None]:
        """Forwards in here write at `index` ([n] int64, on the device) and see `window` rows."""
        window = self.limit if window is None else window
        if not 1 <= window <= self.limit:
            raise ValueError(f"a window of {window} rows is not within the {self.limit} there are")
        self._static = _Static(index, window)
        self._most_at_once = max(self._most_at_once, len(index))
        try:
            yield
        finally:
            self._static = None

    @property
    def windows(self) -> tuple[int, ...]:
        """The windows that steps of fixed shapes use, smallest first; there are few of them."""
        sizes = [SMALLEST_WINDOW]
        while sizes[-1] < self.limit:
            sizes.append(2 * sizes[-1])
        return (*sizes[:-1], self.limit)

    def window_for(self, rows: int) -> int:
        """The smallest of `windows` that holds this many rows."""
        return next(window for window in self.windows if window >= rows)

    def mask(self, count: int) -> Tensor | None:
        """What `count` new tokens may attend to: bool [1, 1, count, length + count].

        None where the attention needs none: for one token, which sees everything, and for the
        first tokens of all, where attention is plainly causal.
        """
        if count == 1 or self._length == 0:
            return None
        total = self._length + count
        rows = torch.ones(count, total, dtype=torch.bool, device=self.keys.device)
        return rows.tril(diagonal=self._length)[None, None]

    def static_mask(self, index: Tensor, window: int | None = None) -> Tensor:
        """What the tokens written at `index` may attend to: bool [1, 1, n, window]."""
        seen = torch.arange(self.limit if window is None else window, device=index.device)
        return (seen[None, :] <= index[:, None])[None, None]

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put [1, kv_heads, n, d] of one layer in place; returns what this layer attends to."""
        if self._static is not None:
            index, window = self._static.index, self._static.window
            self.keys[layer].index_copy_(2, index, keys)
            self.values[layer].index_copy_(2, index, values)
            return self.keys[layer, :, :, :window], self.values[layer, :, :, :window]
        count = keys.shape[2]
        if layer == 0:
            self.need(count)
        end = self._length + count
        self._reach = max(self._reach, end)
        self.keys[layer, :, :, self._length : end] = keys
        self.values[layer, :, :, self._length : end] = values
        if layer == len(self.layers) - 1:
            self._length = end
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def rows_for(self, count: int) -> int:
        """How many rows `write` would return for `count` tokens."""
        return self._static.window if self._static is not None else self._length + count


class _Layer(CacheLayerMixin):
    """One layer of a KVCache as transformers' modules and masks ask for it."""

    is_croppable = True

    def __init__(self, cache: KVCache, index: int) -> None:
        self._cache = cache
        self._index = index
        self.keys = cache.keys[index]
        self.values = cache.values[index]
        self.dtype, self.device = self.keys.dtype, self.keys.device
        self.batch_size = 1
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the buffers are there from the beginning."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return self._cache.write(self._index, key_states, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._cache.rows_for(query_length), 0

    def get_seq_length(self) -> int:
        return self._cache.length

    def get_max_length(self) -> int:
        return self._cache.limit

    def reset(self) -> None:
        self._cache.cut(0)

    def crop(self, tokens_to_remove: int) -> None:
        if self._index == 0:
            self._cache.cut(self._cache.length - abs(tokens_to_remove))
