from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from omni_agent.tools.places.geometry import Point
from omni_agent.tools.places.hours import open_status
from omni_agent.tools.places.words import status_words

HELSINKI = Point(60.17, 24.94)


def at(text: str) -> datetime:
    """A moment by the clocks of Helsinki in winter (UTC+2)."""
    return datetime.fromisoformat(f"{text}+02:00")


@pytest.mark.parametrize(
    ("hours", "moment", "en", "zh"),
    [
        ("Mo-Fr 10:00-22:00", "2026-11-20 12:00", "open until 22:00", "营业到22:00"),
        ("Mo-Fr 10:00-22:00", "2026-11-20 21:40", "closing in 20 minutes", "还有20分钟打烊"),
        ("Mo-Fr 10:00-22:00", "2026-11-20 08:00", "closed, opens at 10:00", "10:00开门"),
        ("Mo-Fr 10:00-22:00", "2026-11-19 23:00", "closed, opens tomorrow at 10:00",
         "明天10:00开门"),
        ("Mo-Fr 10:00-22:00", "2026-11-20 23:00", "closed, opens on Monday at 10:00",
         "周一10:00开门"),
        ("Jun-Aug 10:00-22:00", "2026-11-20 12:00", "closed, opens on 1 June at 10:00",
         "6月1日10:00开门"),
        ("24/7", "2026-11-20 03:00", "open around the clock", "全天营业"),
        ("off", "2026-11-20 12:00", "closed", "已停业"),
        ("18:00-24:00", "2026-11-20 20:00", "open until midnight", "营业到午夜"),
        ("18:00-23:00+", "2026-11-20 20:00", "open until 23:00 or later", "营业到23:00或更晚"),
        ("Fr-Sa 20:00-04:00", "2026-11-21 02:00", "open until 04:00", "营业到04:00"),
        ("Fr-Sa 20:00-04:00", "2026-11-20 23:00", "open until 04:00", "营业到04:00"),
    ],
)  # fmt: skip
def test_the_state_is_said_in_words(hours: str, moment: str, en: str, zh: str) -> None:
    status = open_status(hours, HELSINKI, at(moment))
    assert status_words(status, "en") == en
    assert status_words(status, "zh") == zh


def test_the_next_days_rule_does_not_end_the_night() -> None:
    thursday_night = at("2026-11-20 00:30")
    for hours in ("We-Th 18:00-02:00; Fr-Sa 16:00-03:00", "Mo-Th 18:00-02:00;Fr 10:00-11:00"):
        status = open_status(hours, HELSINKI, thursday_night)
        assert (status.state, status_words(status, "en")) == ("open", "open until 02:00")


def test_a_later_rule_for_the_same_day_still_replaces_the_first() -> None:
    status = open_status("Mo-Fr 10:00-20:00; Fr 10:00-22:00", HELSINKI, at("2026-11-20 21:00"))
    assert status_words(status, "en") == "open until 22:00"


def test_public_holidays_are_those_of_the_country() -> None:
    independence_day = at("2026-12-06 12:00")
    assert open_status("Mo-Su 10:00-22:00; PH off", HELSINKI, independence_day).state == "closed"
    stockholm = Point(59.33, 18.07)
    assert open_status("Mo-Su 10:00-22:00; PH off", stockholm, independence_day).state == "open"


def test_the_time_is_that_of_the_place() -> None:
    noon_utc = datetime(2026, 11, 20, 12, tzinfo=UTC)
    shanghai = Point(31.23, 121.47)
    status = open_status("10:00-22:00", shanghai, noon_utc)
    assert status.now is not None
    assert status.now.hour == 20
    assert status_words(status, "zh") == "营业到22:00"


@pytest.mark.parametrize(
    ("night", "hours_left"),
    [
        (datetime(2026, 10, 24, 20, tzinfo=UTC), 8),  # 23:00 to 06:00, and the clocks go back
        (datetime(2026, 3, 28, 21, tzinfo=UTC), 6),  # 23:00 to 06:00, and the clocks go on
    ],
)
def test_what_is_left_is_real_time_when_the_clocks_change(night: datetime, hours_left: int) -> None:
    status = open_status("Sa 20:00-06:00", HELSINKI, night)
    assert status.left == timedelta(hours=hours_left)


@pytest.mark.parametrize(
    "broken",
    ["Ma-Pe 10-18", "Mon - Fri 11am - 11pm", "ask", "25:00-30:00", "\x00", "x" * 5000, '"call us"'],
)
def test_hours_that_cannot_be_read_are_unknown_and_said_so(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    status = open_status(broken, HELSINKI, at("2026-11-20 12:00"))
    assert status_words(status, "en") == "hours unknown"
    assert status_words(status, "zh") == "营业时间不详"
    assert not caplog.records


def test_no_hours_are_unknown_hours() -> None:
    assert open_status(None, HELSINKI, at("2026-11-20 12:00")).state == "unknown"


def test_the_poles_and_the_open_sea_have_a_time_too() -> None:
    for point in (Point(0, 0), Point(-90, 0), Point(90, 180)):
        assert open_status("00:00-24:00", point, at("2026-11-20 12:00")).state == "open"
