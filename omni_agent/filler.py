"""A filler: words that bridge the silence while a tool works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from omni_agent.events import Event, ToolStarted

FILLER_AFTER = 0.7
"""Seconds of silence that a running tool may cause before its filler is spoken."""


async def bridged(
    tools: AsyncGenerator[Event, None], filler: AsyncGenerator[Event, None]
) -> AsyncGenerator[Event, None]:
    """What the tools do, and beside it the filler, from when the first of them runs.

    A filler that has said nothing when the tools are done is dropped. Closing the iterator closes
    both.
    """
    events: asyncio.Queue[Event | None] = asyncio.Queue()  # None: a task has ended
    tasks: list[asyncio.Task[None]] = []
    begun = False

    def start(source: AsyncGenerator[Event, None]) -> None:
        task = asyncio.create_task(_into(events, source))
        task.add_done_callback(lambda _: events.put_nowait(None))
        tasks.append(task)

    start(tools)
    ended = 0
    try:
        while ended < len(tasks):
            event = await events.get()
            match event:
                case None:
                    ended += 1
                    if tasks[0].done() and not begun:
                        tasks[-1].cancel()
                    continue
                case ToolStarted() if len(tasks) == 1:
                    start(filler)
                case _:
                    begun |= bool(getattr(event, "filler", False))
            yield event
        for task in tasks:
            if not task.cancelled():
                task.result()
    finally:
        pending = [task for task in tasks if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
        await filler.aclose()


async def _into(queue: asyncio.Queue[Event | None], source: AsyncGenerator[Event, None]) -> None:
    async with aclosing(source) as events:
        async for event in events:
            queue.put_nowait(event)
