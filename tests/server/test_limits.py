"""No client can do harm: not by sending too much, taking too little, or never leaving."""

import asyncio
import contextlib
import json
import socket as sockets
from typing import Any

import pytest
import websockets
from clients import Client, Running, serving, sound

from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Pause
from omni_agent.server import Limits, ServerSettings
from omni_agent.tools.base import tool


def limited(**limits: Any) -> ServerSettings:
    return ServerSettings(port=0, limits=Limits(**limits))


async def ended(client: Client) -> tuple[dict[str, Any], websockets.ConnectionClosed]:
    """The last error, and how the connection was closed."""
    try:
        while True:
            await client.next()
    except websockets.ConnectionClosed as closed:
        return client.of("error")[-1]["error"], closed


async def no_call_is_open(server: Running) -> None:
    async with asyncio.timeout(5):
        while len(server.app.state.calls):
            await asyncio.sleep(0.01)


async def test_garbage_is_an_error_and_no_more() -> None:
    deep = "[" * 100_000
    async with serving("Hi.") as server, server.client() as client:
        for text in ("", "{", "7", "null", '"x"', "[]", "{}", '{"type": 7}', '{"type":"x"}', deep):
            await client.socket.send(text)
            error = (await client.until("error"))["error"]
            assert error["type"] == "invalid_request_error"
            assert error["message"]
        await client.socket.send(b"\xff\xfe")
        await client.until("error")
        assert (await client.asks("Hello"))["response"]["status"] == "completed"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update"},
        {"type": "session.update", "session": []},
        {"type": "input_audio_buffer.append"},
        {"type": "input_audio_buffer.append", "audio": "?"},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}},
        {"type": "conversation.item.retrieve"},
        {"type": "conversation.item.truncate", "item_id": 7},
        {"type": "conversation.item.delete", "item_id": "nothing"},
        {"type": "response.create", "response": 7},
        {"type": "response.create", "response": {"metadata": 7}},
        {"type": "response.create", "response": {"conversation": "none", "input": 7}},
        {"type": "omni.played", "item_id": "nothing", "audio_ms": 5},
    ],
)
async def test_half_an_event_is_an_error_and_no_more(event: dict[str, Any]) -> None:
    async with serving("Hi.") as server, server.client() as client:
        await client.send(event_id="mine", **event)
        assert (await client.until("error"))["error"]["event_id"] == "mine"
        assert (await client.asks("Hello"))["response"]["status"] == "completed"


async def test_a_huge_message_ends_the_call() -> None:
    async with serving(settings=limited(message_bytes=20_000)) as server:
        async with server.client() as client:
            await client.send("input_audio_buffer.append", audio="A" * 30_000)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        await no_call_is_open(server)


async def test_too_many_events_end_the_call() -> None:
    async with serving(settings=limited(events_per_second=10, event_burst=50)) as server:
        async with server.client() as client:
            for _ in range(60):
                await client.send("input_audio_buffer.clear")
            error, closed = await ended(client)
            assert error["code"] == "too_many_events"
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1008


async def test_a_thousand_responses_are_one_response_and_errors() -> None:
    async with serving(["Hi. ", Pause(5)]) as server, server.client() as client:
        await client.types_in("Hello")
        for n in range(1000):
            await client.send("response.create", event_id=f"e{n}")
        while len(client.of("error")) < 999:
            await client.next()
        codes = {event["error"]["code"] for event in client.of("error")}
        assert codes == {"conversation_already_has_active_response"}
        assert len(client.of("response.created")) == 1


async def test_sound_that_comes_too_fast_is_dropped() -> None:
    async with serving(settings=limited(audio_ahead=2.0)) as server, server.client() as client:
        for _ in range(3):
            await client.send("input_audio_buffer.append", audio=sound(1.0))
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"]) == ("rate_limit_exceeded", "audio")


