"""An event loop in a thread of its own, for the sync twins."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from omni_agent.errors import UsageError

T = TypeVar("T")

_FAREWELL = 1.0  # seconds that cancelled work has to end, before the caller goes on without it


class LoopThread:
    def __init__(self) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), daemon=True, name="agent"
        )
        self._thread.start()
        ready.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work and wait for it. What interrupts the wait, such as ctrl-C, cancels it."""
        job = _Job(work, self._loop)
        try:
            return job.future.result()
        finally:
            job.cancel()

    def iterate(self, source: AsyncGenerator[T, None]) -> Iterator[T]:
        """What `source` yields, which runs ahead of the reader. Closing the iterator cancels it."""
        arrived: queue.SimpleQueue[tuple[T] | None] = queue.SimpleQueue()

        async def read() -> None:
            async with aclosing(source) as items:
                async for item in items:
                    arrived.put((item,))

        job = _Job(read(), self._loop)
        job.future.add_done_callback(lambda _: arrived.put(None))
        try:
            while (item := arrived.get()) is not None:
                yield item[0]
            job.future.result()
        finally:
            job.cancel()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        ready.set()
        await self._stopped.wait()


class _Job(Generic[T]):
    """Work in the loop, which the thread that waits for it may cancel."""

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._ended = threading.Event()
        self.future: Future[T] = asyncio.run_coroutine_threadsafe(self._do(work), loop)

    def cancel(self) -> None:
        """End the work and wait until it has cleaned up; nothing where it is done already."""
        if self.future.cancel():
            self._ended.wait(_FAREWELL)

    async def _do(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            self._ended.set()


def refuse_in_a_loop(name: str, *, use: str) -> None:
    """UsageError where an event loop runs in this thread, which a sync twin would block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(f"{name} would block the event loop that runs here; use: {use}")
