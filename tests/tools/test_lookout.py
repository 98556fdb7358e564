"""The watchers that are shipped: something changes, a text appears."""

from __future__ import annotations

import asyncio

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import pytest

from omni_agent.clock import FakeClock
from omni_agent.media import Image, VideoFrame
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.tools.base import ToolContext
from omni_agent.tools.frames import FrameFeed
from omni_agent.tools.lookout import Lookout, Reader
from omni_agent.tools.runner import ToolRunner

GRAIN = np.random.default_rng(0).standard_normal((480, 640, 3), np.float32)


def kitchen(*, cat_at: int | None = None, shadow: float = 1.0, seed: int = 0) -> Image:
    """A worktop with pots, filmed by hand; a cat may sit on it."""
    picture = PIL.Image.new("RGB", (640, 480), (150, 140, 130))
    draw = PIL.ImageDraw.Draw(picture)
    for x in (40, 250, 460):
        draw.ellipse((x, 150, x + 130, 280), fill=(90, 95, 100))
    if cat_at is not None:
        draw.ellipse((cat_at, 180, cat_at + 140, 400), fill=(235, 190, 120))
    pixels = np.asarray(picture).astype(np.float32) * shadow + 6 * np.roll(GRAIN, seed * 97, axis=1)
    tremble = seed % 5 - 2
    return Image(np.roll(np.clip(pixels, 0, 255), tremble, axis=(0, 1)).astype(np.uint8))


def sign(*lines: str, at: tuple[int, int] = (60, 60), size: int = 44) -> Image:
    picture = PIL.Image.new("RGB", (900, 420), "white")
    draw = PIL.ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        font = PIL.ImageFont.load_default(size)
        draw.text((at[0], at[1] + 90 * i), line, fill="black", font=font)
    return Image(np.asarray(picture))


class Call:
    def __init__(self, reader: Reader | None = None, language: str = "en") -> None:
        self.feed, self.clock, self.said = FrameFeed(), FakeClock(), list[str]()
        self.runner = ToolRunner(Lookout(reader).tools)
        self.context = ToolContext(
            clock=self.clock, language=language, announce=self.said.append, frames=self.feed
        )

    async def ask(self, name: str, **arguments: str) -> ToolResult:
        events = self.runner.run([ToolCall("c", name, dict(arguments))], self.context)
        result: ToolResult = [event async for event in events][-1].result  # type: ignore[union-attr]
        await self.settle()
        return result

    async def show(self, *pictures: Image, source: str = "camera") -> None:
        for picture in pictures:
            self.feed.put(VideoFrame(picture, 0.0), source)
            await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


# --- something changes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "cat_at", "words"),
    [
        ("en", 20, "Something has changed in the picture, on the left."),
        ("en", 470, "Something has changed in the picture, on the right."),
        ("zh", 250, "画面中间有变化。"),
    ],
)
async def test_a_cat_on_the_worktop_is_told_with_its_place(
    language: str, cat_at: int, words: str
) -> None:
    call = Call(language=language)
    await call.show(kitchen())
    await call.ask("watch_for_change")
    await call.show(*(kitchen(seed=i, shadow=1 + 0.1 * (i % 3)) for i in range(20)))
    assert call.said == []
    await call.show(kitchen(cat_at=cat_at, seed=1), kitchen(cat_at=cat_at, seed=2))
    assert call.said == [words]


async def test_what_only_flashes_by_is_not_told() -> None:
    call = Call()
    await call.show(kitchen())
    await call.ask("watch_for_change")
    await call.show(kitchen(cat_at=20), kitchen(seed=1), kitchen(cat_at=20), kitchen(seed=2))
    assert call.said == []


async def test_a_camera_that_is_still_dark_has_not_changed() -> None:
    call = Call()
    dark = Image(np.zeros((480, 640, 3), np.uint8))
    await call.show(dark)
    await call.ask("watch_for_change")
    await call.show(dark, kitchen(), kitchen(seed=1), kitchen(seed=2))
    assert call.said == []
    await call.show(kitchen(cat_at=470), kitchen(cat_at=470, seed=1))
    assert len(call.said) == 1


