"""The microphone gives sound while it is spoken, the loudspeaker knows what was heard of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from stand_in_sounddevice import SoundCards

from omni_agent import devices
from omni_agent.devices import Loudspeaker, Microphone, PulledLoudspeaker, default_device
from omni_agent.errors import DeviceError, MissingExtra
from omni_agent.media import Audio


def plug_in(monkeypatch: pytest.MonkeyPatch, cards: SoundCards) -> SoundCards:
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    return cards


def tone(seconds: float, rate: int) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)


async def test_the_microphone_gives_100_ms_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    speech = tone(0.3, 16_000)
    cards = plug_in(monkeypatch, SoundCards(speech=speech))
    async with Microphone(16_000) as microphone:
        chunks = [await anext(microphone) for _ in range(3)]
    assert [chunk.seconds for chunk in chunks] == [0.1, 0.1, 0.1]
    assert np.array_equal(Audio.join(chunks).samples, speech)
    assert cards.streams[0].closed


async def test_a_microphone_of_another_rate_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, SoundCards(microphone=48_000, speech=tone(1.0, 48_000)))
    async with Microphone(16_000) as microphone:
        chunks = [await anext(microphone) for _ in range(5)]
    sound = Audio.join(chunks)
    assert sound.rate == 16_000
    assert sound.seconds == pytest.approx(0.5, abs=0.05)
    assert 0.4 < np.abs(sound.samples).max() < 0.6


async def test_what_nobody_takes_is_dropped_from_the_old_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_KEPT", 0.2)
    plug_in(monkeypatch, SoundCards())
    async with Microphone() as microphone:
        async with asyncio.timeout(30):
            while microphone.dropped < 2:
                await asyncio.sleep(0.05)


async def test_the_loudspeaker_plays_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards())
    async with Loudspeaker(24_000) as loudspeaker:
        loudspeaker.play(Audio(tone(0.1, 24_000), 24_000), 4)
        loudspeaker.play(Audio(tone(0.1, 24_000), 24_000), 9)
        played = await loudspeaker.drained()
        assert (played.ms, played.chars) == (200, 9)
        loudspeaker.play(Audio(tone(0.1, 24_000), 24_000), 4)
        assert (await loudspeaker.drained()).ms == 100
    heard = np.concatenate(cards.heard)
    assert np.count_nonzero(heard) == pytest.approx(0.3 * 24_000, abs=20)


async def test_an_interrupted_loudspeaker_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards())
    async with Loudspeaker(24_000) as loudspeaker:
        loudspeaker.play(Audio(tone(5.0, 24_000), 24_000), 100)
        await asyncio.sleep(0.2)
        played = loudspeaker.interrupt()
        before = len(cards.heard)
        await asyncio.sleep(0.1)
        assert 100 <= played.ms <= 400
        assert played.chars == pytest.approx(played.ms / 50, abs=1)
        assert not np.concatenate(cards.heard[before + 1 :]).any()


async def test_a_loudspeaker_of_another_rate_is_resampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = plug_in(monkeypatch, SoundCards(loudspeaker=48_000))
    async with Loudspeaker(24_000) as loudspeaker:
        loudspeaker.play(Audio(tone(0.2, 24_000), 24_000), 10)
        played = await loudspeaker.drained()
    assert played.chars == 10
    assert played.ms == pytest.approx(200, abs=2)
    assert np.count_nonzero(np.concatenate(cards.heard)) == pytest.approx(9600, abs=200)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtra, match=r'pip install "omni-agent\[audio\]"'):
        default_device("input")


@pytest.mark.parametrize(
    ("platform", "install"),
    [("linux", "apt install libportaudio2"), ("darwin", "brew install portaudio")],
)
def test_a_missing_portaudio_is_told_with_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, install: str
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(DeviceError, match=install):
        default_device("output")


def test_no_device_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, SoundCards(microphone=None, loudspeaker=None))
    with pytest.raises(DeviceError, match="There is no microphone"):
        default_device("input")
    with pytest.raises(DeviceError, match="There is no loudspeaker"):
        default_device("output")


async def test_a_refusal_names_the_device_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, SoundCards(refuses="Device unavailable [PaErrorCode -9985]"))
    with pytest.raises(
        DeviceError, match=r"microphone “test input” .*unavailable.*another program"
    ):
        async with Microphone():
            pass


async def test_a_microphone_that_is_pulled_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards())
    async with Microphone() as microphone:
        await anext(microphone)
        await asyncio.to_thread(cards.unplug)
        with pytest.raises(DeviceError, match="microphone is gone"):
            _ = [chunk async for chunk in microphone]


async def test_a_microphone_that_gives_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_DEAD_AFTER", 0.05)
    cards = plug_in(monkeypatch, SoundCards())
    monkeypatch.setattr(cards, "InputStream", lambda **options: _Dead())
    async with Microphone() as microphone:
        with pytest.raises(DeviceError, match="has given no sound"):
            await anext(microphone)


async def test_a_loudspeaker_that_is_pulled_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards())
    async with Loudspeaker() as loudspeaker:
        loudspeaker.play(Audio(tone(9.0, 24_000), 24_000), 10)
        await asyncio.to_thread(cards.unplug)
        with pytest.raises(DeviceError, match="loudspeaker is gone"):
            await loudspeaker.drained()


class _Dead:
    def start(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


# --- a loudspeaker that is pulled from -----------------------------------------------------------


class Well:
    """Gives a tone for a second and then silence; `ahead`: how far ahead it was asked."""

    def __init__(self, rate: int) -> None:
        self.sound = np.concatenate([tone(1.0, rate), np.zeros(rate * 60, np.float32)])
        self.taken = 0
        self.ahead: list[float] = []

    def __call__(self, n: int, /, *, ahead: float) -> np.ndarray:
        self.ahead.append(ahead)
        self.taken += n
        return self.sound[self.taken - n : self.taken]


async def test_it_plays_what_it_pulls(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards())
    well = Well(24_000)
    async with PulledLoudspeaker(well, 24_000):
        await asyncio.sleep(0.3)
    heard = np.concatenate(cards.heard)
    assert np.array_equal(heard, well.sound[: len(heard)])
    assert set(well.ahead) == {0.0}


@pytest.mark.parametrize("device", [48_000, 44_100, 16_000])
async def test_a_device_of_another_rate_gets_the_sound_in_full(
    monkeypatch: pytest.MonkeyPatch, device: int
) -> None:
    cards = plug_in(monkeypatch, SoundCards(loudspeaker=device))
    well = Well(24_000)
    async with PulledLoudspeaker(well, 24_000):
        while sum(map(len, cards.heard)) < 1.3 * device:
            await asyncio.sleep(0.05)
    heard = np.concatenate(cards.heard)
    loud = np.flatnonzero(np.abs(heard) > 0.1)
    assert (loud[-1] - loud[0]) / device == pytest.approx(1.0, abs=0.02)
    assert loud[0] / device < 0.06
    assert max(well.ahead) < 0.05


async def test_a_pulled_loudspeaker_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = plug_in(monkeypatch, SoundCards())
    async with PulledLoudspeaker(Well(24_000), 24_000) as loudspeaker:
        gone = asyncio.create_task(loudspeaker.gone())
        await asyncio.sleep(0.05)
        assert not gone.done()
        await asyncio.to_thread(cards.unplug)
        with pytest.raises(DeviceError, match="loudspeaker is gone"):
            await gone


async def test_a_microphone_may_give_short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, SoundCards(speech=tone(1.0, 16_000)))
    async with Microphone(16_000, chunk=0.02) as microphone:
        assert (await anext(microphone)).seconds == 0.02
