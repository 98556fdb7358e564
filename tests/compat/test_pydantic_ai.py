"""`pydantic-ai`'s realtime model, against our server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from served import LONG, RATE, Served, chunks, oven_timer, photo, serving, speech

from omni_agent.media import Audio, Image
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.model.scripted import Pause

pytest.importorskip("pydantic_ai", reason="needs pydantic-ai, of the extra compat")
from pydantic_ai import Agent, BinaryContent
from pydantic_ai.messages import (
    FunctionToolResultEvent,
    ModelMessage,
    PartEndEvent,
    RealtimeInputSpeechStartEvent,
    RealtimeSessionErrorEvent,
    RealtimeSessionReconnectEvent,
    RealtimeTurnCompleteEvent,
    SpeechPart,
)
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.realtime import RealtimeSession
from pydantic_ai.realtime.openai import OpenAIRealtimeModel

QUESTION = "How do I chop an onion?"


@asynccontextmanager
async def session_with(
    served: Served,
    *tools: Callable[..., Any],
    instructions: str = "Rhyme.",
    settings: Any = None,
    **options: Any,
) -> AsyncIterator[RealtimeSession]:
    model = OpenAIRealtimeModel(
        "kitchen",
        provider=OpenAIProvider(base_url=served.url, api_key="-"),
        settings={"turn_detection": {"silence_duration_ms": 400}, **(settings or {})},
    )
    agent = Agent(instructions=instructions, tools=[*tools])
    async with agent.realtime(model).session(**options) as session:
        yield session


async def until(
    session: AsyncIterable[Any], kind: type, *, count: int = 1, within: float = 10
) -> list[Any]:
    """The events up to the first of this kind (or so many of them). An error fails the test."""
    events: list[Any] = []
    async with asyncio.timeout(within):
        async for event in session:
            events.append(event)
            if isinstance(event, kind):
                count -= 1
                if not count:
                    return events
            else:
                assert not isinstance(event, RealtimeSessionErrorEvent), event
    raise AssertionError(f"the session was over before {kind}")


async def played(sound: AsyncIterable[bytes]) -> float:
    """Play it; how many seconds there were."""
    seconds = 0.0
    async for chunk in sound:
        seconds += len(chunk) / 2 / RATE
        await asyncio.sleep(len(chunk) / 2 / RATE)
    return seconds


async def says(session: RealtimeSession, sound: Audio, *, live: bool = False) -> None:
    await session.send_audio(chunks(sound, live=live))


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def told(messages: list[ModelMessage]) -> list[str]:
    """What was said, in order, as the history has it."""
    return [
        part.content
        for message in messages
        for part in message.parts
        if part.part_kind in ("user-prompt", "speech", "text") and isinstance(part.content, str)
    ]


async def test_a_typed_turn_is_answered_in_words_and_sound() -> None:
    async with serving("Chop it finely.") as served, session_with(served) as session:
        playing = asyncio.create_task(played(session.stream_audio()))
        await session.send(QUESTION)
        events = await until(session, RealtimeTurnCompleteEvent)
        (spoken,) = [e.part for e in of(events, PartEndEvent) if isinstance(e.part, SpeechPart)]
        assert (spoken.speaker, spoken.transcript) == ("assistant", "Chop it finely.")
        assert told(session.all_messages()) == [QUESTION, "Chop it finely."]
        assert served.model.sessions[0].system.endswith("Rhyme.")
        assert session.all_messages()[-1].usage.output_tokens == 3
        assert session.all_messages()[-1].model_name == "kitchen"
        await session.wait_for_playback()
        await session.close()
        assert await playing == pytest.approx(len("Chop it finely.") / 15, abs=0.02)


async def test_a_spoken_turn_is_in_the_history_by_its_words() -> None:
    async with serving("Chop it finely.", transcripts=[QUESTION] * 3) as served:
        async with session_with(served) as session:
            await says(session, speech(QUESTION))
            events = await until(session, RealtimeTurnCompleteEvent)
            assert of(events, RealtimeInputSpeechStartEvent)
            assert told(session.all_messages()) == [QUESTION, "Chop it finely."]


async def test_the_clients_own_tool_is_run_and_its_result_answered() -> None:
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"It snows in {city}."

    call = ToolCall("call_1", "get_weather", {"city": "Oulu"})
    async with serving(call, "Take a hat.") as served:
        async with session_with(served, get_weather) as session:
            await session.send("What is the weather in Oulu?")
            events = await until(session, RealtimeTurnCompleteEvent)
            (result,) = of(events, FunctionToolResultEvent)
            assert result.part.content == "It snows in Oulu."
            assert told(session.all_messages())[-1] == "Take a hat."
            (fed,) = [p for p in served.model.sessions[0].fed if isinstance(p, ToolResult)]
            assert fed.content == "It snows in Oulu."


async def test_the_agents_own_tool_runs_on_the_server() -> None:
    call = ToolCall("call_1", "oven_timer", {"minutes": 5})
    async with serving(call, "It rings in five.", tools=[oven_timer]) as served:
        async with session_with(served) as session:
            await session.send("Five minutes for the oven.")
            events = await until(session, RealtimeTurnCompleteEvent)
            assert not of(events, FunctionToolResultEvent)
            assert told(session.all_messages())[-1] == "It rings in five."


@pytest.mark.parametrize("still_thinking", [False, True])
async def test_talking_over_the_answer_marks_where_it_was_cut(still_thinking: bool) -> None:
    turn = [LONG, Pause(20), "And so on."] if still_thinking else LONG
    speech("Wait a moment please")  # made ahead, so that it takes no time
    async with serving(turn, "Yes?", transcripts=["Wait a moment please"] * 3) as served:
        async with session_with(served, handle_barge_in=True) as session:
            playing = asyncio.create_task(played(session.stream_audio()))
            await session.send(QUESTION)
            await asyncio.sleep(1.1)
            await says(session, speech("Wait a moment please"))
            events = await until(session, RealtimeTurnCompleteEvent, count=2)
            assert len(of(events, RealtimeInputSpeechStartEvent)) == 1
            cut = [
                part
                for message in session.all_messages()
                for part in message.parts
                if isinstance(part, SpeechPart) and part.interrupted_at_ms is not None
            ]
            assert [part.speaker for part in cut] == ["assistant"]
            assert cut[0].interrupted_at_ms == pytest.approx(1000, abs=300)
            heard, answer = served.model.sessions[0].kept
            assert LONG.startswith(heard)
            assert 1 <= len(heard.split()) <= 4
            assert answer == told(session.all_messages())[-1] == "Yes?"
            playing.cancel()


async def test_a_picture_is_seen_with_the_question() -> None:
    async with serving("It is red.") as served, session_with(served) as session:
        await session.send(BinaryContent(photo(), media_type="image/jpeg"))
        await session.send("Which colour is this?")
        await until(session, RealtimeTurnCompleteEvent)
        assert told(session.all_messages())[-1] == "It is red."
        assert any(isinstance(part, Image) for part in served.model.sessions[0].fed)


async def test_it_reconnects_by_itself_and_brings_the_conversation_along() -> None:
    again = {"reconnect": {"base_delay": 0.05, "jitter": False}}
    async with serving("Yes.", "Onions.") as served:
        async with session_with(served, settings=again) as session:
            events = aiter(session)
            await session.send("We talk about onions. Are you there?")
            await until(events, RealtimeTurnCompleteEvent)
            restarting = asyncio.create_task(served.restart())
            (*_, told_why) = await until(events, RealtimeSessionErrorEvent)
            assert (told_why.type, told_why.code) == ("server_error", "going_away")
            (*_, reconnected) = await until(events, RealtimeSessionReconnectEvent)
            await restarting
            assert reconnected.state_restored
            await session.send("What do we talk about?")
            await until(events, RealtimeTurnCompleteEvent)
            assert told(session.all_messages())[-1] == "Onions."
            before = [(m.role, m.text) for m in served.model.sessions[1].history]
            assert before == [
                ("user", "We talk about onions. Are you there?"), ("assistant", "Yes."),
            ]  # fmt: skip


@pytest.mark.weights
async def test_the_real_model_hears_a_question_and_answers_aloud(real: Any) -> None:
    settings = {"turn_detection": True}
    async with session_with(real.served, instructions="", settings=settings) as session:
        playing = asyncio.create_task(played(session.stream_audio()))
        await says(session, real.question, live=True)
        await until(session, RealtimeTurnCompleteEvent, within=120)
        asked, answered = told(session.all_messages())
        assert real.words in asked.lower()
        assert real.answer in answered
        await session.wait_for_playback()
        await session.close()
        assert await playing > 0.5
