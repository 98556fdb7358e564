"""Numbers that come back from the device while it goes on with the next ones."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import Tensor

from omni_agent.errors import UsageError


class Readback:
    """Integers in the order they were sent; taking one waits for that one only.

    Sent first and taken after the next step was launched, the host learns a number one step late,
    and the device never waits for the host. At most `slots` are on their way at a time.
    """

    def __init__(self, device: torch.device | str, slots: int = 64) -> None:
        self._cuda = torch.device(device).type == "cuda"
        self._host = torch.zeros(slots, dtype=torch.int64, pin_memory=self._cuda)
        self._coming: deque[tuple[int, Any]] = deque()  # slot, torch.cuda.Event
        self._sent = 0

    def __len__(self) -> int:
        """How many were sent and not taken."""
        return len(self._coming)

    def send(self, number: Tensor) -> None:
        """An int64 [1] on the device, which may be overwritten by what is launched later."""
        if len(self._coming) == len(self._host):
            raise UsageError(f"{len(self._host)} numbers are waiting to be taken.")
        slot = self._sent % len(self._host)
        self._sent += 1
        self._host[slot : slot + 1].copy_(number, non_blocking=True)
        event = None
        if self._cuda:
            event = torch.cuda.Event()
            event.record()
        self._coming.append((slot, event))

    def take(self) -> int:
        """The oldest that was not taken. IndexError if there is none."""
        slot, event = self._coming.popleft()
        if event is not None:
            event.synchronize()
        return int(self._host[slot])

    def clear(self) -> None:
        """Forget what was not taken. What is on its way lands in slots that are written anew."""
        self._coming.clear()
