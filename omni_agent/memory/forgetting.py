"""Deleting so that nothing is left: rows, terms, vectors, and the bytes they were written in."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from omni_agent.memory.ledger import unindex
from omni_agent.memory.scene_rows import delete_scenes, which_scenes
from omni_agent.memory.store import Store
from omni_agent.memory.values import load, strings


def mentions(store: Store, text: str) -> tuple[list[str], list[int], list[str]]:
    """Ids of memories and scenes, numbers of turns, keys of state in which a text is, in any case.

    A byte of it anywhere counts: names, places, what tools were given and gave back.
    """
    wanted = text.casefold()
    memories = [
        row[0]
        for row in store.rows(
            "SELECT id, text, speaker, subject, predicate, object, source, language, kind "
            "FROM memories"
        )
        if any(wanted in v.casefold() for v in row[1:] if v)
    ]
    memories += [
        row[0]
        for row in store.rows(
            "SELECT id, source, conversation, text, description, place FROM scenes"
        )
        if any(wanted in v.casefold() for v in (*row[1:5], *strings(load(row[5] or "null"))) if v)
    ]
    turns = [
        row[0]
        for row in store.rows(
            "SELECT id, conversation, agent, speaker, stopped, unheard, tools, place FROM turns"
        )
        if any(
            wanted in w.casefold()
            for w in (*row[1:6], *strings(load(row[6])), *strings(load(row[7])))
        )
    ]
    keys = [
        key
        for key, value in store.rows("SELECT key, value FROM state")
        if any(wanted in w.casefold() for w in (key, *strings(load(value))))
    ]
    return memories, turns, keys


def episodes(store: Store, turns: Sequence[int]) -> list[str]:
    """Ids of what was said in these turns."""
    query = "SELECT id FROM memories WHERE turn = ?"
    return [row[0] for turn in turns for row in store.rows(query, (turn,))]


def forget(
    store: Store, ids: Sequence[str], turns: Sequence[int] = (), keys: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[str]]:
    """Delete memories and scenes: the ids of all that went, and pictures whose files must go."""
    with store.write() as db:
        scenes = which_scenes(db, ids)
        gone = tuple(dict.fromkeys((*delete_memories(db, ids, turns), *scenes)))
        pictures = delete_scenes(db, gone)
        db.executemany("DELETE FROM state WHERE key = ?", [(key,) for key in keys])
        if gone or turns or keys:
            leave_no_trace(db)
    if gone or turns or keys:
        store.scrub()
    return gone, pictures


def delete_memories(
    db: sqlite3.Connection, ids: Sequence[str], turns: Sequence[int] = ()
) -> tuple[str, ...]:
    """Delete rows in a transaction; `leave_no_trace` and `Store.scrub` are due after it.

    An episode takes its whole turn with it, and a memory the facts that were drawn from it: the
    other half of a conversation says the same thing again.
    """
    gone: dict[str, None] = {}
    todo, open_turns = list(ids), list(turns)
    while todo or open_turns:
        if open_turns:
            turn = open_turns.pop()
            todo += [r[0] for r in db.execute("SELECT id FROM memories WHERE turn = ?", (turn,))]
            db.execute("UPDATE memories SET turn = NULL WHERE turn = ?", (turn,))
            db.execute("DELETE FROM turns WHERE id = ?", (turn,))
        else:
            id = todo.pop()
            if (found := _delete(db, id)) is None:
                continue
            gone[id] = None
            open_turns += found
            todo += [r[0] for r in db.execute("SELECT id FROM memories WHERE source = ?", (id,))]
    return tuple(gone)


def leave_no_trace(db: sqlite3.Connection) -> None:
    """After words were deleted or changed: the index falls due anew, and the file to be scrubbed.

    Deleted terms stay in older segments of FTS5 until all are merged into one.
    """
    db.execute("INSERT INTO words (words) VALUES ('optimize')")
    db.execute("UPDATE due SET generation = generation + 1, scrub = 1")


def _delete(db: sqlite3.Connection, id: str) -> list[int] | None:
    """Delete one memory; its turn's number in a list, or None if there is no such memory."""
    columns = ("row", "turn", "text", "subject", "predicate", "object")
    values = db.execute(f"SELECT {','.join(columns)} FROM memories WHERE id = ?", (id,)).fetchone()
    if values is None:
        return None
    found = dict(zip(columns, values, strict=True))
    unindex(db, found)
    db.execute("DELETE FROM memories WHERE row = ?", (found["row"],))
    db.execute("UPDATE memories SET superseded_by = NULL WHERE superseded_by = ?", (id,))
    return [] if found["turn"] is None else [found["turn"]]
