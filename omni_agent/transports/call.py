"""What a transport wants of a live call."""

from __future__ import annotations

from typing import Protocol

from omni_agent.events import CallState, LiveEvent
from omni_agent.media import Audio, VideoFrame
from omni_agent.playback import PlaybackBuffer


class Call(Protocol):
    """An open `LiveCall`, made with `player="own"`. Once it has ended, giving it something is a
    UsageError."""

    @property
    def state(self) -> CallState: ...

    @property
    def output(self) -> PlaybackBuffer: ...

    def hear(self, audio: Audio) -> None: ...

    def see(self, frame: VideoFrame, source: str = "camera") -> None: ...

    def hide(self, source: str = "camera") -> None: ...

    async def __anext__(self) -> LiveEvent: ...
