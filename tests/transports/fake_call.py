"""A call that says what it is told to, to whoever plugs something in."""

from __future__ import annotations

import asyncio

import numpy as np

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.events import CallEnded, CallState, LiveEvent, TextDelta
from omni_agent.media import Audio, VideoFrame
from omni_agent.playback import PlaybackBuffer


class FakeCall:
    """Answers with a tone as soon as it has heard `answer_after` seconds of sound."""

    def __init__(
        self, *, answer_after: float = 1e9, seconds: float = 1.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.output = PlaybackBuffer(24_000, clock=clock)
        self.heard: list[Audio] = []
        self.seen: list[tuple[str, VideoFrame]] = []
        self.hidden: list[str] = []
        self.seen_at: list[float] = []
        self.events: asyncio.Queue[LiveEvent] = asyncio.Queue()
        self.ended = False
        self._answer_after, self._seconds, self._clock = answer_after, seconds, clock
        self._answered = False

    @property
    def state(self) -> CallState:
        return "speaking" if self.output.seconds_left > 0 else "idle"

    @property
    def seconds_heard(self) -> float:
        return sum(sound.seconds for sound in self.heard)

    def hear(self, audio: Audio) -> None:
        self.heard.append(audio)
        if not self._answered and self.seconds_heard >= self._answer_after:
            self._answered = True
            self.say(self._seconds)

    def say(self, seconds: float) -> None:
        t = np.arange(round(seconds * 24_000)) / 24_000
        tone = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
        self.output.add(Audio(tone, 24_000), 5)
        self.events.put_nowait(TextDelta("Hello", self._clock.monotonic()))

    def see(self, frame: VideoFrame, source: str = "camera") -> None:
        self.seen.append((source, frame))
        self.seen_at.append(self._clock.monotonic())

    def hide(self, source: str = "camera") -> None:
        self.hidden.append(source)

    def end(self) -> None:
        self.events.put_nowait(CallEnded("closed", self._clock.monotonic()))

    async def __anext__(self) -> LiveEvent:
        if self.ended:
            raise StopAsyncIteration
        event = await self.events.get()
        self.ended = isinstance(event, CallEnded)
        return event
