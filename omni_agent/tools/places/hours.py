"""Whether a place is open, from its opening_hours text, in the time of the place itself."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from omni_agent.errors import MissingExtra
from omni_agent.tools.places.geometry import Located

logger = logging.getLogger("omni_agent.tools.places")

_UTC = ZoneInfo("UTC")
_OPEN_END = re.compile(r"\d\+")
_QUOTED = re.compile(r'"[^"]*"')
_LOOK_AHEAD_DAYS = 366
"""A change farther off counts as none; without a limit, hours of a past year cost half a second."""


@dataclass(frozen=True, slots=True)
class OpenStatus:
    """What the text says about one moment. "unknown" where it says nothing or cannot be read."""

    state: Literal["open", "closed", "unknown"]
    now: datetime | None = None
    """The moment asked about, in the place's own time zone, as is `changes_at`."""
    changes_at: datetime | None = None
    """When the state ends; None where it does not end within a year."""
    surely_until: bool = True
    """False where it may stay open past `changes_at` ("18:00-22:00+")."""
    note: str | None = None
    """A comment in the text, such as "by appointment"."""

    @property
    def left(self) -> timedelta | None:
        """Real time until the change, right across a change of the clocks."""
        if self.changes_at is None or self.now is None:
            return None
        # Two times of the same zone subtract as wall clocks do: go through UTC.
        return self.changes_at.astimezone(_UTC) - self.now.astimezone(_UTC)

    @property
    def closes_soon(self) -> bool:
        return self.state == "open" and self.left is not None and self.left <= timedelta(minutes=30)


UNKNOWN = OpenStatus("unknown")


def open_status(opening_hours: str | None, at: Located, now: datetime) -> OpenStatus:
    """Open, closed or unknown at `now` (timezone-aware) for a place at a position.

    Time zone and public holidays follow from the position. Raises MissingExtra.
    """
    if not opening_hours:
        return UNKNOWN
    # A hundredth of a degree tells time zones and countries apart, and lets chains share a parse.
    hours = _parse(opening_hours, round(at.lat, 2), round(at.lon, 2))
    if hours is None:
        return UNKNOWN
    from opening_hours import State

    moment = now.astimezone(_UTC)  # the library wants a ZoneInfo, not datetime.UTC
    try:
        start, _, state, note = next(hours.intervals(moment, moment + timedelta(days=1)))
        changes_at = hours.next_change(moment)
    except (StopIteration, OverflowError, ValueError) as error:
        logger.debug("opening_hours %r cannot be evaluated at %s: %r", opening_hours, now, error)
        return UNKNOWN
    local = moment.astimezone(start.tzinfo)
    # A comment alone (`"by appointment"`) reads as always open, but tells no hours.
    if state == State.UNKNOWN or (note and not re.search(r"\d", _QUOTED.sub("", opening_hours))):
        return OpenStatus("unknown", now=local, changes_at=changes_at, note=note or None)
    return OpenStatus(
        "open" if state == State.OPEN else "closed",
        now=local,
        changes_at=changes_at,
        surely_until=not _OPEN_END.search(opening_hours),
        note=note or None,
    )


@lru_cache(maxsize=4096)
def _parse(text: str, lat: float, lon: float) -> Any | None:
    try:
        from opening_hours import (  # type: ignore[attr-defined]  # its stubs leave the errors out
            InvalidCoordinatesError,
            OpeningHours,
            ParserError,
        )
    except ImportError as error:
        raise MissingExtra("opening-hours-py", "compact", needed_for="opening hours") from error
    try:
        return OpeningHours(
            _with_whole_nights(text), coords=(lat, lon), max_interval_days=_LOOK_AHEAD_DAYS
        )
    except (ParserError, InvalidCoordinatesError) as error:
        logger.debug("opening_hours %r cannot be read: %s", text, error)
        return None


_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_WEEKDAY_RULE = re.compile(
    r"((?:(?:Mo|Tu|We|Th|Fr|Sa|Su)[-, ]*)+)[\s:]*"
    r"\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d(?:\s*,\s*\d{1,2}:\d\d\s*-\s*\d{1,2}:\d\d)*"
)


def _with_whole_nights(text: str) -> str:
    """Join rules of different weekdays by "," so that none ends the night of the day before.

    "Th 18:00-02:00; Fr 16:00-03:00" means Thursday until two, but ";" lets the Friday rule
    replace all of Friday, its first two hours too.
    """
    rules = text.split(";")
    joined, taken = rules[0], _weekdays(rules[0])
    for rule in rules[1:]:
        days = _weekdays(rule)
        if taken and days and not taken & days:
            joined, taken = f"{joined.rstrip()}, {rule.strip()}", taken | days
        else:
            joined, taken = f"{joined};{rule}", days
    return joined


def _weekdays(rule: str) -> set[int]:
    """The weekdays of a plain "Mo-We,Fr 10:00-20:00"; none for any other rule."""
    plain = _WEEKDAY_RULE.fullmatch(rule.strip())
    if plain is None:
        return set()
    days: set[int] = set()
    for part in filter(None, re.split(r"[\s,]+", re.sub(r"\s*-\s*", "-", plain[1]))):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            return set()
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        days |= {(start + i) % 7 for i in range((end - start) % 7 + 1)}
    return days
