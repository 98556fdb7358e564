"""What a client may make of the session, and what of its wishes is overlooked in peace."""

from typing import Any

import pytest
from clients import Client, ToldListener, serving

from omni_agent.listening import Listening, Patience
from omni_agent.messages import ToolSpec
from omni_agent.tools.base import tool

AS_OPENAI_AGENTS_SENDS_IT = {
    "type": "realtime",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "tracing": "auto",
    "prompt": {"id": "pmpt_1"},
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": {"type": "near_field"},
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": {"type": "semantic_vad", "interrupt_response": True},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"},
    },
}


async def updated(client: Client, **session: Any) -> dict[str, Any]:
    await client.send("session.update", session=session)
    changed: dict[str, Any] = (await client.until("session.updated"))["session"]
    return changed


async def test_what_only_other_providers_have_is_overlooked() -> None:
    async with serving() as server, server.client() as client:
        ours = client.seen[0]["session"]
        session = await updated(client, **AS_OPENAI_AGENTS_SENDS_IT)
        assert session["audio"]["output"]["voice"] == ours["audio"]["output"]["voice"] == "tone"
        assert session["model"] == "kitchen"
        assert session["tracing"] is None
        assert session["audio"]["input"]["noise_reduction"] is None
        assert session["audio"]["input"]["transcription"]["model"] == "scripted"
        assert session["audio"]["input"]["turn_detection"] == {
            "type": "semantic_vad",
            "create_response": True,
            "interrupt_response": True,
            "eagerness": None,
        }


async def test_updates_are_merged_level_by_level() -> None:
    async with serving() as server, server.client() as client:
        detection = {"type": "server_vad", "threshold": 0.7, "interrupt_response": False}
        await updated(client, audio={"input": {"turn_detection": detection}})
        await updated(client, audio={"input": {"transcription": {"language": "zh"}}})
        session = await updated(client, instructions="Rhyme.", tracing="auto")
        heard = session["audio"]["input"]
        assert heard["turn_detection"]["threshold"] == 0.7
        assert heard["turn_detection"]["interrupt_response"] is False
        assert heard["transcription"]["language"] == "zh"
        assert session["instructions"] == "Rhyme."
        assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}


async def test_the_agents_own_instructions_come_before_the_clients() -> None:
    async with serving("Ahoy.") as server, server.client() as client:
        await updated(client, instructions="Talk like a pirate.")
        await client.asks("Hello")
        assert server.model.sessions[0].system == "Be brief.\n\nTalk like a pirate."


async def test_empty_instructions_leave_the_agents() -> None:
    async with serving("Hello.") as server, server.client() as client:
        assert (await updated(client, instructions=""))["instructions"] == "Be brief."
        await client.asks("Hello")
        assert server.model.sessions[0].system == "Be brief."


async def test_a_session_that_is_changed_first_is_opened_once() -> None:
    async with serving("Hi.") as server, server.client() as client:
        await updated(client, instructions="One.")
        await updated(client, instructions="Two.")
        await client.asks("Hello")
        assert [session.system for session in server.model.sessions] == ["Be brief.\n\nTwo."]


async def test_a_call_goes_on_after_a_change_with_what_was_said() -> None:
    async with serving("Hi.", "Arr.") as server, server.client() as client:
        await client.asks("Hello")
        await client.quiet(0.4)  # the answer is heard
        await updated(client, instructions="Talk like a pirate.")
        await client.asks("Again")
        second = server.model.sessions[1]
        assert second.system == "Be brief.\n\nTalk like a pirate."
        assert [message.text for message in second.history] == ["Hello", "Hi."]


async def test_the_model_hears_of_a_clients_tools_beside_the_agents() -> None:
    @tool
    def look() -> str:
        """Look."""
        return ""

    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    async with serving("Hi.", tools=[look]) as server, server.client() as client:
        weather = {"type": "function", "name": "get_weather", "parameters": schema}
        await updated(client, tools=[{**weather, "description": "Tell the weather."}])
        await client.asks("Hello")
        assert [spec.name for spec in server.model.sessions[0].tools] == ["look", "get_weather"]
        assert server.model.sessions[0].tools[1] == ToolSpec(
            "get_weather", "Tell the weather.", schema
        )


@pytest.mark.parametrize(
    ("session", "where"),
    [
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "session.tools.0.type"),
        ({"tools": [{"type": "function", "name": "no spaces"}]}, "session.tools.0.name"),
        ({"audio": {"input": {"format": {"type": "audio/opus"}}}}, "session.audio.input.format"),
        ({"audio": {"input": {"format": {"rate": 8000}}}}, "session.audio.input.format.rate"),
        ({"type": "transcription"}, "session.type"),
        ({"instructions": 7}, "session.instructions"),
        ({"output_modalities": ["smell"]}, "session.output_modalities.0"),
    ],
)
async def test_what_cannot_be_had_is_named_and_changes_nothing(session: Any, where: str) -> None:
    async with serving() as server, server.client() as client:
        await client.send("session.update", event_id="mine", session=session)
        error = (await client.until("error"))["error"]
        assert error["param"].startswith(where)
        assert error["event_id"] == "mine"
        assert (await updated(client))["instructions"] == "Be brief."


async def test_two_tools_of_one_name_are_refused() -> None:
    @tool
    def look() -> str:
        """Look."""
        return ""

    async with serving(tools=[look]) as server, server.client() as client:
        mine = {"type": "function", "name": "look"}
        await client.send("session.update", session={"tools": [mine]})
        assert "'look' already" in (await client.until("error"))["error"]["message"]
        await client.send("session.update", session={"tools": [{**mine, "name": "a"}] * 2})
        assert "two tools" in (await client.until("error"))["error"]["message"]


@pytest.mark.parametrize(
    ("detection", "listening"),
    [
        ({"type": "server_vad"}, Listening()),
        ({"type": "server_vad", "interrupt_response": False}, Listening(interrupt=False)),
        (
            {"type": "server_vad", "silence_duration_ms": 500, "prefix_padding_ms": 9000},
            Listening(judge="silence", silence_ms=500, preroll_ms=2000),
        ),
        (
            {"type": "server_vad", "threshold": 0.2},
            Listening(speech_from=0.2, silence_below=0.2),
        ),
        ({"type": "semantic_vad"}, Listening()),
        (
            {"type": "semantic_vad", "eagerness": "high"},
            Listening(patience=Patience(least_ms=200, most_ms=1000)),
        ),
        (None, Listening(turns="push-to-talk")),
    ],
)
async def test_how_turns_are_told_is_up_to_the_client(detection: Any, listening: Any) -> None:
    async with serving("Hi.") as server, server.client() as client:
        await updated(client, audio={"input": {"turn_detection": detection}})
        await client.asks("Hello")
        assert ToldListener.made.settings == listening
