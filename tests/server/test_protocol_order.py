"""The order of events that stock clients of the Realtime protocol rely on."""

import pytest
from clients import Client, serving, sound

from omni_agent.listening import SpeechSure
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Pause
from omni_agent.tools.base import tool

SAID = ["response.output_audio_transcript.delta", "response.output_audio.delta"]
MESSAGE_BEGINS = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
MESSAGE_ENDS = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
]
CALL = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "conversation.item.done",
]


async def test_a_client_is_greeted_at_once_and_told_what_it_changed() -> None:
    async with serving() as server, server.client() as client:
        await client.send("session.update", session={"type": "realtime", "instructions": "Hi."})
        updated = await client.until("session.updated")
        assert client.types == ["session.created", "session.updated"]
        assert updated["session"]["instructions"] == "Hi."


async def test_a_typed_turn() -> None:
    async with serving("Chop the onions.") as server, server.client() as client:
        await client.asks("How do I begin?")
        assert client.types == [
            "session.created",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            *MESSAGE_BEGINS,
            *SAID * 3,
            *MESSAGE_ENDS,
            "response.done",
        ]


async def test_a_spoken_turn() -> None:
    async with serving("Chop them.", transcripts=["How do I begin?"]) as server:
        async with server.client() as client:
            await client.says(1.0)
            await client.until("response.done")
            transcription = "conversation.item.input_audio_transcription"
            assert client.types == [
                "session.created",
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.added",
                f"{transcription}.delta",
                f"{transcription}.completed",
                "conversation.item.done",
                "response.created",
                *MESSAGE_BEGINS,
                *SAID * 2,
                *MESSAGE_ENDS,
                "response.done",
            ]
            started, stopped, committed, added = client.seen[1:5]
            assert started["item_id"] == stopped["item_id"] == committed["item_id"]
            assert added["item"]["id"] == started["item_id"]
            assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (0, 1000)
            completed = client.of(f"{transcription}.completed")[0]
            assert completed["transcript"] == "How do I begin?"
            assert completed["usage"] == {"type": "duration", "seconds": 1.0}


async def test_a_turn_that_calls_a_tool_of_the_clients() -> None:
    call = ToolCall("call_1", "get_weather", {"city": "Oulu"})
    async with serving(call, "It snows.") as server, server.client() as client:
        await has_tools(client, "get_weather")
        await client.asks("What is the weather in Oulu?")
        assert client.since("response.created") == ["response.created", *CALL, "response.done"]
        done = client.seen[-1]["response"]
        assert done["status"] == "completed"
        called = done["output"][0]
        assert (called["type"], called["name"]) == ("function_call", "get_weather")
        assert (called["arguments"], called["status"]) == ('{"city": "Oulu"}', "completed")

        output = {"type": "function_call_output", "call_id": called["call_id"], "output": "snow"}
        await client.creates(output)
        assert await client.quiet() == []  # until the answer is asked for
        await client.send("response.create")
        await client.until("response.done")
        assert client.since("response.created") == [
            "response.created",
            *MESSAGE_BEGINS,
            *SAID * 2,
            *MESSAGE_ENDS,
            "response.done",
        ]


async def test_what_is_said_before_a_call_is_a_message_of_its_own() -> None:
    turn = ["Let me look.", ToolCall("call_1", "get_weather", {})]
    async with serving(turn, "It snows.") as server, server.client() as client:
        await has_tools(client, "get_weather")
        await client.asks("What is the weather?")
        assert client.since("response.created") == [
            "response.created",
            *MESSAGE_BEGINS,
            *SAID * 3,
            *MESSAGE_ENDS,
            *CALL,
            "response.done",
        ]
        indices = [e["output_index"] for e in client.of("response.output_item.done")]
        assert indices == [0, 1]


async def test_the_agents_own_tools_show_only_in_its_answer() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "a cat"

    call = ToolCall("call_1", "look", {})
    async with serving(call, "A cat.", tools=[look]) as server, server.client() as client:
        await client.asks("What is there?")
        assert client.since("response.created") == [
            "response.created",
            *MESSAGE_BEGINS,
            *SAID * 2,
            *MESSAGE_ENDS,
            "response.done",
        ]


async def test_a_barge_in() -> None:
    turn = ["Chop the onions. ", Pause(5.0), "Then fry them."]
    async with serving(turn, "Yes?", transcripts=["How do I begin?", "Wait!"]) as server:
        async with server.client() as client:
            await client.says()
            await client.until("response.output_audio.delta")
            await client.quiet(0.05)
            await client.hears(SpeechSure(1200))
            await client.until("input_audio_buffer.speech_started")
            cut = [t for t in client.since("response.created") if not t.endswith(".delta")]
            assert cut == [
                "response.created",
                *MESSAGE_BEGINS,
                *MESSAGE_ENDS,
                "response.done",
                "input_audio_buffer.speech_started",
            ]
            done = client.of("response.done")[0]["response"]
            assert done["status"] == "cancelled"
            assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
            assert done["output"][0]["status"] == "incomplete"


async def test_an_answer_in_text() -> None:
    async with serving("Chop the onions.") as server, server.client() as client:
        await client.send("session.update", session={"output_modalities": ["text"]})
        await client.asks("How do I begin?")
        assert client.since("response.created") == [
            "response.created",
            *MESSAGE_BEGINS,
            *["response.output_text.delta"] * 3,
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
        content = client.seen[-1]["response"]["output"][0]["content"]
        assert content == [{"type": "output_text", "text": "Chop the onions."}]


async def test_push_to_talk() -> None:
    async with serving("Chop them.", transcripts=["How do I begin?"]) as server:
        async with server.client() as client:
            audio = {"input": {"turn_detection": None}}
            await client.send("session.update", session={"audio": audio})
            await client.send("input_audio_buffer.append", audio=sound(1.0))
            await client.send("input_audio_buffer.commit")
            assert [e["type"] for e in await client.quiet()] == [
                "session.updated",
                "input_audio_buffer.committed",
                "conversation.item.added",
            ]
            await client.send("response.create")
            await client.until("response.done")
            transcription = "conversation.item.input_audio_transcription"
            assert client.types[4:9] == [
                f"{transcription}.delta",
                f"{transcription}.completed",
                "conversation.item.done",
                "response.created",
                "response.output_item.added",
            ]
            seconds = client.of(f"{transcription}.completed")[0]["usage"]["seconds"]
            assert seconds == pytest.approx(1.0, abs=0.05)


async def test_push_to_talk_without_a_word_gets_an_empty_answer() -> None:
    async with serving("Yes?", transcripts=["", "Hello?"]) as server, server.client() as client:
        await client.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
        for status in ([], ["Yes?"]):
            await client.send("input_audio_buffer.append", audio=sound(1.0))
            await client.send("input_audio_buffer.commit")
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            said = [item["content"][0]["transcript"] for item in done["output"]]
            assert (done["status"], said) == ("completed", status)


async def has_tools(client: Client, *names: str) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "name": name, "parameters": parameters} for name in names]
    await client.send("session.update", session={"type": "realtime", "tools": tools})
    await client.until("session.updated")
