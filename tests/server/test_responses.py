"""Responses: asked for, refused, cancelled, failed, and had beside the conversation."""

from typing import Any

import pytest
from clients import serving, sound

from omni_agent.errors import GenerationError
from omni_agent.events import Usage
from omni_agent.media import Audio
from omni_agent.messages import Text
from omni_agent.model.base import Finished
from omni_agent.model.scripted import Pause
from omni_agent.server.realtime import BEGIN


async def test_metadata_comes_back_as_it_was_sent() -> None:
    async with serving("Hi.") as server, server.client() as client:
        metadata = {"client_event_id": "e1"}
        done = await client.asks("Hello", metadata=metadata)
        assert done["response"]["metadata"] == metadata
        assert client.of("response.created")[0]["response"]["metadata"] == metadata


async def test_a_second_response_has_to_wait() -> None:
    async with serving(["Hi. ", Pause(5)]) as server, server.client() as client:
        await client.types_in("Hello")
        await client.send("response.create", event_id="first")
        await client.send("response.create", event_id="second")
        error = (await client.until("error"))["error"]
        assert error["code"] == "conversation_already_has_active_response"
        assert error["event_id"] == "second"


async def test_a_response_that_is_cancelled_says_so() -> None:
    async with serving(["Hi. ", Pause(5), "Bye."], "Again.") as server:
        async with server.client() as client:
            await client.types_in("Hello")
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            done = (await client.until("response.done"))["response"]
            assert done["status"] == "cancelled"
            assert done["status_details"]["reason"] == "client_cancelled"
            assert (await client.asks("Once more"))["response"]["status"] == "completed"


async def test_a_response_can_be_cancelled_before_its_first_word() -> None:
    async with serving([Pause(5), "Hi."]) as server, server.client() as client:
        await client.types_in("Hello")
        await client.send("response.create")
        await client.until("response.created")
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["output"]) == ("cancelled", [])


async def test_cancelling_nothing_is_an_error_that_harms_nobody() -> None:
    async with serving("Hi.") as server, server.client() as client:
        await client.send("response.cancel", event_id="mine")
        error = (await client.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "mine")
        assert (await client.asks("Hello"))["response"]["status"] == "completed"


async def test_usage_is_whole_and_true() -> None:
    used = Usage(prompt_tokens=40, cached_tokens=30, completion_tokens=5)
    async with serving(["Hi.", Finished("done", used)]) as server, server.client() as client:
        usage = (await client.asks("Hello"))["response"]["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (40, 5)
        assert usage["total_tokens"] == 45
        assert usage["input_token_details"]["cached_tokens"] == 30
        assert usage["input_token_details"]["cached_tokens_details"]["audio_tokens"] == 0
        assert usage["output_token_details"] == {"text_tokens": 5, "audio_tokens": 0}


async def test_a_model_that_breaks_in_the_middle_of_a_word_fails_the_response_alone() -> None:
    async with serving(["Chop the on", GenerationError("out of memory")], "Sorry.") as server:
        async with server.client() as client:
            done = (await client.asks("How?"))["response"]
            assert done["status"] == "failed"
            assert "out of memory" in done["status_details"]["error"]["message"]
            assert done["output"][0]["content"][0]["transcript"] == "Chop the on"
            assert (await client.asks("Again?"))["response"]["status"] == "completed"


async def test_an_answer_that_is_cut_off_is_incomplete() -> None:
    turn = ["Chop the", Finished("length", Usage())]
    async with serving(turn) as server, server.client() as client:
        done = (await client.asks("How?"))["response"]
        assert done["status"] == "incomplete"
        assert done["status_details"]["reason"] == "max_output_tokens"


async def test_instructions_for_one_response_are_laid_before_the_model() -> None:
    async with serving("Welcome!") as server, server.client() as client:
        await client.send("response.create", response={"instructions": "Greet the user."})
        await client.until("response.done")
        assert server.model.sessions[0].fed == [Text("(Greet the user.)")]


async def test_the_agent_begins_where_nobody_has_said_anything() -> None:
    async with serving("Welcome!") as server, server.client() as client:
        await client.send("response.create")
        await client.until("response.done")
        assert server.model.sessions[0].fed == [Text(BEGIN)]


async def test_there_is_nothing_to_add_to_an_answer() -> None:
    async with serving("Hi.") as server, server.client() as client:
        await client.asks("Hello")
        await client.send("response.create", response={"metadata": {"n": "2"}})
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["output"]) == ("completed", [])
        assert done["metadata"] == {"n": "2"}
        assert done["usage"]["total_tokens"] == 0


