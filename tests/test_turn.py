"""What happens in one turn, told by its events."""

import asyncio
from typing import Any

import pytest
from turns import (
    BROKEN,
    LOOK,
    SOUND,
    Notebook,
    about,
    agent_of,
    at,
    events_of,
    look_that,
    slow_look,
    tool_of,
)

from omni_agent.clock import FakeClock
from omni_agent.events import (
    AudioDelta,
    Event,
    Reply,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.tools.base import Say, ToolContext
from omni_agent.wording import APOLOGY, HEARD_NOTHING, TOO_MANY_STEPS


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
