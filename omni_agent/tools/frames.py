"""What a camera or a screen shows, for tools that watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, Self

from omni_agent.media import VideoFrame


class Frames:
    """The pictures from now on, one after the other: `async for frame in frames`.

    Whoever is slow gets the newest picture of each source and misses those before it. It ends when
    the call ends. `source` is where the picture given last came from.
    """

    def __init__(self, leave: Callable[[Frames], None]) -> None:
        self.source = ""
        self._leave = leave
        self._waiting: dict[str, VideoFrame] = {}
        self._news = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> VideoFrame:
        while not self._closed:
            if self._waiting:
                self.source = next(iter(self._waiting))
                return self._waiting.pop(self.source)
            self._news.clear()
            await self._news.wait()
        raise StopAsyncIteration

    def put(self, frame: VideoFrame, source: str) -> None:
        self._waiting.pop(source, None)
        self._waiting[source] = frame
        self._news.set()

    def close(self) -> None:
        """No picture comes any more. May be called twice."""
        self._closed = True
        self._waiting.clear()
        self._news.set()
        self._leave(self)


class FrameSource(Protocol):
    @property
    def is_showing(self) -> bool:
        """Whether there is a picture at all."""
        ...

    def open(self) -> Frames:
        """The pictures from now on; to be closed by whoever opened it."""
        ...


class FrameFeed:
    """A `FrameSource` that is given the pictures of a call. All in one event loop."""

    def __init__(self) -> None:
        self._readers: list[Frames] = []
        self._newest: dict[str, VideoFrame] = {}
        self._closed = False

    @property
    def is_showing(self) -> bool:
        return bool(self._newest)

    def put(self, frame: VideoFrame, source: str = "camera") -> None:
        self._newest[source] = frame
        for reader in self._readers:
            reader.put(frame, source)

    def open(self) -> Frames:
        """Begins with what is shown now."""
        frames = Frames(self._left)
        for source, frame in self._newest.items():
            frames.put(frame, source)
        self._readers.append(frames)
        if self._closed:
            frames.close()
        return frames

    def switch_off(self, source: str) -> None:
        """The source shows nothing any more."""
        self._newest.pop(source, None)

    def close(self) -> None:
        """The call is over: every reader's loop ends."""
        self._closed = True
        self._newest.clear()
        for reader in list(self._readers):
            reader.close()

    def _left(self, reader: Frames) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
