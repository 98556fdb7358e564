"""Pictures get their place in the microphone's time, whatever the camera's clock says."""

from __future__ import annotations

from itertools import pairwise

import pytest

from omni_agent.presence.frame_times import FrameTimes


def test_a_cameras_clock_may_begin_anywhere() -> None:
    times = FrameTimes()
    placed = [times.place(1000.0 + k / 5, 3.0 + k / 5) for k in range(10)]
    assert placed == pytest.approx([3.0 + k / 5 for k in range(10)])


def test_pictures_that_arrive_unevenly_lie_evenly() -> None:
    times = FrameTimes()
    placed = [times.place(k / 5, k / 5 + 0.1 * (k % 3)) or 0.0 for k in range(30)]
    steps = [b - a for a, b in pairwise(placed)]
    assert max(abs(step - 0.2) for step in steps) < 0.01


def test_a_picture_that_comes_too_late_is_left_out() -> None:
    times = FrameTimes()
    assert times.place(1.0, 1.0) == 1.0
    assert times.place(0.8, 1.1) is None
    assert times.place(1.2, 1.2) == pytest.approx(1.2)


def test_without_times_pictures_count_as_they_arrive() -> None:
    times = FrameTimes()
    assert [times.place(0.0, k / 5) for k in range(1, 5)] == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_a_camera_that_is_switched_on_again_begins_anew() -> None:
    times = FrameTimes()
    times.place(50.0, 5.0)
    assert times.place(0.0, 9.0) == pytest.approx(9.0)
    assert times.place(0.2, 9.2) == pytest.approx(9.2)
