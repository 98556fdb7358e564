"""A client's own tools: called by the model here, run by the client there."""

import asyncio
from typing import Any

from clients import Client, serving

from omni_agent.listening import SpeechSure
from omni_agent.messages import Text, ToolCall, ToolResult
from omni_agent.server import Limits, ServerSettings
from omni_agent.tools.base import tool

WEATHER = ToolCall("call_1", "get_weather", {"city": "Oulu"})
TIME = ToolCall("call_2", "get_time", {})


async def has_tools(client: Client) -> None:
    tools = [{"type": "function", "name": name} for name in ("get_weather", "get_time")]
    await client.send("session.update", session={"tools": tools})
    await client.until("session.updated")


async def gives(client: Client, call: dict[str, Any], output: str) -> None:
    item = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
    await client.creates(item)


async def test_calls_that_are_made_together_are_one_response() -> None:
    async with serving([WEATHER, TIME], "Snow, at noon.") as server, server.client() as client:
        await has_tools(client)
        weather, time = (await client.asks("How and when?"))["response"]["output"]
        assert (weather["name"], time["name"]) == ("get_weather", "get_time")
        assert weather["call_id"] != time["call_id"]
        await gives(client, time, "noon")
        await gives(client, weather, "snow")
        await client.send("response.create")
        await client.until("response.done")
        results = [p for p in server.model.sessions[0].fed if isinstance(p, ToolResult)]
        assert [(r.name, r.content) for r in results] == [
            ("get_weather", "snow"),
            ("get_time", "noon"),
        ]


async def test_an_answer_asked_for_early_comes_when_all_outputs_are_there() -> None:
    async with serving([WEATHER, TIME], "Snow, at noon.") as server, server.client() as client:
        await has_tools(client)
        weather, time = (await client.asks("How and when?"))["response"]["output"]
        await gives(client, time, "noon")
        await client.send("response.create", response={"metadata": {"n": "1"}})
        assert await client.quiet() == []
        await gives(client, weather, "snow")
        done = (await client.until("response.done"))["response"]
        assert done["metadata"] == {"n": "1"}
        assert done["output"][0]["content"][0]["transcript"] == "Snow, at noon."


async def test_a_client_may_be_quicker_than_the_end_of_the_response() -> None:
    async with serving(WEATHER, "It snows.") as server, server.client() as client:
        await has_tools(client)
        await client.types_in("The weather?")
        await client.send("response.create")
        call = await client.until("response.function_call_arguments.done")
        await gives(client, call, "snow")
        await client.send("response.create")
        await client.until("response.done")
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_the_agents_tools_run_here_while_the_clients_run_there() -> None:
    ran = asyncio.Event()

    @tool
    async def look() -> str:
        """Look."""
        ran.set()
        return "a cat"

    call = ToolCall("call_3", "look", {})
    async with serving([WEATHER, call], "A cat in the snow.", tools=[look]) as server:
        async with server.client() as client:
            await has_tools(client)
            done = (await client.asks("What is there?"))["response"]
            assert [item["name"] for item in done["output"]] == ["get_weather"]
            assert ran.is_set()
            await gives(client, done["output"][0], "snow")
            await client.send("response.create")
            done = (await client.until("response.done"))["response"]
            assert done["output"][0]["content"][0]["transcript"] == "A cat in the snow."


async def test_a_tool_that_never_returns_is_given_up() -> None:
    settings = ServerSettings(port=0, limits=Limits(tool_seconds=0.2))
    async with serving(WEATHER, "I cannot tell.", settings=settings) as server:
        async with server.client() as client:
            await has_tools(client)
            call = (await client.asks("The weather?"))["response"]["output"][0]
            done = (await client.until("response.done"))["response"]  # the agent goes on by itself
            assert done["output"][0]["content"][0]["transcript"] == "I cannot tell."
            result = next(p for p in server.model.sessions[0].fed if isinstance(p, ToolResult))
            assert result.is_error
            assert "within 0.2 seconds" in result.content
            await gives(client, call, "snow")  # too late, and no error


