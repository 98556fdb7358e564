"""A clock that stands still while anybody works, and jumps to the next thing due when nobody does.

    clock = VirtualClock()
    async with clock:                # time runs
        await clock.sleep(3600)      # comes back at once

With it an hour of a recorded call is replayed as fast as it can be computed, and in the same order.
Nobody works when the event loop is idle and no one is inside `working`: what a thread, another
process or the network does cannot be seen from the loop, so whoever waits for such work says so.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Literal, Self
from weakref import WeakKeyDictionary

from omni_agent.clock import Clock
from omni_agent.errors import UsageError

logger = logging.getLogger("omni_agent.clock")

_STUCK = 60.0  # real seconds after which work that takes no time is taken to wait for time itself
_ROUNDS = 50  # of a loop that does not tell whether it is idle
_Task = asyncio.Task[object] | None
_Tasks = Counter[_Task]

_looking: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""How many virtual clocks are at the moment looking whether the loop is idle."""


def working(clock: Clock) -> AbstractContextManager[None]:
    """To be inside while waiting for something that is done outside of the event loop.

    A virtual clock does not jump meanwhile; to any other clock it means nothing. Sleeping on the
    clock in there, in the same task, is no work.
    """
    return clock.working() if isinstance(clock, VirtualClock) else nullcontext()


class VirtualClock:
    """Time runs while it is entered. Sleepers wake one by one, each when all before are settled.

    `work`: with "free" it takes no time whatever is worked, so that the same inputs give the same
    events at the same times on any machine. With "timed" it takes as long as it really takes, so
    that latencies are true and only the time in which nobody works is skipped.
    """

    def __init__(
        self,
        start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC),
        *,
        work: Literal["free", "timed"] = "free",
    ) -> None:
        self.work = work
        self._start, self._origin, self._now = start, 0.0, 0.0
        self._sleepers: list[tuple[float, bool, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._workers: _Tasks = Counter()
        self._asleep: _Tasks = Counter()
        self._busy_since: float | None = None  # by the real clock
        self._is_stuck = False
        self._news = asyncio.Event()
        self._entered = 0
        self._driver: asyncio.Task[None] | None = None

    # --- a clock -----------------------------------------------------------------------------

    def monotonic(self) -> float:
        since = self._busy_since
        if since is None or not self._passes:
            return self._now
        return self._now + (time.monotonic() - since)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic() - self._origin)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            await self._wait(self.monotonic() + seconds, last=False)

    async def until(self, when: float) -> None:
        """Until `monotonic` says `when`; comes after everybody else who wakes at that moment."""
        await self._wait(when, last=True)

    # --- time --------------------------------------------------------------------------------

    def begin(self, *, at: float, now: datetime) -> None:
        """Set it. Raises UsageError when somebody sleeps already."""
        if any(not wake.done() for *_, wake in self._sleepers):
            raise UsageError("this clock cannot be set any more: somebody sleeps by it")
        self._start, self._origin, self._now = now, at, at

    @contextmanager
    def working(self) -> Iterator[None]:
        """See the function of this name."""
        task = _current_task()
        self._count(self._workers, task, 1)
        try:
            yield
        finally:
            self._count(self._workers, task, -1)

    async def __aenter__(self) -> Self:
        self._entered += 1
        if self._driver is None:
            self._driver = asyncio.create_task(self._drive(), name="virtual clock")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._entered -= 1
        if not self._entered and self._driver is not None:
            driver, self._driver = self._driver, None
            driver.cancel()
            await asyncio.wait([driver])
            if not driver.cancelled():
                driver.result()

    # --- inside ------------------------------------------------------------------------------

    @property
    def _passes(self) -> bool:
        """Whether work takes time."""
        return self.work == "timed" or self._is_stuck

    async def _wait(self, when: float, *, last: bool) -> None:
        task = _current_task()
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, last, next(self._numbers), wake))
        self._count(self._asleep, task, 1)
        try:
            await wake
        finally:
            self._count(self._asleep, task, -1)

    def _count(self, tasks: _Tasks, task: _Task, change: int) -> None:
        """Somebody begins or ends work or sleep."""
        tasks[task] += change
        if not tasks[task]:
            del tasks[task]
        busy = any(task not in self._asleep for task in self._workers)
        if busy and self._busy_since is None:
            self._busy_since = time.monotonic()
        elif not busy and self._busy_since is not None:
            self._now = self.monotonic()
            self._busy_since, self._is_stuck = None, False
        self._news.set()

    async def _drive(self) -> None:
        while True:
            await _idle()
            self._news.clear()
            while self._sleepers and self._sleepers[0][-1].done():
                heapq.heappop(self._sleepers)
            due = self._sleepers[0][0] if self._sleepers else None
            if self._busy_since is None:
                if due is None:
                    await self._news.wait()
                else:
                    self._now = max(self._now, due)
                    self._wake()
            elif not self._passes:
                if not await self._something_happens(within=_STUCK):
                    logger.warning("work goes on for %g s; time passes meanwhile", _STUCK)
                    self._busy_since, self._is_stuck = time.monotonic(), True
            elif due is not None and due <= self.monotonic():
                self._wake()
            else:
                left = None if due is None else due - self.monotonic()
                await self._something_happens(within=left)

    def _wake(self) -> None:
        heapq.heappop(self._sleepers)[-1].set_result(None)

    async def _something_happens(self, within: float | None) -> bool:
        try:
            async with asyncio.timeout(within):
                return await self._news.wait()
        except TimeoutError:
            return False


async def _idle() -> None:
    """Until nothing but this is left to do for the event loop at the moment."""
    loop = asyncio.get_running_loop()
    ready = getattr(loop, "_ready", None)  # of asyncio's own loops; uvloop has none
    if ready is None:
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        return
    _looking[loop] = _looking.get(loop, 0) + 1
    try:
        quiet = 0
        while quiet < 2:  # two rounds, since the first may have found a file or socket ready
            await asyncio.sleep(0)
            others = _looking[loop] - 1  # each is in the queue, and nothing that counts
            quiet = quiet + 1 if len(ready) <= others else 0
    finally:
        _looking[loop] -= 1


def _current_task() -> _Task:
    try:
        return asyncio.current_task()
    except RuntimeError:  # in a thread
        return None
