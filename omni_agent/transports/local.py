"""A call over the microphone, the loudspeaker and the camera of this machine."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from typing import Protocol, Self

import numpy as np

from omni_agent.devices import Microphone, PulledLoudspeaker
from omni_agent.errors import DeviceError, MissingExtra, UsageError
from omni_agent.media import Audio
from omni_agent.transports.call import Call
from omni_agent.transports.camera import Camera
from omni_agent.transports.echo import RATE, EchoCanceller, echo_canceller

logger = logging.getLogger("omni_agent.transports")

_CHUNK = 0.02  # seconds


class Tell(Protocol):
    def __call__(self, words: str, /) -> None:
        """Tell the user that something does not work, while the call goes on."""
        ...


class LocalDevices:
    """Feeds a call from the microphone and a camera, and plays what it says.

        async with agent.live() as call, LocalDevices(call, camera=Camera()) as devices:
            ...
            await devices.lost()  # until a device is pulled out

    `echo` None: the best that is installed. `is_listening`: whether the microphone is heard; a
    talk button sets it. A camera that fails is told and done without. Raises DeviceError where
    there is no microphone or loudspeaker.
    """

    def __init__(
        self,
        call: Call,
        *,
        camera: Camera | None = None,
        echo: EchoCanceller | None = None,
        is_listening: bool = True,
        tell: Tell = logger.warning,
    ) -> None:
        self.is_listening = is_listening
        self.level_dbfs = -100.0
        self._call = call
        self._camera = camera
        self._echo = echo if echo is not None else echo_canceller()
        self._tell = tell
        self._microphone = Microphone(RATE, chunk=_CHUNK)
        self._loudspeaker = PulledLoudspeaker(self._fill, call.output.rate)
        self._open = AsyncExitStack()
        self._work: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._loudspeaker)
            await stack.enter_async_context(self._microphone)
            self._open = stack.pop_all()
        self._work = [
            asyncio.create_task(self._hear()),
            asyncio.create_task(self._loudspeaker.gone()),
        ]
        if self._camera is not None:
            self._filming = asyncio.create_task(self._see(self._camera))
        return self

    async def lost(self) -> None:
        """Wait until the microphone or the loudspeaker is gone, which is a DeviceError.

        Comes back when the call has ended.
        """
        await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
        for task in self._work:
            if task.done():
                task.result()

    async def __aexit__(self, *_: object) -> None:
        work = [*self._work, self._filming] if self._camera is not None else self._work
        for task in work:
            task.cancel()
        await asyncio.wait(work)
        await self._open.aclose()

    # --- the three ways ----------------------------------------------------------------------

    def _fill(self, n: int, /, *, ahead: float) -> np.ndarray:
        samples = self._call.output.fill(n, ahead=ahead)
        self._echo.played(Audio(samples, self._call.output.rate))
        return samples

    async def _hear(self) -> None:
        with suppress(UsageError):  # the call has ended
            while True:
                sound = self._echo.cleaned(await self._microphone.all_there_is())
                self.level_dbfs = sound.peak_dbfs if self.is_listening else -100.0
                if self.is_listening and len(sound.samples):
                    self._call.hear(sound)

    async def _see(self, camera: Camera) -> None:
        with suppress(UsageError):
            try:
                async with camera:
                    async for frame in camera:
                        self._call.see(frame, "camera")
            except (DeviceError, MissingExtra) as error:
                self._tell(str(error))
            finally:
                self._call.hide("camera")
