"""Chat completions: text, pictures and sound in; text, sound and tool calls out."""

import asyncio
import base64
import json
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from clients import Running, serving
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from omni_agent.errors import GenerationError
from omni_agent.events import Usage
from omni_agent.media import Audio, Image
from omni_agent.messages import Message, Text, ToolCall, ToolResult
from omni_agent.model.base import Finished
from omni_agent.model.scripted import Pause
from omni_agent.server import Limits, ServerSettings
from omni_agent.tools.base import tool

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
WEATHER: Any = {"type": "function", "function": {"name": "get_weather"}}
PICTURE = Image(np.full((32, 32, 3), 200, np.uint8))


def client_of(server: Running, key: str = "-") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


def checked(body: dict[str, Any]) -> dict[str, Any]:
    ChatCompletion.model_validate(body, strict=True)
    return body


async def posted(server: Running, **body: Any) -> httpx.Response:
    async with server.http as http:
        return await http.post("/v1/chat/completions", json={"messages": HELLO, **body})


async def streamed(server: Running, **body: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, each checked; the last line says that it is done."""
    answer = await posted(server, stream=True, **body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    chunks = [json.loads(line) for line in lines]
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return chunks


async def closed(server: Running, session: int) -> None:
    async with asyncio.timeout(5):
        while not server.model.sessions[session].closed:
            await asyncio.sleep(0.01)


async def test_an_answer_in_words() -> None:
    used = Usage(prompt_tokens=12, cached_tokens=8, completion_tokens=3)
    async with serving(["Hi there.", Finished("done", used)]) as server:
        body = checked((await posted(server, model="kitchen")).json())
        choice = body["choices"][0]
        assert choice["message"] == {
            "role": "assistant",
            "content": "Hi there.",
            "refusal": None,
        }
        assert choice["finish_reason"] == "stop"
        assert body["model"] == "kitchen"
        assert body["usage"]["total_tokens"] == 15
        assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 8
        assert not server.model.sessions[0].asked[0].speak


async def test_an_answer_as_a_stream() -> None:
    async with serving("Hi there.") as server:
        chunks = await streamed(server, stream_options={"include_usage": True})
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
        assert deltas[0] == {"role": "assistant", "content": ""}
        assert "".join(delta.get("content", "") for delta in deltas) == "Hi there."
        assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["completion_tokens"] == 2


async def test_openais_client_reads_both() -> None:
    async with serving("Hi there.", "Hi again.") as server:
        client = client_of(server)
        whole = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert whole.choices[0].message.content == "Hi there."
        stream = await client.chat.completions.create(model="kitchen", messages=HELLO, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in stream])
        assert text == "Hi again."
        assert [model.id async for model in client.models.list()] == ["kitchen"]


async def test_what_was_said_before_is_the_models_history() -> None:
    messages = [
        {"role": "system", "content": "Rhyme."},
        {"role": "user", "content": [{"type": "text", "text": "Weather in Oulu?"}]},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "k", "type": "function", "function": {"name": "w", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "k", "content": "snow"},
        {"role": "assistant", "content": None, "audio": {"transcript": "It snows."}},
        {"role": "user", "content": "And in Rome?"},
    ]
    async with serving("Warm.") as server:
        assert (await posted(server, messages=messages)).status_code == 200
        session = server.model.sessions[0]
        assert session.system == "Be brief.\n\nRhyme."
        assert session.history == (
            Message("user", (Text("Weather in Oulu?"),)),
            Message("assistant", (ToolCall("k", "w", {}),)),
            Message("tool", (ToolResult("k", "w", "snow"),)),
            Message("assistant", (Text("It snows."),)),
        )
        assert session.fed == [Text("And in Rome?")]
        assert session.closed


async def test_pictures_and_sound_come_in_as_the_model_takes_them() -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(PICTURE.to_jpeg()).decode()
    wav = base64.b64encode(Audio.silence(0.5, 16_000).to_wav()).decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}},
    ]
    async with serving("A square.", transcripts=["Tell me"]) as server:
        answer = await posted(server, messages=[{"role": "user", "content": content}])
        assert answer.json()["choices"][0]["message"]["content"] == "A square."
        text, image, audio = server.model.sessions[0].fed
        assert text == Text("What is this?")
        assert isinstance(image, Image)
        assert isinstance(audio, Audio)
        assert audio.seconds == 0.5


@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "pcm16"])
async def test_an_answer_aloud(form: str) -> None:
    async with serving("Chop the onions.") as server:
        audio = {"voice": "alloy", "format": form}
        answer = await posted(server, modalities=["text", "audio"], audio=audio)
        message = checked(answer.json())["choices"][0]["message"]
        assert message["content"] is None
        assert message["audio"]["transcript"] == "Chop the onions."
        data = base64.b64decode(message["audio"]["data"])
        sound = Audio.from_pcm16(data, 24_000) if form == "pcm16" else Audio.load(data)
        assert sound.seconds == pytest.approx(16 / 15, abs=0.12)


async def test_an_answer_aloud_as_a_stream() -> None:
    async with serving("Chop the onions.", "Mix.") as server:
        spoken: dict[str, Any] = {"modalities": ["text", "audio"]}
        chunks = await streamed(server, **spoken, audio={"voice": "tone", "format": "pcm16"})
        parts = [chunk["choices"][0]["delta"].get("audio", {}) for chunk in chunks]
        assert "".join(part.get("transcript", "") for part in parts) == "Chop the onions."
        data = b"".join(base64.b64decode(part.get("data", "")) for part in parts)
        assert len(data) / 2 / 24_000 == pytest.approx(16 / 15, abs=0.01)
        refused = await posted(server, stream=True, **spoken, audio={"format": "wav"})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "audio.format"


async def test_the_agents_own_tools_run_here() -> None:
    @tool
    async def look() -> str:
        """Look."""
        return "a cat"

    async with serving(ToolCall("c", "look", {}), "A cat.", tools=[look]) as server:
        choice = (await posted(server)).json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("A cat.", "stop")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_clients_tool_is_called_and_the_turn_goes_on_with_what_it_gave(
    stream: bool,
) -> None:
    turn = ["Let me see.", ToolCall("c", "get_weather", {"city": "Oulu"})]
    async with serving(turn, "It snows.") as server:
        if stream:
            chunks = await streamed(server, tools=[WEATHER])
            assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
            (call,) = chunks[-2]["choices"][0]["delta"]["tool_calls"]
            assert call.pop("index") == 0
        else:
            choice = checked((await posted(server, tools=[WEATHER])).json())["choices"][0]
            assert choice["finish_reason"] == "tool_calls"
            assert choice["message"]["content"] == "Let me see."
            (call,) = choice["message"]["tool_calls"]
        assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Oulu"}'}

        said = {"role": "assistant", "content": "Let me see.", "tool_calls": [call]}
        gave = {"role": "tool", "tool_call_id": call["id"], "content": "snow"}
        answer = await posted(server, tools=[WEATHER], messages=[*HELLO, said, gave])
        assert answer.json()["choices"][0]["message"]["content"] == "It snows."
        (session,) = server.model.sessions  # the same turn, not another
        assert ToolResult("c", "get_weather", "snow") in session.fed
        assert session.closed


async def test_a_result_of_a_turn_that_is_gone_is_told_in_words() -> None:
    call = {"id": "k", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "k", "content": "snow"},
    ]
    async with serving("It snows.") as server:
        answer = await posted(server, tools=[WEATHER], messages=messages)
        assert answer.json()["choices"][0]["message"]["content"] == "It snows."
        assert server.model.sessions[0].fed == [Text("(get_weather gave: snow)")]


async def test_a_turn_whose_client_never_comes_back_is_dropped() -> None:
    settings = ServerSettings(port=0, limits=Limits(tool_seconds=0.1))
    async with serving(ToolCall("c", "get_weather", {}), settings=settings) as server:
        choice = (await posted(server, tools=[WEATHER])).json()["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        await closed(server, 0)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "cat", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "tool_call_id": "k"}]}, "messages[0].tool_call_id"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"], "audio": {"format": "opus"}}, "audio.format"),
    ],
)
async def test_what_cannot_be_answered_is_named(body: dict[str, Any], param: str) -> None:
    async with serving() as server:
        answer = await posted(server, **body)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param
        assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'"x"', b"[" * 100_000, b"\xff"])
async def test_garbage_is_refused(body: bytes) -> None:
    async with serving() as server, server.http as http:
        assert (await http.post("/v1/chat/completions", content=body)).status_code == 400


async def test_errors_are_of_the_kind_that_openais_client_knows() -> None:
    async with serving([GenerationError("out of memory")] * 1, "x") as server:
        client = client_of(server)
        with pytest.raises(openai.NotFoundError, match="garage"):
            await client.chat.completions.create(model="garage", messages=HELLO)
        with pytest.raises(openai.InternalServerError, match="out of memory"):
            await client.chat.completions.create(model="kitchen", messages=HELLO)


async def test_a_stream_that_breaks_says_so() -> None:
    async with serving(["Hi ", GenerationError("out of memory")]) as server:
        client = client_of(server)
        stream = await client.chat.completions.create(model="kitchen", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match="out of memory"):
            async for _ in stream:
                pass


async def test_a_client_that_leaves_stops_its_answer() -> None:
    async with serving(["Hi ", Pause(30)], [Pause(30)]) as server, server.http as http:
        body = {"messages": HELLO, "stream": True}
        async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                if "Hi" in line:
                    break
        await closed(server, 0)
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/v1/chat/completions", json={"messages": HELLO}, timeout=0.2)
        await closed(server, 1)


async def test_only_so_many_are_answered_at_a_time() -> None:
    settings = ServerSettings(port=0, limits=Limits(requests=1, message_bytes=2000))
    async with serving([Pause(0.5), "Hi."], settings=settings) as server:
        first = asyncio.create_task(posted(server))
        await asyncio.sleep(0.2)
        assert (await posted(server)).status_code == 429
        assert (await first).status_code == 200
        assert (await posted(server, user="x" * 3000)).status_code == 413
