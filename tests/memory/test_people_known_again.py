"""Known, not sure, or new: by voice and by face, with the prints that are kept of people."""

from __future__ import annotations

import numpy as np
import pytest
from made_prints import FACES, VOICES, direction, face, near, portrait, voice

from omni_agent.errors import SettingsError
from omni_agent.memory import Memory
from omni_agent.memory.people import FacePrint
from omni_agent.memory.prints import MOST, least_telling


def enrolled(memory: Memory, *names: str) -> dict[str, str]:
    ids = {}
    for name in names:
        person = memory.people.add(name)
        for take in range(3):
            memory.people.enrol(person, voice(name, take), VOICES)
            memory.people.enrol(person, face(name, take), FACES)
        ids[name] = person.id
    return ids


def test_each_is_known_by_voice_and_by_face(memory: Memory) -> None:
    ids = enrolled(memory, "Anna", "Ben", "Chen", "Dora")
    for name, id in ids.items():
        heard = memory.people.identify_voice(voice(name, "new"), VOICES)
        seen = memory.people.identify_face(face(name, "new"), FACES)
        for who in (heard, seen):
            assert (who.verdict, who.person and who.person.id) == ("known", id)
            assert who.runner_up is not None
            assert who.runner_up.id != id


def test_who_was_never_met_is_new(memory: Memory) -> None:
    assert memory.people.identify_voice(voice("Eve"), VOICES).verdict == "new"
    enrolled(memory, "Anna", "Ben")
    for who in (
        memory.people.identify_voice(voice("Eve"), VOICES),
        memory.people.identify_face(face("Eve"), FACES),
    ):
        assert (who.verdict, who.person) == ("new", None)


def test_twins_leave_it_unsure_and_both_are_named(memory: Memory) -> None:
    people = memory.people
    tom, tim = people.add("Tom"), people.add("Tim")
    for take in range(3):
        people.enrol(tom, FacePrint(near("the twins", take), 0.9), FACES)
        people.enrol(tim, FacePrint(near("the twins", take + 10), 0.9), FACES)
    who = people.identify_face(FacePrint(near("the twins", 20), 0.9), FACES)
    assert who.verdict == "unsure"
    assert who.person is not None
    assert {who.person.id, who.runner_up and who.runner_up.id} == {tom.id, tim.id}


def test_between_the_two_bars_nobody_is_sure(memory: Memory) -> None:
    people = memory.people
    anna = people.add("Anna")
    people.enrol(anna, FacePrint(direction("a"), 0.9), FACES)
    aside = direction("b") - (direction("b") @ direction("a")) * direction("a")
    for cosine, verdict in ((0.45, "known"), (0.35, "unsure"), (0.25, "new")):
        vector = cosine * direction("a") + np.sqrt(1 - cosine**2) * aside / np.linalg.norm(aside)
        who = people.identify_face(FacePrint(vector.astype(np.float32), 0.9), FACES)
        assert (who.verdict, round(who.score, 2)) == (verdict, cosine)


def test_prints_of_another_model_are_never_compared(memory: Memory) -> None:
    enrolled(memory, "Anna")
    other = type(VOICES)()
    other.name = "another model"
    assert memory.people.identify_voice(voice("Anna"), other).verdict == "new"


def test_a_stranger_is_known_again_in_their_own_call_only(memory: Memory) -> None:
    people = memory.people
    stranger = people.add(call="monday")
    people.enrol(stranger, voice("Eve"), VOICES, call="monday")
    assert people.identify_voice(voice("Eve", 1), VOICES, call="monday").person == stranger
    for call in ("tuesday", None):
        assert people.identify_voice(voice("Eve", 1), VOICES, call=call).verdict == "new"
        assert people.voices(VOICES, call=call) == {}
    assert list(people.voices(VOICES, call="monday")) == [stranger.id]
    people.rename(stranger, "Eve")
    assert people.identify_voice(voice("Eve", 1), VOICES, call="tuesday").verdict == "known"


