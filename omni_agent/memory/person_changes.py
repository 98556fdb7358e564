"""What was decided about people, written down so that it can be taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from omni_agent.errors import SettingsError
from omni_agent.memory.identities import LIMIT
from omni_agent.memory.records import Change
from omni_agent.memory.store import Store
from omni_agent.memory.values import dump, load, to_seconds, to_time

What = Literal[
    "rename", "consent", "merge", "split", "linked", "unlinked", "said", "undo", "forgot"
]
UNDONE = "undone"
"""The reason of evidence that stands for somebody's word against a link, or for it."""


def write_change(db: sqlite3.Connection, at: datetime, what: What, **details: Any) -> int:
    """Write it down in the transaction that does it; returns the change's number."""
    number = db.execute(
        "INSERT INTO changes VALUES (NULL, ?, ?, ?)", (to_seconds(at), what, dump(what, details))
    ).lastrowid
    assert number is not None
    return number


def read_changes(store: Store, about: Collection[str] | None, limit: int) -> tuple[Change, ...]:
    """The newest first. `about`: ids of people that must occur in them."""
    found = []
    for number, at, what, details in store.rows("SELECT * FROM changes ORDER BY id DESC"):
        known = load(details)
        if about is None or any(id in details for id in about):
            found.append(Change(number, to_time(at), what, known, bool(known.get("undone"))))
        if len(found) == limit:
            break
    return tuple(found)


def undo_change(db: sqlite3.Connection, number: int, now: datetime) -> None:
    """Make it as it was before. Raises SettingsError where that can no longer be done."""
    row = db.execute("SELECT what, details FROM changes WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise SettingsError(f"there is no change {number}; `people.changes()` lists them.")
    what, details = row[0], load(row[1])
    if details.get("undone"):
        raise SettingsError(f"change {number} ({what}) was undone already.")
    stale = SettingsError(
        f"change {number} ({what}) cannot be undone: what it changed was changed again since. "
        "Undo the later change first."
    )
    match what:
        case "rename" | "consent":
            _put_back(db, details, stale)
        case "merge":
            if not db.execute(
                "UPDATE people SET merged_into = NULL WHERE id = ? AND merged_into = ?",
                (details["person"], details["into"]),
            ).rowcount:
                raise stale
        case "split":
            if not db.execute(
                "UPDATE people SET merged_into = ? WHERE id = ? AND merged_into IS NULL",
                (details["person"], details["new"]),
            ).rowcount:
                raise stale
            db.executemany(
                "UPDATE prints SET person = ? WHERE id = ? AND person = ?",
                [(details["person"], id, details["new"]) for id in details["prints"]],
            )
        case "linked" | "unlinked":
            told = -2 * LIMIT if what == "linked" else 2 * LIMIT
            db.execute(
                "INSERT OR REPLACE INTO evidence VALUES (NULL, '', ?, ?, ?, ?, ?)",
                (details["voice"], details["face"], told, UNDONE, to_seconds(now)),
            )
        case "said":
            for id, before in details["before"].items():
                db.execute("UPDATE memories SET person = ? WHERE id = ?", (before, id))
                db.execute(
                    "UPDATE turns SET person = ? WHERE id = "
                    "(SELECT turn FROM memories WHERE id = ?)",
                    (before, id),
                )
        case _:
            raise SettingsError(f"change {number} ({what}) is not one that can be undone.")
    details["undone"] = True
    db.execute("UPDATE changes SET details = ? WHERE id = ?", (dump(what, details), number))
    write_change(db, now, "undo", change=number, **_whom(details))


def _put_back(db: sqlite3.Connection, details: dict[str, Any], stale: SettingsError) -> None:
    before, after = details["before"], details["after"]
    marks = " AND ".join(f"{column} IS ?" for column in after)
    if not db.execute(
        f"UPDATE people SET {', '.join(f'{column} = ?' for column in before)} "
        f"WHERE id = ? AND {marks}",
        (*before.values(), details["person"], *after.values()),
    ).rowcount:
        raise stale


def _whom(details: dict[str, Any]) -> dict[str, str]:
    """The ids in a change, so that it is found and forgotten with any of them."""
    keys = ("person", "into", "new", "voice", "face")
    return {key: details[key] for key in keys if key in details}