async def test_a_result_that_comes_after_an_interruption_is_told_with_the_next_turn() -> None:
    async with serving(WEATHER, "As I said.", transcripts=["Weather?", "Hello?"]) as server:
        async with server.client() as client:
            await has_tools(client)
            await client.says()
            call = (await client.until("response.done"))["response"]["output"][0]
            await client.hears(SpeechSure(1200))
            await client.until("input_audio_buffer.speech_started")
            await gives(client, call, "snow")
            await client.says()
            done = (await client.until("response.done"))["response"]
            assert done["output"][0]["content"][0]["transcript"] == "As I said."
            notes = [str(part) for part in server.model.sessions[0].fed]
            assert any("snow" in note for note in notes)


async def test_what_a_model_calls_its_calls_is_unique_on_the_wire() -> None:
    async with serving(WEATHER, "Snow.", WEATHER, "Snow.") as server, server.client() as client:
        await has_tools(client)
        ids = []
        for _ in range(2):
            call = (await client.asks("The weather?"))["response"]["output"][0]
            ids.append(call["call_id"])
            await gives(client, call, "snow")
            await client.send("response.create")
            await client.until("response.done")
        assert ids[0] != ids[1]


async def test_one_who_is_handed_over_answers_with_what_the_tool_gave() -> None:
    """A client that hands over to another agent changes the session before it gives the output."""
    async with serving(TIME, "Ahoy, noon.") as server, server.client() as client:
        await has_tools(client)
        call = (await client.asks("When?"))["response"]["output"][0]
        await client.send("session.update", session={"instructions": "Be a pirate.", "tools": []})
        await client.until("session.updated", within=2)
        await gives(client, call, "noon")
        await client.send("response.create", response={"metadata": {"n": "1"}})
        done = (await client.until("response.done"))["response"]
        assert (done["status"], done["metadata"]) == ("completed", {"n": "1"})
        assert done["output"][0]["content"][0]["transcript"] == "Ahoy, noon."
        now = server.model.sessions[-1]
        assert now.system.endswith("Be a pirate.")
        assert [part.text for part in now.fed if isinstance(part, Text)] == [
            "(get_time gave: noon)"
        ]
        assert await client.quiet() == []


async def test_outputs_given_before_the_session_changed_are_not_lost() -> None:
    async with serving([WEATHER, TIME], "Snow, at noon.") as server, server.client() as client:
        await has_tools(client)
        weather, time = (await client.asks("How and when?"))["response"]["output"]
        await gives(client, weather, "snow")
        await client.send("session.update", session={"instructions": "Be a pirate."})
        await client.until("session.updated", within=2)
        await gives(client, time, "noon")
        await client.send("response.create")
        await client.until("response.done")
        told = [str(part) for part in server.model.sessions[-1].fed]
        assert sum("snow" in part for part in told) == 1
        assert sum("noon" in part for part in told) == 1


async def test_a_call_goes_on_where_the_session_is_changed_only_in_how_it_listens() -> None:
    async with serving(TIME, "At noon.") as server, server.client() as client:
        await has_tools(client)
        call = (await client.asks("When?"))["response"]["output"][0]
        await client.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
        await client.until("session.updated")
        await gives(client, call, "noon")
        await client.send("response.create")
        done = (await client.until("response.done"))["response"]
        assert done["output"][0]["content"][0]["transcript"] == "At noon."
        assert len(server.model.sessions) == 1
        assert any(isinstance(part, ToolResult) for part in server.model.sessions[0].fed)


async def test_after_a_change_of_the_session_a_late_result_is_told_as_before() -> None:
    turns = (TIME, "At noon.", WEATHER, "As I said.")
    async with serving(*turns, transcripts=["Weather?", "Hello?"]) as server:
        async with server.client() as client:
            await has_tools(client)
            call = (await client.asks("When?"))["response"]["output"][0]
            await client.send("session.update", session={"instructions": "Be a pirate."})
            await client.until("session.updated")
            await gives(client, call, "noon")
            await client.send("response.create")
            await client.until("response.done")
            await client.says()
            call = (await client.until("response.done"))["response"]["output"][0]
            await client.hears(SpeechSure(1200))
            await client.until("input_audio_buffer.speech_started")
            await gives(client, call, "snow")
            await client.says()
            await client.until("response.done")
            told = [str(part) for part in server.model.sessions[-1].fed]
            assert any("called before the user cut in, came back: snow" in part for part in told)
