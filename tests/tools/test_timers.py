import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import ToolError
from omni_agent.events import ToolFinished
from omni_agent.messages import ToolCall
from omni_agent.tools.base import ToolContext, TransientMemory
from omni_agent.tools.runner import ToolRunner
from omni_agent.tools.timer import say_duration
from omni_agent.tools.timers import Timers


class Kitchen:
    """A kitchen whose process can be started again."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.memory = TransientMemory()
        self.said: list[str] = []
        self.context = self.speaking("en")
        self.timers = Timers(self.clock)

    def speaking(self, language: str) -> ToolContext:
        return ToolContext(
            clock=self.clock, language=language, memory=self.memory, announce=self.said.append
        )

    def start(self, name: str, seconds: float, language: str = "en") -> str:
        return self.timers.start(name, seconds, self.speaking(language)).name

    async def pass_time(self, seconds: float) -> None:
        for _ in range(3):
            await asyncio.sleep(0)  # let the timers begin to wait
        await self.clock.advance(seconds)

    def die_and_start_again(self) -> None:
        self.timers.close()
        self.timers = Timers(self.clock)
        self.timers.restore(self.context)


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


async def test_timers_run_in_parallel_and_speak_up_in_the_language_they_were_set_in(
    kitchen: Kitchen,
) -> None:
    kitchen.start("pasta", 480)
    kitchen.start("鸡蛋", 210, "zh")
    kitchen.start("", 60)
    assert [t.name for t in kitchen.timers.list()] == ["timer", "鸡蛋", "pasta"]
    await kitchen.pass_time(60)
    assert kitchen.said == ["Time is up: 1 minute."]
    assert kitchen.timers.remaining("Pasta") == 420
    await kitchen.pass_time(150)
    assert kitchen.said[1:] == ["鸡蛋的时间到了。"]
    await kitchen.pass_time(1000)
    assert kitchen.said[2:] == ["The pasta timer is done."]
    assert kitchen.timers.list() == ()


async def test_a_name_that_is_taken_gets_a_number(kitchen: Kitchen) -> None:
    assert [kitchen.start("Pasta", 60), kitchen.start("pasta", 90)] == ["Pasta", "pasta 2"]
    assert [kitchen.start("", 60), kitchen.start("", 60)] == ["timer", "timer 2"]


async def test_a_paused_timer_stands_still(kitchen: Kitchen) -> None:
    kitchen.start("soup", 100)
    await kitchen.pass_time(40)
    kitchen.timers.pause("soup")
    await kitchen.pass_time(500)
    assert kitchen.timers.remaining("soup") == 60
    kitchen.timers.resume("soup")
    await kitchen.pass_time(59)
    assert kitchen.said == []
    await kitchen.pass_time(1)
    assert kitchen.said == ["The soup timer is done."]


async def test_time_can_be_added_and_a_timer_cancelled(kitchen: Kitchen) -> None:
    kitchen.start("soup", 100)
    kitchen.start("rice", 100)
    kitchen.timers.add("soup", 60)
    kitchen.timers.cancel("rice")
    await kitchen.pass_time(100)
    assert kitchen.said == []
    assert kitchen.timers.remaining() == 60
    with pytest.raises(ToolError, match="cancel it instead"):
        kitchen.timers.add("soup", -60)
    await kitchen.pass_time(60)
    assert kitchen.said == ["The soup timer is done."]


async def test_timers_survive_a_restart_and_tell_what_ended_meanwhile(kitchen: Kitchen) -> None:
    kitchen.start("eggs", 120)
    kitchen.start("面条", 600, "zh")
    kitchen.start("stock", 7200)
    kitchen.start("dough", 50)
    kitchen.timers.pause("dough")
    kitchen.clock._start += timedelta(minutes=20)  # the process is off for 20 minutes
    kitchen.die_and_start_again()
    assert kitchen.said == [
        "While I was away, the eggs timer ended, 18 minutes ago.",
        "我不在的时候，面条的时间到了，那是10分钟前。",
    ]
    assert [t.name for t in kitchen.timers.list()] == ["stock", "dough"]
    assert kitchen.timers.remaining("dough") == 50
    kitchen.die_and_start_again()
    assert len(kitchen.said) == 2
    await kitchen.pass_time(6000)
    assert kitchen.said[2:] == ["The stock timer is done."]


async def test_a_timer_is_found_by_part_of_its_name_or_as_the_only_one(kitchen: Kitchen) -> None:
    with pytest.raises(ToolError, match="no timer is running"):
        kitchen.timers.remaining()
    kitchen.start("green beans", 60)
    assert kitchen.timers.remaining("beans") == 60
    assert kitchen.timers.remaining("the green beans") == 60
    assert kitchen.timers.remaining() == kitchen.timers.remaining("timer") == 60
    kitchen.start("black beans", 90)
    with pytest.raises(ToolError, match="which timer: green beans, black beans"):
        kitchen.timers.cancel("beans")
    with pytest.raises(ToolError, match="'rice'; there is: green beans"):
        kitchen.timers.cancel("rice")


@pytest.mark.parametrize("seconds", [0, -5, 90_000, float("nan")])
async def test_a_length_out_of_range_is_refused(kitchen: Kitchen, seconds: float) -> None:
    with pytest.raises(ToolError, match="up to 24 hours"):
        kitchen.start("x", seconds)


async def test_unreadable_state_is_left_out_and_the_rest_kept(kitchen: Kitchen) -> None:
    kitchen.start("soup", 100)
    state = kitchen.memory.load_state("timers")
    assert state is not None
    kitchen.memory.save_state("timers", {"timers": [{"name": "bad"}, *state["timers"]]})
    kitchen.die_and_start_again()
    assert [t.name for t in kitchen.timers.list()] == ["soup"]


async def say(kitchen: Kitchen, tool: str, language: str, /, **arguments: Any) -> str | None:
    runner = ToolRunner(kitchen.timers.tools)
    call = ToolCall("call_1", tool, arguments)
    events = [e async for e in runner.run([call], kitchen.speaking(language))]
    assert isinstance(events[-1], ToolFinished)
    return events[-1].result.say or events[-1].result.content


async def test_the_tools_answer_in_words_of_both_languages(kitchen: Kitchen) -> None:
    assert await say(kitchen, "list_timers", "en") == "No timer is running."
    assert await say(kitchen, "set_timer", "en", minutes="10") == "The timer is set for 10 minutes."
    assert (
        await say(kitchen, "set_timer", "en", minutes=1.5, name="pasta")
        == "The pasta timer is set for 1 minute and 30 seconds."
    )
    assert await say(kitchen, "set_timer", "zh", minutes=3.5, name="鸡蛋") == (
        "好的，鸡蛋计时3分30秒。"
    )
    assert await say(kitchen, "list_timers", "en") == (
        "Pasta has 1 minute and 30 seconds left, 鸡蛋 has 3 minutes and 30 seconds left, "
        "the timer has 10 minutes left."
    )
    assert await say(kitchen, "cancel_timer", "zh", name="鸡蛋") == "鸡蛋已取消。"
    assert await say(kitchen, "cancel_timer", "en", name="pasta") == (
        "The pasta timer is cancelled."
    )
    assert await say(kitchen, "list_timers", "zh") == "计时器还剩10分钟。"
    assert "greater than 0" in str(await say(kitchen, "set_timer", "en", minutes=0))
    await kitchen.pass_time(600)
    assert kitchen.said == ["Time is up: 10 minutes."]


async def test_a_timer_set_in_a_thread_without_a_loop_says_so(kitchen: Kitchen) -> None:
    problems: list[Exception] = []

    def work() -> None:
        try:
            kitchen.start("x", 5)
        except ToolError as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "event loop" in str(problems[0])


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (1, "1 second", "1秒"),
        (30, "half a minute", "半分钟"),
        (60, "1 minute", "1分钟"),
        (3661, "1 hour and 1 minute and 1 second", "1小时1分1秒"),
        (5400, "1 hour and 30 minutes", "1小时30分钟"),
        (0, "0 seconds", "0秒"),
    ],
)
def test_durations_in_words(seconds: float, en: str, zh: str) -> None:
    assert (say_duration(seconds, "en"), say_duration(seconds, "zh")) == (en, zh)
