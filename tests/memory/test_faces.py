"""Finding, judging and recognising drawn faces with the real models."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from omni_agent.errors import ModelLoadError
from omni_agent.media import Image, VideoFrame
from omni_agent.memory.embed.face import Face, SFace, YuNet, quality, upright
from omni_agent.memory.face_tracks import FaceTracker
from omni_agent.memory.mouth import Mouth

cv2 = pytest.importorskip("cv2")
from composed.faces import PEOPLE, Seat, frame, person  # noqa: E402

pytestmark = pytest.mark.weights
ANNA, BEN, CARL = PEOPLE[:3]


@pytest.fixture(scope="module")
def finder() -> YuNet:
    from omni_agent.model.catalog import catalog

    return YuNet(catalog().ensure("face-finder")["face-finder"])


@pytest.fixture(scope="module")
def printer() -> SFace:
    from omni_agent.model.catalog import catalog

    return SFace(catalog().ensure("face-print")["face-print"])


def only(finder: YuNet, image: Image) -> tuple[Face, np.ndarray]:
    (face,) = finder.find(image)
    return face, upright(image, face)


def test_faces_are_found_where_they_are_the_largest_first(finder: YuNet) -> None:
    near, far = Seat(ANNA, 180, 240, 240), Seat(BEN, 480, 200, 120)
    large, small = finder.find(frame(near, far))
    for seat, face in ((near, large), (far, small)):
        x, y, width, height = face.box
        assert abs(x + width / 2 - seat.x) < 0.1 * seat.size
        assert abs(y + height / 2 - seat.y) < 0.15 * seat.size
        eyes, mouth = face.landmarks[:2], face.landmarks[3:]
        assert eyes[0, 0] < eyes[1, 0]
        assert eyes[:, 1].max() < mouth[:, 1].min()


def test_one_person_looks_alike_in_any_size_and_two_do_not(finder: YuNet, printer: SFace) -> None:
    views = [
        (p, printer.prints([only(finder, frame(Seat(p, 320, 240, size, mouth)))[1]])[0])
        for p in (ANNA, BEN, CARL)
        for size, mouth in ((200, 0.0), (150, 0.3))
    ]
    for (a, x), (b, y) in itertools.combinations(views, 2):
        if a == b:
            assert float(x @ y) >= printer.thresholds.same
        else:
            assert float(x @ y) < printer.thresholds.same


def test_a_poor_view_is_told_from_a_good_one(finder: YuNet) -> None:
    good = frame(Seat(ANNA, 320, 240, 240))
    face, crop = only(finder, good)
    assert quality(face, crop).usable
    dark = Image((good.pixels * 0.08).astype(np.uint8))
    assert quality(face, upright(dark, face)).exposure == 0
    blurred = Image(cv2.GaussianBlur(good.pixels, (0, 0), 8))
    assert quality(face, upright(blurred, face)).sharpness < 0.25
    small = Image(cv2.resize(good.pixels, None, fx=0.12, fy=0.12, interpolation=cv2.INTER_AREA))
    tiny = Face(face.box, face.landmarks * 0.12, 0.9)
    assert quality(tiny, upright(small, tiny)).size < 0.25
    aside = face.landmarks.copy()
    aside[2, 0] = aside[1, 0]  # the nose before an eye: a profile
    assert not quality(Face(face.box, aside, 0.9), crop).usable
    masked = crop.copy()
    masked[76:112] = (90, 140, 220)
    assert not quality(face, masked).usable


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((480, 640, 3), np.uint8),
        np.full((480, 640, 3), 255, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((8, 640, 3), np.uint8),
        np.zeros((20, 1500, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8),
        np.zeros((2160, 3840, 3), np.uint8),
    ],
    ids=["black", "white", "a dot", "a line", "a ribbon", "noise", "huge"],
)
def test_a_bad_frame_has_no_faces_and_breaks_nothing(
    finder: YuNet, printer: SFace, pixels: np.ndarray
) -> None:
    tracker = FaceTracker(finder, printer)
    tracker.see(VideoFrame(frame(Seat(ANNA, 320, 240)), 0.0))
    assert tracker.see(VideoFrame(Image(pixels), 0.2)) == ()
    (track,) = tracker.see(VideoFrame(frame(Seat(ANNA, 320, 240)), 0.4))
    assert track.id == "face1"


def test_a_large_picture_is_searched_in_a_small_copy(finder: YuNet) -> None:
    pixels = cv2.resize(frame(Seat(ANNA, 320, 240, 240)).pixels, (2560, 1920))
    (face,) = finder.find(Image(pixels))
    assert abs(face.box[0] + face.box[2] / 2 - 1280) < 100


def test_a_crowd_of_twenty_is_followed(finder: YuNet, printer: SFace) -> None:
    seats = [Seat(PEOPLE[k % 5], 64 + 128 * (k % 5), 60 + 118 * (k // 5), 118) for k in range(20)]
    tracker = FaceTracker(finder, printer)
    for i in range(4):
        tracks = tracker.see(VideoFrame(frame(*seats), i / 5))
    assert len(tracks) == 20
    assert len(tracker.every) == 20


def test_three_people_are_followed_through_hiding_and_a_change_of_seats(
    finder: YuNet, printer: SFace
) -> None:
    tracker, now = FaceTracker(finder, printer), itertools.count()

    def ids(seconds: float, **places: int) -> dict[str, str]:
        people = {"anna": ANNA, "ben": BEN, "carl": CARL}
        tracks = ()
        for _ in range(round(seconds * 5)):
            seats = [Seat(people[n], x, 240, 170) for n, x in places.items()]
            tracks = tracker.see(VideoFrame(frame(*seats), next(now) / 5))
        at = {t.box[0] + t.box[2] / 2: t.id for t in tracks}
        return {n: at[min(at, key=lambda c: abs(c - x))] for n, x in places.items()}

    first = ids(3.0, anna=120, ben=330, carl=530)
    assert len(set(first.values())) == 3
    ids(2.0, anna=120, carl=530)
    assert ids(1.0, anna=120, ben=330, carl=530) == first
    assert ids(2.0, ben=120, anna=330, carl=530) == first


def test_the_mouth_that_talks_is_the_one_that_moves(finder: YuNet) -> None:
    talking, still, swaying = Mouth(), Mouth(), Mouth()
    motion: dict[str, list[float]] = {"talking": [], "still": [], "swaying": []}
    for i in range(15):
        t, sway = i / 5, 3 * math.sin(i)
        for name, mouth, seat in (
            ("talking", talking, Seat(ANNA, 320, 240, 200, abs(math.sin(1.3 * i)))),
            ("still", still, Seat(ANNA, 320, 240, 200)),
            ("swaying", swaying, Seat(ANNA, int(320 + sway), 240, 200)),
        ):
            sample = mouth.see(only(finder, frame(seat))[1], t)
            motion[name].append(sample.motion)
    mean = {name: float(np.nanmean(values)) for name, values in motion.items()}
    assert mean["talking"] > 3 * max(mean["still"], mean["swaying"])
    wide = talking.see(only(finder, frame(Seat(ANNA, 320, 240, 200, 1.0)))[1], 9.0)
    shut = talking.see(only(finder, frame(Seat(ANNA, 320, 240, 200, 0.0)))[1], 9.2)
    assert wide.openness > shut.openness
    assert math.isnan(wide.motion), "nothing is known across a gap"


def test_files_that_are_no_models_are_named(tmp_path) -> None:
    (tmp_path / "f.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelLoadError, match=r"f\.onnx"):
        YuNet(tmp_path / "f.onnx")
    with pytest.raises(ModelLoadError, match=r"f\.onnx"):
        SFace(tmp_path / "f.onnx")


def test_drawn_people_differ_and_stay_the_same() -> None:
    assert (person(ANNA) == person(ANNA)).all()
    assert np.abs(person(ANNA).astype(int) - person(BEN)).mean() > 5
