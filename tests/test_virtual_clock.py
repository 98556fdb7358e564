"""A virtual clock jumps where nobody works, and never ahead of somebody who does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from omni_agent import virtual_clock
from omni_agent.clock import FakeClock
from omni_agent.errors import UsageError
from omni_agent.events import TextDelta
from omni_agent.messages import Text
from omni_agent.model.base import ResponseOptions
from omni_agent.model.on_clock import OnClock
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.virtual_clock import VirtualClock, working


async def test_an_hour_passes_at_once() -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    began = time.monotonic()
    async with clock:
        await clock.sleep(3600)
    assert clock.monotonic() == 3600
    assert clock.now() == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert time.monotonic() - began < 1


async def test_sleepers_wake_in_order_and_see_the_time_they_asked_for() -> None:
    clock = VirtualClock()
    log: list[tuple[str, float]] = []

    async def sleep(name: str, *seconds: float) -> None:
        for part in seconds:
            await clock.sleep(part)
            log.append((name, clock.monotonic()))

    async with clock:
        await asyncio.gather(sleep("a", 0.3, 0.3), sleep("b", 0.1, 0.4), sleep("c", 0.2))
    assert log == [("b", 0.1), ("c", 0.2), ("a", 0.3), ("b", 0.5), ("a", 0.6)]


async def test_everybody_is_done_with_a_moment_before_the_next_comes() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    async def many_steps() -> None:
        await clock.sleep(1)
        for _ in range(100):
            await asyncio.sleep(0)
        seen.append(clock.monotonic())

    async with clock:
        await asyncio.gather(many_steps(), clock.sleep(1.001))
    assert seen == [1]


async def test_who_waits_until_a_moment_comes_after_all_who_sleep_to_it() -> None:
    clock = VirtualClock()
    log: list[str] = []

    async def late() -> None:
        await clock.until(1.0)
        log.append("until")

    async def sleep() -> None:
        await clock.sleep(1.0)
        log.append("sleep")

    async with clock:
        await asyncio.gather(late(), sleep())
    assert log == ["sleep", "until"]


async def test_a_sleeper_that_is_cancelled_holds_nobody_up() -> None:
    clock = VirtualClock()
    async with clock:
        gone = asyncio.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        gone.cancel()
        await clock.sleep(10)
    assert clock.monotonic() == 10


async def in_a_thread(clock: VirtualClock, work: Callable[[], Any]) -> float:
    """Work beside somebody who sleeps for an hour; what the clock says when it is done."""
    async with clock:
        sleeping = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        with working(clock):
            await asyncio.to_thread(work)
        done_at = clock.monotonic()
        sleeping.cancel()
    return done_at


async def test_work_in_a_thread_takes_no_time_where_work_is_free() -> None:
    assert await in_a_thread(VirtualClock(), lambda: time.sleep(0.1)) == 0


async def test_work_in_a_thread_takes_its_time_where_work_is_timed() -> None:
    done_at = await in_a_thread(VirtualClock(work="timed"), lambda: time.sleep(0.1))
    assert 0.1 <= done_at < 5


async def test_who_sleeps_during_timed_work_wakes_when_it_is_time() -> None:
    clock = VirtualClock(work="timed")
    go = threading.Event()

    async def worker() -> None:
        with working(clock):
            await asyncio.to_thread(go.wait)

    async with clock:
        busy = asyncio.create_task(worker())
        await clock.sleep(0.05)
        assert 0.05 <= clock.monotonic() < 5
        go.set()
        await busy
        await clock.sleep(1000)


async def test_time_never_goes_back() -> None:
    clock = VirtualClock(work="timed")
    seen: list[float] = []

    async def worker() -> None:
        for _ in range(20):
            with working(clock):
                await asyncio.to_thread(seen.append, clock.monotonic())
            seen.append(clock.monotonic())

    async with clock:
        await asyncio.gather(worker(), clock.sleep(0.001), clock.sleep(0.002))
    assert seen == sorted(seen)


async def test_sleeping_is_no_work() -> None:
    clock = VirtualClock()
    async with clock:
        with working(clock):
            await clock.sleep(100)
    assert clock.monotonic() == 100


async def test_work_that_waits_for_time_by_other_ways_is_let_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(virtual_clock, "_STUCK", 0.05)
    clock = VirtualClock()
    rings = asyncio.Event()

    async def bell() -> None:
        await clock.sleep(0.1)
        rings.set()

    async with clock:
        ringing = asyncio.create_task(bell())
        with working(clock):
            await rings.wait()
        await ringing
    assert "time passes meanwhile" in caplog.text


async def test_two_clocks_run_beside_each_other() -> None:
    one, other = VirtualClock(), VirtualClock()
    async with one, other:
        await asyncio.gather(one.sleep(10), other.sleep(20))
    assert (one.monotonic(), other.monotonic()) == (10, 20)


async def test_a_clock_is_set_before_anybody_sleeps() -> None:
    clock = VirtualClock()
    clock.begin(at=7.25, now=datetime(2026, 5, 1, tzinfo=UTC))
    assert (clock.monotonic(), clock.now()) == (7.25, datetime(2026, 5, 1, tzinfo=UTC))
    async with clock:
        sleeping = asyncio.create_task(clock.sleep(1))
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="somebody sleeps"):
            clock.begin(at=0, now=datetime(2026, 5, 1, tzinfo=UTC))
        await sleeping


async def test_to_another_clock_work_means_nothing() -> None:
    with working(FakeClock()):
        pass


def test_a_loop_that_does_not_tell_whether_it_is_idle_will_do() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def nap() -> float:
        clock = VirtualClock()
        async with clock:
            await asyncio.gather(clock.sleep(5), clock.sleep(60))
        return clock.monotonic()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(nap()) == 60


# --- a model under it -------------------------------------------------------------------------


def in_threads(*turns: Any) -> ScriptedModel:
    """A model that thinks in a thread, on a clock of its own."""

    async def think(_: object) -> None:
        await asyncio.to_thread(time.sleep, 0.05)

    return ScriptedModel(*([think, turn] for turn in turns))


async def first_word(clock: VirtualClock, model: ScriptedModel) -> TextDelta:
    session = await OnClock(model, clock).open_session("Be brief.")
    await session.feed(Text("hi"))
    async for event in session.respond(ResponseOptions()):
        if isinstance(event, TextDelta):
            return event
    raise AssertionError("it said nothing")


@pytest.mark.parametrize(("work", "took"), [("free", 0.0), ("timed", 0.05)])
async def test_a_model_is_waited_for_and_speaks_by_the_clock(work: Any, took: float) -> None:
    clock = VirtualClock(work=work)
    async with clock:
        sleeping = asyncio.create_task(clock.sleep(3600))
        event = await first_word(clock, in_threads("Hello."))
        sleeping.cancel()
    assert took <= event.t < took + 5
    assert event.t == 0 or work == "timed"


async def test_a_model_that_pauses_on_the_clock_lets_it_jump() -> None:
    clock = VirtualClock()
    async with clock:
        event = await first_word(clock, ScriptedModel([Pause(30), "Hello."], clock=clock))
    assert event.t == 30


async def test_the_rest_of_a_session_is_the_models_own() -> None:
    clock = VirtualClock()
    model = ScriptedModel("One.", "Two.", transcripts=["hi"])
    on_clock = OnClock(model, clock)
    assert on_clock.profile is model.profile
    session = await on_clock.open_session("Be brief.", voice="tone")
    assert await session.transcript() is None
    assert session.caption is None
    assert session.overhear() is None
    for verb in ("reopen", "discard", "close"):
        step: Coroutine[Any, Any, None] = getattr(session, verb)()
        await step
    assert (model.sessions[0].voice, model.sessions[0].closed) == ("tone", True)
    await on_clock.close()
    assert model.closed
