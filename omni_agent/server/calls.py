"""The calls that are open, so that there are not too many and all can be ended."""

from __future__ import annotations

import asyncio
from typing import Protocol

from omni_agent.server.wire import HangUp


class Endable(Protocol):
    def hang_up(self, why: HangUp) -> None: ...


STOPPING = HangUp(1001, "going away", "the server is being stopped; call again later")


class Calls:
    """At most so many at a time. `stop` ends all and waits until what they had to keep is kept."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.stopping = False
        self._open: set[Endable] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        return self.stopping or len(self._open) >= self.most

    def add(self, call: Endable) -> None:
        self._open.add(call)
        self._none_open.clear()

    def remove(self, call: Endable) -> None:
        self._open.discard(call)
        if not self._open:
            self._none_open.set()

    async def stop(self, *, within: float = 10.0) -> None:
        """End every call; raises TimeoutError where one does not end."""
        self.stopping = True
        for call in tuple(self._open):
            call.hang_up(STOPPING)
        async with asyncio.timeout(within):
            await self._none_open.wait()