async def test_on_a_screen_a_line_of_text_is_a_change() -> None:
    call = Call()
    await call.show(sign("Waiting"), source="screen")
    await call.ask("watch_for_change")
    await call.show(sign("Waiting"), sign("Waiting"), source="screen")
    assert call.said == []
    await call.show(*[sign("Waiting", "Done: 3 files")] * 2, source="screen")
    assert call.said[0].startswith("Something has changed on the screen")


# --- a text appears ----------------------------------------------------------------------------


class Line:
    def __init__(self, text: str) -> None:
        self.text = text


class Reads:
    """A reader to which the brightness of a picture tells what stands in it."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.read_so_far = 0

    def read(self, image: Image) -> list[Line]:
        self.read_so_far += 1
        return [Line(text) for text in self.texts[int(image.pixels.max()) // 50].split("|")]


def page(number: int) -> Image:
    return Image(np.full((64, 64, 3), number * 50, np.uint8))


async def told(wanted: str, *texts: str, language: str = "en") -> list[str]:
    call = Call(Reads("nothing", *texts), language)
    await call.show(page(0))
    await call.ask("watch_for_text", text=wanted)
    for number in range(1, len(texts) + 1):
        await asyncio.sleep(0.02)
        await call.show(page(number))
        await asyncio.sleep(0.02)
        await call.clock.advance(2)
    await asyncio.sleep(0.02)
    await call.runner.end()
    return call.said


@pytest.mark.parametrize(
    ("wanted", "written"),
    [
        ("boarding", "Gate 12|BOARDING"),
        ("build finished", "== Build   finished! =="),
        ("build finished", "Build|finished"),
        ("boarding", "Now Boardlng"),
        ("A15", "请A15号到3号窗口"),
        ("下载完成", "下载 完成"),
        ("下载完成", "文件“报告”下载完成。"),
    ],
)
async def test_a_text_is_found_as_it_is_written_and_as_it_is_read(
    wanted: str, written: str
) -> None:
    said = await told(wanted, written)
    assert len(said) == 1
    assert said[0].startswith("It says now: ")


@pytest.mark.parametrize(
    ("wanted", "written"),
    [
        ("15", "Bus 150"),
        ("A15", "A16"),
        ("bus 15", "bus 16"),
        ("open", "opening hours"),
        ("train", "rain"),
        ("boarding", "delayed"),
    ],
)
async def test_what_only_resembles_it_is_not_told(wanted: str, written: str) -> None:
    assert await told(wanted, written) == []


async def test_the_same_picture_is_read_once_and_reading_rests() -> None:
    reader = Reads("a", "b")
    call = Call(reader)
    await call.show(page(0))
    await call.ask("watch_for_text", text="xyz")
    for _ in range(5):
        await asyncio.sleep(0.01)
        await call.show(page(0))
        await call.clock.advance(2)
    assert reader.read_so_far == 1
    await call.show(page(1))
    await asyncio.sleep(0.02)
    assert reader.read_so_far == 2
    await call.show(page(0), page(1), page(0))
    await asyncio.sleep(0.02)
    assert reader.read_so_far == 2
    await call.runner.end()


async def test_there_must_be_something_to_look_for(caplog: pytest.LogCaptureFixture) -> None:
    call = Call(Reads("a"), "zh")
    await call.show(page(0))
    await call.ask("watch_for_text", text="?!")
    assert "no letters" in call.said[0]


def test_without_a_reader_only_changes_are_looked_for() -> None:
    assert [tool.name for tool in Lookout().tools] == ["watch_for_change"]


async def test_a_real_sign_is_read() -> None:
    pytest.importorskip("rapidocr")  # its wheel brings the weights
    from omni_agent.model.compact.eyes import Eyes

    call = Call(Eyes())
    await call.show(sign("Train to Oslo", "delayed"))
    await call.ask("watch_for_text", text="boarding")
    await asyncio.sleep(0)
    while not call.said:  # reading takes its time, the first one most
        await call.show(sign("Train to Oslo", "Boarding at gate 7"))
        await call.clock.advance(2)
        await asyncio.sleep(0.05)
    assert call.said == ["It says now: Boarding at gate 7."]
