"""An agent's life: asked from anywhere, interrupted, closed, started again."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from made_embedder import Letters

from omni_agent.agent import Agent
from omni_agent.agents.kitchen import kitchen
from omni_agent.clock import FakeClock
from omni_agent.errors import SettingsError, UsageError
from omni_agent.events import TextDelta, TurnFinished
from omni_agent.memory.memory import Memory
from omni_agent.messages import Text, ToolCall
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.tools.base import ToolContext

# --- from programs without an event loop ---------------------------------------------------------


def test_ask_and_stream_work_from_plain_threads() -> None:
    with Agent("Be kind.", model=ScriptedModel(*["Hello there."] * 9)) as agent:
        assert agent.ask_sync("Hi").text == "Hello there."
        events = list(agent.stream_sync("Hi"))
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hello there."
        assert isinstance(events[-1], TurnFinished)
        said: list[str] = []
        threads = [
            threading.Thread(target=lambda: said.append(agent.ask_sync("Hi").text))
            for _ in range(7)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert said == ["Hello there."] * 7


def test_a_sync_stream_that_is_broken_off_cancels_the_turn() -> None:
    model = ScriptedModel(["One ", Pause(3600)], "Next.")
    with Agent("Be kind.", model=model) as agent:
        stream = agent.stream_sync("Count.")
        for event in stream:
            if isinstance(event, TextDelta):
                break
        stream.close()  # type: ignore[attr-defined]
        assert model.sessions[0].cancelled == 1
        assert agent.ask_sync("And?").text == "Next."


def test_errors_come_out_of_the_sync_twins() -> None:
    with Agent("Be kind.", model=ScriptedModel()) as agent:
        with pytest.raises(SettingsError, match="nothing to answer"):
            agent.ask_sync("")
        with pytest.raises(SettingsError, match="nothing to answer"):
            list(agent.stream_sync(" "))


async def test_a_sync_twin_in_async_code_says_what_to_use_instead() -> None:
    agent = Agent("Be kind.", model=ScriptedModel("Hello."))
    with pytest.raises(UsageError, match="use: await ask"):
        agent.ask_sync("Hi")
    with pytest.raises(UsageError, match="async for"):
        agent.stream_sync("Hi")
    with pytest.raises(UsageError, match="await close"):
        agent.close_sync()
    assert (await agent.ask("Hi")).text == "Hello."


def test_one_agent_may_be_used_in_one_event_loop_after_another() -> None:
    agent = Agent("Be kind.", model=ScriptedModel("One.", "Two."))
    assert asyncio.run(agent.ask("Hi")).text == "One."
    assert asyncio.run(agent.ask("Hi")).text == "Two."


CTRL_C = """
import json, sys
from omni_agent.agent import Agent
from omni_agent.events import TextDelta
from omni_agent.model.scripted import Pause, ScriptedModel

class Notebook:
    def recall(self, query, **_): return ()
    def record_turn(self, turn):
        print(json.dumps([turn.reply, turn.stopped]), flush=True)
        return ()

model = ScriptedModel(["One ", lambda s: print("ready", flush=True), Pause(3600)], "Next.")
agent = Agent("Be kind.", model=model, memory=Notebook(), learn=False)
try:
    if sys.argv[1] == "ask":
        agent.ask_sync("Count.")
    else:
        for event in agent.stream_sync("Count."): pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(agent.ask_sync("And?").text)
"""


@pytest.mark.parametrize("way", ["ask", "stream"])
def test_ctrl_c_cancels_the_turn_and_records_it_before_it_comes_out(way: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CTRL_C, way], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert out.splitlines() == ['["One", "cancelled"]', "interrupted", '["Next.", "done"]', "Next."]


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory": ""}, "memory='' names no folder"),
        ({"max_steps": 0}, "max_steps=0"),
        ({"people": "Anna"}, "give a list of names"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(options: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Agent("Be kind.", model=ScriptedModel(), **options)


# --- starting ------------------------------------------------------------------------------------


async def test_the_agent_is_prepared_once_before_its_first_session() -> None:
    log: list[str] = []

    async def prepare() -> None:
        log.append("begin")
        await asyncio.sleep(0.01)
        log.append("end")

    model = ScriptedModel(*[lambda s: log.append("answer") or "Hello."] * 2)  # type: ignore[func-returns-value]
    agent = Agent("Be kind.", model=model, prepare=prepare)
    await asyncio.gather(*(agent.conversation().ask("Hi") for _ in range(2)))
    assert log == ["begin", "end", "answer", "answer"]


async def test_a_preparation_that_failed_is_tried_again() -> None:
    tries: list[int] = []

    async def prepare() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no network")

    agent = Agent("Be kind.", model=ScriptedModel("Hello."), prepare=prepare)
    with pytest.raises(OSError, match="no network"):
        await agent.ask("Hi")
    assert (await agent.ask("Hi")).text == "Hello."


class Lamp:
    """Something that lasts longer than a turn."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def restore(self, context: ToolContext) -> None:
        self.log.append(f"restore {context.conversation}")

    def close(self) -> None:
        self.log.append("close")