async def test_no_more_calls_are_taken_than_are_allowed() -> None:
    async with serving(settings=limited(calls=1)) as server:
        async with server.client():
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with server.client():
                    pass
            assert refused.value.response.status_code == 503
            assert json.loads(refused.value.response.body)["error"]["code"] == "too_many_calls"
        await no_call_is_open(server)
        async with server.client():
            pass


async def test_a_page_can_ask_why_its_call_was_refused() -> None:
    async with serving(settings=limited(calls=1)) as server, server.http as http:

        async def why(query: str = "") -> tuple[int, str]:
            answer = await http.get(f"/v1/realtime{query}")
            return answer.status_code, answer.json()["error"]["code"]

        assert await why() == (426, "upgrade_required")  # it would not be refused
        assert await why("?model=nobody") == (404, "model_not_found")
        assert await why("?at=here") == (400, "invalid_value")
        async with server.client():
            assert await why() == (503, "too_many_calls")
        await no_call_is_open(server)
        server.app.state.calls.stopping = True
        assert await why() == (503, "going_away")


async def test_a_call_in_which_nothing_happens_is_ended() -> None:
    async with serving(settings=limited(idle_seconds=0.3)) as server:
        async with server.client() as client:
            error, closed = await ended(client)
            assert error["code"] == "idle"
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1001


async def test_silence_does_not_keep_a_call_open() -> None:
    async with serving(settings=limited(idle_seconds=0.4)) as server:
        async with server.client() as client:
            with contextlib.suppress(websockets.ConnectionClosed):
                for _ in range(100):
                    await client.send("input_audio_buffer.append", audio=sound(0.02))
                    await asyncio.sleep(0.02)
            assert (await ended(client))[0]["code"] == "idle"


async def test_a_call_that_lasts_too_long_is_ended() -> None:
    async with serving("Hi.", settings=limited(call_seconds=0.5)) as server:
        async with server.client() as client:
            await client.asks("Hello")
            assert (await ended(client))[0]["code"] == "too_long"
        await no_call_is_open(server)


async def test_a_client_that_is_gone_without_a_word_leaves_nothing_behind() -> None:
    stopped = asyncio.Event()

    @tool
    async def look() -> str:
        """Look."""
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()
        return ""

    call = ToolCall("call_1", "look", {})
    async with serving(call, tools=[look]) as server:
        async with server.client("?omni=1") as client:
            await client.types_in("Look!")
            await client.send("response.create")
            await client.until("omni.tool")
            client.socket.transport.abort()
        await no_call_is_open(server)
        await asyncio.wait_for(stopped.wait(), 5)
        assert server.model.sessions[0].closed


async def test_a_client_that_takes_nothing_is_dropped() -> None:
    """Its socket is never read, so that what is sent piles up on the way."""
    settings = limited(outgoing_bytes=200_000, stalled_seconds=0.5)
    async with serving(*["la " * 4000] * 3, settings=settings) as server:
        url = server.url.replace("http", "ws") + "/v1/realtime"
        host, port = url.split("/")[2].split(":")
        raw = sockets.create_connection((host, int(port)))
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        options: Any = {"sock": raw, "ping_interval": None, "close_timeout": 0.1}
        async with websockets.connect(url, **options) as socket:
            socket.transport.pause_reading()
            await socket.send('{"type": "response.create"}')
            await no_call_is_open(server)
        text = server.app.state.metrics.text().decode()
        assert "omni_agent_slow_clients_dropped_total 1.0" in text


async def test_a_server_that_is_stopped_tells_its_clients_and_keeps_what_was_said() -> None:
    async with serving(["Hi. ", Pause(30)]) as server:
        async with server.client() as client:
            await client.types_in("Hello")
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            server.server.should_exit = True
            error, closed = await ended(client)
            assert error["code"] == "going_away"
            assert "stopped" in error["message"]
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1001
        await no_call_is_open(server)
        assert server.model.sessions[0].closed