def test_of_views_that_show_the_same_the_best_stays(memory: Memory) -> None:
    people = memory.people
    anna = people.add("Anna")
    aside = people.enrol(anna, face("aside", quality=0.5), FACES, picture=portrait("aside"))
    for n in range(30):
        seen = FacePrint(near("front", n, 0.1), 0.5 + 0.01 * (n * 7 % 30))
        people.enrol(anna, seen, FACES, picture=portrait("front", n))
    kept = people.prints(anna)
    assert [p.quality for p in kept] == [pytest.approx(0.79), 0.5]
    assert kept[1].id == aside
    files = {p.stem for p in (memory.folder / "pictures").iterdir()}
    assert files == {p.picture for p in kept}, "and no picture of one that went"
    assert people.identify_face(face("aside", 1), FACES).verdict != "new"
    assert people.identify_face(FacePrint(near("front", 99, 0.1), 0.9), FACES).verdict == "known"


def test_few_prints_are_kept_the_good_and_different_ones(memory: Memory) -> None:
    people = memory.people
    anna = people.add("Anna")
    for n in range(MOST):
        assert people.enrol(anna, face(f"view {n}", quality=0.7), FACES)
    assert people.enrol(anna, face("blurred", quality=0.1), FACES, picture=portrait("x")) is None
    assert not list(memory.folder.glob("pictures/*"))
    sharp = people.enrol(anna, face("sharp", quality=0.9), FACES, picture=portrait("x"))
    kept = people.prints(anna)
    assert len(kept) == MOST
    assert kept[0].id == sharp
    for take in range(40):
        people.enrol(anna, voice("Anna", take), VOICES)
    assert len(people.prints(anna)) == 2 * MOST


def test_what_can_best_be_spared_is_poor_or_has_a_better_double() -> None:
    vectors = np.stack([direction("a"), near("a", 1, 0.1), direction("b"), direction("c")])
    assert least_telling(vectors, [0.9, 0.8, 0.9, 0.9])[0] == 1
    assert least_telling(vectors, [0.8, 0.9, 0.9, 0.9])[0] == 0
    assert least_telling(vectors[[0, 2, 3]], [0.9, 0.9, 0.1])[0] == 2


def test_a_coughed_print_does_not_move_a_voice(memory: Memory) -> None:
    people = memory.people
    anna = people.add("Anna")
    for take in range(4):
        people.enrol(anna, voice("Anna", take, seconds=8.0), VOICES)
    people.enrol(anna, voice("a cough", seconds=1.0, clarity=0.3), VOICES)
    assert people.identify_voice(voice("Anna", 9), VOICES).verdict == "known"
    assert people.identify_voice(voice("a cough", 1), VOICES).verdict == "new"


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        (np.zeros(32, np.float32), "length 1"),
        (np.ones(31, np.float32), r"\[32\]"),
        (np.full(32, np.nan, np.float32), "finite"),
    ],
)
def test_what_no_printer_made_is_refused(memory: Memory, vector: np.ndarray, said: str) -> None:
    anna = memory.people.add("Anna")
    with pytest.raises(SettingsError, match=said):
        memory.people.enrol(anna, FacePrint(vector, 0.5), FACES)
    with pytest.raises(SettingsError, match=said):
        memory.people.identify_face(FacePrint(vector, 0.5), FACES)


def test_the_best_shot_is_the_portrait(memory: Memory) -> None:
    people = memory.people
    anna = people.add("Anna")
    assert people.portrait(anna) is None
    people.enrol(anna, face("Anna", 1, quality=0.4), FACES, picture=portrait("poor"))
    people.enrol(anna, face("Anna", 2, quality=0.9), FACES, picture=portrait("good"))
    shown = people.portrait(anna)
    assert shown is not None
    assert abs(shown.pixels.astype(int) - portrait("good").pixels).mean() < 60
    assert abs(shown.pixels.astype(int) - portrait("poor").pixels).mean() > 60
