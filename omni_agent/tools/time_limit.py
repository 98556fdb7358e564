"""A time limit by an injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from omni_agent.clock import Clock


@asynccontextmanager
async def time_limit(clock: Clock, seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """As `asyncio.timeout`: what is inside is cancelled and TimeoutError raised.

    Whether it is the limit's or one from inside is told by `expired()` of what it gives.
    """

    async def ring(limit: asyncio.Timeout) -> None:
        await clock.sleep(seconds)
        limit.reschedule(asyncio.get_running_loop().time())

    async with asyncio.timeout(None) as limit:
        alarm = asyncio.create_task(ring(limit))
        try:
            yield limit
        finally:
            alarm.cancel()
