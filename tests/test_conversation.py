"""What may be said in a conversation, and in which order it is answered."""

import asyncio
import io
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from omni_agent.agent import Agent
from omni_agent.errors import MediaError, SettingsError, UnreadableMedia, UsageError
from omni_agent.events import Event, TextDelta, ToolStarted, TurnFinished
from omni_agent.media import Audio, Image
from omni_agent.messages import Heard, Text, ToolCall
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.tools.base import Position, ToolContext, tool

SOUND = Audio.silence(0.5, 16_000)
PICTURE = Image(np.zeros((4, 4, 3), np.uint8))


def agent_of(*turns: Any, tools: Any = (), **script: Any) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel(*turns, **script)
    return Agent("Be kind.", model=model, tools=tools), model


# --- what comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [(), ("",), ("  \n\t",), (Text(""), " ")])
async def test_nothing_is_an_error_and_no_turn(inputs: tuple[Any, ...]) -> None:
    agent, model = agent_of("Hello.")
    with pytest.raises(SettingsError, match="nothing to answer"):
        await agent.ask(*inputs)
    assert (await agent.ask("Hi")).text == "Hello."
    assert model.sessions[0].fed == [Text("Hi")]


async def test_a_picture_alone_is_enough() -> None:
    agent, model = agent_of("A dark square.")
    reply = await agent.ask(PICTURE)
    assert (reply.text, reply.heard) == ("A dark square.", "")
    assert model.sessions[0].fed == [PICTURE]


@pytest.mark.parametrize(
    "text", ["a\0b", "👩‍🍳🍜", "𠮷野家", "\ud800", "x" * 100_000, "<tool_call>{}</tool_call>"]
)
async def test_any_text_reaches_the_model_as_it_is(text: str) -> None:
    agent, model = agent_of("Yes.")
    assert (await agent.ask(text)).heard == text
    assert model.sessions[0].fed == [Text(text)]


async def test_files_and_bytes_are_read_by_their_content(tmp_path: Path) -> None:
    png = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(png, "PNG")
    SOUND.save(tmp_path / "question.wav")
    agent, model = agent_of("Yes.", transcripts=["What is this?"])
    reply = await agent.ask(tmp_path / "question.wav", png.getvalue())
    assert reply.heard == "What is this?"
    assert [type(part) for part in model.sessions[0].fed] == [Audio, Image]


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (Path("/no/such/question.wav"), FileNotFoundError, "question.wav"),
        (Path(__file__).parent, MediaError, "is a folder"),
        (b"", UnreadableMedia, "empty"),
        (b"RIFF", MediaError, ""),
        (42, SettingsError, "42 is a int"),
        (None, SettingsError, "None is a NoneType"),
        (["Hi"], SettingsError, "is a list"),
    ],
)
async def test_bad_input_is_a_clear_error_and_no_turn(
    bad: Any, error: type[Exception], words: str
) -> None:
    agent, model = agent_of("Hello.")
    with pytest.raises(error, match=words):
        await agent.ask("Hi", bad)
    assert (await agent.ask("Hi")).text == "Hello."
    assert model.sessions[0].fed == [Text("Hi")]


async def test_what_is_fed_ahead_belongs_to_the_turn() -> None:
    agent, _ = agent_of("At noon.", audio=True, transcripts=["When?"])
    conversation = agent.conversation()
    await conversation.feed("About the train.")
    for chunk in np.split(SOUND.samples, 4):
        await conversation.feed(Audio(chunk, SOUND.rate))
    reply = await conversation.ask()
    assert reply.heard == "About the train. When?"
    assert reply.audio is not None, "who speaks is answered aloud"


async def test_typed_questions_are_answered_in_text_unless_asked_otherwise() -> None:
    agent, _ = agent_of("One.", "Two.", "Three.", audio=True, transcripts=["Hi"])
    assert (await agent.ask("Hi")).audio is None
    assert (await agent.ask("Hi", speak=True)).audio is not None
    assert (await agent.ask(SOUND, speak=False)).audio is None


# --- one turn at a time --------------------------------------------------------------------------


async def test_two_asks_at_once_are_answered_one_after_the_other() -> None:
    agent, _ = agent_of(["First, ", Pause(0.02), "done."], "Second.")
    first, second = await asyncio.gather(agent.ask("One"), agent.ask("Two"))
    assert (first.text, second.text) == ("First, done.", "Second.")


async def test_one_that_waits_can_be_cancelled() -> None:
    agent, model = agent_of(["First, ", Pause(0.05), "done."])
    first = asyncio.create_task(agent.ask("One"))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(agent.ask("Two"))
    await asyncio.sleep(0)
    second.cancel()
    assert (await first).text == "First, done."
    assert model.sessions[0].fed == [Text("One")]


async def test_a_stream_that_is_broken_off_without_closing_frees_the_conversation() -> None:
    agent, model = agent_of("One two three", "Next.")
    async for event in agent.stream("Count."):
        if isinstance(event, TextDelta):
            break
    assert (await agent.ask("And?")).text == "Next."
    assert model.sessions[0].rewound == [Heard("One ", 0)]


