"""Threads for plain functions, which may hang: a hung one is left behind and blocks nothing."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

Job = Callable[[], None]


class WorkerThreads:
    """Daemon threads that are used again when free, as many as there are calls at once.

    The loop's own executor has few threads and waits for them when the process ends, so that a
    few hung functions would stop every other one, and the exit.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._free = 0
        self._lock = threading.Lock()

    async def call(self, function: Callable[[], Any]) -> Any:
        """Run `function` in a thread, in this task's context; its exceptions come back here.

        When cancelled, the function runs on unheard.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def deliver(setter: Callable[[Any], None], value: Any) -> None:
            if not outcome.done():
                setter(value)

        def job() -> None:
            setter: Callable[[Any], None]
            try:
                value, setter = context.run(function), outcome.set_result
            except StopIteration as error:  # a future refuses this one
                value, setter = RuntimeError(f"StopIteration: {error}"), outcome.set_exception
            except BaseException as error:
                value, setter = error, outcome.set_exception
            if not loop.is_closed():
                loop.call_soon_threadsafe(deliver, setter, value)

        self._submit(job)
        return await outcome

    def _submit(self, job: Job) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                threading.Thread(target=self._work, name="tool", daemon=True).start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            with self._lock:
                self._free += 1


WORKER_THREADS = WorkerThreads()
