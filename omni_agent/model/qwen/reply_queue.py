"""What the Talker still has to read of a reply: a ring buffer that the device reads by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from omni_agent.errors import UsageError

CAPACITY = 1024
"""Entries that may be ahead of the reader; at one entry per code, 20 s of speech."""


class ReplyQueue:
    """Entries [width], read in order; the last one for ever once the queue is `closed`.

    `read` is made of tensors at fixed addresses, so that it can be recorded in a graph. The host
    counts for itself what was read: whoever reads says so by `was_read`.
    """

    def __init__(
        self,
        width: int,
        *,
        dtype: torch.dtype,
        device: torch.device | str,
        capacity: int = CAPACITY,
    ) -> None:
        self._entries = torch.zeros(capacity, width, dtype=dtype, device=device)
        self._next = torch.zeros(
            1, dtype=torch.int64, device=device
        )  # to be read, of all there were
        self._last = torch.zeros_like(self._next)
        self._pushed = self._read = 0
        self.closed = False

    def begin(self) -> None:
        """Forget everything."""
        self._next.zero_()
        self._last.fill_(torch.iinfo(torch.int64).max)
        self._pushed = self._read = 0
        self.closed = False

    @property
    def ahead(self) -> int:
        """Entries that were pushed and not read."""
        return max(0, self._pushed - self._read)

    def push(self, entry: Tensor) -> None:
        """Raises UsageError where it is closed, or full."""
        if self.closed:
            raise UsageError("The reply was closed; nothing can be added to it.")
        if self.ahead == len(self._entries):
            raise UsageError(
                f"The Thinker is {self.ahead} tokens ahead of its voice; let the Talker step first."
            )
        self._entries[self._pushed % len(self._entries)].copy_(entry)
        self._pushed += 1

    def close(self, last: Tensor) -> None:
        """Push the `last` entry, which is read again and again."""
        self.push(last)
        self._last.fill_(self._pushed - 1)
        self.closed = True

    def read(self) -> Tensor:
        """The next entry [1, width]. On the device only: the host is not asked if there is one."""
        entry = self._entries[torch.minimum(self._next, self._last) % len(self._entries)]
        self._next.add_(1)
        return entry

    def was_read(self) -> None:
        self._read += 1
