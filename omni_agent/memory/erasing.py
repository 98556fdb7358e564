"""Taking a person out of the memory: rows, prints, pictures, their words and their name.

What they said goes with its whole turn; facts about them go. Where others mention them, the name
becomes "someone": what the others told of themselves is theirs to keep. A name that somebody else
in the memory has too, a person or an agent, stays in others' words, since it may mean that one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from omni_agent.memory import scene_keeping
from omni_agent.memory.facts import slot_of
from omni_agent.memory.forgetting import delete_memories, leave_no_trace
from omni_agent.memory.ledger import index_words, unindex
from omni_agent.memory.names import Mentions
from omni_agent.memory.person_changes import write_change
from omni_agent.memory.scene_rows import delete_scenes
from omni_agent.memory.values import dump, load, strings


@dataclass(frozen=True, slots=True)
class Erased:
    """`memories`: ids of those that are gone. `pictures`: whose files are to be deleted now."""

    memories: tuple[str, ...]
    pictures: tuple[str, ...]


def names_of(db: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """What they are called, and ever were."""
    marks = _marks(ids)
    found = {r[0] for r in db.execute(f"SELECT name FROM people WHERE id IN ({marks})", ids)}
    for (details,) in db.execute("SELECT details FROM changes WHERE what = 'rename'"):
        known = load(details)
        if known["person"] in ids:
            found |= {known["before"]["name"], known["after"]["name"]}
    return {name for name in found if name}


def erase(
    db: sqlite3.Connection, ids: Sequence[str], also: Collection[str], at: datetime
) -> Erased:
    """In one transaction; `Store.scrub` is due after it, and the index anew.

    `also`: more names and words that are theirs.
    """
    marks = _marks(ids)
    others = [
        r[0]
        for r in db.execute(
            f"SELECT name FROM people WHERE id NOT IN ({marks}) AND name IS NOT NULL "
            "UNION SELECT DISTINCT agent FROM turns",
            ids,
        )
    ]
    theirs = {
        name
        for name in names_of(db, ids) | set(also)
        if not any(Mentions([name]).found_in(other) for other in others)
    }
    named = Mentions(theirs)
    turns = [
        number
        for number, person, speaker, conversation in db.execute(
            "SELECT id, person, speaker, conversation FROM turns"
        )
        if person in ids
        or (person is None and _is(speaker, theirs))
        or named.found_in(conversation)
    ]
    memories = [
        id
        for id, person, about, subject, object, speaker, turn in db.execute(
            "SELECT id, person, about, subject, object, speaker, turn FROM memories"
        )
        if person in ids
        or about in ids
        or (about is None and (_is(subject, theirs) or _is(object, theirs)))
        or (turn is None and person is None and _is(speaker, theirs))
    ]
    scenes = [
        id for id, there in db.execute("SELECT id, people FROM scenes") if set(load(there)) & {*ids}
    ]
    gone = delete_memories(db, memories + scenes, turns)
    pictures = [
        r[0] for r in db.execute(f"SELECT picture FROM prints WHERE person IN ({marks})", ids)
    ] + delete_scenes(db, {*scenes, *gone})  # a keyframe with somebody in it is a picture of them
    delete_people(db, ids)
    _take_out_of_memories(db, named)
    for table, key, columns in _TEXTS:
        _take_out(db, table, key, columns, named)
    for table, key, columns in _JSON:
        _take_out(db, table, key, columns, named, json=True)
    _take_out_of_state(db, named)
    write_change(db, at, "forgot", turns=len(turns), memories=len(gone))
    leave_no_trace(db)
    return Erased(gone, tuple(p for p in pictures if p))


def expire(db: sqlite3.Connection, ids: Sequence[str], at: datetime, *, scrub: bool) -> Erased:
    """Let people go whose call is over. What they said stays, said by nobody in particular; of the
    scenes they were in, what was read and told stays, and not the picture.

    `scrub`: whether bytes of prints may be left, so that a scrub is due.
    """
    marks = _marks(ids)
    pictures = [
        r[0] for r in db.execute(f"SELECT picture FROM prints WHERE person IN ({marks})", ids)
    ]
    db.execute(f"UPDATE turns SET person = NULL WHERE person IN ({marks})", ids)
    db.execute(f"UPDATE memories SET person = NULL WHERE person IN ({marks})", ids)
    db.execute(f"UPDATE memories SET about = NULL WHERE about IN ({marks})", ids)
    seen_in = []
    for id, people in db.execute("SELECT id, people FROM scenes").fetchall():
        if (there := load(people)) != (left := [p for p in there if p not in ids]):
            db.execute("UPDATE scenes SET people = ? WHERE id = ?", (dump("people", left), id))
            seen_in.append(id)
    pictures += scene_keeping.drop(db, seen_in)
    delete_people(db, ids)
    if scrub:
        db.execute("UPDATE due SET scrub = 1")
    write_change(db, at, "forgot", strangers=len(ids))
    return Erased((), tuple(p for p in pictures if p))


def delete_people(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    marks = _marks(ids)
    db.execute(f"DELETE FROM prints WHERE person IN ({marks})", ids)
    db.execute(f"DELETE FROM looks WHERE person IN ({marks})", ids)
    for column in ("voice_person", "face_person"):
        db.execute(f"DELETE FROM evidence WHERE {column} IN ({marks})", ids)
    for number, details in db.execute("SELECT id, details FROM changes").fetchall():
        if any(id in details for id in ids):
            db.execute("DELETE FROM changes WHERE id = ?", (number,))
    db.execute(f"UPDATE people SET merged_into = NULL WHERE merged_into IN ({marks})", ids)
    db.execute(f"DELETE FROM people WHERE id IN ({marks})", ids)


_TEXTS = (
    ("turns", "id", ("unheard", "speaker")),
    ("scenes", "id", ("text", "description", "source", "conversation")),
    ("looks", "id", ("value", "source")),
    ("evidence", "id", ("reason", "call")),
    ("prints", "id", ("call",)),
    ("people", "id", ("call",)),
)
_JSON = (
    ("turns", "id", ("tools", "place")),
    ("scenes", "id", ("place",)),
    ("changes", "id", ("details",)),
)


def _take_out(
    db: sqlite3.Connection,
    table: str,
    key: str,
    columns: Sequence[str],
    named: Mentions,
    *,
    json: bool = False,
) -> None:
    for id, *texts in db.execute(f"SELECT {key}, {', '.join(columns)} FROM {table}").fetchall():
        found = [w for t in texts if t for w in (strings(load(t)) if json else (t,))]
        if any(named.found_in(t) for t in found):
            clean: list[Any] = [
                t
                if t is None
                else dump(table, named.taken_out_of(load(t)))
                if json
                else named.taken_out(t)
                for t in texts
            ]
            db.execute(
                f"UPDATE OR REPLACE {table} SET {', '.join(f'{c} = ?' for c in columns)} "
                f"WHERE {key} = ?",
                (*clean, id),
            )


def _take_out_of_memories(db: sqlite3.Connection, named: Mentions) -> None:
    columns = ("text", "subject", "predicate", "object", "speaker", "source")
    for number, about, *texts in db.execute(
        f"SELECT row, about, {', '.join(columns)} FROM memories"
    ).fetchall():
        if not any(named.found_in(t) for t in texts):
            continue
        before = dict(zip(columns, texts, strict=True)) | {"row": number}
        after = {c: t and named.taken_out(t) for c, t in zip(columns, texts, strict=True)}
        unindex(db, before)
        slot = slot_of(about or after["subject"], after["predicate"], after["object"])
        db.execute(
            f"UPDATE memories SET {', '.join(f'{c} = ?' for c in columns)}, slot = ?, indexed = 0 "
            "WHERE row = ?",
            (*after.values(), slot, number),
        )
        index_words(db, number, after)


def _take_out_of_state(db: sqlite3.Connection, named: Mentions) -> None:
    for key, value in db.execute("SELECT key, value FROM state").fetchall():
        if named.found_in(key):
            db.execute("DELETE FROM state WHERE key = ?", (key,))
        elif any(named.found_in(word) for word in strings(load(value))):
            clean = dump(key, named.taken_out_of(load(value)))
            db.execute("UPDATE state SET value = ? WHERE key = ?", (clean, key))


def _is(text: str | None, names: Collection[str]) -> bool:
    return text is not None and text.strip().casefold() in {n.casefold() for n in names}


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))
