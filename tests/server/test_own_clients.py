"""What our own clients are told beyond the protocol, and what Prometheus is told."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from clients import Running, serving

from omni_agent.listening import SpeechGone, SpeechLikely, SpeechMaybe, SpeechSure
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Pause
from omni_agent.recorded_call import recordings
from omni_agent.server import ServerSettings
from omni_agent.tools.base import tool

LOOK = ToolCall("call_1", "look", {})


@tool
async def look() -> str:
    """Look."""
    return "a cat"


def metric(server: Running, name: str) -> float:
    lines = server.app.state.metrics.text().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


async def test_a_stock_client_gets_nothing_it_does_not_know() -> None:
    async with serving(LOOK, "A cat.", tools=[look]) as server, server.client() as client:
        await client.asks("What is there?")
        await client.quiet()
        assert not [kind for kind in client.types if kind.startswith("omni.")]


async def test_our_own_clients_see_states_tools_and_times() -> None:
    async with serving(LOOK, "A cat.", tools=[look], transcripts=["What is there?"]) as server:
        async with server.client("?omni=1") as client:
            await client.says()
            await client.until("omni.latency")
            await client.quiet()
            started, finished = client.of("omni.tool")
            assert (started["name"], started["status"]) == ("look", "started")
            assert started["call_id"] == finished["call_id"]
            assert (finished["result"], finished["is_error"]) == ("a cat", False)
            caption = client.of("omni.caption")[-1]
            assert (caption["text"], caption["language"]) == ("What is there?", "en")
            assert client.of("omni.latency")[0]["first_audio"] > 0
            states = [event["state"] for event in client.of("omni.state")]
            assert states[:2] == ["listening", "thinking"]
            assert "speaking" in states


async def test_our_own_clients_lower_their_loudspeaker_for_a_cough() -> None:
    answer = "Chop the onions finely, and then fry them in butter until they are soft."
    async with serving(answer, transcripts=["How?"]) as server:
        async with server.client("?omni=1") as client:
            await client.says()
            await client.until("response.done")
            await client.hears(SpeechMaybe(1200))
            await client.hears(SpeechLikely(1200))
            await client.hears(SpeechGone(1300))
            while len(client.of("omni.output")) < 3:
                await client.next()
            actions = [event["action"] for event in client.of("omni.output")]
            assert actions == ["duck", "pause", "resume"]
            await client.hears(SpeechSure(1400))
            await client.until("input_audio_buffer.speech_started")
            assert client.of("omni.output")[-1]["action"] == "stop"


async def test_our_own_clients_tell_how_much_they_have_played() -> None:
    turn = ["Chop the onions. ", Pause(5)]
    async with serving(turn) as server, server.client("?omni=1") as client:
        await client.types_in("How?")
        await client.send("response.create")
        delta = await client.until("response.output_audio.delta")
        await client.quiet(0.1)
        await client.send("omni.played", item_id=delta["item_id"], audio_ms=600)
        await client.send("response.cancel")
        await client.until("response.done")
        assert server.model.sessions[0].kept == ["Chop the"]


async def test_prometheus_counts_calls_turns_and_times() -> None:
    async with serving(LOOK, "A cat. ", [Pause(5)], tools=[look], transcripts=["A", "B"]) as server:
        async with server.client() as client:
            assert metric(server, "omni_agent_calls_open") == 1
            await client.says()
            await client.until("response.done")
            await client.quiet()
            await client.hears(SpeechSure(1200))
            await client.until("input_audio_buffer.speech_started")
        counted: dict[str, Any] = {
            "omni_agent_calls_total": 1,
            "omni_agent_turns_total": 1,
            "omni_agent_first_audio_seconds_count": 1,
            "omni_agent_end_of_turn_seconds_sum": pytest.approx(0.3),
            'omni_agent_tool_seconds_count{tool="look"}': 1,
            "omni_agent_interruptions_total": 1,
        }
        assert {name: metric(server, name) for name in counted} == counted
        async with server.http as http:
            answer = await http.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert 'omni_agent_turns_total{agent="kitchen",stopped="done"} 1.0' in answer.text


async def test_calls_are_kept_where_the_server_is_told_to(tmp_path: Path) -> None:
    settings = ServerSettings(port=0, record=tmp_path / "calls")
    async with serving("Chop them.", "Chop them.", settings=settings) as server:
        for _ in range(2):
            async with server.client() as client:
                await client.asks("How?")
        async with asyncio.timeout(5):
            while len(server.app.state.calls):
                await asyncio.sleep(0.01)
        kept = recordings(tmp_path / "calls")
        assert [call.agent for call in kept] == ["kitchen", "kitchen"]


async def test_a_camera_that_was_switched_off_is_hidden() -> None:
    async with serving("Hi.") as server, server.client("?omni=1") as client:
        await client.types_in("Hello")
        await client.send("response.create")
        await client.until("response.done")
        await client.send("omni.hide", source="camera")
        await client.send("omni.hide")
        error = await client.until("error")
        assert error["error"]["param"] == "source"
