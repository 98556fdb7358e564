import asyncio

import numpy as np
import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import GenerationError, SettingsError
from omni_agent.events import AudioDelta, TextDelta
from omni_agent.media import Audio
from omni_agent.messages import (
    Context,
    Heard,
    Message,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    Transcript,
)
from omni_agent.model.base import Finished, MalformedCall, ModelEvent, ResponseOptions
from omni_agent.model.scripted import Draft, Pause, ScriptedModel, ScriptedSession

CALL = ToolCall("call_1", "find_dish", {"dish": "sushi"})
SOUND = Audio(np.zeros(160, np.float32), 16_000)
TOOL = ToolSpec("find_dish", "Find a dish.", {"type": "object", "properties": {}})


async def answer(session: ScriptedSession, **options: object) -> list[ModelEvent]:
    return [e async for e in session.respond(ResponseOptions(**options))]  # type: ignore[arg-type]


def words(events: list[ModelEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


async def test_each_answer_comes_from_the_script_word_by_word() -> None:
    model = ScriptedModel(["Let me look.", CALL], "Two places, 两家店。")
    session = await model.open_session("You help.", [TOOL])
    await session.feed(Text("Where is sushi?"))

    first = await answer(session)
    assert [e.text for e in first if isinstance(e, TextDelta)] == ["Let ", "me ", "look."]
    assert CALL in first
    assert isinstance(first[-1], Finished)
    assert first[-1].reason == "calls"

    await session.feed(ToolResult("call_1", "find_dish", "Aoi"))
    second = await answer(session)
    assert words(second) == "Two places, 两家店。"
    assert isinstance(second[-1], Finished)
    assert second[-1].reason == "done"
    assert session.said == ["Let me look.", "Two places, 两家店。"]
    assert [type(p) for p in session.fed] == [Text, ToolResult]
    model.assert_exhausted()


async def test_raw_text_goes_through_the_gate_and_call_ids_go_on() -> None:
    spelt = 'Sure. <tool_call>{"name": "find_dish", "arguments": {}}</tool_call>'
    model = ScriptedModel(spelt, spelt, "<tool_call>{oops</tool_call>", raw=True)
    session = await model.open_session("", [TOOL])
    first, second, third = [await answer(session) for _ in range(3)]
    assert words(first) == "Sure."
    assert ToolCall("call_1", "find_dish", {}) in first
    assert ToolCall("call_2", "find_dish", {}) in second
    assert any(isinstance(e, MalformedCall) for e in third)


async def test_the_tone_is_as_long_as_the_words_and_says_how_much_it_covers() -> None:
    model = ScriptedModel("Hello there, cook.", "Silent.", audio=True)
    session = await model.open_session("")
    sound = [e for e in await answer(session) if isinstance(e, AudioDelta)]
    assert [e.text_upto for e in sound] == [6, 13, 18]
    assert sum(e.audio.seconds for e in sound) == pytest.approx(18 / 15, abs=0.01)
    assert not any(isinstance(e, AudioDelta) for e in await answer(session, speak=False))


async def test_fixed_words_are_spoken_as_they_are_and_take_nothing_from_the_script() -> None:
    model = ScriptedModel("Done.")
    session = await model.open_session("")
    assert words(await answer(session, say="One moment.", keep=False)) == "One moment."
    assert words(await answer(session, say="Kept.")) == "Kept."
    await answer(session)
    assert session.said == ["One moment.", "Kept.", "Done."]
    assert session.kept == ["Kept.", "Done."]


async def test_an_exception_breaks_the_answer_where_it_stands_in_the_script() -> None:
    model = ScriptedModel(["So ", GenerationError("out of memory")], "Again.")
    session = await model.open_session("")
    with pytest.raises(GenerationError, match="out of memory"):
        await answer(session)
    assert words(await answer(session)) == "Again."


async def test_a_pause_waits_on_the_injected_clock() -> None:
    clock = FakeClock()
    model = ScriptedModel(["a", Pause(2), "b"], clock=clock)
    session = await model.open_session("")
    task = asyncio.create_task(answer(session))
    await asyncio.sleep(0)
    assert session.said == ["a"]
    await clock.advance(2)
    assert [e.t for e in await task if isinstance(e, TextDelta)] == [0, 2]


async def test_a_callable_answers_to_what_was_fed() -> None:
    model = ScriptedModel(lambda session: ["You said ", session.fed[-1].text])
    session = await model.open_session("")
    await session.feed(Text("hi"))
    assert words(await answer(session)) == "You said hi"


async def test_an_answer_closed_early_is_cancelled_and_rewound_to_what_was_heard() -> None:
    model = ScriptedModel("One two three.", "Next.")
    session = await model.open_session("")
    events = session.respond(ResponseOptions())
    async for _ in events:
        break
    await events.aclose()
    assert session.cancelled == 1
    await session.rewind(Heard("On", 120))
    assert session.kept == ["On"]
    assert words(await answer(session)) == "Next."


async def test_speech_is_heard_as_the_script_says_once_per_utterance() -> None:
    model = ScriptedModel("Yes.", "Yes.", transcripts=["你好", Transcript("Moi", "fi")])
    session = await model.open_session("")
    assert await session.transcript() is None
    await session.feed(SOUND)
    await session.feed(SOUND)
    assert await session.transcript() == Transcript("你好", "zh")
    assert await session.transcript() == Transcript("你好", "zh")
    await answer(session)
    assert await session.transcript() is None
    await session.feed(SOUND)
    assert await session.transcript() == Transcript("Moi", "fi")


async def test_what_the_script_does_not_foresee_fails_the_test() -> None:
    model = ScriptedModel()
    session = await model.open_session("")
    await session.feed(Text("hello"))
    with pytest.raises(AssertionError, match="hello"):
        await answer(session)
    with pytest.raises(AssertionError, match="never asked for"):
        ScriptedModel("unused").assert_exhausted()
    await session.close()
    with pytest.raises(AssertionError, match="closed"):
        await session.feed(Text("more"))


async def left_early(session: ScriptedSession) -> None:
    events = session.respond(ResponseOptions())
    async for _ in events:
        break
    await events.aclose()


async def test_who_goes_on_is_answered_anew_with_what_was_fed_and_without_the_old_notes() -> None:
    model = ScriptedModel(
        "Hello!", "Soup takes long.", transcripts=["Hi", "I want to cook", "I want to cook soup"]
    )
    session = await model.open_session("")
    await session.feed(SOUND)
    assert await session.transcript() == Transcript("Hi", "en")
    await answer(session)

    await session.feed(SOUND)
    assert await session.transcript() == Transcript("I want to cook", "en")
    await session.feed(Context("Likes curry."))
    await left_early(session)
    await session.reopen()
    assert session.kept == ["Hello!"]
    assert await session.transcript() == Transcript("I want to cook", "en")
    await session.feed(SOUND)
    assert await session.transcript() == Transcript("I want to cook soup", "en")
    await session.feed(Context("Likes soup."))
    assert words(await answer(session)) == "Soup takes long."
    assert session.answered[-1] == (SOUND, SOUND, Context("Likes soup."))
    assert session.reopened == 1
    assert session.kept == ["Hello!", "Soup takes long."]
    model.assert_exhausted()


async def test_calls_of_an_answer_that_is_taken_back_are_called_again() -> None:
    model = ScriptedModel('<tool_call>{"name": "find_dish"}</tool_call>', "Two.", raw=True)
    session = await model.open_session("", [TOOL])
    await session.feed(Text("Sushi?"))
    for _ in range(2):
        assert ToolCall("call_1", "find_dish", {}) in await answer(session)
        await session.feed(ToolResult("call_1", "find_dish", "Aoi, Kaze"))
        assert words(await answer(session)) == "Two."
        await session.rewind(Heard("", 0))
        await session.reopen()
        assert session.kept == []
    await session.feed(Text("Or ramen?"))
    await answer(session)
    assert session.answered[-1] == (Text("Sushi?"), Text("Or ramen?"))


async def test_a_draft_in_the_script_is_used_up() -> None:
    model = ScriptedModel(Draft("Soup? ", "Which?"), "Tomato soup, then.")
    session = await model.open_session("")
    await session.feed(Text("Soup"))
    assert words(await answer(session)) == "Soup? Which?"
    await session.reopen()
    await session.feed(Text("of tomatoes"))
    assert words(await answer(session)) == "Tomato soup, then."
    model.assert_exhausted()


async def test_a_reply_is_taken_as_given_once_more_is_fed_or_where_it_was_never_begun() -> None:
    model = ScriptedModel("One.", "Two.", transcripts=["Hm", "Hm, well"])
    session = await model.open_session("")
    await session.reopen()
    await session.feed(Text("1?"))
    await answer(session)
    await session.feed(SOUND)
    assert await session.transcript() == Transcript("Hm", "en")
    await session.feed(Context("A note."))
    await session.reopen()  # before it was answered
    assert session.kept == ["One."]
    await session.feed(SOUND)
    assert await session.transcript() == Transcript("Hm, well", "en")
    assert words(await answer(session)) == "Two."
    assert session.answered[-1] == (SOUND, SOUND)


async def test_a_filler_is_no_answer_that_could_be_taken_back() -> None:
    model = ScriptedModel("Yes.", transcripts=["Really?"])
    session = await model.open_session("")
    await session.feed(SOUND)
    await answer(session, say="Hm.", keep=False)
    assert await session.transcript() == Transcript("Really?", "en")
    await answer(session)
    assert await session.transcript() is None


async def test_a_conversation_can_begin_with_an_earlier_one() -> None:
    history = [
        Message("user", (Text("Sushi?"),)),
        Message("assistant", (CALL,)),
        Message("tool", (ToolResult("call_1", "find_dish", "Aoi"),)),
        Message("assistant", (Text("Aoi has it."),)),
    ]
    spelt = '<tool_call>{"name": "find_dish", "arguments": {}}</tool_call>'
    model = ScriptedModel(spelt, raw=True)
    session = await model.open_session("", [TOOL], history=history)
    assert session.history == tuple(history)
    await session.feed(Text("And ramen?"))
    assert ToolCall("call_2", "find_dish", {}) in await answer(session)
    with pytest.raises(SettingsError, match=r"history\[0\] is what 'find_dish' gave back"):
        await model.open_session("", history=history[2:])
