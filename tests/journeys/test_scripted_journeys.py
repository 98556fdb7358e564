"""Whole conversations with the real tools and a real memory; only the model's choices are set."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_embedder import Letters

from omni_agent.agents.kitchen import kitchen
from omni_agent.clock import FakeClock
from omni_agent.events import ToolFinished
from omni_agent.media import Audio
from omni_agent.memory.memory import Memory
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import ScriptedModel


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory(tmp_path: Path, clock: FakeClock) -> Iterator[Memory]:
    with Memory(tmp_path, embedder=Letters(), clock=clock) as opened:
        yield opened


def call(tool: str, /, **arguments: Any) -> ToolCall:
    return ToolCall("call_1", tool, arguments)


async def test_a_cook_goes_on_after_a_restart_where_they_stood(
    memory: Memory, clock: FakeClock
) -> None:
    model = ScriptedModel(call("start_recipe", name="Carbonara"), call("next_step"))
    async with kitchen(model=model, memory=memory, clock=clock) as agent:
        await agent.ask("Let's make carbonara")
        second = (await agent.ask("What's next?")).text
    model = ScriptedModel(call("repeat_step"), call("next_step"))
    async with kitchen(model=model, memory=memory, clock=clock) as agent:
        assert second in (await agent.ask("Where were we?")).text
        assert second not in (await agent.ask("And then?")).text


async def test_a_spoken_chinese_question_gets_a_chinese_step(
    memory: Memory, clock: FakeClock
) -> None:
    model = ScriptedModel(
        call("start_recipe", name="Mapo tofu"),
        call("set_timer", minutes=5, name="豆腐"),
        audio=True,
        transcripts=["我们来做麻婆豆腐吧"],
    )
    async with kitchen(model=model, memory=memory, clock=clock) as agent:
        reply = await agent.ask(Audio.silence(0.5, 16_000))
        assert (reply.language, reply.heard) == ("zh", "我们来做麻婆豆腐吧")
        assert any("\u4e00" <= c <= "\u9fff" for c in reply.text)
        assert reply.audio is not None
        assert (await agent.ask("定个五分钟的计时器")).text == "好的，豆腐计时5分钟。"


async def test_a_timer_that_ended_while_the_kitchen_was_closed_is_told(
    memory: Memory, clock: FakeClock
) -> None:
    model = ScriptedModel(call("set_timer", minutes=8, name="pasta"))
    async with kitchen(model=model, memory=memory, clock=clock) as agent:
        await agent.ask("Eight minutes for the pasta")
    later = FakeClock(clock.now() + timedelta(minutes=10))
    async with kitchen(model=ScriptedModel(), memory=memory, clock=later) as agent:
        conversation = agent.conversation()
        await conversation.feed()
        told = await asyncio.wait_for(anext(conversation.announcements()), 5)
    assert told == "While I was away, the pasta timer ended, 2 minutes ago."


async def test_several_tools_in_one_turn_and_their_results_in_one_answer(
    memory: Memory, clock: FakeClock
) -> None:
    model = ScriptedModel(
        [call("find_recipe", ingredients="eggs"), ToolCall("call_2", "no_such_tool", {})],
        "How about an omelette?",
    )
    async with kitchen(model=model, memory=memory, clock=clock) as agent:
        events = [e async for e in agent.stream("I have eggs")]
    finished = [e for e in events if isinstance(e, ToolFinished)]
    assert {e.call.name: e.result.is_error for e in finished}["no_such_tool"]
    assert events[-1].reply.text == "How about an omelette?"  # type: ignore[union-attr]
    turn = memory.turns(agent_conversation(memory))[-1]
    assert [t["name"] for t in turn.tools] == [e.call.name for e in finished]


def agent_conversation(memory: Memory) -> str:
    """The conversation of the newest episode."""
    newest = memory.list(limit=1)[0].conversation
    assert newest is not None
    return newest
