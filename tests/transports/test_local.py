"""A call over this machine's devices, on sound cards and a camera of numpy."""

from __future__ import annotations

import asyncio
import sys

import numpy as np
import pytest
from fake_call import FakeCall
from stand_in_sounddevice import SoundCards
from test_camera import StandIn

from omni_agent.errors import DeviceError
from omni_agent.media import Audio
from omni_agent.transports.camera import Camera
from omni_agent.transports.echo import HalfDuplex, Headphones
from omni_agent.transports.local import LocalDevices

SPEECH = np.linspace(-0.5, 0.5, 32_000, dtype=np.float32)


def plug_in(monkeypatch: pytest.MonkeyPatch, cards: SoundCards) -> SoundCards:
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    return cards


async def until(condition: object, seconds: float = 5.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_is_said_is_heard_and_what_is_answered_sounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = plug_in(monkeypatch, SoundCards(speech=SPEECH))
    call = FakeCall(answer_after=0.4, seconds=0.3)
    async with LocalDevices(call, echo=Headphones()):
        await until(lambda: sum(map(np.count_nonzero, cards.heard)) > 0.29 * 24_000)
    heard = Audio.join(call.heard)
    assert heard.rate == 16_000
    assert np.array_equal(heard.samples[:6000], SPEECH[:6000])
    assert all(stream.closed for stream in cards.streams)
    assert len(asyncio.all_tasks()) == 1


async def test_the_microphone_is_open_only_while_the_talk_button_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plug_in(monkeypatch, SoundCards(speech=SPEECH))
    call = FakeCall()
    async with LocalDevices(call, echo=Headphones(), is_listening=False) as devices:
        await asyncio.sleep(0.2)
        assert call.heard == []
        devices.is_listening = True
        await until(lambda: call.seconds_heard > 0.2)
        assert devices.level_dbfs > -20
        devices.is_listening = False
        await asyncio.sleep(0.1)
        before = call.seconds_heard
        await asyncio.sleep(0.2)
        assert call.seconds_heard == before


async def test_half_duplex_closes_the_microphone_while_the_agent_speaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plug_in(monkeypatch, SoundCards(speech=np.full(64_000, 0.5, np.float32)))
    call = FakeCall(answer_after=0.3, seconds=0.5)
    async with LocalDevices(call, echo=HalfDuplex()):
        await until(lambda: call.seconds_heard > 2)
    silent = np.flatnonzero(Audio.join(call.heard).samples[:30_000] == 0) / 16_000
    assert silent[0] == pytest.approx(0.35, abs=0.2)
    assert silent[-1] - silent[0] == pytest.approx(1.0, abs=0.25)


async def test_the_camera_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, SoundCards())
    monkeypatch.setitem(sys.modules, "cv2", StandIn())
    call = FakeCall()
    async with LocalDevices(call, camera=Camera(fps=10), echo=Headphones()):
        await until(lambda: len(call.seen) >= 3)
    assert {source for source, _ in call.seen} == {"camera"}


async def test_a_call_goes_on_without_its_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, SoundCards())
    told: list[str] = []
    for stand_in, words in (
        (StandIn(opens=False), "cannot be opened"),
        (StandIn(pictures=3), "gone"),
    ):
        monkeypatch.setitem(sys.modules, "cv2", stand_in)
        call = FakeCall()
        async with LocalDevices(call, camera=Camera(fps=10), echo=Headphones(), tell=told.append):
            await until(lambda: told)
            before = call.seconds_heard
            await until(lambda: call.seconds_heard > before)  # noqa: B023
        assert words in told.pop()
        assert call.hidden == ["camera"]


async def test_a_device_that_is_pulled_out_in_the_middle_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for gone in ("input", "output"):
        cards = plug_in(monkeypatch, SoundCards())
        async with LocalDevices(FakeCall(), echo=Headphones()) as devices:
            lost = asyncio.create_task(devices.lost())
            await asyncio.sleep(0.1)
            assert not lost.done()
            stream = next(s for s in cards.streams if s._kind == gone)
            await asyncio.to_thread(stream.end)
            what = "microphone" if gone == "input" else "loudspeaker"
            with pytest.raises(DeviceError, match=f"{what} is gone"):
                await lost


async def test_a_missing_microphone_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards(microphone=None))
    with pytest.raises(DeviceError, match="There is no microphone"):
        async with LocalDevices(FakeCall(), echo=Headphones()):
            pass
    assert all(stream.closed for stream in cards.streams)
