"""A call over files: what is heard and seen when, and what comes out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from fake_call import FakeCall
from videos import made

from omni_agent.errors import MediaError, UnreadableMedia
from omni_agent.events import CallEnded, TextDelta
from omni_agent.media import Audio
from omni_agent.transports.files import frames_of, play_files
from omni_agent.virtual_clock import VirtualClock

SPEECH = Audio(np.linspace(-0.5, 0.5, 16_000, dtype=np.float32), 16_000)


async def test_speech_goes_in_and_the_reply_comes_out_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    async with VirtualClock() as clock:
        call = FakeCall(answer_after=1.5, seconds=0.7, clock=clock)
        result = await play_files(call, SPEECH, reply=path, quiet=1.0, clock=clock)
        assert clock.monotonic() == pytest.approx(3.2, abs=0.05)
    heard = Audio.join(call.heard).samples
    assert np.array_equal(heard[:16_000], SPEECH.samples)
    assert not heard[16_000:].any()
    loud = np.flatnonzero(result.reply.samples) / 24_000
    assert loud[0] == pytest.approx(1.5, abs=0.03)
    assert loud[-1] == pytest.approx(2.2, abs=0.03)
    assert result.reply.seconds == pytest.approx(3.2, abs=0.05)
    assert [type(event) for event in result.events] == [TextDelta]
    written = Audio.load(path)
    assert len(written.samples) == len(result.reply.samples)
    assert np.abs(written.samples - result.reply.samples).max() < 1e-3


async def test_the_pace_is_real_on_a_real_clock(tmp_path: Path) -> None:
    began = asyncio.get_running_loop().time()
    await play_files(FakeCall(), SPEECH.save(tmp_path / "speech.wav"), quiet=0.2)
    assert asyncio.get_running_loop().time() - began == pytest.approx(1.2, abs=0.15)


async def test_a_video_is_shown_beside_the_sound(tmp_path: Path) -> None:
    video = made(tmp_path / "kettle.mp4", seconds=2, fps=10)
    async with VirtualClock() as clock:
        call = FakeCall(clock=clock)
        await play_files(call, SPEECH, video=video, quiet=0.5, clock=clock)
    assert {source for source, _ in call.seen} == {"camera"}
    assert call.seen_at == pytest.approx([0.2 * i for i in range(10)], abs=0.021)
    times = [frame.t for _, frame in call.seen]
    assert times == pytest.approx([0.2 * i for i in range(10)], abs=0.01)
    brightness = [frame.image.pixels.mean() for _, frame in call.seen]
    assert brightness == sorted(brightness)


async def test_it_ends_with_the_call_and_at_the_longest() -> None:
    async with VirtualClock() as clock:
        call = FakeCall(clock=clock)
        playing = asyncio.create_task(play_files(call, SPEECH, clock=clock))
        await clock.sleep(0.3)
        call.end()
        result = await playing
        assert isinstance(result.events[-1], CallEnded)
        assert result.reply.seconds == pytest.approx(0.3, abs=0.05)

        talkative = FakeCall(answer_after=0.1, seconds=10, clock=clock)
        result = await play_files(talkative, SPEECH, longest=3.0, clock=clock)
        assert result.reply.seconds == pytest.approx(3.0)


async def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await play_files(FakeCall(), tmp_path / "none.wav")
    (tmp_path / "bad.mp4").write_bytes(b"not a video at all" * 100)
    with pytest.raises(UnreadableMedia, match=r"bad\.mp4"):
        next(frames_of(tmp_path / "bad.mp4"))
    with pytest.raises(FileNotFoundError, match=r"none\.mp4"):
        next(frames_of(tmp_path / "none.mp4"))
    sound = SPEECH.save(tmp_path / "only_sound.wav")
    with pytest.raises(MediaError, match="no picture"):
        next(frames_of(sound))
