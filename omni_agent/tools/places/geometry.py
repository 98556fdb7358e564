"""Points on the globe: how far, which way, how long on foot, and how to say so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from omni_agent.errors import SettingsError

EARTH_RADIUS_M = 6_371_008.8
WALKING_M_PER_MIN = 80.0
STREET_DETOUR = 1.3
"""Streets are longer than the crow's way; 1.2 to 1.4 is what cities measure."""
HERE_M = 20.0
"""Closer than this a direction says nothing: positioning is no better."""


class Located(Protocol):
    """Anything with a latitude and a longitude in degrees (WGS 84)."""

    @property
    def lat(self) -> float: ...

    @property
    def lon(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees, WGS 84. Raises SettingsError for what is on no globe."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        # Written so that NaN fails too.
        if not (-90 <= self.lat <= 90 and -180 <= self.lon <= 180):
            raise SettingsError(
                f"({self.lat}, {self.lon}) is no position: "
                "latitude goes from -90 to 90, longitude from -180 to 180."
            )

    @classmethod
    def of(cls, located: Located) -> Point:
        return cls(float(located.lat), float(located.lon))


def distance_m(a: Located, b: Located) -> float:
    """Metres along the great circle (haversine)."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.lon - a.lon) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def bearing_deg(a: Located, b: Located) -> float:
    """The initial bearing from a to b: 0 is north, 90 east, in [0, 360)."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    d_lon = math.radians(b.lon - a.lon)
    east = math.sin(d_lon) * math.cos(lat_b)
    north = math.cos(lat_a) * math.sin(lat_b) - math.sin(lat_a) * math.cos(lat_b) * math.cos(d_lon)
    return math.degrees(math.atan2(east, north)) % 360


def walking_minutes(metres: float) -> int:
    """Minutes on foot through streets, at least one."""
    return max(1, round(metres * STREET_DETOUR / WALKING_M_PER_MIN))


def reach_m(minutes: float) -> float:
    """How far off, as the crow flies, one gets on foot: the inverse of `walking_minutes`."""
    return minutes * WALKING_M_PER_MIN / STREET_DETOUR


# Eight sectors of 45 degrees, clockwise, the first centred on 0.
_RELATIVE = {
    "en": (
        "straight ahead", "ahead on your right", "on your right", "behind you on your right",
        "behind you", "behind you on your left", "on your left", "ahead on your left",
    ),
    "zh": ("正前方", "右前方", "右边", "右后方", "身后", "左后方", "左边", "左前方"),
}  # fmt: skip
_COMPASS = {
    "en": (
        "to the north", "to the north-east", "to the east", "to the south-east",
        "to the south", "to the south-west", "to the west", "to the north-west",
    ),
    "zh": ("北边", "东北方向", "东边", "东南方向", "南边", "西南方向", "西边", "西北方向"),
}  # fmt: skip


def direction_words(
    origin: Located, target: Located, *, heading: float | None, language: str
) -> str:
    """ "ahead on your left" where a heading is known, else "to the north-east".

    `heading` is where the user faces, in degrees from north.
    """
    if distance_m(origin, target) < HERE_M:
        return "就在旁边" if language == "zh" else "right here"
    angle = bearing_deg(origin, target)
    table = _COMPASS if heading is None or not math.isfinite(heading) else _RELATIVE
    if table is _RELATIVE:
        assert heading is not None
        angle -= heading
    return table["zh" if language == "zh" else "en"][round(angle % 360 / 45) % 8]


def distance_words(metres: float, language: str) -> str:
    """ "120 metres", "1.4 kilometres"; no finer than a person can use."""
    if metres < 1000:
        rounded = max(10, round(metres / 10) * 10)
        if rounded < 1000:
            return f"{rounded}米" if language == "zh" else f"{rounded} metres"
    kilometres = f"{metres / 1000:.1f}".removesuffix(".0")
    unit = "kilometre" if kilometres == "1" else "kilometres"
    return f"{kilometres}公里" if language == "zh" else f"{kilometres} {unit}"
