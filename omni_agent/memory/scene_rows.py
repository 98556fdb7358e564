"""The rows of scenes: written, grown, deleted; each function is part of a transaction.

A scene's words are a memory of kind "scene" with the scene's id, so that they are embedded,
recalled and forgotten as all others are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omni_agent.memory.ledger import index_words, unindex
from omni_agent.memory.store import Store, batches
from omni_agent.memory.values import dump, load

KIND = "scene"
_COLUMNS = "id, at, until, conversation, source, place, people, text, description, picture, bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRow:
    """Times in seconds since 1970. `bytes`: of the picture."""

    id: str
    at: float
    until: float
    conversation: str | None
    source: str
    place: Mapping[str, Any] | None
    people: tuple[str, ...]
    text: str
    description: str
    picture: str | None
    bytes: int


def insert_scene(db: sqlite3.Connection, row: SceneRow) -> None:
    lat, lon = _position(row.place)
    db.execute(
        f"INSERT INTO scenes ({_COLUMNS}, lat, lon) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.id, row.at, row.until, row.conversation, row.source,
            None if row.place is None else dump("place", row.place), dump("people", row.people),
            row.text, row.description, row.picture, row.bytes, lat, lon,
        ),
    )  # fmt: skip
    _write_words(db, row.id, row.at, row.text, row.description)


def grow_scene(
    db: sqlite3.Connection,
    id: str,
    *,
    until: float | None = None,
    people: Collection[str] = (),
    text: str | None = None,
    description: str | None = None,
) -> bool:
    """Add to what is known of a scene; False where it is gone."""
    found = db.execute(
        "SELECT at, until, people, text, description FROM scenes WHERE id = ?", (id,)
    ).fetchone()
    if found is None:
        return False
    at, last, there, words, told = found
    everybody = list(dict.fromkeys([*load(there), *people]))
    new = (words if text is None else text, told if description is None else description)
    db.execute(
        "UPDATE scenes SET until = ?, people = ?, text = ?, description = ? WHERE id = ?",
        (max(last, until or last), dump("people", everybody), *new, id),
    )
    if new != (words, told):
        _write_words(db, id, at, *new)
    return True


def drop_pictures(db: sqlite3.Connection, ids: Collection[str]) -> list[str]:
    """The scenes stay without what they looked like; returns the pictures whose files must go."""
    pictures: list[str] = []
    for some in batches(list(ids)):
        marks = ",".join("?" * len(some))
        query = f"SELECT picture FROM scenes WHERE id IN ({marks}) AND picture IS NOT NULL"
        pictures += (r[0] for r in db.execute(query, some))
        db.execute(f"UPDATE scenes SET picture = NULL, bytes = 0 WHERE id IN ({marks})", some)
        db.execute(f"DELETE FROM sights WHERE scene IN ({marks})", some)
    return pictures


def which_scenes(db: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    """Those of the ids that are of scenes."""
    return [id for id in ids if db.execute("SELECT 1 FROM scenes WHERE id = ?", (id,)).fetchone()]


def delete_scenes(db: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    """Delete scenes, but not the memories of the same ids; returns the pictures' ids."""
    known = which_scenes(db, ids)
    pictures = drop_pictures(db, known)
    db.executemany("DELETE FROM scenes WHERE id = ?", [(id,) for id in known])
    return pictures


def read_scenes(store: Store, ids: Sequence[str]) -> dict[str, SceneRow]:
    return {
        r[0]: _row(r)
        for some in batches(ids)
        for r in store.rows(
            f"SELECT {_COLUMNS} FROM scenes WHERE id IN ({','.join('?' * len(some))})", some
        )
    }


def _write_words(db: sqlite3.Connection, id: str, at: float, text: str, description: str) -> None:
    words = "\n".join(w for w in (description, text) if w)
    before = db.execute("SELECT row, text FROM memories WHERE id = ?", (id,)).fetchone()
    if before is not None:
        unindex(db, {"row": before[0], "text": before[1]})
        db.execute("DELETE FROM memories WHERE row = ?", (before[0],))
    if words:
        number = db.execute(
            "INSERT INTO memories (id, kind, text, recorded_at) VALUES (?, ?, ?, ?)",
            (id, KIND, words, at),
        ).lastrowid
        index_words(db, number, {"text": words})


def _position(place: Mapping[str, Any] | None) -> tuple[float | None, float | None]:
    match place:
        case {"lat": int() | float() as lat, "lon": int() | float() as lon}:
            return float(lat), float(lon)
        case _:
            return None, None


def _row(r: Sequence[Any]) -> SceneRow:
    return SceneRow(
        id=r[0], at=r[1], until=r[2], conversation=r[3], source=r[4],
        place=None if r[5] is None else load(r[5]), people=tuple(load(r[6])), text=r[7],
        description=r[8], picture=r[9], bytes=r[10],
    )  # fmt: skip
