"""Following faces, with a finder that is told where they are and prints of their colour."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omni_agent.media import Image, VideoFrame
from omni_agent.memory.embed.face import UPRIGHT, Face, FaceThresholds
from omni_agent.memory.embed.pooling import unit
from omni_agent.memory.face_tracks import FaceTrack, FaceTracker

pytest.importorskip("cv2")

COLOURS = {"anna": (220, 60, 60), "ben": (60, 220, 60), "carl": (60, 60, 220)}
SIZE = 90


class Scene:
    """Frames with squares of a person's colour, a finder that knows them, and the time."""

    def __init__(self) -> None:
        self.t = 0.0
        self.looks = 0
        self._now: list[Face] = []
        self.tracker = FaceTracker(self, self)

    def shows(self, seconds: float = 0.2, **where: tuple[int, int]) -> dict[str, FaceTrack]:
        """The tracks by person, as of the last frame of `seconds` at 5 frames a second."""
        found: dict[str, FaceTrack] = {}
        for _ in range(round(seconds * 5)):
            pixels = np.full((360, 640, 3), 120, np.uint8)
            self._now = []
            for name, (x, y) in where.items():
                noise = np.random.default_rng(7).normal(1, 0.3, (SIZE, SIZE, 1))
                square = np.clip(np.array(COLOURS[name.rstrip("_2")]) * noise, 10, 240)
                pixels[y : y + SIZE, x : x + SIZE] = square.astype(np.uint8)
                points = UPRIGHT / 112 * SIZE + np.array([x, y], np.float32)
                self._now.append(Face((x, y, SIZE, SIZE), points, 0.9))
            tracks = self.tracker.see(VideoFrame(Image(pixels), self.t))
            self.t += 0.2
            found = {n: t for n, at in where.items() for t in tracks if t.box[:2] == at}
        return found

    def find(self, image: Image) -> list[Face]:
        return self._now

    name, dim = "colours", 3
    thresholds = FaceThresholds(same=0.9, different=0.8, margin=0.05)

    def prints(self, crops: list[np.ndarray]) -> np.ndarray:
        self.looks += len(crops)
        return unit(np.array([c.reshape(-1, 3).mean(0) - 40 for c in crops]).reshape(-1, 3))


LEFT, MIDDLE, RIGHT = (40, 120), (270, 120), (500, 120)


def test_each_face_is_followed_and_looked_at_now_and_then() -> None:
    scene = Scene()
    first = scene.shows(1.0, anna=LEFT, ben=RIGHT)
    last = scene.shows(9.0, anna=LEFT, ben=RIGHT)
    assert {n: t.id for n, t in first.items()} == {n: t.id for n, t in last.items()}
    assert 20 <= scene.looks <= 30, "one look a second at each of two, a few more at first"
    assert last["anna"].print is not None
    assert last["anna"].shots.all[0].portrait.size[0] <= 192


def test_someone_who_was_hidden_comes_back_as_before() -> None:
    scene = Scene()
    before = scene.shows(2.0, anna=LEFT, ben=MIDDLE)
    scene.shows(0.2, anna=LEFT)
    assert next(t for t in scene.tracker.tracks if t.id == before["ben"].id).hidden
    scene.shows(5.0, anna=LEFT)
    assert [t.id for t in scene.tracker.tracks] == [before["anna"].id]
    after = scene.shows(0.6, anna=LEFT, ben=RIGHT)
    assert after["ben"].id == before["ben"].id
    assert after["ben"].first_seen == before["ben"].first_seen


def test_who_changes_seats_takes_the_track_along() -> None:
    scene = Scene()
    before = {n: t.id for n, t in scene.shows(3.0, anna=LEFT, ben=MIDDLE, carl=RIGHT).items()}
    after = scene.shows(1.6, anna=MIDDLE, ben=RIGHT, carl=LEFT)
    assert {n: t.id for n, t in after.items()} == before


def test_a_stranger_in_someone_elses_seat_is_a_new_face() -> None:
    scene = Scene()
    anna = scene.shows(3.0, anna=LEFT)["anna"].id
    ben = scene.shows(2.0, ben=LEFT)["ben"].id
    assert ben != anna
    assert scene.shows(1.0, anna=RIGHT, ben=LEFT)["anna"].id == anna


def test_twins_in_two_seats_stay_two() -> None:
    scene = Scene()
    first = {n: t.id for n, t in scene.shows(2.0, anna=LEFT, anna_2=RIGHT).items()}
    assert len(set(first.values())) == 2
    assert {n: t.id for n, t in scene.shows(5.0, anna=LEFT, anna_2=RIGHT).items()} == first


def test_what_the_mouth_did_moves_along_when_seats_were_swapped_unseen() -> None:
    scene = Scene()
    tracks = scene.shows(4.0, anna=LEFT, ben=RIGHT)
    scene.shows(1.6, anna=RIGHT, ben=LEFT)
    for track in tracks.values():
        times = [m.t for m in track.mouth]
        assert times == sorted(set(times))
        assert scene.t - times[-1] < 0.5
    assert tracks["anna"].box[:2] == RIGHT


def test_seconds_alone_in_view_are_counted() -> None:
    scene = Scene()
    scene.shows(3.0, anna=LEFT)
    tracks = scene.shows(2.0, anna=LEFT, ben=RIGHT)
    assert math.isclose(tracks["anna"].alone, 2.8, abs_tol=0.11)
    assert tracks["ben"].alone == 0


def test_a_frame_that_is_late_or_twice_there_changes_nothing() -> None:
    scene = Scene()
    track = scene.shows(1.0, anna=LEFT)["anna"]
    seen, box = track.seen, track.box
    scene.t = 0.4
    scene.shows(0.2, anna=RIGHT)
    assert (track.seen, track.box) == (seen, box)


def test_something_found_in_a_single_frame_is_forgotten() -> None:
    scene = Scene()
    scene.shows(1.0, anna=LEFT)
    scene.shows(0.2, anna=LEFT, ben=RIGHT)
    scene.shows(2.0, anna=LEFT)
    assert len(scene.tracker.every) == 1
