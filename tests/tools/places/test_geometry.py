from __future__ import annotations

import math

import pytest

from omni_agent.errors import SettingsError
from omni_agent.tools.places.geometry import (
    Point,
    bearing_deg,
    direction_words,
    distance_m,
    distance_words,
    reach_m,
    walking_minutes,
)
from omni_agent.tools.places.grid import Grid

HELSINKI = Point(60.17, 24.94)


def test_helsinki_to_tallinn_is_some_eighty_kilometres_a_little_west_of_south() -> None:
    tallinn = Point(59.437, 24.7536)
    assert distance_m(HELSINKI, tallinn) == pytest.approx(82_200, rel=0.01)
    assert bearing_deg(HELSINKI, tallinn) == pytest.approx(187.4, abs=0.5)


def test_the_date_line_is_no_wall() -> None:
    assert distance_m(Point(0, 179.999), Point(0, -179.999)) == pytest.approx(222, abs=2)


@pytest.mark.parametrize(
    ("heading", "en", "zh"),
    [
        (None, "to the east", "东边"),
        (90, "straight ahead", "正前方"),
        (135, "ahead on your left", "左前方"),
        (45, "ahead on your right", "右前方"),
        (0, "on your right", "右边"),
        (180, "on your left", "左边"),
        (270, "behind you", "身后"),
        (450, "straight ahead", "正前方"),
        (math.nan, "to the east", "东边"),
    ],
)
def test_direction_follows_where_the_user_faces(heading: float | None, en: str, zh: str) -> None:
    east = Point(60.17, 24.95)
    assert direction_words(HELSINKI, east, heading=heading, language="en") == en
    assert direction_words(HELSINKI, east, heading=heading, language="zh") == zh


def test_a_place_at_ones_feet_has_no_direction() -> None:
    assert direction_words(HELSINKI, HELSINKI, heading=10, language="en") == "right here"


def test_walking_takes_longer_than_the_crow_flies() -> None:
    assert walking_minutes(800) == 13
    assert walking_minutes(3) == 1
    assert walking_minutes(reach_m(10)) == 10


def test_distances_are_said_no_finer_than_needed() -> None:
    assert distance_words(117, "en") == "120 metres"
    assert distance_words(998, "en") == "1 kilometre"
    assert distance_words(1430, "zh") == "1.4公里"


@pytest.mark.parametrize(("lat", "lon"), [(91, 0), (0, 181), (math.nan, 0), (0, math.inf)])
def test_what_is_on_no_globe_is_refused(lat: float, lon: float) -> None:
    with pytest.raises(SettingsError, match="no position"):
        Point(lat, lon)


@pytest.mark.parametrize(
    "here", [HELSINKI, Point(0, 180), Point(-33.9, 18.4), Point(89.99, 10), Point(-90, 0)]
)
def test_the_grid_loses_nothing_within_the_radius(here: Point) -> None:
    points = [
        Point(max(-90, min(90, here.lat + i * 0.001)), (here.lon + j * 0.001 + 180) % 360 - 180)
        for i in range(-12, 13)
        for j in range(-12, 13)
    ]
    grid: Grid[Point] = Grid()
    for point in points:
        grid.add(point, point)
    within = {p for p in points if distance_m(here, p) <= 700}
    assert within <= set(grid.around(here, 700))
