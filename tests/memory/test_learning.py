"""Lasting facts are learned while nobody talks with the agent, and only of certain words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from turns import agent_of

from omni_agent.clock import FakeClock
from omni_agent.errors import GenerationError
from omni_agent.learning import QUIET, Learning, learned_from
from omni_agent.learning_form import EXAMPLES, FORM, KINDS
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.facts import PREDICATES
from omni_agent.model.scripted import Pause, ScriptedModel
from omni_agent.model.structured import what_is_wrong

AUNT = "My aunt Laura has her home and her bees in Leeds."
LEEDS = {"who": "Laura", "what": "lives_in", "value": "Leeds"}
TEA = "Of all drinks tea is what I like best."
LIKES_TEA = {"who": "speaker", "what": "likes", "value": "tea"}


def form(*facts: dict[str, str]) -> str:
    return json.dumps({"facts": facts})


def filling(*answers: object, clock: FakeClock | None = None) -> ScriptedModel:
    """A model that keeps to a schema."""
    profile = replace(ScriptedModel().profile, structured=True)
    options = {} if clock is None else {"clock": clock}
    return ScriptedModel(*answers, profile=profile, **options)  # type: ignore[arg-type]


def said(memory: Memory, text: str, *, turn: int = 1, **who: object) -> None:
    memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=turn, user=text, reply="I see.", **who)  # type: ignore[arg-type]
    )


def known(memory: Memory, **what: object) -> list[str]:
    return sorted(f.text for f in memory.facts(**what))  # type: ignore[arg-type]


async def until(true: Callable[[], object]) -> None:
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about in 4 s")


async def later(clock: FakeClock, seconds: float) -> None:
    for _ in range(20):  # whoever is about to sleep falls asleep
        await asyncio.sleep(0)
    await clock.advance(seconds)


@pytest.fixture
async def notes(tmp_path: Path, letters) -> AsyncIterator[Memory]:
    with Memory(tmp_path / "memory", embedder=letters) as memory:
        yield memory


# --- in an agent ---------------------------------------------------------------------------------


async def test_what_is_certain_is_known_as_soon_as_the_turn_is_over(notes: Memory) -> None:
    async with agent_of(ScriptedModel("I see.", "Noted."), memory=notes) as agent:
        await agent.ask("I'm allergic to walnuts.")
        await until(lambda: known(notes) == ["The user is allergic to walnuts."])
        reply = await agent.ask("我住在杭州。")
        await until(lambda: "用户住在杭州。" in known(notes))
    (fact,) = notes.facts(predicates=["lives_in"])
    assert fact.source == reply.stored[0]
    assert fact.source in notes.get(fact.source)


async def test_the_model_is_asked_only_when_it_has_been_quiet(notes: Memory) -> None:
    clock = FakeClock()
    model = filling("Bees!", form(LEEDS), clock=clock)
    async with agent_of(model, memory=notes, clock=clock) as agent:
        await agent.ask(AUNT)
        await later(clock, QUIET - 1)
        assert len(model.sessions) == 1
        await later(clock, 2)
        await until(lambda: "Laura lives in Leeds." in known(notes))
    model.assert_exhausted()
    assert model.sessions[1].asked[-1].schema == FORM


async def test_a_turn_calls_off_what_the_model_was_asked(notes: Memory) -> None:
    clock = FakeClock()
    model = filling("Bees!", [Pause(3600), "never said"], "Yes?", form(LEEDS), clock=clock)
    async with agent_of(model, memory=notes, clock=clock) as agent:
        await agent.ask(AUNT)
        await later(clock, QUIET + 1)
        await until(lambda: len(model.sessions) == 2)
        assert (await agent.ask("Hello?")).text == "Yes?"
        await later(clock, QUIET + 1)  # and then it is asked again
        await until(lambda: "Laura lives in Leeds." in known(notes))
    model.assert_exhausted()


async def test_during_a_call_the_model_is_left_alone(notes: Memory) -> None:
    clock = FakeClock()
    model = filling(form(LEEDS), clock=clock)
    agent = agent_of(model, memory=notes, clock=clock)
    said(notes, AUNT)
    async with agent.live(prepare=False):
        await later(clock, 3 * QUIET)
        assert model.sessions == []
    await later(clock, QUIET + 1)
    await until(lambda: "Laura lives in Leeds." in known(notes))
    await agent.close()


async def test_closing_learns_the_last_there_is(notes: Memory) -> None:
    model = filling("Bees!", form(LEEDS))
    async with agent_of(model, memory=notes) as agent:
        await agent.ask(AUNT)
    assert "Laura lives in Leeds." in known(notes)
    assert notes.to_learn("model") == ()


async def test_closing_waits_for_no_slow_model(notes: Memory) -> None:
    model = filling([Pause(3600), "never said"])
    said(notes, AUNT)
    learning = Learning(notes, lambda: model, clock=FakeClock())
    await asyncio.wait_for(learning.close(within=0.2), 3)
    assert [m.text for m in notes.to_learn("model")] == [AUNT]  # the next start goes on with it


async def test_an_agent_may_be_told_not_to_learn(notes: Memory) -> None:
    async with agent_of(filling("I see."), memory=notes, learn=False) as agent:
        await agent.ask("I'm allergic to walnuts.")
    assert known(notes) == []
    assert len(notes.to_learn("rules")) == 1


async def test_with_a_model_that_fills_no_forms_there_are_the_rules(notes: Memory) -> None:
    async with agent_of(ScriptedModel("Bees!"), memory=notes) as agent:
        await agent.ask(AUNT)
    assert known(notes) == ["Laura is the user's aunt."]


# --- of whom, and what it ends --------------------------------------------------------------------


async def test_what_is_learned_is_of_the_person_who_said_it(notes: Memory) -> None:
    ben, anna = notes.people.add("Ben"), notes.people.add("Anna")
    said(notes, "I'm allergic to walnuts.", turn=1, speaker="Ben", person=ben.id)
    said(notes, "I love walnuts. Ben hates fish.", turn=2, speaker="Anna", person=anna.id)
    await Learning(notes, lambda: None, clock=FakeClock()).by_rules()
    assert known(notes, about=[ben]) == ["Ben dislikes fish.", "Ben is allergic to walnuts."]
    assert known(notes, about=[anna]) == ["Anna likes walnuts."]
    notes.people.forget(ben)
    assert known(notes) == ["Anna likes walnuts."]


async def test_where_she_lived_before_is_still_known_after_she_moved(
    tmp_path: Path, letters
) -> None:
    clock = FakeClock()
    with Memory(tmp_path, embedder=letters, clock=clock) as memory:
        learning = Learning(memory, lambda: None, clock=clock)
        said(memory, "Anna lives in Oslo.", turn=1)
        await learning.by_rules()
        spring = clock.now()
        await later(clock, 90 * 86_400)
        said(memory, "Anna moved to Bergen.", turn=2)
        await learning.by_rules()
        assert known(memory) == ["Anna lives in Bergen."]
        assert known(memory, at=spring) == ["Anna lives in Oslo."]
        (before,) = [m for m in memory.list("fact") if m.object == "Oslo"]
        assert before.valid_to == clock.now()


async def test_what_was_forgotten_is_not_learned(notes: Memory) -> None:
    said(notes, AUNT)
    (episode,) = notes.to_learn("model")
    statements = await learned_from(episode, filling(form(LEEDS)))
    notes.forget(episode.id)
    assert notes.learn(episode, statements, "model") == ()
    assert known(notes) == []


# --- what a model says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told", "objects"),
    [
        (TEA, form(LIKES_TEA), ["tea"]),
        (TEA, form({**LIKES_TEA, "value": "coffee"}), []),
        (TEA, form({**LIKES_TEA, "what": "allergic_to"}), []),
        (TEA, form({**LIKES_TEA, "who": "Anna"}), []),
        ("Is tea what I like best?", form(LIKES_TEA), []),
        ("I like tea.", form(LIKES_TEA), []),  # what the rules know already
        ("My aunt bakes. " + TEA, '{"facts": [{"who": "spea', []),
        (TEA, GenerationError("the context is full"), []),
    ],
)
async def test_what_words_do_not_bear_out_is_dropped(
    notes: Memory, text: str, told: object, objects: list[str]
) -> None:
    said(notes, text)
    (episode,) = notes.to_learn("model")
    model = filling(told) if "?" not in text else filling()
    assert [s.object for s in await learned_from(episode, model)] == objects


def test_the_form_is_shown_filled_as_it_has_to_be() -> None:
    assert {*KINDS} - {"other"} < {*PREDICATES}
    for example in EXAMPLES:
        assert what_is_wrong(example.reply, FORM) is None
