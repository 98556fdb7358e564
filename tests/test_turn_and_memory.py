"""A turn recalls before it answers and is recorded before it ends, whatever breaks down."""

import pytest
from turns import Notebook, agent_of, events_of, fail

from omni_agent.clock import FakeClock
from omni_agent.errors import (
    GenerationError,
    MemoryCorrupt,
    MemoryStoreError,
    TurnNotRemembered,
)
from omni_agent.events import (
    Event,
    MemoryRecalled,
    MemoryStored,
    RecalledMemory,
    TextDelta,
    TurnFinished,
)
from omni_agent.messages import Context, Heard
from omni_agent.model.scripted import ScriptedModel


async def test_recall_comes_before_the_answer_and_recording_before_the_end() -> None:
    clock = FakeClock()
    fact = RecalledMemory("f_1", "Anna eats no nuts.", "fact", clock.now(), 0.9)
    notebook = Notebook(fact)
    log = notebook.log
    model = ScriptedModel([lambda _: log.append("answer"), "No nuts, then."])
    async for event in agent_of(model, memory=notebook, clock=clock).stream("Cake for Anna?"):
        if not isinstance(event, TextDelta):
            log.append(type(event).__name__)
    assert log == [
        "TurnStarted", "recall", "MemoryRecalled", "answer", "record", "MemoryStored",
        "TurnFinished",
    ]  # fmt: skip
    context = next(p for p in model.sessions[0].fed if isinstance(p, Context))
    assert "Anna eats no nuts." in context.text
    assert notebook.turns[-1].reply == "No nuts, then."
    assert notebook.turns[-1].stopped == "done"


async def test_a_recall_that_fails_is_logged_and_the_turn_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notebook = Notebook(recall=fail(RuntimeError("the embedding broke")))
    reply = await agent_of(ScriptedModel("Hello."), memory=notebook).ask("Hi")
    assert reply.text == "Hello."
    assert reply.stored == ("e_1",)
    assert "the embedding broke" in caplog.text


async def test_a_memory_that_cannot_be_used_is_an_error_before_the_answer() -> None:
    notebook = Notebook(recall=fail(MemoryCorrupt("the ledger is damaged")))
    model = ScriptedModel("never said")
    with pytest.raises(MemoryCorrupt, match="damaged"):
        await agent_of(model, memory=notebook).ask("Hi")
    assert model.sessions[0].asked == []


async def test_an_answer_that_cannot_be_recorded_is_not_lost() -> None:
    notebook = Notebook(record=fail(OSError("no space left on device")))
    model = ScriptedModel("Hello.", "Hello again.")
    agent = agent_of(model, memory=notebook)
    seen: list[Event] = []

    async def read() -> None:
        async for event in agent.stream("Hi"):
            seen.append(event)

    with pytest.raises(TurnNotRemembered, match="no space left") as caught:
        await read()
    assert "".join(e.text for e in seen if isinstance(e, TextDelta)) == "Hello."
    assert not [e for e in seen if isinstance(e, TurnFinished | MemoryStored)]
    assert isinstance(caught.value, MemoryStoreError)
    assert caught.value.reply.text == "Hello."
    assert caught.value.reply.stored == ()
    assert model.sessions[0].rewound == []


async def test_a_model_that_breaks_down_leaves_a_record_and_a_session_that_lives_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notebook = Notebook()
    model = ScriptedModel(["It is ", GenerationError("out of memory")], "It is noon.")
    agent = agent_of(model, memory=notebook)
    with pytest.raises(GenerationError, match="out of memory"):
        await agent.ask("What time is it?")
    assert (notebook.turns[0].reply, notebook.turns[0].stopped) == ("It is", "failed")
    assert model.sessions[0].rewound == [Heard("It is ", 0)]
    assert (await agent.ask("What time is it?")).text == "It is noon."


async def test_the_memories_recalled_are_told() -> None:
    clock = FakeClock()
    fact = RecalledMemory("f_1", "Anna eats no nuts.", "fact", clock.now(), 0.9)
    events = await events_of(
        agent_of(ScriptedModel("No nuts."), memory=Notebook(fact)).stream("Cake for Anna?")
    )
    assert [e.memories for e in events if isinstance(e, MemoryRecalled)] == [(fact,)]
    assert events[-1].reply.recalled == (fact,)  # type: ignore[union-attr]
