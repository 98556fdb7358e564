"""Which person each voice and face of a call belongs to, and what people say about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omni_agent.memory import Memory
from omni_agent.memory.face_tracks import FaceTrack
from omni_agent.memory.portraits import Shot
from omni_agent.memory.speakers import Speaker
from omni_agent.presence.cast import Cast, Part
from omni_agent.presence.introductions import Introductions

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
from made_prints import FACES, VOICES, face, portrait, voice

CALL = "today"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory") as opened:
        yield opened


class Room:
    """People whose voices are heard and whose faces are seen."""

    def __init__(self, memory: Memory) -> None:
        self.people = memory.people
        self.cast = Cast(memory.people, VOICES, FACES, call=CALL)
        self.names = Introductions(memory.people, self.cast)
        self.now = 0.0

    def hears(self, who: str, seconds: float = 8.0, id: str | None = None) -> Part:
        blocks = (seconds - 0.8) / 0.384
        total = voice(who, "today").vector * np.float32(blocks)
        speaker = Speaker(id or f"voice of {who}", total=total, blocks=blocks, heard=9)
        self.cast.hear(speaker)
        return self.cast.voices[speaker.id]

    def sees(self, who: str, *others: FaceTrack, times: int = 5) -> tuple[Part, FaceTrack]:
        track = FaceTrack(f"face of {who}", (0, 0, 9, 9), 0.0, 0.0)
        track.seen = times
        track.shots.add(Shot(0.0, 0.8, face(who, "today").vector, lambda: portrait(who)))
        self.cast.see(track, others)
        return self.cast.faces[track.id], track

    def says(self, part: Part, text: str) -> None:
        self.now += 3.0
        self.names.heard(text, part, self.now, self.here)

    @property
    def here(self) -> list[Part]:
        return [*self.cast.voices.values(), *self.cast.faces.values()]

    def name(self, part: Part) -> str | None:
        person = self.cast.person(part)
        return None if person is None else person.name


@pytest.fixture
def room(memory: Memory) -> Room:
    return Room(memory)


def knows(room: Room, name: str, who: str) -> None:
    person = room.people.add(name)
    for take in range(4):
        room.people.enrol(person, voice(who, take), VOICES, call="before")
        room.people.enrol(person, face(who, take), FACES, call="before")


def test_a_voice_and_a_face_from_before_are_known_again(room: Room) -> None:
    knows(room, "Anna", "anna")
    assert room.name(room.hears("anna")) == "Anna"
    assert room.name(room.sees("anna")[0]) == "Anna"
    assert room.name(room.hears("ben")) is None


def test_somebody_who_was_heard_too_little_is_nobody_yet(room: Room) -> None:
    with pytest.raises(KeyError):
        room.hears("anna", seconds=1.0)


def test_who_says_their_name_is_called_so_and_kept(room: Room) -> None:
    anna, ben = room.hears("anna"), room.hears("ben")
    room.says(anna, "Hi, I'm Anna.")
    room.says(ben, "我叫小明。")
    assert (room.name(anna), room.name(ben)) == ("Anna", "小明")
    room.people.expire_strangers(CALL)
    assert {p.name for p in room.people.all()} == {"Anna", "小明"}


def test_another_i_am_does_not_rename_but_call_me_does(room: Room) -> None:
    anna = room.hears("anna")
    room.says(anna, "I'm Anna.")
    room.says(anna, "I'm Batman!")
    assert room.name(anna) == "Anna"
    for _ in range(10):
        room.says(anna, "Call me Annie.")
    assert room.name(anna) == "Annie"


def test_the_only_stranger_is_who_is_introduced(room: Room) -> None:
    anna, ben = room.hears("anna"), room.hears("ben")
    room.says(anna, "I'm Anna, and this is my brother Ben.")
    assert (room.name(anna), room.name(ben)) == ("Anna", "Ben")


def test_of_several_strangers_who_speaks_next_is_only_perhaps_meant(room: Room) -> None:
    anna, ben, carl = room.hears("anna"), room.hears("ben"), room.hears("carl")
    room.says(anna, "This is my brother Ben.")
    assert room.name(ben) is None
    room.says(ben, "Nice to meet you all.")
    assert (room.name(ben), room.cast.maybe(ben)) == (None, "Ben")
    assert room.cast.maybe(carl) is None


@pytest.mark.parametrize(
    ("answer", "name"), [("Yes, it is.", "Ben"), ("No, that's not him.", None)]
)
def test_yes_and_no_settle_whether_that_is_ben(room: Room, answer: str, name: str | None) -> None:
    anna, ben, _ = room.hears("anna"), room.hears("ben"), room.hears("carl")
    room.says(anna, "This is my brother Ben.")
    room.says(ben, "Nice to meet you all.")
    room.names.agent_said("Is that Ben?", room.now, room.here)
    room.says(anna, answer)
    assert room.name(ben) == name
    assert room.cast.maybe(ben) is None


def test_i_am_not_takes_a_name_back(room: Room) -> None:
    anna, ben = room.hears("anna"), room.hears("ben")
    room.says(anna, "I'm Anna, and this is my brother Ben.")
    room.says(ben, "I'm not Ben.")
    assert room.name(ben) is None


def test_two_people_may_share_a_name(room: Room) -> None:
    knows(room, "Anna", "anna")
    other = room.hears("somebody else")
    room.says(other, "I'm Anna.")
    assert len(room.people.named("Anna")) == 2


def test_twins_in_view_are_both_not_sure(room: Room) -> None:
    knows(room, "Anna", "anna")
    one, track = room.sees("anna")
    twin = FaceTrack("face of a twin", (0, 0, 9, 9), 0.0, 0.0)
    twin.seen = 5
    twin.shots.add(Shot(0.0, 0.8, face("anna", "twin").vector, lambda: portrait("twin")))
    room.cast.see(twin, [track])
    assert room.cast.maybe(one) == "Anna"
    assert room.cast.maybe(room.cast.faces[twin.id]) == "Anna"
    assert room.cast.faces[twin.id].person != one.person


def test_a_voice_tied_to_a_face_makes_them_one_person(room: Room) -> None:
    anna, (seen, _) = room.hears("anna"), room.sees("anna")
    room.says(anna, "I'm Anna.")
    room.cast.link({("voice of anna", "face of anna"): 2.0})
    assert room.name(seen) is None
    room.cast.link({("voice of anna", "face of anna"): 6.0})
    assert room.name(seen) == "Anna"


def test_voices_that_turn_out_to_be_one_are_one_person(room: Room) -> None:
    first, second = room.hears("anna"), room.hears("carl", id="voice2")
    room.says(first, "I'm Anna.")
    room.cast.rename(lambda id: "voice of anna" if id == "voice2" else id)
    assert list(room.cast.voices) == ["voice of anna"]
    assert room.people.get(second.person) == room.people.get(first.person)


def test_who_is_forgotten_in_the_call_is_a_stranger_from_then_on(room: Room) -> None:
    anna = room.hears("anna")
    room.says(anna, "I'm Anna.")
    room.people.forget(anna.person)
    room.cast.let_go()
    assert room.name(room.hears("anna")) is None


def test_only_they_themselves_agree_to_be_remembered(room: Room) -> None:
    anna, ben = room.hears("anna"), room.hears("ben")
    room.says(anna, "I'm Anna.")
    for who, consent in ((ben, "named"), (anna, "agreed")):
        room.names.agent_said("Anna, may I remember you?", room.now, room.here)
        room.says(who, "Yes, of course.")
        person = room.cast.person(anna)
        assert person is not None
        assert person.consent == consent


def test_what_is_learned_of_a_known_face_is_theirs_alone(room: Room) -> None:
    knows(room, "Anna", "anna")
    before = len(room.people.prints(room.people.named("Anna")[0]))
    room.sees("ben")
    assert len(room.people.prints(room.people.named("Anna")[0])) == before
