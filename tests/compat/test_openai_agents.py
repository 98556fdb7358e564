"""`openai-agents`' RealtimeRunner, against our server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
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

pytest.importorskip("agents", reason="needs openai-agents, of the extra compat")
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

QUESTION = "How do I chop an onion?"


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It snows in {city}."


@asynccontextmanager
async def session_with(
    served: Served,
    *tools: Any,
    instructions: str = "Rhyme.",
    handoffs: Sequence[RealtimeAgent] = (),
    **settings: Any,
) -> AsyncIterator[RealtimeSession]:
    agent = RealtimeAgent(
        name="Cook", instructions=instructions, tools=[*tools], handoffs=[*handoffs]
    )
    settings = {"turn_detection": TURN_DETECTION, **settings}
    runner = RealtimeRunner(agent, config={"model_settings": settings})
    async with await runner.run(model_config={"url": served.ws_url, "api_key": "-"}) as session:
        yield session


async def until(
    session: RealtimeSession, type: str, *, count: int = 1, within: float = 10
) -> list[Any]:
    """The events up to the first of this type (or so many of them). An error fails the test."""
    events: list[Any] = []
    async with asyncio.timeout(within):
        async for event in session:
            events.append(event)
            assert event.type != "error", event.error
            count -= event.type == type
            if not count:
                return events
    raise AssertionError(f"the session was over before {type}")


async def says(session: RealtimeSession, sound: Audio, *, live: bool = False) -> None:
    async for piece in chunks(sound, live=live):
        await session.send_audio(piece)


async def history_until(session: RealtimeSession, last: str, *, cut: str) -> list[tuple[str, str]]:
    """Who said what, when `last` was said and no longer all of `cut` is thought to be heard."""
    while True:
        (*_, updated) = await until(session, "history_updated")
        history = told(updated.history)
        if history[-1][1] == last and cut not in [words for _, words in history]:
            return history


def of(events: list[Any], type: str) -> list[Any]:
    return [event for event in events if event.type == type]


def told(history: list[Any]) -> list[tuple[str, str]]:
    """Who said what, as the history has it."""
    return [
        (item.role, " ".join(filter(None, map(_words, item.content))))
        for item in history
        if item.type == "message"
    ]


def _words(part: Any) -> str | None:
    return getattr(part, "text", None) or getattr(part, "transcript", None)


async def test_a_typed_turn_is_answered_and_in_the_history() -> None:
    async with serving("Chop it finely.") as served, session_with(served) as session:
        await session.send_message(QUESTION)
        events = await until(session, "agent_end")
        assert served.model.sessions[0].system.endswith("Rhyme.")
        kinds = [event.type for event in events]
        assert kinds.index("agent_start") < kinds.index("audio") < kinds.index("audio_end")
        sound = b"".join(event.audio.data for event in of(events, "audio"))
        assert len(sound) / 2 / RATE == pytest.approx(len("Chop it finely.") / 15, abs=0.02)
        history = of(events, "history_updated")[-1].history
        assert told(history) == [("user", QUESTION), ("assistant", "Chop it finely.")]


async def test_a_spoken_turn_is_in_the_history_by_its_words() -> None:
    async with serving("Chop it finely.", transcripts=[QUESTION] * 3) as served:
        async with session_with(served) as session:
            await says(session, speech(QUESTION))
            events = await until(session, "agent_end")
            history = of(events, "history_updated")[-1].history
            assert told(history) == [("user", QUESTION), ("assistant", "Chop it finely.")]
            assert of(events, "audio")


async def test_the_clients_own_tool_is_run_and_its_result_answered() -> None:
    call = ToolCall("call_1", "get_weather", {"city": "Oulu"})
    async with serving(call, "Take a hat.") as served:
        async with session_with(served, get_weather) as session:
            await session.send_message("What is the weather in Oulu?")
            events = await until(session, "agent_end", count=2)
            (end,) = of(events, "tool_end")
            assert (end.tool.name, end.output) == ("get_weather", "It snows in Oulu.")
            history = of(events, "history_updated")[-1].history
            assert told(history)[-1] == ("assistant", "Take a hat.")
            (result,) = [p for p in served.model.sessions[0].fed if isinstance(p, ToolResult)]
            assert result.content == "It snows in Oulu."


async def test_the_agents_own_tool_runs_on_the_server() -> None:
    call = ToolCall("call_1", "oven_timer", {"minutes": 5})
    async with serving(call, "It rings in five.", tools=[oven_timer]) as served:
        async with session_with(served, get_weather) as session:
            await session.send_message("Five minutes for the oven.")
            events = await until(session, "agent_end")
            assert not of(events, "tool_start")
            history = of(events, "history_updated")[-1].history
            assert told(history)[-1] == ("assistant", "It rings in five.")


async def test_another_agent_takes_over_and_answers() -> None:
    baker = RealtimeAgent(name="Baker", instructions="Speak of bread.", tools=[get_weather])
    call = ToolCall("call_1", "transfer_to_baker", {})
    async with serving(call, "Knead it well.") as served:
        async with session_with(served, handoffs=[baker]) as session:
            await session.send_message("How do I make bread?")
            events = await until(session, "agent_end", count=2)
            (handoff,) = of(events, "handoff")
            assert (handoff.from_agent.name, handoff.to_agent.name) == ("Cook", "Baker")
            history = of(events, "history_updated")[-1].history
            assert told(history)[-1] == ("assistant", "Knead it well.")
            now = served.model.sessions[-1]
            assert now.system.endswith("Speak of bread.")
            assert "get_weather" in [spec.name for spec in now.tools]


@pytest.mark.parametrize("still_thinking", [False, True])
async def test_talking_over_the_answer_leaves_what_was_heard_in_the_history(
    still_thinking: bool,
) -> None:
    turn = [LONG, Pause(20), "And so on."] if still_thinking else LONG
    async with serving(turn, "Yes?", transcripts=["Wait a moment please"] * 3) as served:
        async with session_with(served) as session:
            await session.send_message(QUESTION)
            await until(session, "audio")
            await asyncio.sleep(1.0)  # the client plays
            await says(session, speech("Wait a moment please"))
            await until(session, "audio_interrupted")
            history = await history_until(session, "Yes?", cut=LONG)
            assert [who for who, _ in history] == ["user", "assistant", "user", "assistant"]
            assert [words for _, words in history[::2]] == [QUESTION, "Wait a moment please"]
            heard = history[1][1]
            assert LONG.startswith(heard)
            assert 1 <= len(heard.split()) <= 4  # a second of it
            assert served.model.sessions[0].kept == [heard, "Yes?"]


async def test_an_answer_of_which_nothing_was_heard_is_not_in_the_history() -> None:
    speech("Wait a moment please")  # made ahead, so that it comes at once
    async with serving(LONG, "Yes?", transcripts=["Wait a moment please"] * 3) as served:
        async with session_with(served) as session:
            await session.send_message(QUESTION)
            await until(session, "audio")
            await says(session, speech("Wait a moment please"))
            history = await history_until(session, "Yes?", cut=LONG)
            assert [words.strip() for _, words in history] == [
                QUESTION, "", "Wait a moment please", "Yes?",
            ]  # fmt: skip


async def test_a_picture_is_part_of_the_question() -> None:
    async with serving("It is red.") as served, session_with(served) as session:
        url = "data:image/jpeg;base64," + base64.b64encode(photo()).decode()
        content = [
            {"type": "input_text", "text": "Which colour is this?"},
            {"type": "input_image", "image_url": url},
        ]
        await session.send_message({"type": "message", "role": "user", "content": content})
        events = await until(session, "agent_end")
        assert told(of(events, "history_updated")[-1].history)[-1] == ("assistant", "It is red.")
        text, image = served.model.sessions[0].fed[-2:]
        assert text == Text("Which colour is this?")
        assert isinstance(image, Image)


async def test_a_session_ends_with_the_server_and_a_new_one_begins_at_once() -> None:
    async with serving("Yes.", "Still here.") as served:
        async with session_with(served) as session:
            await session.send_message("Are you there?")
            await until(session, "agent_end")
            await served.restart()
            events = []
            async with asyncio.timeout(5):
                async for event in session:
                    events.append(event)
            assert "going_away" in [event.error.code for event in of(events, "error")]
        async with session_with(served) as session:
            await session.send_message("And now?")
            events = await until(session, "agent_end")
            assert told(of(events, "history_updated")[-1].history)[-1][1] == "Still here."


@pytest.mark.weights
async def test_the_real_model_hears_a_question_and_answers_aloud(real: Any) -> None:
    semantic = {"turn_detection": {"type": "semantic_vad", "interrupt_response": True}}
    async with session_with(real.served, instructions="", **semantic) as session:
        await says(session, real.question, live=True)
        events = await until(session, "agent_end", within=120)
        (asked, answered) = told(of(events, "history_updated")[-1].history)
        assert real.words in asked[1].lower()
        assert real.answer in answered[1]
        sound = b"".join(event.audio.data for event in of(events, "audio"))
        assert len(sound) / 2 / RATE > 0.5
