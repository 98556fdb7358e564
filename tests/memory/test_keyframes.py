"""A scene begins when the picture is really another, and not at every nod."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from views import camera, frames, room, with_thing

from omni_agent.media import Image
from omni_agent.memory.keyframes import BURST, CALM, LASTING, PACE, RESTLESS, Keyframes

BLACK = Image(np.zeros((240, 320, 3), np.uint8))


def begun(images: Iterable[Image], fps: float = 2.0, kind="view") -> list[float]:
    """The times at which scenes begin."""
    source = Keyframes(kind)
    taken = (source.take(image, i / fps) for i, image in enumerate(images))
    return [frame.t for frame in taken if frame is not None]


def test_a_camera_that_stands_still_shows_one_scene() -> None:
    assert begun(frames(room(1), seconds=60)) == [0.5]


def test_another_room_is_another_scene_as_soon_as_the_picture_rests() -> None:
    walk = [*frames(room(1), 5), *frames(room(2), 5), *frames(room(3), 5)]
    assert begun(walk) == [0.5, 5.5, 10.5]


def test_a_camera_that_never_rests_is_kept_every_few_seconds() -> None:
    rng = np.random.default_rng(0)
    moving = [camera(room(i), rng) for i in range(60)]
    times = begun(moving)
    assert np.allclose(np.diff(times), RESTLESS, atol=0.6)


@pytest.mark.parametrize(("width", "height"), [(25, 17), (45, 35), (100, 60)])
def test_a_thing_that_is_put_down_begins_a_scene_once_it_has_lain_a_while(width, height) -> None:
    table, keys = room(4), with_thing(room(4), 150, 190, width, height)
    times = begun([*frames(table, 40), *frames(keys, 40)])
    assert times[0] == 0.5
    assert len(times) == 2
    assert 40 + LASTING <= times[1] <= 40 + LASTING + 1


def test_somebody_who_sits_and_moves_is_not_kept_at_every_nod() -> None:
    rng = np.random.default_rng(1)
    sitting = [
        camera(with_thing(room(5), 130 + int(x), 75 + int(y), 65, 90, 90), rng)
        for x, y in rng.normal(0, 6, (400, 2))
    ]
    assert len(begun(sitting)) <= 200 / CALM


def test_what_only_passes_before_a_still_camera_begins_nothing() -> None:
    passing = [with_thing(room(6), 30 * i - 100, 50, 45, 100) for i in range(16)]
    assert begun([*frames(room(6), 30), *passing, *frames(room(6), 30)]) == [0.5]


def test_black_frames_scraps_and_frames_out_of_order_are_passed_over() -> None:
    source = Keyframes("view")
    assert source.take(BLACK, 0.0) is None
    assert source.take(Image(np.full((8, 8, 3), 200, np.uint8)), 0.5) is None
    assert source.take(room(1), 1.0) is None
    assert source.take(room(2), 0.2) is None
    assert source.take(room(1), 1.5) is not None
    assert source.take(BLACK, 5.0) is None
    assert source.take(room(1), 6.0) is None
    assert source.until == 6.0


def test_a_line_of_writing_on_a_page_counts_and_a_cursor_does_not() -> None:
    page = Image(np.full((768, 1024, 3), 250, np.uint8))
    cursor = with_thing(page, 500, 400, 3, 20, 0)
    line = with_thing(page, 60, 500, 700, 14, 30)
    assert begun([page] * 40 + [cursor] * 40, kind="page") == [0.5]
    assert len(begun([page] * 60 + [line] * 40, kind="page")) == 2


def test_flicker_between_two_views_is_held_to_a_pace() -> None:
    views = [room(7), room(7), room(8), room(8)]
    times = begun([views[i % 4] for i in range(4 * 600)])
    assert len(times) <= BURST + 1200 / PACE + 1


def test_what_was_seen_too_briefly_is_kept_when_the_source_ends() -> None:
    source = Keyframes("view")
    assert source.rest() is None
    assert source.take(room(1), 0.0) is None
    frame = source.rest()
    assert frame is not None
    assert frame.t == 0.0
    assert source.rest() is None
