"""Hearing both sides of a recorded call again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omni_agent.devices import Loudspeaker
from omni_agent.media import Audio, Resampler

if TYPE_CHECKING:
    from omni_agent.recorded_call import RecordedCall

_BLOCK = 0.1  # seconds
_AHEAD = 0.5  # seconds that are given to the loudspeaker before they sound


async def heard_again(recording: RecordedCall) -> AsyncIterator[float]:
    """Plays it, and tells again and again how many seconds have sounded.

    Raises DeviceError, MissingExtra.
    """
    rate = recording.output_rate
    loop = asyncio.get_running_loop()
    async with Loudspeaker(rate) as loudspeaker:
        began, given = loop.time(), 0.0
        for block in _mixed(recording, rate):
            loudspeaker.play(block, 0)
            given += block.seconds
            while (sounded := loop.time() - began) < given - _AHEAD:
                yield sounded
                await asyncio.sleep(_BLOCK)
        await loudspeaker.drained()
    yield recording.seconds


def _mixed(recording: RecordedCall, rate: int) -> Iterator[Audio]:
    """Both sides as one sound."""
    agent = _blocks(recording.agent_wav, rate)
    user = _blocks(recording.user_wav, rate) if recording.user_wav else iter(())
    nothing = np.zeros(0, np.float32)
    while True:
        a, b = next(agent, nothing), next(user, nothing)
        if not len(a) and not len(b):
            return
        both = np.zeros(max(len(a), len(b)), np.float32)
        both[: len(a)] += a
        both[: len(b)] += b
        yield Audio(np.clip(both, -1, 1), rate)


def _blocks(path: Path, rate: int) -> Iterator[np.ndarray]:
    """The sound at this rate, `_BLOCK` seconds at a time."""
    import soundfile

    size = round(_BLOCK * rate)
    with soundfile.SoundFile(path) as sound:
        resampler = Resampler(sound.samplerate, rate)
        waiting = np.zeros(0, np.float32)
        while len(samples := sound.read(round(_BLOCK * sound.samplerate), dtype="float32")):
            ready = resampler.push(Audio(samples, sound.samplerate)).samples
            waiting = np.concatenate([waiting, ready])
            while len(waiting) >= size:
                yield waiting[:size]
                waiting = waiting[size:]
        waiting = np.concatenate([waiting, resampler.flush().samples])
        if len(waiting):
            yield waiting
