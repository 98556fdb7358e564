"""How people looked when, what they said about what, and whose memories come first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import SettingsError
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.people import Person

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


@pytest.fixture
def later(tmp_path: Path, letters) -> Iterator[Memory]:
    """A memory an hour after the call began."""
    clock = FakeClock(BEGAN)
    clock._elapsed = 3600.0
    with Memory(tmp_path / "memory", embedder=letters, clock=clock) as opened:
        yield opened


def test_who_wears_glasses_now_and_who_wore_them_at_the_start(later: Memory) -> None:
    people = later.people
    anna, ben, chen = (people.add(n) for n in ("Anna", "Ben", "Chen"))
    for person, value in ((anna, "yes"), (ben, "no"), (chen, "yes")):
        people.look(person, "glasses", value, confidence=0.9, at=after(0.5))
    people.look(anna, "glasses", "no", confidence=0.8, at=after(20))
    people.look(ben, "glasses", "yes", confidence=0.8, at=after(30))

    def wore(at: datetime | None) -> list[str | None]:
        found = people.looks(slot="glasses", at=at)
        return [look.person.name for look in found if look.value == "yes"]

    assert wore(None) == ["Ben", "Chen"]
    assert wore(BEGAN) == ["Anna", "Chen"], "before anybody was looked at"
    assert wore(after(25)) == ["Chen"]
    assert wore(after(-60)) == []


def test_a_look_is_superseded_and_never_overwritten(later: Memory) -> None:
    people = later.people
    anna = people.add("Anna")
    red = people.look(anna, "Shirt", "red", confidence=0.6, at=after(1))
    again = people.look(anna, "shirt", "Red", confidence=0.9, at=after(2))
    blue = people.look(anna, "shirt", "blue", confidence=0.7, at=after(10), source="s_1")
    assert again.id == red.id
    assert again.confidence == 0.9
    first, second = people.look_history(anna)
    assert (first.id, first.value, first.valid_to) == (red.id, "red", after(10))
    assert first.superseded_by == blue.id == second.id
    assert (second.valid_to, second.source) == (None, "s_1")


def test_what_is_learned_late_does_not_end_what_came_after(later: Memory) -> None:
    people = later.people
    anna = people.add("Anna")
    people.look(anna, "hat", "none", confidence=0.9, at=after(30))
    early = people.look(anna, "hat", "straw", confidence=0.9, at=after(5))
    assert early.valid_to == after(30)
    assert [look.value for look in people.looks(anna)] == ["none"]
    assert [look.value for look in people.looks(anna, at=after(10))] == ["straw"]


def test_looks_of_people_who_turn_out_to_be_one_follow_each_other(later: Memory) -> None:
    people = later.people
    anna, other = people.add("Anna"), people.add()
    people.look(anna, "coat", "grey", confidence=0.9, at=after(1))
    people.look(other, "coat", "green", confidence=0.9, at=after(9))
    people.merge(other, anna)
    assert [look.value for look in people.looks(slot="coat")] == ["green"]
    assert [look.value for look in people.looks(slot="coat", at=after(5))] == ["grey"]
    people.look(anna, "coat", "none", confidence=0.9, at=after(12))
    assert [look.valid_to for look in people.look_history(anna)] == [after(12), after(12), None]


@pytest.mark.parametrize(
    ("slot", "value", "confidence"),
    [(" ", "yes", 0.5), ("x" * 50, "yes", 0.5), ("hat", "", 0.5), ("hat", "yes", 1.5)],
)
def test_what_is_no_look_is_refused(later: Memory, slot, value, confidence) -> None:
    anna = later.people.add("Anna")
    with pytest.raises(SettingsError):
        later.people.look(anna, slot, value, confidence=confidence)
    assert later.people.looks() == ()


# --- what they said -----------------------------------------------------------------------------


def tell(memory: Memory, person: Person | None, *lines: str) -> None:
    for n, line in enumerate(lines):
        memory.record_turn(
            TurnRecord(
                conversation="c", agent="guide", turn=n, user=line, reply="I see: " + line,
                speaker="user" if person is None else str(person.name),
                person=None if person is None else person.id,
            )
        )  # fmt: skip


def test_what_somebody_said_about_something(memory: Memory) -> None:
    people = memory.people
    anna, ben = people.add("Anna"), people.add("Ben")
    tell(memory, anna, "The ferry to the island leaves at nine.", "I had rice for lunch.")
    tell(memory, ben, "The ferry was late yesterday.", "我妈妈昨天买了一辆红色的汽车。")
    tell(memory, None, "The ferry is too expensive.")
    assert [m.text for m in people.said(anna, "the ferry")] == [
        "The ferry to the island leaves at nine."
    ]
    assert [m.text for m in people.said(ben, "汽车")] == ["我妈妈昨天买了一辆红色的汽车。"]
    assert people.said(anna, "elephants") == ()
    assert memory.flush(30)
    assert [m.text for m in people.said(anna, "the ferry")][:1] == [
        "The ferry to the island leaves at nine."
    ]


def test_all_that_somebody_said_comes_newest_first(memory: Memory) -> None:
    anna = memory.people.add("Anna")
    tell(memory, anna, *(f"line {n}" for n in range(30)))
    assert [m.text for m in memory.people.said(anna, limit=2)] == ["line 29", "line 28"]
    assert len(memory.people.said(anna)) == 20
    assert memory.people.said(anna, since=datetime.now(UTC) + timedelta(days=1)) == ()


def test_one_person_is_found_among_the_words_of_many(memory: Memory) -> None:
    anna, crowd = memory.people.add("Anna"), memory.people.add("Crowd")
    tell(memory, anna, "The lantern is behind the shed.")
    tell(memory, crowd, *(f"lantern number {n} hangs there" for n in range(200)))
    assert memory.flush(60)
    assert [m.text for m in memory.people.said(anna, "lantern")] == [
        "The lantern is behind the shed."
    ]


def test_memories_of_those_who_are_there_come_first(memory: Memory) -> None:
    people = memory.people
    anna, ben, stranger = people.add("Anna"), people.add("Ben"), people.add()
    tell(memory, anna, "My favourite dish is mango curry.")
    tell(memory, ben, "Mango curry is my favourite dish.")
    tell(memory, anna, "Trains are fun.")
    assert memory.flush(30)
    for here, first in ((anna, "My favourite"), (ben, "Mango curry")):
        question = "Shall we perhaps buy some mango tonight?"
        found = memory.recall(question, people=[here, "p_gone", stranger])
        told = [m for m in found if m.speaker != "guide"]
        assert told[0].text.startswith(first)
        assert len(told) == 2, "what the others said is found too"
    assert memory.recall("What is the capital of France?", people=[anna]) == ()


def test_a_fact_about_somebody_is_tied_to_them_by_their_name(memory: Memory) -> None:
    people = memory.people
    ben = people.add("Ben")
    fact = {"subject": "Ben", "predicate": "is allergic to", "object": "nuts"}
    id = memory.remember("Ben is allergic to nuts.", **fact)
    assert memory.get(id)[id].about == ben.id
    people.add("Ben")
    other = memory.remember(
        "Ben likes tea.", subject="Ben", predicate="likes", object="tea", person=ben
    )
    assert memory.get(other)[other].about is None, "which Ben?"
    assert memory.get(other)[other].person == ben.id


def test_facts_about_two_of_one_name_do_not_end_each_other(memory: Memory) -> None:
    one, other = memory.people.add("Anna"), memory.people.add("Anna")
    fact = {"subject": "Anna", "predicate": "lives in"}
    oslo = memory.remember("Anna lives in Oslo.", **fact, object="Oslo", about=one)
    rome = memory.remember("Anna lives in Rome.", **fact, object="Rome", about=other)
    assert [memory.get(id)[id].valid_to for id in (oslo, rome)] == [None, None]
