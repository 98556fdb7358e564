import asyncio

import numpy as np
import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import GenerationError
from omni_agent.events import AudioDelta, TextDelta
from omni_agent.media import Audio
from omni_agent.messages import Heard, Text, ToolCall, ToolResult, ToolSpec, Transcript
from omni_agent.model.base import Finished, MalformedCall, ModelEvent, ResponseOptions
from omni_agent.model.scripted import Pause, ScriptedModel, ScriptedSession

CALL = ToolCall("call_1", "find_dish", {"dish": "sushi"})
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
    await events.aclose()  # type: ignore[attr-defined]
    assert session.cancelled == 1
    await session.rewind(Heard("On", 120))
    assert session.kept == ["On"]
    assert words(await answer(session)) == "Next."


async def test_speech_is_heard_as_the_script_says_once_per_utterance() -> None:
    model = ScriptedModel("Yes.", "Yes.", transcripts=["你好", Transcript("Moi", "fi")])
    session = await model.open_session("")
    assert await session.transcript() is None
    sound = Audio(np.zeros(160, np.float32), 16_000)
    await session.feed(sound)
    await session.feed(sound)
    assert await session.transcript() == Transcript("你好", "zh")
    assert await session.transcript() == Transcript("你好", "zh")
    await answer(session)
    assert await session.transcript() is None
    await session.feed(sound)
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
