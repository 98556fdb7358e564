"""Tools that look on in the background and speak up when they see something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import ToolDefinitionError, ToolError
from omni_agent.events import ToolFinished, ToolStarted
from omni_agent.media import Image, VideoFrame
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.tools.base import Say, Tool, ToolContext, tool
from omni_agent.tools.frames import FrameFeed, Frames
from omni_agent.tools.runner import ToolRunner


def frame(brightness: int, t: float = 0.0) -> VideoFrame:
    return VideoFrame(Image(np.full((32, 32, 3), brightness, np.uint8)), t)


@tool
async def watch_the_light(frames: Frames, above: int = 100) -> AsyncIterator[str]:
    """Tell when it gets light."""
    async for each in frames:
        if each.image.pixels.mean() > above:
            yield f"It is light: {round(float(each.image.pixels.mean()))}."
            return


class Room:
    """A conversation in which pictures are shown; `said` is what was announced."""

    def __init__(self, *tools: Tool, language: str = "en", conversation: str = "one") -> None:
        self.clock = FakeClock()
        self.feed = FrameFeed()
        self.said: list[str] = []
        self.runner = ToolRunner(tools, clock=self.clock)
        self.context = ToolContext(
            clock=self.clock,
            language=language,
            conversation=conversation,
            announce=self.said.append,
            frames=self.feed,
        )

    async def call(self, name: str, **arguments: Any) -> ToolResult:
        events = self.runner.run([ToolCall("call_1", name, arguments)], self.context)
        last = [event async for event in events][-1]
        assert isinstance(last, ToolFinished)
        return last.result

    async def show(self, *brightness: int, source: str = "camera") -> None:
        for each in brightness:
            self.feed.put(frame(each), source)
            await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def running() -> int:
    return len(asyncio.all_tasks()) - 1


async def test_a_watcher_answers_at_once_and_speaks_up_later() -> None:
    room = Room(watch_the_light)
    await room.show(10)
    begun = await room.call("watch_the_light")
    assert not begun.is_error
    assert begun.say == "I'll keep an eye on it."
    assert "watching" in begun.content
    await room.show(20, 30)
    assert room.said == []
    await room.show(150, 160)
    assert room.said == ["It is light: 150."]
    assert running() == 0


async def test_it_sees_what_is_shown_already() -> None:
    room = Room(watch_the_light, language="zh")
    await room.show(200)
    assert (await room.call("watch_the_light")).say == "好，我帮你看着。"
    await settle()
    assert room.said == ["It is light: 200."]


async def test_its_arguments_are_checked_before_it_starts() -> None:
    room = Room(watch_the_light)
    await room.show(10)
    result = await room.call("watch_the_light", above="bright")
    assert result.is_error
    assert '"above"' in result.content
    assert running() == 0


async def test_a_slow_watcher_gets_the_newest_picture_of_each_source() -> None:
    seen: list[tuple[str, float]] = []
    go_on = asyncio.Event()

    @tool
    async def watch_slowly(frames: Frames) -> AsyncIterator[str]:
        """Watch slowly."""
        async for each in frames:
            seen.append((frames.source, each.t))
            await go_on.wait()
        yield "over"

    room = Room(watch_slowly)
    room.feed.put(frame(1, 0.0))
    await room.call("watch_slowly")
    await settle()
    for i in range(1, 500):
        room.feed.put(frame(1, i / 30))
    room.feed.put(frame(1, 7.0), "screen")
    go_on.set()
    await settle()
    assert seen == [("camera", 0.0), ("camera", 499 / 30), ("screen", 7.0)]
    room.feed.close()
    await settle()
    assert room.said == ["over"]


async def test_a_call_that_ends_ends_its_watchers_and_no_others() -> None:
    ended: list[str] = []

    @tool
    async def watch(frames: Frames, ctx: ToolContext) -> AsyncIterator[str]:
        """Watch."""
        try:
            async for _ in frames:
                pass
        finally:
            ended.append(ctx.conversation)
        yield "never"

    room = Room(watch)
    other = Room(watch, conversation="two")
    other.runner = room.runner
    for each in (room, other):
        await each.show(10)
        await each.call("watch")
    await settle()
    await room.runner.end("one")
    assert ended == ["one"]
    await room.runner.end()
    assert ended == ["one", "two"]
    assert room.said == other.said == []
    assert running() == 0


async def test_the_user_may_have_it_stopped_by_what_is_watched() -> None:
    room = Room(watch_the_light)
    await room.show(10)
    await room.call("watch_the_light", above=50)
    await room.call("watch_the_light", above=90)
    stopped = await room.call("stop_watching", what="90")
    assert stopped.say == "I have stopped watching."
    await room.show(120)
    assert room.said == ["It is light: 120."]
    assert (await room.call("stop_watching")).say == "I am not watching anything."


async def test_watching_the_same_twice_is_watching_once() -> None:
    room = Room(watch_the_light)
    await room.show(10)
    await room.call("watch_the_light")
    assert (await room.call("watch_the_light")).say == "I am still watching."
    await room.show(120)
    assert room.said == ["It is light: 120."]


async def test_only_so_much_is_watched_at_once() -> None:
    room = Room(watch_the_light)
    await room.show(10)
    results = [await room.call("watch_the_light", above=100 + i) for i in range(9)]
    assert [r.is_error for r in results] == [False] * 8 + [True]
    assert "stop one of them first" in results[-1].content
    await room.runner.end()


async def test_without_a_camera_the_model_is_told_to_ask_for_one() -> None:
    room = Room(watch_the_light)
    result = await room.call("watch_the_light")
    assert result.is_error
    assert "shows no camera" in result.content
    room.feed.put(frame(1))
    room.feed.switch_off("camera")
    assert (await room.call("watch_the_light")).is_error
    room.context = ToolContext()
    assert (await room.call("watch_the_light")).is_error


async def test_it_ends_after_its_time_and_says_so() -> None:
    @tool(timeout=120)
    async def watch(frames: Frames) -> AsyncIterator[str]:
        """Watch."""
        async for _ in frames:
            pass
        yield "never"

    room = Room(watch)
    await room.show(10)
    await room.call("watch")
    await settle()
    await room.clock.advance(119)
    await settle()
    assert room.said == []
    await room.clock.advance(2)
    await asyncio.sleep(0.01)
    assert room.said == ["I have been watching for 2 minutes now, and stop."]
    assert running() == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ToolError("the lens is dirty"), "I cannot keep watching: the lens is dirty."),
        (KeyError("x"), "Something went wrong while I was watching, so I have stopped."),
        (TimeoutError("own"), "Something went wrong while I was watching, so I have stopped."),
    ],
)
async def test_a_watcher_that_fails_is_logged_and_says_so(
    error: Exception, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    @tool
    async def watch(frames: Frames) -> AsyncIterator[str]:
        """Watch."""
        async for _ in frames:
            yield "I see."
            raise error

    room = Room(watch)
    await room.show(10)
    await room.call("watch")
    await settle()
    assert room.said == ["I see.", words]
    assert "the watcher watch" in caplog.text
    assert running() == 0


async def test_what_is_yielded_must_be_words(caplog: pytest.LogCaptureFixture) -> None:
    @tool
    async def watch(frames: Frames) -> AsyncIterator[Any]:
        """Watch."""
        yield Say("As a Say.", {"data": 1})
        yield "  "
        yield 42

    room = Room(watch)
    await room.show(10)
    await room.call("watch")
    await settle()
    assert room.said[0] == "As a Say."
    assert "Something went wrong" in room.said[1]
    assert "42, which is no text" in caplog.text


async def test_an_interruption_does_not_stop_it() -> None:
    room = Room(watch_the_light)
    await room.show(10)
    events = room.runner.run([ToolCall("call_1", "watch_the_light", {})], room.context)
    assert isinstance(await anext(events), ToolStarted)
    await events.aclose()
    await room.show(130)
    assert room.said == ["It is light: 130."]


async def test_a_watcher_may_be_a_method_and_may_go_by_time_alone() -> None:
    class Speaker:
        def __init__(self, clock: FakeClock) -> None:
            self.clock = clock

        @tool
        async def remind(self, every: float) -> AsyncIterator[str]:
            """Remind again and again."""
            while True:
                await self.clock.sleep(every)
                yield "Drink something."

    room = Room()
    room.runner = ToolRunner([Speaker(room.clock).remind], clock=room.clock)
    await room.call("remind", every=60)
    await settle()
    for _ in range(3):
        await room.clock.advance(60)
        await settle()
    assert room.said == ["Drink something."] * 3
    await room.runner.end("one")


def test_only_who_watches_gets_the_tool_to_stop_it() -> None:
    @tool
    def look() -> str:
        """Look."""
        return "seen"

    assert [spec.name for spec in ToolRunner([look]).specs] == ["look"]
    both = ToolRunner([look]).with_tools([watch_the_light])
    assert [spec.name for spec in both.specs] == ["look", "watch_the_light", "stop_watching"]
    again = both.with_tools([tool(name="look_again")(look.function)])
    assert list(again.tools) == ["look", "watch_the_light", "look_again", "stop_watching"]
    assert "frames" not in str(watch_the_light.spec.parameters)


def test_frames_are_for_watchers() -> None:
    with pytest.raises(ToolDefinitionError, match="only a watcher"):

        @tool
        async def look(frames: Frames) -> str:
            """Look."""
            return "seen"
