"""What happens in one turn, told by its events."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest

from omni_agent.agent import Agent
from omni_agent.clock import FakeClock
from omni_agent.errors import (
    GenerationError,
    MemoryCorrupt,
    MemoryStoreError,
    TurnNotRemembered,
)
from omni_agent.events import (
    AudioDelta,
    Event,
    MemoryRecalled,
    MemoryStored,
    RecalledMemory,
    Reply,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from omni_agent.media import Audio
from omni_agent.memory.records import TurnRecord
from omni_agent.messages import Context, Heard, ToolCall, ToolResult
from omni_agent.model.base import MalformedCall
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.tools.base import Say, Tool, ToolContext, tool
from omni_agent.wording import APOLOGY, HEARD_NOTHING, TOO_MANY_STEPS

about = partial(pytest.approx, abs=0.11)  # the clock is moved in steps of 0.05 s
SOUND = Audio.silence(0.5, 16_000)
LOOK = ToolCall("call_1", "look", {})
BROKEN = MalformedCall('{"name": look', "the name is not in quotes.")


def tool_of(function: Callable[..., Any], **options: Any) -> Tool:
    function.__doc__ = function.__doc__ or "Look."
    made: Tool = tool(**options)(function)
    return made


def look_that(gives: Any, **options: Any) -> Tool:
    async def look() -> Any:
        if isinstance(gives, Exception):
            raise gives
        return gives

    return tool_of(look, **options)


def slow_look(clock: FakeClock, seconds: float, *, name: str = "look", **options: Any) -> Tool:
    async def look() -> str:
        await clock.sleep(seconds)
        return f"seen after {seconds:g} s"

    return tool_of(look, name=name, **options)


class Notebook:
    """A memory that tells in which order it was asked what."""

    def __init__(
        self,
        *found: RecalledMemory,
        recall: Callable[[], object] = lambda: None,
        record: Callable[[], object] = lambda: None,
    ) -> None:
        self.log: list[str] = []
        self.turns: list[TurnRecord] = []
        self._found = found
        self._on_recall, self._on_record = recall, record

    def recall(self, query: str, **_: Any) -> tuple[RecalledMemory, ...]:
        self.log.append("recall")
        self._on_recall()
        return self._found

    def record_turn(self, turn: TurnRecord) -> tuple[str, ...]:
        self._on_record()
        self.log.append("record")
        self.turns.append(turn)
        return (f"e_{len(self.turns)}",)


def fail(error: Exception) -> Callable[[], object]:
    def raise_it() -> object:
        raise error

    return raise_it


def agent_of(model: ScriptedModel, *tools: Tool, memory: Any = None, **options: Any) -> Agent:
    return Agent("Be kind.", model=model, tools=tools, memory=memory, **options)


async def events_of(stream: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in stream]


async def at(clock: FakeClock, seconds: float, work: asyncio.Task[Any]) -> None:
    """Move the clock on in small steps, so that everybody gets on with what they do."""
    for _ in range(round(seconds * 20)):
        for _ in range(20):
            await asyncio.sleep(0)
        await clock.advance(0.05)
    for _ in range(20):
        await asyncio.sleep(0)


# --- words ---------------------------------------------------------------------------------------


async def test_words_stream_as_they_come() -> None:
    clock = FakeClock()
    model = ScriptedModel(["One ", Pause(1), "two"], clock=clock)
    seen: list[Event] = []

    async def read() -> None:
        async for event in agent_of(model, clock=clock).stream("Count."):
            seen.append(event)

    work = asyncio.create_task(read())
    await at(clock, 0.5, work)
    assert [e.text for e in seen if isinstance(e, TextDelta)] == ["One "]
    await at(clock, 1, work)
    await work
    assert isinstance(seen[0], TurnStarted)
    assert isinstance(seen[-1], TurnFinished)
    assert seen[-1].reply.text == "One two"


async def test_the_deltas_joined_are_the_reply_also_around_a_tool() -> None:
    for first, second, whole in [
        ("Let me look.", "There it is.", "Let me look. There it is."),
        ("我看看。", "在这里。", "我看看。在这里。"),
    ]:
        model = ScriptedModel([first, LOOK], second, audio=True)
        events = await events_of(agent_of(model, look_that("there")).stream("Where?", speak=True))
        reply = events[-1].reply  # type: ignore[union-attr]
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == whole == reply.text
        assert [e.text_upto for e in events if isinstance(e, AudioDelta)][-1] == len(whole)


async def test_the_timings_are_those_of_the_clock() -> None:
    clock = FakeClock()
    model = ScriptedModel(
        [Pause(0.5), LOOK], [Pause(0.25), "There."], audio=True, clock=clock, transcripts=["Where?"]
    )
    agent = agent_of(model, slow_look(clock, 2, filler="One moment."), clock=clock)
    work = asyncio.create_task(agent.ask(SOUND))
    await at(clock, 4, work)
    timings = (await work).timings
    assert timings.first_text == timings.first_audio == about(2.75)
    assert timings.first_filler == about(1.2)
    assert timings.tools == about(2)
    assert timings.total == about(2.75)


async def test_silence_is_answered_in_words_and_not_remembered_as_a_question() -> None:
    model = ScriptedModel(transcripts=[""])
    notebook = Notebook()
    reply = await agent_of(model, memory=notebook).ask(SOUND)
    assert reply.text == HEARD_NOTHING["en"]
    assert notebook.log == ["record"]
    assert reply.heard == ""


# --- tools ---------------------------------------------------------------------------------------


async def test_calls_run_side_by_side_and_tell_when_they_end() -> None:
    clock = FakeClock()
    calls = [ToolCall("call_1", "slow", {}), ToolCall("call_2", "quick", {})]
    model = ScriptedModel(calls, "Done.", clock=clock)
    agent = agent_of(
        model,
        slow_look(clock, 2, name="slow"),
        slow_look(clock, 1, name="quick"),
        clock=clock,
    )
    seen: list[Event] = []

    async def read() -> None:
        async for event in agent.stream("Both, please."):
            seen.append(event)

    work = asyncio.create_task(read())
    await at(clock, 1.5, work)
    assert [e.call.name for e in seen if isinstance(e, ToolStarted)] == ["slow", "quick"]
    assert [e.call.name for e in seen if isinstance(e, ToolFinished)] == ["quick"]
    await at(clock, 1, work)
    await work
    assert [e.t for e in seen if isinstance(e, ToolFinished)] == about([1, 2])


async def test_what_a_tool_says_is_spoken_word_for_word_and_ends_the_turn() -> None:
    model = ScriptedModel(LOOK, audio=True)
    agent = agent_of(model, look_that(Say("Two eggs, 200 g of flour.", {"eggs": 2})))
    events = await events_of(agent.stream("What do I need?", speak=True))
    reply = events[-1].reply  # type: ignore[union-attr]
    assert reply.text == "Two eggs, 200 g of flour."
    assert reply.audio is not None
    assert reply.stopped == "done"
    assert model.sessions[0].said[-1] == "Two eggs, 200 g of flour."
    assert ToolResult("call_1", "look", '{"eggs": 2}', say=reply.text) in model.sessions[0].fed
    model.assert_exhausted()


async def test_data_goes_back_to_the_model_also_where_another_tool_had_words() -> None:
    calls = [LOOK, ToolCall("call_2", "count", {})]
    model = ScriptedModel(calls, "Two of them, in the cupboard.")
    count = tool_of(lambda: {"cups": 2}, name="count")
    reply = await agent_of(model, look_that(Say("In the cupboard.")), count).ask("Cups?")
    assert reply.text == "Two of them, in the cupboard."
    results = [p.content for p in model.sessions[0].fed if isinstance(p, ToolResult)]
    assert sorted(results) == ["In the cupboard.", '{"cups": 2}']


async def test_errors_timeouts_and_denials_reach_the_model_in_words() -> None:
    clock = FakeClock()
    calls = [ToolCall(f"call_{n}", name, {}) for n, name in enumerate(["breaks", "hangs", "buys"])]
    model = ScriptedModel([*calls, ToolCall("call_9", "flies", {})], "That did not work.")

    async def deny(call: ToolCall) -> bool:
        return False

    agent = agent_of(
        model,
        look_that(ValueError("the disk is full"), name="breaks"),
        slow_look(clock, 99, name="hangs", timeout=3),
        look_that("bought", name="buys", needs_approval=True),
        clock=clock,
        approve=deny,
    )
    work = asyncio.create_task(agent.ask("Do all of it."))
    await at(clock, 4, work)
    reply = await work
    assert reply.text == "That did not work."
    said = {p.name: p.content for p in model.sessions[0].fed if isinstance(p, ToolResult)}
    assert said["breaks"] == "breaks failed: ValueError: the disk is full"
    assert said["hangs"] == "hangs did not answer within 3 seconds"
    assert said["buys"] == "the user did not approve of buys; it did not run"
    assert said["flies"].startswith('there is no tool "flies"')
    assert all(run.result.is_error for run in reply.tools)


async def test_tools_are_told_the_language_of_the_question() -> None:
    def look(ctx: ToolContext) -> Say:
        return Say("两个鸡蛋。" if ctx.language == "zh" else "Two eggs.")

    model = ScriptedModel(LOOK, LOOK, LOOK, transcripts=["要几个鸡蛋？"])
    agent = agent_of(model, tool_of(look))
    assert (await agent.ask(SOUND)).text == "两个鸡蛋。"
    assert (await agent.ask("How many eggs?")).text == "Two eggs."
    assert (await agent.ask("几个？")).language == "zh"


# --- calls that cannot be read, and calls without end --------------------------------------------


@pytest.mark.parametrize(("question", "language"), [("Where?", "en"), ("在哪里？", "zh")])
async def test_a_broken_call_goes_back_once_then_comes_an_apology(
    question: str, language: str
) -> None:
    model = ScriptedModel(BROKEN, BROKEN)
    reply = await agent_of(model, look_that("there")).ask(question)
    assert reply.text == APOLOGY[language]
    assert reply.stopped == "done"
    session = model.sessions[0]
    told = [p for p in session.fed if isinstance(p, ToolResult)]
    assert len(told) == 1
    assert BROKEN.problem in told[0].content
    assert session.asked[-1].language == language


async def test_a_broken_call_that_is_mended_is_no_trouble() -> None:
    model = ScriptedModel(BROKEN, LOOK, "There.")
    reply = await agent_of(model, look_that("there")).ask("Where?")
    assert (reply.text, reply.stopped, len(reply.tools)) == ("There.", "done", 1)


async def test_a_broken_call_beside_a_good_one_is_told_too() -> None:
    model = ScriptedModel([LOOK, BROKEN], "There.")
    await agent_of(model, look_that("there")).ask("Where?")
    contents = [p.content for p in model.sessions[0].fed if isinstance(p, ToolResult)]
    assert contents[0] == "there"
    assert BROKEN.problem in contents[1]


async def test_a_turn_ends_after_max_steps_with_words() -> None:
    model = ScriptedModel(*[LOOK] * 3)
    reply = await agent_of(model, look_that("there"), max_steps=2).ask("Where?")
    assert reply.text == TOO_MANY_STEPS["en"]
    assert reply.stopped == "max_steps"
    assert len(reply.tools) == 2
    assert [o.tools for o in model.sessions[0].asked if not o.say] == ["auto", "auto", "none"]


async def test_a_broken_call_in_the_last_step_is_not_met_with_silence() -> None:
    model = ScriptedModel(LOOK, BROKEN)
    reply = await agent_of(model, look_that("there"), max_steps=1).ask("Where?")
    assert (reply.text, reply.stopped) == (APOLOGY["en"], "max_steps")


# --- fillers -------------------------------------------------------------------------------------


async def _with_filler(seconds: float, *turns: Any, audio: bool = True) -> tuple[list[Event], Any]:
    clock = FakeClock()
    model = ScriptedModel(*turns, audio=audio, clock=clock)
    filler = {"en": "One moment.", "zh": "稍等。"}
    agent = agent_of(model, slow_look(clock, seconds, filler=filler), clock=clock)
    work = asyncio.create_task(events_of(agent.stream("Where?", speak=audio)))
    await at(clock, 2 * seconds + 1, work)
    return await work, model.sessions[0]


@pytest.mark.parametrize("audio", [True, False])
async def test_a_slow_tool_is_bridged_once_and_apart_from_the_answer(audio: bool) -> None:
    events, session = await _with_filler(1.5, LOOK, LOOK, "There.", audio=audio)
    fillers = [e for e in events if isinstance(e, TextDelta | AudioDelta) and e.filler]
    assert "".join(e.text for e in fillers if isinstance(e, TextDelta)) == "One moment."
    assert all(e.t == about(0.7) for e in fillers)
    assert events.index(fillers[0]) < next(
        i for i, e in enumerate(events) if isinstance(e, ToolFinished)
    )
    reply: Reply = events[-1].reply  # type: ignore[union-attr]
    assert reply.text == "There."
    assert reply.timings.first_filler == about(0.7)
    assert reply.timings.first_text == about(3.0)
    if audio:
        assert reply.audio is not None
        assert reply.audio.seconds == pytest.approx(len("There.") / 15, abs=0.01)
    assert session.kept == ["", "", "There."]


async def test_a_quick_tool_is_not_bridged() -> None:
    events, _ = await _with_filler(0.6, LOOK, "There.")
    assert not [e for e in events if isinstance(e, TextDelta | AudioDelta) and e.filler]


async def test_no_filler_comes_after_words() -> None:
    events, _ = await _with_filler(2, ["I look. ", LOOK], "There.")
    assert not [e for e in events if isinstance(e, TextDelta | AudioDelta) and e.filler]


async def test_the_wait_for_an_approval_is_not_filled() -> None:
    clock = FakeClock()
    model = ScriptedModel(LOOK, "There.", clock=clock)

    async def approve(call: ToolCall) -> bool:
        await clock.sleep(5)
        return True

    slow = slow_look(clock, 0.1, filler="One moment.", needs_approval=True)
    agent = agent_of(model, slow, clock=clock, approve=approve)
    work = asyncio.create_task(events_of(agent.stream("Where?")))
    await at(clock, 6, work)
    assert not [e for e in await work if isinstance(e, TextDelta) and e.filler]


# --- memory --------------------------------------------------------------------------------------


async def test_recall_comes_before_the_answer_and_recording_before_the_end() -> None:
    clock = FakeClock()
    fact = RecalledMemory("f_1", "Anna eats no nuts.", "fact", clock.now(), 0.9)
    notebook = Notebook(fact)
    log = notebook.log
    model = ScriptedModel([lambda _: log.append("answer"), "No nuts, then."])
    async for event in agent_of(model, memory=notebook, clock=clock).stream("Cake for Anna?"):
        if not isinstance(event, TextDelta):
            log.append(type(event).__name__)
    assert log == [
        "TurnStarted", "recall", "MemoryRecalled", "answer", "record", "MemoryStored",
        "TurnFinished",
    ]  # fmt: skip
    context = next(p for p in model.sessions[0].fed if isinstance(p, Context))
    assert "Anna eats no nuts." in context.text
    assert notebook.turns[-1].reply == "No nuts, then."
    assert notebook.turns[-1].stopped == "done"


async def test_a_recall_that_fails_is_logged_and_the_turn_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notebook = Notebook(recall=fail(RuntimeError("the embedding broke")))
    reply = await agent_of(ScriptedModel("Hello."), memory=notebook).ask("Hi")
    assert reply.text == "Hello."
    assert reply.stored == ("e_1",)
    assert "the embedding broke" in caplog.text


async def test_a_memory_that_cannot_be_used_is_an_error_before_the_answer() -> None:
    notebook = Notebook(recall=fail(MemoryCorrupt("the ledger is damaged")))
    model = ScriptedModel("never said")
    with pytest.raises(MemoryCorrupt, match="damaged"):
        await agent_of(model, memory=notebook).ask("Hi")
    assert model.sessions[0].asked == []


async def test_an_answer_that_cannot_be_recorded_is_not_lost() -> None:
    notebook = Notebook(record=fail(OSError("no space left on device")))
    model = ScriptedModel("Hello.", "Hello again.")
    agent = agent_of(model, memory=notebook)
    seen: list[Event] = []

    async def read() -> None:
        async for event in agent.stream("Hi"):
            seen.append(event)

    with pytest.raises(TurnNotRemembered, match="no space left") as caught:
        await read()
    assert "".join(e.text for e in seen if isinstance(e, TextDelta)) == "Hello."
    assert not [e for e in seen if isinstance(e, TurnFinished | MemoryStored)]
    assert isinstance(caught.value, MemoryStoreError)
    assert caught.value.reply.text == "Hello."
    assert caught.value.reply.stored == ()
    assert model.sessions[0].rewound == []


async def test_a_model_that_breaks_down_leaves_a_record_and_a_session_that_lives_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notebook = Notebook()
    model = ScriptedModel(["It is ", GenerationError("out of memory")], "It is noon.")
    agent = agent_of(model, memory=notebook)
    with pytest.raises(GenerationError, match="out of memory"):
        await agent.ask("What time is it?")
    assert (notebook.turns[0].reply, notebook.turns[0].stopped) == ("It is", "failed")
    assert model.sessions[0].rewound == [Heard("It is ", 0)]
    assert (await agent.ask("What time is it?")).text == "It is noon."


# --- cancelling ----------------------------------------------------------------------------------


FOREVER = Pause(3600)


async def _cut_short(agent: Agent, after: type[Event], how: str) -> float:
    """Ask, and cut the turn short after the first event of a type; the seconds that it took."""
    tasks = asyncio.all_tasks()
    reached = asyncio.Event()

    async def read() -> None:
        async with aclosing(agent.stream("Where?", speak=True)) as stream:
            async for event in stream:
                if isinstance(event, after):
                    reached.set()
                    if how == "close":
                        return

    reading = asyncio.create_task(read())
    await reached.wait()
    if how == "cancel":
        await asyncio.sleep(0.03)  # into whatever comes next
        reading.cancel()
    began = time.perf_counter()
    await asyncio.wait([reading])
    took = time.perf_counter() - began
    assert asyncio.all_tasks() == tasks, "tasks are left behind"
    return took


def _stuck_tool() -> Tool:
    async def look() -> str:
        await asyncio.sleep(3600)
        return "too late"

    return tool_of(look)


@pytest.mark.parametrize("how", ["close", "cancel"])
@pytest.mark.parametrize(
    ("after", "script", "said"),
    [
        (TextDelta, ["One ", FOREVER], "One "),
        (AudioDelta, ["One ", FOREVER], "One "),
        (ToolStarted, [LOOK], ""),
        (ToolStarted, ["I look. ", LOOK], "I look. "),
    ],
)
async def test_a_turn_can_be_cut_short_while_it_is_answered(
    how: str, after: type[Event], script: list[Any], said: str
) -> None:
    took = []
    for _ in range(3):  # another program may have the processor
        notebook = Notebook()
        model = ScriptedModel("Hello.", script, "And on.", audio=True)
        agent = agent_of(model, _stuck_tool(), memory=notebook)
        await agent.ask("Hi")
        took.append(await _cut_short(agent, after, how))
    assert min(took) < 0.1
    assert [(t.reply, t.stopped) for t in notebook.turns] == [
        ("Hello.", "done"),
        (said.strip(), "cancelled"),
    ]
    assert model.sessions[0].rewound == [Heard(said, 0)]
    assert (await agent.ask("And?")).text == "And on."


@pytest.mark.parametrize("how", ["close", "cancel while recalling"])
async def test_a_turn_cut_short_before_the_answer_leaves_the_last_reply_alone(how: str) -> None:
    took = []
    for _ in range(3):  # another program may have the processor
        notebook = Notebook()
        model = ScriptedModel("Hello.", "And on.")
        agent = agent_of(model, memory=notebook)
        await agent.ask("Hi")
        if how != "close":
            notebook._on_recall = lambda: time.sleep(0.3)
        took.append(await _cut_short(agent, TurnStarted, how.partition(" ")[0]))
    assert min(took) < 0.1
    assert (notebook.turns[1].user, notebook.turns[1].stopped) == ("Where?", "cancelled")
    assert model.sessions[0].rewound == []
    assert model.sessions[0].kept == ["Hello."]
    assert (await agent.ask("And?")).text == "And on."


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_a_turn_can_be_cut_short_during_the_filler(how: str) -> None:
    clock = FakeClock()
    model = ScriptedModel(LOOK, "And on.", clock=clock, audio=True)
    notebook = Notebook()
    agent = agent_of(
        model, slow_look(clock, 99, filler="One moment."), memory=notebook, clock=clock
    )
    tasks = asyncio.all_tasks()
    stream = agent.stream("Where?", speak=True)

    async def read() -> None:
        async for event in stream:
            if isinstance(event, TextDelta) and event.filler and how == "close":
                return

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)  # the recall is in a thread
    await clock.advance(0.7)
    if how == "cancel":
        reading.cancel()
    await asyncio.wait([reading])
    await stream.aclose()
    assert asyncio.all_tasks() == tasks
    assert (notebook.turns[0].reply, notebook.turns[0].stopped) == ("", "cancelled")
    assert model.sessions[0]._responding is False
    assert (await agent.ask("And?")).text == "And on."


async def test_what_a_tool_returns_after_its_turn_never_reaches_a_later_one() -> None:
    release = asyncio.Event()
    ended = asyncio.Event()

    async def look() -> Say:
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()  # it will not be stopped
        ended.set()
        return Say("Too late.")

    model = ScriptedModel(LOOK, [_wait_for(ended, release), "It is noon."])
    notebook = Notebook()
    agent = agent_of(model, tool_of(look), memory=notebook)
    async with aclosing(agent.stream("Where?")) as stream:
        async for event in stream:
            if isinstance(event, ToolStarted):
                break
    events = await events_of(agent.stream("What time is it?"))
    assert ended.is_set()
    assert not [e for e in events if isinstance(e, ToolFinished)]
    assert events[-1].reply.text == "It is noon."  # type: ignore[union-attr]
    assert [p for p in model.sessions[0].fed if isinstance(p, ToolResult)] == []
    assert notebook.turns[1].tools == ()


def _wait_for(ended: asyncio.Event, release: asyncio.Event) -> Any:
    async def step(session: Any) -> None:
        release.set()
        await ended.wait()
        await asyncio.sleep(0.01)

    return step


async def test_a_turn_cancelled_while_it_is_written_is_written_as_done() -> None:
    notebook = Notebook(record=lambda: time.sleep(0.1))
    agent = agent_of(ScriptedModel("Hello."), memory=notebook)
    work = asyncio.create_task(agent.ask("Hi"))
    await asyncio.sleep(0.05)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.sleep(0.15)
    assert [t.stopped for t in notebook.turns] == ["done"]


async def test_a_trouble_in_cleaning_up_does_not_hide_why_the_turn_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)
    notebook = Notebook(record=fail(OSError("no space left")))
    model = ScriptedModel(["It is ", GenerationError("out of memory")])
    with pytest.raises(GenerationError):
        await agent_of(model, memory=notebook).ask("What time is it?")
    assert "no space left" in caplog.text


async def test_the_memories_recalled_are_told() -> None:
    clock = FakeClock()
    fact = RecalledMemory("f_1", "Anna eats no nuts.", "fact", clock.now(), 0.9)
    events = await events_of(
        agent_of(ScriptedModel("No nuts."), memory=Notebook(fact)).stream("Cake for Anna?")
    )
    assert [e.memories for e in events if isinstance(e, MemoryRecalled)] == [(fact,)]
    assert events[-1].reply.recalled == (fact,)  # type: ignore[union-attr]
