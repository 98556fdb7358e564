"""Time, injected: tests run on a fake clock, and a recorded call replays to the same events."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        ...

    def now(self) -> datetime:
        """The wall clock, timezone-aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until `advance` moves it; sleepers wake in order of their time."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed + seconds, wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers one by one so that each sees the time it asked for."""
        target = self._elapsed + seconds
        while due := [s for s in self._sleepers if s[0] <= target]:
            when, wake = min(due, key=lambda s: s[0])
            self._sleepers.remove((when, wake))
            self._elapsed = max(self._elapsed, when)
            if not wake.done():
                wake.set_result(None)
            for _ in range(3):  # let the woken task run up to its next wait
                await asyncio.sleep(0)
        self._elapsed = target


SYSTEM_CLOCK = SystemClock()
