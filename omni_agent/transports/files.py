"""A call over files, played as if they were live: for tests, demos and measurements."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import MissingExtra, UnreadableMedia, UsageError
from omni_agent.events import CallEnded, LiveEvent
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.transports.call import Call
from omni_agent.virtual_clock import working

_STEP = 0.02  # seconds


@dataclass(slots=True)
class Played:
    """What came of it. `reply`: the agent's sound from the first sample of the user's on."""

    reply: Audio
    events: list[LiveEvent] = field(default_factory=list)


async def play_files(
    call: Call,
    sound: Audio | str | PathLike[str],
    *,
    video: str | PathLike[str] | None = None,
    reply: str | PathLike[str] | None = None,
    quiet: float = 2.0,
    longest: float = 600.0,
    clock: Clock = SYSTEM_CLOCK,
) -> Played:
    """Let a call hear a sound file and see a video, at the clock's pace, and take what it says.

    After the sound the microphone stays open and silent until the agent has said and done nothing
    for `quiet` seconds; the whole takes `longest` seconds at most. `reply`: a WAV to write the
    agent's side to. `clock` is the one that the call goes by: on a `VirtualClock` all this takes
    only as long as it is worked. Raises MediaError for files that cannot be read, MissingExtra
    without PyAV for a video.
    """
    heard = sound if isinstance(sound, Audio) else await asyncio.to_thread(Audio.load, sound)
    frames = iter(()) if video is None else frames_of(video)
    events: list[LiveEvent] = []
    reading = asyncio.create_task(_read(call, events))
    said: list[np.ndarray] = []
    began = clock.monotonic()
    block = round(_STEP * heard.rate)
    out_block = round(_STEP * call.output.rate)
    silence = Audio(np.zeros(block, np.float32), heard.rate)
    coming = _ahead(frames)
    step = quiet_for = 0
    try:
        while not reading.done() and quiet_for * _STEP < quiet and step * _STEP < longest:
            with working(clock):
                frame = await coming
            part = heard.samples[step * block : (step + 1) * block]
            try:
                if frame is not None and frame.t <= step * _STEP:
                    call.see(frame, "camera")
                    coming = _ahead(frames)
                call.hear(Audio(part, heard.rate) if len(part) else silence)
            except UsageError:  # the call has ended
                break
            said.append(call.output.fill(out_block))
            over = len(part) == 0 and frame is None
            is_quiet = over and call.state == "idle" and not said[-1].any()
            quiet_for = quiet_for + 1 if is_quiet else 0
            step += 1
            await clock.sleep(began + step * _STEP - clock.monotonic())
    finally:
        await asyncio.wait([coming])  # its thread must not outlive the file
        if not reading.done():
            reading.cancel()
            await asyncio.wait([reading])
    if not reading.cancelled():
        reading.result()
    played = Played(
        Audio(np.concatenate([*said, np.zeros(0, np.float32)]), call.output.rate), events
    )
    if reply is not None:
        await asyncio.to_thread(played.reply.save, Path(reply))
    return played


def _ahead(frames: Iterator[VideoFrame]) -> asyncio.Task[VideoFrame | None]:
    """Decode the next picture while the one before it is shown."""
    return asyncio.create_task(asyncio.to_thread(next, frames, None))


async def _read(call: Call, into: list[LiveEvent]) -> None:
    while True:
        try:
            event = await anext(call)
        except StopAsyncIteration:
            return
        into.append(event)
        if isinstance(event, CallEnded):
            return


def frames_of(video: str | PathLike[str], *, fps: float = 5.0) -> Iterator[VideoFrame]:
    """The pictures of a video file, `fps` a second at most, with its own times from 0 on.

    Raises FileNotFoundError, UnreadableMedia, and MissingExtra without PyAV.
    """
    try:
        import av
    except ImportError as missing:
        raise MissingExtra("av", "camera", needed_for="Reading a video") from missing
    path = Path(video)
    if not path.is_file():
        raise FileNotFoundError(f"there is no video {path}")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UnreadableMedia(f"{path}: there is no picture in it")
            yield from _sampled(container, fps)
    except av.error.FFmpegError as why:
        raise UnreadableMedia(f"{path}: the video cannot be decoded ({why})") from why


def _sampled(container: Any, fps: float) -> Iterator[VideoFrame]:
    first = due = None
    for decoded in container.decode(video=0):
        if decoded.time is None:
            continue
        first = decoded.time if first is None else first
        t = decoded.time - first
        if due is None or t >= due - 1e-6:
            due = (int(t * fps + 1e-6) + 1) / fps
            yield VideoFrame(Image(decoded.to_ndarray(format="rgb24")), max(0.0, t))