async def test_what_lasts_is_restored_once_and_closed_with_the_agent() -> None:
    lamp = Lamp()
    async with Agent("Be kind.", model=ScriptedModel("A.", "B."), lasting=[lamp]) as agent:
        await agent.conversation("first").ask("Hi")
        await agent.conversation("second").ask("Hi")
    await agent.close()
    assert lamp.log == ["restore first", "close"]


async def test_what_was_never_restored_is_not_closed() -> None:
    lamp = Lamp()
    async with Agent("Be kind.", model=ScriptedModel(), lasting=[lamp]):
        pass
    assert lamp.log == []


async def test_the_kitchen_s_timers_come_back_at_its_next_start(tmp_path: Path) -> None:
    call = ToolCall("call_1", "set_timer", {"minutes": 8, "name": "pasta"})
    clock = FakeClock()
    before = asyncio.all_tasks()
    with Memory(tmp_path, embedder=Letters(), clock=clock) as memory:
        async with kitchen(model=ScriptedModel(call), memory=memory, clock=clock) as agent:
            await agent.ask("Eight minutes for the pasta")
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before, "the timers are closed with the agent"
        later = FakeClock(clock.now() + timedelta(minutes=5))
        async with kitchen(model=ScriptedModel("Hello."), memory=memory, clock=later) as agent:
            conversation = agent.conversation()
            await conversation.ask("Hi")
            ringing = asyncio.ensure_future(anext(conversation.announcements()))
            for _ in range(5):
                await asyncio.sleep(0)
            await later.advance(179)
            assert not ringing.done()
            await later.advance(2)
            assert await asyncio.wait_for(ringing, 5) == "The pasta timer is done."


# --- closing -------------------------------------------------------------------------------------


async def test_closing_ends_all_sessions_and_leaves_no_task_and_no_thread() -> None:
    before, threads = asyncio.all_tasks(), threading.active_count()
    model = ScriptedModel("A.", "B.")
    async with Agent("Be kind.", model=model) as agent:
        await agent.ask("Hi")
        await agent.conversation().ask("Hi")
    assert [s.closed for s in model.sessions] == [True, True]
    assert not model.closed, "others may share it"
    assert asyncio.all_tasks() == before
    assert threading.active_count() == threads
    with pytest.raises(UsageError, match="closed"):
        await agent.ask("Hi")


def test_a_sync_agent_takes_its_thread_with_it() -> None:
    with Agent("Be kind.", model=ScriptedModel("A.")) as agent:
        agent.ask_sync("Hi")
        assert [t for t in threading.enumerate() if t.name == "agent"]
    assert not [t for t in threading.enumerate() if t.name == "agent"]
    with pytest.raises(UsageError, match="closed"):
        agent.ask_sync("Hi")


async def test_the_agent_s_own_memory_is_closed_with_it_and_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omni_agent.memory.memory.open_text_embedder", Letters)
    async with Agent("Be kind.", model=ScriptedModel("A."), memory=tmp_path / "own") as agent:
        reply = await agent.ask("I like mangoes")
        assert len(reply.stored) == 2
    with Memory(tmp_path / "own", embedder=Letters()) as memory:
        assert memory.count("episode") == 2
        async with Agent("Be kind.", model=ScriptedModel("B."), memory=memory) as agent:
            await agent.ask("And figs")
        assert memory.count("episode") == 4


@pytest.mark.parametrize("text", ["a\0b 👩‍🍳", "\ud800", "x" * 100_000])
async def test_any_text_can_be_remembered(text: str, tmp_path: Path) -> None:
    with Memory(tmp_path, embedder=Letters()) as memory:
        agent = Agent("Be kind.", model=ScriptedModel("Yes."), memory=memory)
        reply = await agent.ask(text)
        stored = memory.get(*reply.stored)[reply.stored[0]]
        assert stored.text == text.encode("utf-8", "replace").decode()


async def test_what_was_told_in_one_conversation_is_recalled_in_another(tmp_path: Path) -> None:
    with Memory(tmp_path, embedder=Letters()) as memory:
        model = ScriptedModel("Noted.", "Walnuts make her ill.")
        agent = Agent("Be kind.", model=model, memory=memory)
        await agent.conversation().ask("Anna is allergic to walnuts")
        reply = await agent.conversation().ask("Which walnuts for Anna?")
        assert [m.text for m in reply.recalled] == ["Anna is allergic to walnuts"]
        assert model.sessions[1].fed[0] == Text("Which walnuts for Anna?")
        assert "Anna is allergic to walnuts" in str(model.sessions[1].fed[1])
