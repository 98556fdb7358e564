"""Which face speaks with which voice, told from how mouths move."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from omni_agent.memory.face_tracks import FaceTrack
from omni_agent.memory.mouth import MouthSample
from omni_agent.presence.speaking_faces import SpeakingFaces

FPS = 5
TURNS = [("anna", 1, 4), ("ben", 5, 9), ("anna", 10, 13), ("ben", 14, 18), ("carl", 19, 23)]
Moves = Callable[[float, np.random.Generator], float]


def label(start: float, end: float) -> str | None:
    for who, begins, ends in TURNS:
        if min(ends, end) - max(begins, start) >= 0.5 * (end - start):
            return who
    return None


def speech(start: float, end: float) -> float:
    over = (min(e, end) - max(b, start) for _, b, e in TURNS)
    return sum(max(0.0, seconds) for seconds in over) / (end - start)


def talks_like(who: str, late: float = 0.0) -> Moves:
    def moves(t: float, rng: np.random.Generator) -> float:
        speaks = label(t - late, t - late + 0.01) == who
        return float(rng.uniform(0.0, 0.15) if speaks else rng.uniform(0.0, 0.02))

    return moves


def always(t: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(0.0, 0.15))


def never(t: float, rng: np.random.Generator) -> float:
    return 0.0


def seen(*faces: Moves, seconds: float = 25.0) -> tuple[SpeakingFaces, list[FaceTrack]]:
    rng = np.random.default_rng(0)
    tracks = [FaceTrack(f"face{k}", (0, 0, 9, 9), 0.0, 0.0) for k in range(len(faces))]
    mouths = SpeakingFaces()
    for k in range(int(seconds * FPS)):
        t = k / FPS
        for track, moves in zip(tracks, faces, strict=True):
            track.mouth.append(MouthSample(t, 0.0, moves(t, rng)))
            track.last_seen = t
        mouths.see(t, tracks, speech)
    return mouths, tracks


def evidence(mouths: SpeakingFaces) -> dict[tuple[str, str], float]:
    return dict(mouths.evidence(25.0, label, lambda id: id))


def test_each_voice_is_tied_to_the_mouth_that_moves_with_it() -> None:
    found = evidence(seen(talks_like("anna"), talks_like("ben"))[0])
    assert found["anna", "face0"] > 4
    assert found["ben", "face1"] > 4
    assert found["anna", "face1"] < -2
    assert found["ben", "face0"] < -2


def test_someone_off_camera_is_tied_to_no_face() -> None:
    found = evidence(seen(talks_like("anna"), talks_like("ben"))[0])
    assert found["carl", "face0"] < 0
    assert found["carl", "face1"] < 0


@pytest.mark.parametrize("moves", [never, always], ids=["a photograph", "chewing"])
def test_a_mouth_that_never_or_always_moves_is_nobodys(moves: Moves) -> None:
    found = evidence(seen(moves, talks_like("ben"))[0])
    assert found["anna", "face0"] < 0
    assert found["carl", "face0"] < 0


@pytest.mark.parametrize("late", [-0.3, 0.3])
def test_camera_and_microphone_may_be_apart(late: float) -> None:
    mouths, _ = seen(talks_like("anna", late), talks_like("ben", late))
    found = evidence(mouths)
    assert found["anna", "face0"] > 4
    assert found["ben", "face1"] > 4
    assert found["anna", "face1"] < 0


def test_what_is_learned_later_counts_for_what_was_seen_before() -> None:
    mouths, _ = seen(talks_like("anna"), talks_like("ben"))

    def mixed_up(start: float, end: float) -> str | None:
        return None if label(start, end) is None else "anna"

    assert dict(mouths.evidence(25.0, mixed_up, lambda id: id)).keys() == {
        ("anna", "face0"), ("anna", "face1"),
    }  # fmt: skip
    assert evidence(mouths)["ben", "face1"] > 4


def test_evidence_outlives_the_pictures_it_came_from() -> None:
    mouths, _ = seen(talks_like("anna"), talks_like("ben"))
    before = evidence(mouths)
    mouths.evidence(500.0, label, lambda id: id)
    after = dict(mouths.evidence(501.0, label, lambda id: id))
    assert after == pytest.approx(before)


def test_a_short_word_is_the_one_mouths_that_moved() -> None:
    mouths, tracks = seen(talks_like("anna"), talks_like("ben"))
    assert mouths.speaker(5.5, 6.3, tracks) == "face1"
    assert mouths.speaker(19.5, 20.3, tracks) is None
    both, tracks = seen(talks_like("anna"), talks_like("anna"))
    assert both.speaker(1.5, 2.3, tracks) is None


def test_faces_that_turn_out_to_be_one_add_up() -> None:
    mouths, _ = seen(talks_like("anna"), talks_like("ben"))
    whole = dict(mouths.evidence(25.0, label, lambda id: "face" if "face" in id else id))
    assert set(whole) == {("anna", "face"), ("ben", "face"), ("carl", "face")}
