"""The camera of this machine, through OpenCV.

    async with Camera() as camera:
        async for frame in camera:
            ...

Whatever is missing, refused or pulled out is a `DeviceError` that says what to do.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from typing import Any, Literal, Self

import numpy as np

from omni_agent.errors import DeviceError, MissingExtra, SettingsError
from omni_agent.media import Image, VideoFrame

logger = logging.getLogger("omni_agent.transports")

_DEAD_AFTER = 5.0  # seconds without a picture
_FAILURES = 10  # in a row, after which the camera is gone


class Camera:
    """The newest picture, `fps` times a second at most; whoever is slow misses those between.

    `device`: the number of a camera, or a path or URL that OpenCV can read. Raises DeviceError when
    it is opened, and from the iteration when it is pulled out; MissingExtra without OpenCV.
    """

    def __init__(self, device: int | str = 0, *, fps: float = 4.0) -> None:
        if not 0 < fps <= 60:
            raise SettingsError(f"fps={fps!r}: give 60 pictures a second at most")
        self.device = device
        self.fps = fps
        self._newest: VideoFrame | None = None
        self._news = asyncio.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._gone = False

    async def __aenter__(self) -> Self:
        capture = await asyncio.to_thread(_open, self.device)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._film, args=(capture,), name="camera", daemon=True
        )
        self._thread.start()
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> VideoFrame:
        while self._newest is None:
            if self._gone:
                raise DeviceError(_GONE)
            self._news.clear()
            try:
                async with asyncio.timeout(_DEAD_AFTER):
                    await self._news.wait()
            except TimeoutError:
                raise DeviceError(_NO_PICTURE) from None
        frame, self._newest = self._newest, None
        return frame

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread is not None:  # a driver that hangs is left behind
            await asyncio.to_thread(self._thread.join, 1.0)

    # --- in the camera's thread --------------------------------------------------------------

    def _film(self, capture: Any) -> None:
        """Empty the camera's own queue at its pace; take a picture when one is due."""
        began = time.monotonic()
        due = failures = 0
        try:
            while not self._stopped.is_set() and failures < _FAILURES:
                if not capture.grab():
                    failures += 1
                    self._stopped.wait(0.05)
                    continue
                t = time.monotonic() - began
                if t * self.fps < due:
                    self._stopped.wait(0.002)  # a file, or a driver that does not pace itself
                    continue
                there, pixels = capture.retrieve()
                failures = 0 if there else failures + 1
                if there:
                    due = int(t * self.fps) + 1
                    self._tell(self._give, VideoFrame(Image(_rgb(pixels)), t))
        except Exception:  # OpenCV's own types; to the reader the camera is gone
            logger.exception("the camera failed")
        finally:
            capture.release()
            self._tell(self._end)

    def _tell(self, what: Any, *values: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *values)

    # --- in the event loop -------------------------------------------------------------------

    def _give(self, frame: VideoFrame) -> None:
        self._newest = frame
        self._news.set()

    def _end(self) -> None:
        self._gone = True
        self._news.set()


def _open(device: int | str) -> Any:
    try:
        import cv2
    except ImportError as missing:
        raise MissingExtra("opencv-python-headless", "camera", needed_for="The camera") from missing
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # DeviceError says it
    try:
        capture = cv2.VideoCapture(device)
    except cv2.error as why:
        raise DeviceError(f"{_cannot_be_opened(device)} ({why})") from why
    if not capture.isOpened():
        capture.release()
        raise DeviceError(_cannot_be_opened(device))
    return capture


def _rgb(pixels: np.ndarray) -> np.ndarray:
    """From what OpenCV gives: blue first, or grey alone."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1])


# --- what to tell -----------------------------------------------------------------------------


def _system() -> Literal["linux", "darwin", "win32"]:
    return "darwin" if sys.platform == "darwin" else "win32" if sys.platform == "win32" else "linux"


_ALLOW = {
    "linux": "Is it plugged in, and not in use by another program? May you use it? Being in the "
    "group video helps: sudo usermod -aG video $USER, then log in again. In a container there is "
    "none unless it is passed through: --device /dev/video0.",
    "darwin": "Is it plugged in? Allow the terminal to use it: System Settings, Privacy & "
    "Security, Camera; then start the terminal anew.",
    "win32": "Is it plugged in, and not in use by another program? Allow it: Settings, Privacy & "
    "security, Camera, Let desktop apps access your camera.",
}
_GONE = "The camera is gone: it was unplugged or taken by the system. Plug it in again."
_NO_PICTURE = (
    f"The camera has given no picture for {_DEAD_AFTER:g} seconds. Is it covered by its switch, "
    "unplugged, or in use by another program?"
)


def _cannot_be_opened(device: int | str) -> str:
    which = f"camera {device}" if isinstance(device, int) else f"camera “{device}”"
    return f"The {which} cannot be opened. {_ALLOW[_system()]}"
