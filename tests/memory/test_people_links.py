"""A voice belongs to a face when enough speaks for it, and no longer when enough speaks against."""

from __future__ import annotations

import pytest
from made_prints import FACES, VOICES, face, portrait, voice

from omni_agent.errors import SettingsError
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.people import People, Person


def half(people: People, name: str, kind: str, call: str = "c") -> Person:
    """Somebody of whom only the voice, or only the face, is known."""
    person = people.add(call=call)
    if kind == "voice":
        people.enrol(person, voice(name), VOICES, call=call)
    else:
        people.enrol(person, face(name), FACES, call=call, picture=portrait(name))
    return person


def test_evidence_adds_up_until_voice_and_face_are_one(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    assert people.link("c", heard, seen, 1.5, "mouth") == 1.5
    assert people.get(heard) != people.get(seen)
    assert people.link("c", heard, seen, 1.5, "mouth") == 3.0
    assert people.link("c", heard, seen, 1.5, "alone in view") == 4.5
    assert people.get(heard) == people.get(seen)
    assert len(people.all()) == 1


def test_who_is_linked_is_one_person_in_every_answer(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=1, user="I sing.", reply="", person=heard.id)
    )
    people.look(seen, "hat", "red", confidence=0.8)
    people.link("c", heard, seen, 5.0, "mouth")

    anna = people.rename(heard, "Anna")

    assert people.all() == (anna,)
    assert people.identify_voice(voice("Anna", 1), VOICES).person == anna
    assert people.identify_face(face("Anna", 1), FACES).person == anna
    assert [m.text for m in people.said(seen)] == ["I sing."]
    assert [look.value for look in people.looks(heard)] == ["red"]
    assert {p.kind for p in people.prints(anna)} == {"voice", "face"}
    assert people.portrait(heard) is not None
    assert people.expire_strangers("c") == 0, "both halves are Anna's"


def test_evidence_against_undoes_a_link_and_it_is_written_down(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    people.link("c", heard, seen, 5.0, "mouth")
    # what is asked with the one person they are now still concerns both halves
    one = people.get(heard)
    assert people.link("c", one, one, -0.5, "mouth still while the voice speaks") == 4.5
    people.link("c", one, one, -3.0, "mouth still while the voice speaks")
    assert people.get(heard) != people.get(seen)
    assert people.same(heard, seen) == 1.5
    assert [c.what for c in people.changes()] == ["unlinked", "linked"]


def test_what_was_believed_for_a_year_can_still_be_turned(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    for call in range(50):
        people.link(f"call {call}", heard, seen, 6.0, "mouth")
    assert people.same(heard, seen) == 10.0
    people.link("today", heard, seen, -4.0, "mouth")
    people.link("today", heard, seen, -4.0, "alone in view")
    assert people.same(heard, seen) == 2.0
    assert people.get(heard) != people.get(seen)


def test_a_voice_goes_to_the_face_that_more_speaks_for(memory: Memory) -> None:
    people = memory.people
    heard = half(people, "Anna", "voice")
    left, right = half(people, "Anna", "face"), half(people, "Ben", "face")
    people.link("c", heard, left, 4.5, "mouth")
    assert people.get(heard) == people.get(left)
    # both chew while she speaks: neither has it, until one leads clearly
    people.link("c", heard, right, 4.0, "mouth")
    assert len(people.all()) == 3
    people.link("c", heard, right, 3.0, "mouth")
    assert people.get(heard) == people.get(right)
    assert people.get(left) != people.get(right)


def test_two_voices_never_have_the_same_face(memory: Memory) -> None:
    people = memory.people
    anna, ben = half(people, "Anna", "voice"), half(people, "Ben", "voice")
    seen = half(people, "Anna", "face")
    people.link("c", anna, seen, 6.0, "mouth")
    people.link("c", ben, seen, 5.5, "mouth")
    assert len(people.all()) == 3
    people.link("c", ben, seen, -2.0, "mouth")
    assert people.get(anna) == people.get(seen) != people.get(ben)


def test_people_of_two_names_are_not_joined_by_evidence(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Ben", "face")
    people.rename(heard, "Anna")
    people.rename(seen, "Ben")
    assert people.link("c", heard, seen, 9.0, "a puppet player") == 9.0
    assert {p.name for p in people.all()} == {"Anna", "Ben"}


def test_two_whole_people_are_joined_by_nothing_but_a_merge(memory: Memory) -> None:
    people = memory.people
    whole = []
    for name in ("Anna", "Eve"):
        person = half(people, name, "voice")
        people.enrol(person, face(name), FACES)
        whole.append(person)
    people.link("c", whole[0], whole[1], 9.0, "mouth")
    assert len(people.all()) == 2
    people.merge(*whole)
    assert len(people.all()) == 1
    assert people.same(*whole) == 10.0


def test_a_link_can_be_taken_back_and_stays_so(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    people.link("c", heard, seen, 6.0, "mouth")
    (linked,) = people.changes()
    people.undo(linked)
    assert people.get(heard) != people.get(seen)
    people.link("c", heard, seen, 5.0, "mouth")
    assert people.get(heard) != people.get(seen), "somebody's word outweighs a moment's evidence"
    assert people.get(heard).name is None
    assert [p.kind for p in people.prints(heard)] == ["voice"]
    assert [p.kind for p in people.prints(seen)] == ["face"]


def test_prints_of_linked_halves_stay_with_their_half(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    people.link("c", heard, seen, 6.0, "mouth")
    one = people.get(seen)
    people.enrol(one, voice("Anna", 7), VOICES, call="c")
    people.enrol(one, face("Anna", 7), FACES, call="c")
    memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=1, user="I sing.", reply="", person=one.id)
    )
    people.undo(people.changes()[0])
    assert [p.kind for p in people.prints(heard)] == ["voice", "voice"]
    assert [p.kind for p in people.prints(seen)] == ["face", "face"]
    assert [m.text for m in people.said(heard)] == ["I sing."]


def test_evidence_of_one_call_and_reason_takes_one_row(memory: Memory) -> None:
    people = memory.people
    heard, seen = half(people, "Anna", "voice"), half(people, "Anna", "face")
    for _ in range(500):
        people.link("c", heard, seen, 0.3, "mouth")
    assert people.same(heard, seen) == 10.0
    assert memory._use().store.rows("SELECT count(*) FROM evidence")[0][0] == 1


@pytest.mark.parametrize("odds", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_evidence(memory: Memory, odds: float) -> None:
    heard, seen = memory.people.add(), memory.people.add()
    with pytest.raises(SettingsError, match="finite"):
        memory.people.link("c", heard, seen, odds, "mouth")
    assert memory.people.same(heard, seen) == 0.0
