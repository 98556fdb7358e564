"""How people look, slot by slot: superseded, never overwritten.

"Who wears glasses now?" and "who wore them at the start?" both have answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from omni_agent.errors import SettingsError
from omni_agent.memory.store import Store
from omni_agent.memory.values import clean, to_seconds

SOON = timedelta(minutes=2)
"""It takes a moment until somebody is looked at; what is seen then was so when they came."""
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class LookRow:
    id: str
    person: str
    slot: str
    value: str
    confidence: float
    valid_from: float
    valid_to: float | None
    superseded_by: str | None
    source: str | None


def write_look(
    db: sqlite3.Connection,
    group: Sequence[str],
    row: LookRow,
) -> str:
    """Write what was seen; returns the id of the look that says so.

    Another value ends the one before it. The same value seen again only makes it surer. `group`:
    the ids that the person goes by.
    """
    end: float | None = None
    later: str | None = None
    before = _rows(
        db.execute(
            f"SELECT * FROM looks WHERE slot = ? AND person IN ({','.join('?' * len(group))}) "
            "ORDER BY valid_from, id",
            (row.slot, *group),
        )
    )
    for other in before:
        same = other.value.casefold() == row.value.casefold()
        if other.valid_from > row.valid_from:  # seen later, but told of earlier
            end, later = other.valid_from, other.id
            break
        if other.valid_to is None or other.valid_to > row.valid_from:
            if same:
                db.execute(
                    "UPDATE looks SET confidence = max(confidence, ?) WHERE id = ?",
                    (row.confidence, other.id),
                )
                return other.id
            db.execute(
                "UPDATE looks SET valid_to = ?, superseded_by = ? WHERE id = ?",
                (row.valid_from, row.id, other.id),
            )
    db.execute(
        "INSERT INTO looks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row.id, row.person, row.slot, row.value, row.confidence, row.valid_from, end, later,
         row.source),
    )  # fmt: skip
    return row.id


def read_looks(
    store: Store, slot: str | None = None, group: Sequence[str] | None = None
) -> list[LookRow]:
    """Everything that was seen, in the order of time."""
    people = "" if group is None else f" AND person IN ({','.join('?' * len(group))})"
    return _rows(
        store.rows(
            f"SELECT * FROM looks WHERE (? IS NULL OR slot = ?){people} ORDER BY valid_from, id",
            (slot, slot, *(group or ())),
        )
    )


def at_time(rows: Iterable[LookRow], moment: datetime) -> LookRow | None:
    """What one person's slot held at a moment. `rows`: of that slot, in the order of time."""
    t, soon = to_seconds(moment), to_seconds(moment + SOON)
    found: LookRow | None = None
    for row in rows:
        if row.valid_from <= t:
            found = row if row.valid_to is None or row.valid_to > t else None
        elif row.valid_from <= soon and found is None:
            return row
        else:
            break
    return found


def clean_slot(slot: str) -> str:
    """Raises SettingsError."""
    plain = " ".join(clean(slot).casefold().split())
    if not plain or len(plain) > 40:
        raise SettingsError(f"a slot is a word like 'glasses'; this is {slot!r:.100}")
    return plain


def clean_value(value: str) -> str:
    """Raises SettingsError."""
    plain = " ".join(clean(value).split())[:_LONGEST]
    if not plain:
        raise SettingsError(f"a look needs a value, like 'yes' or 'red'; this is {value!r}")
    return plain


def _rows(found: Iterable[Sequence[object]]) -> list[LookRow]:
    return [LookRow(*row) for row in found]  # type: ignore[arg-type]
