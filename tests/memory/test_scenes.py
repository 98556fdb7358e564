"""What was seen is kept once, and found by words, person, time and place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pytest
from views import START, camera, later, room, with_thing

from omni_agent.clock import FakeClock
from omni_agent.errors import MemoryStoreError, SettingsError
from omni_agent.media import Image
from omni_agent.memory import Memory
from omni_agent.memory.scene_taking import JUST_BEGUN, RETURN, hidden


@dataclass(frozen=True)
class Spot:
    lat: float
    lon: float


HOME, CORNER, FAR = Spot(60.1699, 24.9384), Spot(60.1705, 24.9400), Spot(60.2500, 25.1000)


@pytest.fixture
def memory(tmp_path, letters) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", embedder=letters, clock=FakeClock(later(1200))) as opened:
        yield opened


def watch(memory: Memory, view: Image, seconds: range, **given) -> list[str]:
    """Two frames a second of one view; the ids of the scenes that begin."""
    rng = np.random.default_rng(seconds.start)
    ids = [
        memory.scenes.see(camera(view, rng), at=later(s / 2), **given)
        for s in range(2 * seconds.start, 2 * seconds.stop)
    ]
    return [id for id in ids if id is not None]


def test_a_view_is_kept_once_and_lasts_as_long_as_it_was_seen(memory: Memory) -> None:
    (kitchen,) = watch(memory, room(1), range(0, 30), conversation="c")
    (hall,) = watch(memory, room(2), range(30, 40), conversation="c")
    memory.scenes.end("c")
    first, second = memory.scenes.get(kitchen), memory.scenes.get(hall)
    assert first is not None
    assert second is not None
    assert (first.at, first.until) == (later(0.5), later(29.5))
    assert (second.at, second.until) == (later(30.5), later(39.5))
    assert first.source == "camera"
    assert [s.id for s in memory.scenes.find()] == [hall, kitchen]


def test_a_view_that_comes_back_soon_is_the_same_scene(memory: Memory) -> None:
    (kitchen,) = watch(memory, room(1), range(0, 10), conversation="c")
    watch(memory, room(2), range(10, 20), conversation="c")
    assert watch(memory, room(1), range(20, 30), conversation="c") == []
    memory.scenes.end("c")
    again = memory.scenes.get(kitchen)
    assert again is not None
    assert again.until == later(29.5)
    assert len(memory.scenes.find(limit=10)) == 2


def test_the_same_view_much_later_or_in_another_call_is_another_scene(memory: Memory) -> None:
    watch(memory, room(1), range(0, 5), conversation="c")
    watch(memory, room(2), range(5, 10), conversation="c")
    after = 10 + int(RETURN)
    assert len(watch(memory, room(1), range(after, after + 5), conversation="c")) == 1
    assert len(watch(memory, room(1), range(after, after + 5), conversation="d")) == 1


def test_a_table_with_keys_on_it_is_not_the_table_without(memory: Memory) -> None:
    table = room(3)
    watch(memory, table, range(0, 5), conversation="c")
    watch(memory, room(4), range(5, 10), conversation="c")
    keys = watch(memory, with_thing(table, 150, 190, 26, 18), range(10, 15), conversation="c")
    assert len(keys) == 1


def test_a_picture_that_was_given_is_kept_at_once_and_only_once(memory: Memory) -> None:
    id = memory.scenes.add(room(1), at=START, conversation="c", text="Bakery")
    assert id is not None
    assert memory.scenes.add(room(1), at=later(60), conversation="c") is None
    found = memory.scenes.get(id)
    assert found is not None
    assert (found.until, found.text) == (later(60), "Bakery")
    assert memory.scenes.add(Image(np.zeros((240, 320, 3), np.uint8)), at=later(61)) is None


def test_scenes_are_found_by_what_was_read_and_told_in_two_languages(memory: Memory) -> None:
    texts = ("Bakery Rosa, open from 7", "Platform 4 to Turku", "出口 地铁二号线")
    for i, text in enumerate(texts):
        memory.scenes.add(room(i), at=later(i), text=text, description=f"A street, number {i}.")
    keys = memory.scenes.add(room(9), at=later(9), description="A bunch of keys on a shelf.")
    assert [s.text for s in memory.scenes.find("When does the bakery open?")] == [texts[0]]
    assert [s.text for s in memory.scenes.find("地铁口在哪里")] == [texts[2]]
    assert [s.id for s in memory.scenes.find("where are my keys")] == [keys]
    assert memory.scenes.find("the lighthouse") == ()


def test_words_that_come_later_count_and_take_the_place_of_those_before(memory: Memory) -> None:
    id = memory.scenes.add(room(1), at=START)
    assert id is not None
    assert memory.scenes.describe(id, text="EXIT", description="A corridor.")
    assert memory.scenes.describe(id, description="A long corridor with lockers.")
    assert [s.text for s in memory.scenes.find("lockers")] == ["EXIT"]
    assert memory.count("scene") == 1
    assert not memory.scenes.describe("s_0000000000000000", text="nothing")
    assert [m.id for m in memory.recall("lockers in a corridor")] == [id]


def test_words_are_found_by_meaning_once_they_are_embedded(memory: Memory) -> None:
    id = memory.scenes.add(room(1), at=START, description="saucepan with tomatoes")
    memory.scenes.add(room(2), at=later(1), description="the cat sleeps in the sun")
    assert memory.flush(30)
    assert [s.id for s in memory.scenes.find("tomatoes saucepan")] == [id]


def test_scenes_are_found_by_who_was_there(memory: Memory) -> None:
    anna, ben = memory.people.add("Anna"), memory.people.add("Ben")
    both = memory.scenes.add(room(1), at=later(0), people=[anna, ben])
    alone = memory.scenes.add(room(2), at=later(60), people=[anna.id])
    memory.scenes.add(room(3), at=later(120))
    assert [s.id for s in memory.scenes.find(person=anna)] == [alone, both]
    assert [s.id for s in memory.scenes.find(person=ben)] == [both]
    other = memory.people.merge(ben, into=anna)
    assert [s.id for s in memory.scenes.find(person=other)] == [alone, both]
    assert memory.scenes.find(person=ben)[0].people == (anna.id,)


def test_scenes_are_found_by_when_they_were_seen(memory: Memory) -> None:
    watch(memory, room(1), range(0, 20), conversation="c")
    watch(memory, room(2), range(20, 40), conversation="c")
    memory.scenes.end("c")

    def rooms(**given) -> list[datetime]:
        return [s.at for s in memory.scenes.find(**given)]

    assert rooms(until=later(15)) == [later(0.5)]
    assert rooms(since=later(25)) == [later(20.5)]
    assert rooms(since=later(10), until=later(30)) == [later(20.5), later(0.5)]
    assert rooms(since=later(100)) == []
    with pytest.raises(SettingsError, match="no timezone"):
        memory.scenes.find(since=datetime(2026, 1, 1))


def test_scenes_are_found_by_where_they_were_seen(memory: Memory) -> None:
    home = memory.scenes.add(room(1), at=later(0), place=HOME, text="Kitchen")
    corner = memory.scenes.add(room(2), at=later(1), place={"lat": CORNER.lat, "lon": CORNER.lon})
    memory.scenes.add(room(3), at=later(2), place=FAR)
    memory.scenes.add(room(4), at=later(3), place={"label": "somewhere"})
    assert [s.id for s in memory.scenes.find(near=HOME)] == [corner, home]
    assert [s.id for s in memory.scenes.find(near=HOME, within=20)] == [home]
    assert [s.id for s in memory.scenes.find("kitchen", near=CORNER)] == [home]
    assert memory.scenes.find("kitchen", near=FAR) == ()
    across = Spot(0.0, 179.9999)
    dateline = memory.scenes.add(room(5), at=later(4), place=Spot(0.0, -179.9999))
    assert [s.id for s in memory.scenes.find(near=across)] == [dateline]


def test_what_was_on_the_stove_when_anna_came_in(memory: Memory) -> None:
    """The stove is one camera's, the door another's."""
    anna = memory.people.add("Anna")
    for minute, soup in ((0, "a pot of lentil soup"), (10, "a pan of mushrooms"), (20, "a kettle")):
        stove = memory.scenes.add(
            room(minute), at=later(60 * minute), source="stove", conversation="c",
            description=f"The stove with {soup} on it.",
        )  # fmt: skip
        assert stove is not None
        memory.scenes.add(
            room(minute), at=later(60 * minute + 500), source="stove", conversation="c"
        )
    memory.scenes.add(room(40), at=later(15 * 60), source="door", people=[anna], conversation="c")
    (found,) = memory.scenes.find("what was on the stove", came_in=anna)
    assert "mushrooms" in found.description
    assert memory.scenes.find("stove", person=anna) == ()
    assert memory.scenes.find("stove", came_in=memory.people.add("Ben")) == ()


def test_when_somebody_was_there(memory: Memory) -> None:
    anna = memory.people.add("Anna")
    for t, view in ((0, 1), (20, 2), (40, 3), (600, 4), (620, 5)):
        memory.scenes.add(room(view), at=later(t), people=[anna])
    late, early = memory.scenes.visits(anna)
    assert (early.at, early.until, len(early.scenes)) == (later(0), later(40), 3)
    assert (late.at, late.until) == (later(600), later(620))
    assert memory.scenes.visits(anna, since=later(100)) == (late,)


def test_somebody_who_comes_in_begins_a_scene_and_who_is_recognised_late_does_not(
    memory: Memory,
) -> None:
    anna, ben = memory.people.add("Anna"), memory.people.add("Ben")
    (first,) = watch(memory, room(1), range(0, 3), conversation="c")
    assert watch(memory, room(1), range(3, 20), conversation="c", people=[anna]) == []
    came = memory.scenes.see(
        room(1), at=later(20 + JUST_BEGUN), conversation="c", people=[anna, ben]
    )
    memory.scenes.end("c")
    assert came is not None
    before, after = memory.scenes.get(first), memory.scenes.get(came)
    assert before is not None
    assert after is not None
    assert before.people == (anna.id,)
    assert set(after.people) == {anna.id, ben.id}


def test_a_call_of_one_glance_is_kept_too(memory: Memory) -> None:
    anna = memory.people.add("Anna")
    memory.scenes.see(room(1), at=START, conversation="c", people=[anna], place=HOME)
    memory.scenes.end("c")
    (only,) = memory.scenes.find()
    assert only.people == (anna.id,)
    assert only.place == {"lat": HOME.lat, "lon": HOME.lon}


def test_pictures_are_small_jpegs_that_only_their_owner_may_read(memory: Memory) -> None:
    large = Image(np.repeat(np.repeat(room(1).pixels, 6, axis=0), 6, axis=1))
    id = memory.scenes.add(large, at=START)
    assert id is not None
    jpeg = memory.scenes.picture(id)
    assert jpeg is not None
    assert max(Image.load(jpeg).size) == 640
    (path,) = (memory.folder / "pictures").iterdir()
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    assert memory.scenes.picture("s_0000000000000000") is None


def test_faces_that_are_to_be_hidden_are_never_written(memory: Memory) -> None:
    rng = np.random.default_rng(0)
    view = room(1)
    view.pixels[60:140, 100:180] = rng.integers(0, 255, (80, 80, 3))
    id = memory.scenes.add(view, at=START, hide=[(110, 70, 60, 60)])
    assert id is not None
    jpeg = memory.scenes.picture(id)
    assert jpeg is not None
    seen = Image.load(jpeg).pixels[72:128, 112:168].astype(int)
    assert len(np.unique(seen.reshape(-1, 3) // 24, axis=0)) < 40, "a few large squares"
    assert np.array_equal(hidden(view, [(900, 900, 10, 10)]).pixels, view.pixels)


def test_a_full_disk_is_said_and_the_scene_begins_later(memory: Memory, monkeypatch) -> None:
    scenes = memory.scenes

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(MemoryStoreError, match="No space left"):
            watch(memory, room(1), range(0, 2), conversation="c")
    assert len(watch(memory, room(1), range(2, 5), conversation="c")) == 1
    assert len(scenes.find()) == 1


@pytest.fixture
def sharp(tmp_path, letters) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", embedder=letters, images=Reds()) as opened:
        yield opened


class Reds:
    """An image model of two dimensions: how red, how green; it knows the words for both."""

    name, dim, unrelated, related = "reds", 2, 0.75, 0.95

    def image(self, image: Image) -> np.ndarray:
        return self._unit(image.pixels[..., :2].reshape(-1, 2).mean(0).astype(np.float32))

    def words(self, text: str) -> np.ndarray:
        return self._unit(np.array(["red" in text, "green" in text], np.float32) + 1e-3)

    def _unit(self, vector: np.ndarray) -> np.ndarray:
        return vector / np.linalg.norm(vector)


def test_an_image_model_finds_pictures_that_nobody_described(sharp: Memory) -> None:
    rng = np.random.default_rng(0)
    tint = {"red": (200, 20, 20), "green": (20, 200, 20)}
    ids = {}
    for name, colour in tint.items():
        pixels = np.full((240, 320, 3), colour, np.uint8) + rng.integers(0, 40, (240, 320, 3))
        ids[name] = sharp.scenes.add(Image(pixels.astype(np.uint8)), at=later(len(ids)))
    assert [s.id for s in sharp.scenes.find("the red one")] == [ids["red"]]
    assert [s.id for s in sharp.scenes.find("something green")] == [ids["green"]]
    assert sharp.scenes.find("the red one", since=later(0.5)) == ()
    assert ids["red"] is not None
    sharp.scenes.forget(ids["red"])
    assert sharp.scenes.find("the red one") == ()


def test_time_is_the_clocks_where_none_is_given(memory: Memory) -> None:
    memory.scenes.add(room(1))
    assert memory.scenes.find()[0].at == later(1200)
