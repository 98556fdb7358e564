"""Listening aside with the session's ears, while the session itself is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omni_agent.media import Audio

if TYPE_CHECKING:
    from omni_agent.model.compact.ears import Listener


class Aside:
    """Behind `Overhearing`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.seconds = 0.0

    @property
    def text(self) -> str:
        return self._listener.partial.text

    def feed(self, audio: Audio) -> None:
        self.seconds += audio.seconds
        self._listener.feed(audio)

    def close(self) -> None:
        self._listener.cancel()
