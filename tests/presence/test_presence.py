"""Who is there, told from sound alone, with voices of tones: on a thread beside the call."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omni_agent.events import PersonHere
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.diarize import FRAME, RATE
from omni_agent.presence.presence import Presence
from omni_agent.presence.senses import PeopleSenses

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
from made_prints import FACES
from test_diarize import Call, Tones


class Loudness:
    """Stands in for the voice activity detector."""

    def stream(self) -> Loudness:
        return self

    def push(self, frames: np.ndarray) -> list[bool]:
        return [bool(np.abs(frame).max() > 0.05) for frame in frames]


class Blind:
    def find(self, image: Image) -> list[Any]:
        return []


class Slow(Blind):
    def find(self, image: Image) -> list[Any]:
        time.sleep(0.2)
        return []


def senses(finder: Any = None) -> PeopleSenses:
    return PeopleSenses(Loudness(), Tones(), finder or Blind(), FACES)  # type: ignore[arg-type]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory") as opened:
        yield opened


class Talk:
    def __init__(self, memory: Memory, **options: Any) -> None:
        self.told: list[tuple[PersonHere, ...]] = []
        self.presence = Presence(
            memory.people, senses(), call="today", changed=self.told.append, **options
        )
        self._call, self._given = Call(), 0

    def says(self, who: str, text: str, seconds: float = 3.0) -> Any:
        begins = len(self._call.sound)
        self._call.says(who, seconds)
        ends = len(self._call.sound)
        self._call.silence(0.6)
        self.presence.hear(Audio(self._call.sound[begins:], RATE))
        said = self.presence.heard(text, begins * 1000 // RATE, ends * 1000 // RATE)
        return said.result(20)


def names(people: tuple[PersonHere, ...]) -> list[str | None]:
    return sorted((p.name for p in people), key=str)


def test_people_are_told_apart_and_called_as_they_say(memory: Memory) -> None:
    talk = Talk(memory)
    assert talk.says("anna", "Hi, I'm Anna.").name == "Anna"
    assert talk.says("ben", "My name is Ben.").name == "Ben"
    assert talk.says("anna", "We fly to Lisbon.").name == "Anna"
    assert talk.says("carl", "So do we.").name is None
    talk.presence.wait_idle()
    assert names(talk.presence.present()) == ["Anna", "Ben", None]
    assert names(talk.told[-1]) == ["Anna", "Ben", None]
    talk.presence.close()
    assert {p.name for p in memory.people.all()} == {"Anna", "Ben"}, "strangers are let go"


def test_a_short_word_without_a_face_is_nobodys(memory: Memory) -> None:
    talk = Talk(memory)
    talk.says("anna", "Hi, I'm Anna.")
    assert talk.says("anna", "Yes.", seconds=0.6).person is None
    talk.presence.close()


def test_what_was_said_by_a_voice_not_yet_known_is_theirs_later(memory: Memory) -> None:
    talk = Talk(memory)
    first = talk.says("anna", "I am allergic to nuts.", seconds=1.2)
    assert first.person is None
    ids = memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=1, user="I am allergic to nuts.", reply="")
    )
    talk.presence.kept(first, ids[0])
    talk.says("anna", "And I'm Anna, by the way.")
    talk.presence.wait_idle()
    (anna,) = memory.people.named("Anna")
    assert [m.text for m in memory.people.said(anna)] == ["I am allergic to nuts."]
    talk.presence.close()


def test_somebody_is_known_again_in_the_next_call(memory: Memory) -> None:
    first = Talk(memory)
    first.says("anna", "Hi, I'm Anna.", seconds=6.0)
    first.says("anna", "How are you all?", seconds=6.0)
    first.presence.close()
    again = Talk(memory)
    assert again.says("anna", "Good evening.", seconds=4.0).name == "Anna"
    again.presence.close()


def test_giving_never_waits_for_slow_senses(memory: Memory) -> None:
    presence = Presence(memory.people, senses(Slow()), call="today")
    picture = Image(np.zeros((48, 64, 3), np.uint8))
    began = time.perf_counter()
    for k in range(50):
        presence.hear(Audio(np.zeros(FRAME * 8, np.float32), RATE))
        presence.see(VideoFrame(picture, k * 0.256))
    assert time.perf_counter() - began < 0.5
    assert presence.is_busy
    presence.close()


def test_a_closed_presence_answers_no_more_and_may_be_closed_twice(memory: Memory) -> None:
    presence = Presence(memory.people, senses(), call="today")
    presence.close()
    presence.close()
    assert presence.who(0, 1000).cancelled()
    assert presence.wait_idle(1.0)