async def test_one_response_may_be_in_text() -> None:
    async with serving("Hi.", "Hi again.") as server, server.client() as client:
        done = (await client.asks("Hello", output_modalities=["text"]))["response"]
        assert done["output"][0]["content"] == [{"type": "output_text", "text": "Hi."}]
        done = (await client.asks("Hello"))["response"]
        assert done["output"][0]["content"][0]["type"] == "output_audio"


@pytest.mark.parametrize("given", [None, "input"])
async def test_a_response_beside_the_conversation(given: Any) -> None:
    async with serving("Hi.", "A greeting.", "Still here.") as server, server.client() as client:
        await client.asks("Hello")
        about = [
            {"type": "item_reference", "id": client.of("conversation.item.added")[0]["item"]["id"]}
        ]
        response: dict[str, Any] = {
            "conversation": "none",
            "instructions": "Give this a title.",
            "output_modalities": ["text"],
            "metadata": {"topic": "title"},
            **({"input": about} if given else {}),
        }
        before = len(client.seen)
        await client.send("response.create", response=response)
        done = (await client.until("response.done"))["response"]
        assert done["metadata"] == {"topic": "title"}
        assert done["output"][0]["content"][0]["text"] == "A greeting."
        assert not [t for t in client.types[before:] if t.startswith("conversation.")]
        beside = server.model.sessions[1]
        assert beside.system == "Give this a title."
        assert beside.fed == [Text("Hello" if given else "user: Hello\nassistant: Hi.")]
        assert (await client.asks("Are you there?"))["response"]["status"] == "completed"
        assert server.model.sessions[0].fed == [Text("Hello"), Text("Are you there?")]


async def test_what_was_typed_is_answered_with_what_was_said_after_it() -> None:
    async with serving("Chop them.", transcripts=["How?"]) as server, server.client() as client:
        await client.types_in("About onions:")
        await client.says()
        await client.until("response.done")
        typed, spoken = server.model.sessions[0].fed[:2]
        assert typed == Text("About onions:")
        assert isinstance(spoken, Audio)
        await client.send("response.create")
        assert (await client.until("response.done"))["response"]["output"] == []


async def test_an_item_can_be_looked_at_while_it_is_said() -> None:
    async with serving(["Chop the ", Pause(5), "onions."]) as server, server.client() as client:
        await client.types_in("How?")
        await client.send("response.create")
        delta = await client.until("response.output_audio.delta")
        await client.quiet(0.1)
        await client.send("conversation.item.retrieve", item_id=delta["item_id"])
        item = (await client.until("conversation.item.retrieved"))["item"]
        assert (item["status"], item["content"][0]["transcript"]) == ("in_progress", "Chop the ")


async def test_clearing_the_microphone_leaves_what_was_committed() -> None:
    async with serving("Chop them.", transcripts=["How?"]) as server, server.client() as client:
        await client.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
        await client.send("input_audio_buffer.append", audio=sound(1.0))
        await client.send("input_audio_buffer.commit")
        await client.send("input_audio_buffer.clear")
        await client.send("response.create")
        output = (await client.until("response.done"))["response"]["output"]
        assert output[0]["content"][0]["transcript"] == "Chop them."
