"""The camera gives its newest picture, and says in words what is wrong with it."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from videos import made

from omni_agent.errors import DeviceError, MissingExtra, SettingsError
from omni_agent.transports import camera as camera_module
from omni_agent.transports.camera import Camera


class StandIn:
    """OpenCV with a camera of numpy, 30 pictures a second; each is brighter than the one before."""

    error = RuntimeError

    def __init__(self, *, opens: bool = True, pictures: float = 1e9, grey: bool = False) -> None:
        self.opens, self.pictures, self.grey = opens, pictures, grey
        self.count = 0
        self.released = threading.Event()
        self.utils = SimpleNamespace(
            logging=SimpleNamespace(setLogLevel=lambda level: None, LOG_LEVEL_SILENT=0)
        )

    def VideoCapture(self, device: int | str) -> StandIn:
        return self

    def isOpened(self) -> bool:
        return self.opens

    def grab(self) -> bool:
        time.sleep(1 / 30)
        self.count += 1
        return self.count <= self.pictures

    def retrieve(self) -> tuple[bool, Any]:
        if self.grey:
            return True, np.full((48, 64), 7, np.uint8)
        blue_first = np.zeros((48, 64, 3), np.uint8)
        blue_first[..., 0], blue_first[..., 2] = 255, min(255, self.count)
        return True, blue_first

    def release(self) -> None:
        self.released.set()


def plug_in(monkeypatch: pytest.MonkeyPatch, stand_in: StandIn) -> StandIn:
    monkeypatch.setitem(sys.modules, "cv2", stand_in)
    return stand_in


async def until_gone(camera: Camera) -> None:
    async for _ in camera:
        pass


async def test_it_gives_so_many_pictures_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged = plug_in(monkeypatch, StandIn())
    async with Camera(fps=5) as camera:
        frames = [await anext(camera) for _ in range(5)]
    assert np.diff([frame.t for frame in frames]) == pytest.approx([0.2] * 4, abs=0.08)
    assert tuple(frames[0].image.pixels[0, 0]) == (1, 0, 255)
    assert plugged.released.is_set()


async def test_who_is_slow_gets_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, StandIn())
    async with Camera(fps=10) as camera:
        await anext(camera)
        await asyncio.sleep(0.65)
        assert (await anext(camera)).t > 0.45


async def test_a_grey_camera_gives_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, StandIn(grey=True))
    async with Camera() as camera:
        assert (await anext(camera)).image.pixels.shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("platform", "words"),
    [("linux", "group video"), ("darwin", "Privacy & Security, Camera"), ("win32", "desktop apps")],
)
async def test_a_camera_that_is_missing_or_refused_is_told(
    monkeypatch: pytest.MonkeyPatch, platform: str, words: str
) -> None:
    plug_in(monkeypatch, StandIn(opens=False))
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(DeviceError, match=f"camera 3 cannot be opened.*{words}"):
        async with Camera(3):
            pass


async def test_a_camera_that_is_pulled_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged = plug_in(monkeypatch, StandIn(pictures=10))
    async with Camera(fps=30) as camera:
        await anext(camera)
        with pytest.raises(DeviceError, match="camera is gone"):
            await until_gone(camera)
    assert plugged.count == 20
    assert plugged.released.wait(2)


async def test_a_camera_that_gives_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "_DEAD_AFTER", 0.1)
    plugged = plug_in(monkeypatch, StandIn())
    hangs = threading.Event()
    monkeypatch.setattr(plugged, "grab", lambda: hangs.wait(0.5))
    async with Camera() as camera:
        with pytest.raises(DeviceError, match="has given no picture"):
            await anext(camera)
        hangs.set()


async def test_a_driver_that_breaks_down_is_a_camera_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plugged = plug_in(monkeypatch, StandIn())

    def broken() -> tuple[bool, Any]:
        raise RuntimeError("USB error")

    monkeypatch.setattr(plugged, "retrieve", broken)
    with pytest.raises(DeviceError, match="camera is gone"):
        async with Camera() as camera:
            await anext(camera)
    assert "USB error" in caplog.text


async def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r"omni-agent\[camera\]"):
        async with Camera():
            pass
    with pytest.raises(SettingsError, match="fps=0"):
        Camera(fps=0)


async def test_the_real_opencv_reads(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = made(tmp_path / "kettle.mp4", seconds=2, fps=20)
    async with Camera(str(path), fps=20) as camera:
        first = await anext(camera)
        second = await anext(camera)
        with pytest.raises(DeviceError, match="camera is gone"):
            await until_gone(camera)
    assert first.image.size == (64, 48)
    assert second.image.pixels.mean() > first.image.pixels.mean()
    with pytest.raises(DeviceError, match="cannot be opened"):
        async with Camera(str(tmp_path / "none.mp4")):
            pass
