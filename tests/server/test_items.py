"""Conversation items: made, kept, found again, cut to what was heard, deleted."""

import base64
from typing import Any

import numpy as np
import pytest
from clients import Client, serving, sound

from omni_agent.listening import SpeechSure
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Message, Text, ToolCall, ToolResult
from omni_agent.model.scripted import Pause

PICTURE = Image(np.full((32, 32, 3), 200, np.uint8))
DATA_URL = "data:image/jpeg;base64," + base64.b64encode(PICTURE.to_jpeg()).decode()


def typed(text: str, **item: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
        **item,
    }


async def retrieved(client: Client, id: str) -> dict[str, Any]:
    await client.send("conversation.item.retrieve", item_id=id)
    item: dict[str, Any] = (await client.until("conversation.item.retrieved"))["item"]
    return item


async def test_a_client_names_its_items_and_says_where_they_stand() -> None:
    async with serving() as server, server.client() as client:
        await client.creates(typed("one", id="a"))
        await client.creates(typed("three", id="c"))
        done = await client.creates(typed("two", id="b"), previous_item_id="a")
        assert done["previous_item_id"] == "a"
        first = await client.creates(typed("zero", id="z"), previous_item_id="root")
        assert first["previous_item_id"] is None
        assert (await retrieved(client, "b"))["content"][0]["text"] == "two"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"item": typed("x", id="a")}, "item_create_duplicate_item_id"),
        ({"item": typed("x"), "previous_item_id": "q"}, "item_create_invalid_previous_item_id"),
        ({"item": {"type": "poem"}}, "invalid_value"),
        ({"item": typed("x", role="cat")}, "invalid_value"),
        ({"item": typed("x", content=[{"type": "smell"}])}, "invalid_value"),
        ({"item": typed("x", content="x")}, "invalid_value"),
        ({"item": {"type": "function_call_output", "call_id": "q", "output": ""}}, "invalid_value"),
        ({}, None),
    ],
)
async def test_an_item_that_cannot_be_is_refused(event: Any, code: str | None) -> None:
    async with serving("Hi.") as server, server.client() as client:
        await client.creates(typed("Hello", id="a"))
        await client.send("conversation.item.create", event_id="mine", **event)
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == (code, "mine")
        await client.send("response.create")
        await client.until("response.done")


async def test_pictures_and_sound_reach_the_model() -> None:
    async with serving("A grey square.", transcripts=["What is this?"]) as server:
        async with server.client() as client:
            picture = {"type": "input_image", "image_url": DATA_URL}
            await client.creates(typed("", content=[picture]))
            await client.creates(typed("", content=[{"type": "input_audio", "audio": sound(0.5)}]))
            await client.send("response.create")
            await client.until("response.done")
            image, audio = server.model.sessions[0].fed
            assert isinstance(image, Image)
            assert image.size == (32, 32)
            assert isinstance(audio, Audio)
            assert audio.seconds == pytest.approx(0.5)


@pytest.mark.parametrize(
    "url", ["https://example.org/a.jpg", "data:image/png,abc", "data:image/png;base64,AAAA", 7]
)
async def test_only_pictures_that_were_sent_along_are_taken(url: Any) -> None:
    async with serving() as server, server.client() as client:
        content = [{"type": "input_image", "image_url": url}]
        await client.send("conversation.item.create", item=typed("", content=content))
        error = (await client.until("error"))["error"]
        assert error["param"] == "item.content[0].image_url"


async def test_a_picture_of_low_detail_is_a_frame_of_the_camera() -> None:
    async with serving("A square.") as server, server.client("?omni=1") as client:
        frame = {"type": "input_image", "image_url": DATA_URL, "detail": "low"}
        await client.creates(typed("", content=[{**frame, "omni_source": "screen"}]))
        assert (await client.until("omni.frame"))["source"] == "screen"
        await client.asks("What is this?")
        seen = [p for p in server.model.sessions[0].fed if isinstance(p, VideoFrame)]
        assert len(seen) == 1


async def test_what_was_said_before_the_call_is_its_history() -> None:
    async with serving("Warm.") as server, server.client() as client:
        await client.creates(typed("Weather in Oulu?"))
        called = {"type": "function_call", "call_id": "k1", "name": "weather", "arguments": "{}"}
        await client.creates(called)
        await client.creates({"type": "function_call_output", "call_id": "k1", "output": "snow"})
        said = {"type": "output_text", "text": "It snows."}
        await client.creates({"type": "message", "role": "assistant", "content": [said]})
        await client.asks("And in Rome?")
        session = server.model.sessions[0]
        assert session.history == (
            Message("user", (Text("Weather in Oulu?"),)),
            Message("assistant", (ToolCall("k1", "weather", {}),)),
            Message("tool", (ToolResult("k1", "weather", "snow"),)),
            Message("assistant", (Text("It snows."),)),
        )
        assert session.fed == [Text("And in Rome?")]


async def test_a_deleted_item_cannot_be_found() -> None:
    async with serving() as server, server.client() as client:
        await client.creates(typed("x", id="a"))
        await client.send("conversation.item.delete", item_id="a")
        assert (await client.until("conversation.item.deleted"))["item_id"] == "a"
        await client.send("conversation.item.retrieve", event_id="rci_a", item_id="a")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("item_retrieve_invalid_item_id", "rci_a")


async def test_a_truncated_item_says_what_was_heard() -> None:
    async with serving("Chop the onions. Then fry them.") as server, server.client() as client:
        done = await client.asks("How do I begin?")
        item = done["response"]["output"][0]
        await client.send(
            "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=1100
        )
        truncated = await client.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == 1100
        heard = await retrieved(client, item["id"])
        assert heard["content"][0]["transcript"] == "Chop the onions."
        assert heard["status"] == "incomplete"
        assert server.model.sessions[0].kept == ["Chop the onions."]


@pytest.mark.parametrize(("asked", "got"), [(10**9, 2067), (-5, 0)])
async def test_truncating_beyond_an_item_is_truncating_at_its_end(asked: int, got: int) -> None:
    async with serving("Chop the onions. Then fry them.") as server, server.client() as client:
        item = (await client.asks("How do I begin?"))["response"]["output"][0]
        await client.send(
            "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=asked
        )
        truncated = await client.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == pytest.approx(got, abs=1)


async def test_only_what_the_agent_said_can_be_truncated() -> None:
    async with serving() as server, server.client() as client:
        await client.creates(typed("x", id="a"))
        for id, code in (("a", "invalid_value"), ("b", "item_truncate_invalid_item_id")):
            await client.send(
                "conversation.item.truncate", item_id=id, content_index=0, audio_end_ms=1
            )
            assert (await client.until("error"))["error"]["code"] == code


async def test_after_a_barge_in_an_item_says_what_was_heard() -> None:
    turn = ["Chop the onions. ", Pause(5), "Then fry them."]
    async with serving(turn, transcripts=["How?"]) as server, server.client() as client:
        await client.says()
        await client.until("response.output_audio.delta")
        await client.quiet(0.5)
        await client.hears(SpeechSure(1200))
        done = await client.until("response.done")
        item = await retrieved(client, done["response"]["output"][0]["id"])
        heard = item["content"][0]["transcript"]
        assert "Chop the onions.".startswith(heard)
        assert heard in ("Chop", "Chop the", "Chop the onions.")
        assert server.model.sessions[0].kept == [heard]
