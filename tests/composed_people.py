"""A composed call, played into the live runtime."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

from composed.scene import RATE, Scene

from omni_agent.events import LiveEvent
from omni_agent.live import LiveCall as Call
from omni_agent.media import Audio, VideoFrame
from omni_agent.virtual_clock import VirtualClock

STEP = 0.1  # seconds of a call that are given at once


async def played(
    call: Call, scene: Scene, clock: VirtualClock, *, frames: Iterator[VideoFrame]
) -> list[LiveEvent]:
    """Have a call hear and see the scene, as fast as it can be worked; what came of it."""
    events: list[LiveEvent] = []

    async def read() -> None:
        async for event in call:
            events.append(event)

    reading = asyncio.create_task(read())
    sound, began = scene.sound().samples, clock.monotonic()
    coming = next(frames, None)
    for k in range(math.ceil(scene.seconds / STEP)):
        while coming is not None and coming.t <= k * STEP:
            call.see(coming, "camera")
            coming = next(frames, None)
        part = sound[round(k * STEP * RATE) : round((k + 1) * STEP * RATE)]
        call.hear(Audio(part, RATE))
        await clock.sleep(began + (k + 1) * STEP - clock.monotonic())
    await call.close()
    await reading
    return events