async def test_a_stream_left_open_is_an_error_and_no_deadlock() -> None:
    agent, _ = agent_of("One two three", "Next.")
    stream = agent.stream("Count.")
    await anext(stream)
    with pytest.raises(UsageError, match="still open"):
        await agent.ask("And?")
    await stream.aclose()
    assert (await agent.ask("And?")).text == "One two three"


async def test_conversations_of_one_agent_know_nothing_of_each_other() -> None:
    agent, model = agent_of(["Hello, ", Pause(0.02), "Anna."], "Hello, Ben.")
    anna, ben = agent.conversation("anna"), agent.conversation("ben")
    replies = await asyncio.gather(anna.ask("I am Anna"), ben.ask("I am Ben"))
    assert [r.text for r in replies] == ["Hello, Anna.", "Hello, Ben."]
    assert [s.fed for s in model.sessions] == [[Text("I am Anna")], [Text("I am Ben")]]


async def test_agents_on_one_model_have_their_own_sessions() -> None:
    model = ScriptedModel("Cook.", "Guide.")
    cook, guide = (Agent(words, model=model) for words in ("You cook.", "You guide."))
    assert (await cook.ask("Who?")).text == "Cook."
    await cook.close()
    assert (await guide.ask("Who?")).text == "Guide."
    assert [s.system for s in model.sessions] == ["You cook.", "You guide."]
    assert [s.closed for s in model.sessions] == [True, False]


async def test_the_place_may_change_between_turns() -> None:
    seen: list[Any] = []

    @tool
    def look(ctx: ToolContext) -> str:
        """Look."""
        seen.append(ctx.place)
        return "ok"

    call = ToolCall("call_1", "look", {})
    agent, _ = agent_of(call, "Yes.", call, "Yes.", tools=[look])
    conversation = agent.conversation(place=Position(1, 2))
    await conversation.ask("Where?")
    conversation.place = Position(3, 4)
    await conversation.ask("Where?")
    assert seen == [Position(1, 2), Position(3, 4)]


# --- speaking up ---------------------------------------------------------------------------------


async def test_a_tool_in_a_thread_may_speak_up_long_after_its_turn() -> None:
    @tool
    def remind(ctx: ToolContext) -> str:
        """Remind."""
        threading.Timer(0.02, ctx.announce, ["The pasta is done."]).start()
        return "ok"

    agent, model = agent_of(ToolCall("call_1", "remind", {}), "Will do.", tools=[remind])
    conversation = agent.conversation()
    listening = asyncio.ensure_future(anext(conversation.announcements()))
    await conversation.ask("Remind me")
    text = await asyncio.wait_for(listening, 1)
    assert text == "The pasta is done."
    said = [e async for e in conversation.say(text)]
    assert "".join(e.text for e in said if isinstance(e, TextDelta)) == text
    assert model.sessions[0].kept[-1] == text


async def test_speaking_up_waits_for_the_turn_and_can_be_cut_short() -> None:
    agent, model = agent_of(["One ", Pause(0.02), "two"], "Yes.")
    conversation = agent.conversation()
    order: list[str] = []

    async def ask() -> None:
        order.append((await conversation.ask("Count.")).text)

    async def speak_up() -> None:
        async with aclosing(conversation.say("The pasta is done.")) as said:
            async for event in said:
                if isinstance(event, TextDelta):
                    order.append("pasta")
                    return

    await asyncio.gather(ask(), speak_up())
    assert order == ["One two", "pasta"]
    assert model.sessions[0].kept[-1] == "The "
    assert (await conversation.ask("Thanks")).text == "Yes."


# --- closing -------------------------------------------------------------------------------------


async def test_a_closed_conversation_says_so() -> None:
    agent, model = agent_of("Hello.")
    conversation = agent.conversation()
    await conversation.ask("Hi")
    await conversation.close()
    await conversation.close()
    assert model.sessions[0].closed
    with pytest.raises(UsageError, match="closed"):
        await conversation.ask("Hi")


async def test_closing_waits_for_a_turn_that_is_read() -> None:
    agent, model = agent_of(["One ", Pause(0.03), "two"])
    work = asyncio.create_task(agent.ask("Count."))
    await asyncio.sleep(0.01)
    await agent.close()
    assert (await work).text == "One two"
    assert model.sessions[0].closed


async def test_closing_cancels_a_turn_that_nobody_reads_on() -> None:
    ended: list[str] = []

    @tool
    async def look() -> str:
        """Look."""
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("look")
        return ""

    agent, model = agent_of(ToolCall("call_1", "look", {}), tools=[look])
    stream: AsyncGenerator[Event, None] = agent.stream("Where?")
    async for event in stream:
        if isinstance(event, ToolStarted):
            break
    await asyncio.sleep(0.01)
    await agent.close()
    assert ended == ["look"]
    assert model.sessions[0].closed
    assert not [e async for e in stream if isinstance(e, TurnFinished)]
