"""Who wears glasses and what colour the clothes are: told of each picture, decided by several."""

from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
from composed.faces import PEOPLE, Seat, frame  # noqa: E402
from composed.looks import FRAMES, dressed, face_of, with_glasses  # noqa: E402

from omni_agent.media import Image  # noqa: E402
from omni_agent.memory import Memory  # noqa: E402
from omni_agent.memory.embed.appearance import SeenLook, looks_of  # noqa: E402
from omni_agent.memory.embed.clothes import NAMED, clothes_colour  # noqa: E402
from omni_agent.memory.embed.glasses import eye_strip  # noqa: E402
from omni_agent.memory.look_votes import LEAST, LookVotes  # noqa: E402

SEAT = Seat(PEOPLE[1], 320, 170, 220)


def told(image: Image, seat: Seat, **given) -> dict[str, str]:
    return {look.slot: look.value for look in looks_of(image, face_of(seat), **given)}


@pytest.mark.parametrize("person", PEOPLE)
def test_glasses_are_told_from_none(person: int) -> None:
    seat = Seat(person, 320, 170, 220)
    bare = frame(seat)
    assert told(bare, seat)["glasses"] == "no"
    rng = np.random.default_rng(person)
    for kind in ("square black", "thick brown", "round metal", "red"):
        assert told(with_glasses(bare, face_of(seat), FRAMES[kind], rng), seat)["glasses"] == "yes"


def test_one_picture_is_never_quite_sure_of_glasses() -> None:
    worn = with_glasses(frame(SEAT), face_of(SEAT), FRAMES["square black"], np.random.default_rng())
    assert max(look.confidence for look in looks_of(worn, face_of(SEAT))) < 0.95


def test_a_face_that_is_small_or_from_the_side_tells_nothing_of_glasses() -> None:
    far = Seat(PEOPLE[0], 320, 200, 80)
    assert "glasses" not in told(frame(far), far)
    face = face_of(SEAT)
    face.landmarks[2, 0] += 0.4 * (face.landmarks[1, 0] - face.landmarks[0, 0])
    assert "glasses" not in {look.slot for look in looks_of(frame(SEAT), face)}


def test_the_strip_around_the_eyes_is_the_same_in_any_size_and_turn() -> None:
    seat = Seat(PEOPLE[2], 320, 240, 220)
    face, image = face_of(seat), frame(seat)
    turn = cv2.getRotationMatrix2D((320, 240), 12, 1.4)
    turned = Image(cv2.warpAffine(image.pixels, turn, (640, 480)))
    moved = face_of(seat)
    moved.landmarks[:] = face.landmarks @ turn[:, :2].T + turn[:, 2]
    difference = eye_strip(image, face).astype(int) - eye_strip(turned, moved)
    assert np.abs(difference).mean() < 6


@pytest.mark.parametrize("name", NAMED)
def test_clothes_are_told_by_the_names_of_colours(name: str) -> None:
    shade = NAMED[name][0]
    colour = tuple(bytes.fromhex(shade))
    image = dressed(frame(SEAT), face_of(SEAT), colour, seed=3)
    found = clothes_colour(image, face_of(SEAT))
    assert found is not None
    assert found[0] == name


def test_a_striped_shirt_has_two_colours() -> None:
    image = dressed(frame(SEAT), face_of(SEAT), (20, 40, 120), stripes=(240, 240, 240))
    assert told(image, SEAT)["clothes"] == "blue and white"


def test_clothes_outside_the_picture_and_behind_somebody_are_not_told() -> None:
    low = Seat(PEOPLE[0], 320, 420, 220)
    assert "clothes" not in told(dressed(frame(low), face_of(low), (200, 0, 0)), low)
    image = dressed(frame(SEAT), face_of(SEAT), (200, 0, 0))
    front = face_of(Seat(PEOPLE[1], 320, 370, 420))
    assert "clothes" not in told(image, SEAT, others=[front])


def test_who_shows_only_skin_wears_nothing_that_has_a_colour() -> None:
    skin, seat = (205, 150, 120), Seat(PEOPLE[1], 320, 170, 220)
    body = Image(np.full((480, 640, 3), skin, np.uint8))
    assert clothes_colour(body, face_of(seat)) is None


def seen(value: str, confidence: float = 0.9, slot: str = "glasses") -> list[SeenLook]:
    return [SeenLook(slot, value, confidence)]


def test_nothing_is_said_before_several_pictures_agree() -> None:
    votes = LookVotes()
    for t in range(LEAST - 1):
        assert votes.add(seen("yes"), t) == ()
    (found,) = votes.add(seen("yes"), LEAST)
    assert (found.slot, found.value) == ("glasses", "yes")
    assert votes.now["glasses"].confidence == pytest.approx(0.9)
    assert votes.add(seen("yes"), LEAST + 1) == ()


def test_pictures_of_one_second_are_one_vote() -> None:
    votes = LookVotes()
    for i in range(20):
        assert votes.add(seen("yes"), i / 20) == ()
    assert votes.now == {}


def test_votes_that_contradict_or_doubt_are_not_sure() -> None:
    votes = LookVotes()
    for t in range(10):
        votes.add(seen("yes" if t % 2 else "no"), t)
        votes.add(seen("red", 0.4, "clothes"), t)
    assert votes.now == {}


def test_a_hand_before_the_face_takes_no_glasses_off_and_taking_them_off_does() -> None:
    votes = LookVotes()
    for t in range(9):
        votes.add(seen("yes"), t)
    assert votes.add(seen("no"), 9) == votes.add(seen("no"), 10) == ()
    assert votes.now["glasses"].value == "yes"
    news = [look for t in range(11, 20) for look in votes.add(seen("no"), t)]
    assert [look.value for look in news] == ["no"]


def test_what_is_sure_is_kept_with_its_time(memory: Memory) -> None:
    anna = memory.people.add("Anna")
    votes = LookVotes()
    for t in range(4):
        for look in votes.add(looks_of(frame(SEAT), face_of(SEAT)), t):
            memory.people.look(anna, look.slot, look.value, confidence=look.confidence)
    kept = {look.slot: look.value for look in memory.people.looks(anna)}
    assert kept["glasses"] == "no"
