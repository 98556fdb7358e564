"""The `openai` package's realtime connection, against our server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from served import (
    LONG,
    RATE,
    TURN_DETECTION,
    Served,
    chunks,
    oven_timer,
    photo,
    serving,
    speech,
)

from omni_agent.media import Audio, Image
from omni_agent.messages import Text, ToolCall, ToolResult
from omni_agent.model.scripted import Pause

QUESTION = "How do I chop an onion?"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@asynccontextmanager
async def connected(
    served: Served,
    *,
    session: dict[str, Any] | None = None,
    detection: dict[str, Any] = TURN_DETECTION,
    **options: Any,
) -> AsyncIterator[AsyncRealtimeConnection]:
    client = AsyncOpenAI(base_url=served.url, api_key="-")
    async with client, client.realtime.connect(model="kitchen", **options) as connection:
        listens = {"audio": {"input": {"turn_detection": detection}}}
        await connection.session.update(session={"type": "realtime", **listens, **(session or {})})
        yield connection


async def until(connection: AsyncRealtimeConnection, type: str, *, within: float = 10) -> list[Any]:
    """The events up to the first of this type."""
    events = []
    async with asyncio.timeout(within):
        async for event in connection:
            events.append(event)
            if event.type == type:
                return events
    raise AssertionError(f"the connection was closed before {type}")


async def types_in(connection: AsyncRealtimeConnection, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": content}
    )


async def says(connection: AsyncRealtimeConnection, sound: Audio, *, live: bool = False) -> None:
    async for piece in chunks(sound, live=live):
        await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())


def of(events: list[Any], type: str) -> list[Any]:
    return [event for event in events if event.type == type]


def heard(events: list[Any]) -> str:
    return "".join(e.delta for e in of(events, "response.output_audio_transcript.delta"))


def seconds(events: list[Any]) -> float:
    sound = of(events, "response.output_audio.delta")
    return sum(len(base64.b64decode(event.delta)) for event in sound) / 2 / RATE


async def test_it_connects_and_sees_what_it_changed() -> None:
    async with serving() as served:
        async with connected(served, session={"instructions": "Rhyme."}) as connection:
            created, updated = await until(connection, "session.updated")
            assert created.type == "session.created"
            assert created.session.model == updated.session.model == "kitchen"
            assert updated.session.instructions == "Rhyme."
            assert updated.session.audio.input.turn_detection.silence_duration_ms == 400


async def test_a_typed_turn_is_answered_in_words_and_sound() -> None:
    async with serving("Chop it finely.") as served, connected(served) as connection:
        await types_in(connection, QUESTION)
        await connection.response.create()
        events = await until(connection, "response.done")
        assert heard(events) == "Chop it finely."
        assert seconds(events) == pytest.approx(len("Chop it finely.") / 15, abs=0.02)
        response = events[-1].response
        assert (response.status, response.usage.output_tokens) == ("completed", 3)
        assert response.output[0].content[0].transcript == "Chop it finely."


async def test_a_spoken_turn_is_heard_transcribed_and_answered() -> None:
    async with serving("Chop it finely.", transcripts=[QUESTION] * 3) as served:
        async with connected(served) as connection:
            await says(connection, speech(QUESTION))
            events = await until(connection, "response.done")
            assert heard(events) == "Chop it finely."
            (words,) = of(events, "conversation.item.input_audio_transcription.completed")
            assert words.transcript == QUESTION
            (started,) = of(events, "input_audio_buffer.speech_started")
            (stopped,) = of(events, "input_audio_buffer.speech_stopped")
            assert started.item_id == words.item_id
            assert 0 <= started.audio_start_ms <= 300
            length = stopped.audio_end_ms - started.audio_start_ms
            assert length == pytest.approx(1200, abs=300)


async def test_the_clients_own_tool_is_called_and_its_result_told() -> None:
    call = ToolCall("call_1", "get_weather", {"city": "Oulu"})
    async with serving(call, "It snows.") as served:
        async with connected(served, session={"tools": [WEATHER]}) as connection:
            await types_in(connection, "What is the weather in Oulu?")
            await connection.response.create()
            events = await until(connection, "response.done")
            (called,) = events[-1].response.output
            assert (called.type, called.name) == ("function_call", "get_weather")
            assert json.loads(called.arguments) == {"city": "Oulu"}
            output = {"type": "function_call_output", "call_id": called.call_id, "output": "snow"}
            await connection.conversation.item.create(item=output)
            await connection.response.create()
            assert heard(await until(connection, "response.done")) == "It snows."
            results = [p for p in served.model.sessions[0].fed if isinstance(p, ToolResult)]
            assert [result.content for result in results] == ["snow"]


async def test_the_agents_own_tool_runs_on_the_server() -> None:
    call = ToolCall("call_1", "oven_timer", {"minutes": 5})
    async with serving(call, "It rings in five.", tools=[oven_timer]) as served:
        async with connected(served, session={"tools": [WEATHER]}) as connection:
            await types_in(connection, "Five minutes for the oven.")
            await connection.response.create()
            events = await until(connection, "response.done")
            assert heard(events) == "It rings in five."
            assert [item.type for item in events[-1].response.output] == ["message"]
            results = [p for p in served.model.sessions[0].fed if isinstance(p, ToolResult)]
            assert [result.content for result in results] == ["rings in 5 minutes"]


@pytest.mark.parametrize("still_thinking", [False, True])
async def test_talking_over_the_answer_cuts_it_to_what_was_heard(still_thinking: bool) -> None:
    turn = [LONG, Pause(20), "And so on."] if still_thinking else LONG
    async with serving(turn, "Yes?", transcripts=["Wait a moment please"] * 3) as served:
        async with connected(served) as connection:
            await types_in(connection, QUESTION)
            await connection.response.create()
            begun = await until(connection, "response.output_audio.delta")
            item_id = begun[-1].item_id
            await asyncio.sleep(1.0)  # the client plays
            await says(connection, speech("Wait a moment please"))
            events = await until(connection, "input_audio_buffer.speech_started")
            done = of(events, "response.done")[0].response
            assert done.status == ("cancelled" if still_thinking else "completed")
            await connection.conversation.item.truncate(
                item_id=item_id, content_index=0, audio_end_ms=1000
            )
            await connection.conversation.item.retrieve(item_id=item_id)
            events = await until(connection, "conversation.item.retrieved")
            assert of(events, "conversation.item.truncated")[0].audio_end_ms == 1000
            (content,) = events[-1].item.content
            assert content.transcript == "Peel the onion"
            assert events[-1].item.status == "incomplete"
            if not of(events, "response.done"):
                events += await until(connection, "response.done")
            assert heard(events) == "Yes?"
            assert served.model.sessions[0].kept == ["Peel the onion", "Yes?"]


async def test_a_picture_is_part_of_the_question() -> None:
    async with serving("It is red.") as served, connected(served) as connection:
        url = "data:image/jpeg;base64," + base64.b64encode(photo()).decode()
        content = [
            {"type": "input_text", "text": "Which colour is this?"},
            {"type": "input_image", "image_url": url},
        ]
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": content}
        )
        await connection.response.create()
        assert heard(await until(connection, "response.done")) == "It is red."
        text, image = served.model.sessions[0].fed[-2:]
        assert text == Text("Which colour is this?")
        assert isinstance(image, Image)
        assert image.pixels.shape == (48, 64, 3)
        assert image.pixels[0, 0, 0] > 180


async def test_it_reconnects_by_itself_when_the_server_was_restarted() -> None:
    lost = []
    async with serving("Yes.", "Still here.") as served:
        again = {"on_reconnecting": lost.append, "initial_delay": 0.05}
        async with connected(served, **again) as connection:
            await types_in(connection, "Are you there?")
            await connection.response.create()
            await until(connection, "response.done")
            restarting = asyncio.create_task(served.restart())
            events = await until(connection, "session.created")
            await restarting
            assert of(events, "error")[0].error.code == "going_away"
            assert lost[0].close_code == 1001
            await types_in(connection, "And now?")
            await connection.response.create()
            assert heard(await until(connection, "response.done")) == "Still here."


@pytest.mark.weights
async def test_the_real_model_hears_a_question_and_answers_aloud(real: Any) -> None:
    async with connected(real.served, detection={"type": "server_vad"}) as connection:
        await says(connection, real.question, live=True)
        events = await until(connection, "response.done", within=120)
        (words,) = of(events, "conversation.item.input_audio_transcription.completed")
        assert real.words in words.transcript.lower()
        assert real.answer in heard(events)
        assert seconds(events) > 0.5
