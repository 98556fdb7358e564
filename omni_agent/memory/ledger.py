"""The truth: every turn, memory and small state, in one SQLite file.

Every method is one transaction and may be called from any thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from omni_agent.memory.facts import says_the_same, slot_of
from omni_agent.memory.records import LearnedBy, StoredMemory, TurnRecord
from omni_agent.memory.store import Store, batches
from omni_agent.memory.values import dump, load, new_id, to_seconds, to_time
from omni_agent.memory.words import rarity, terms

_COLUMNS = (
    "m.id, m.kind, m.text, m.recorded_at, m.speaker, t.conversation, m.language, m.subject, "
    "m.predicate, m.object, m.valid_from, m.valid_to, m.superseded_by, m.source, m.person, m.about"
)
_FROM = "FROM memories m LEFT JOIN turns t ON t.id = m.turn"
_LEARNED: Mapping[LearnedBy, int] = {"rules": 1, "model": 2}


class Ledger:
    """Turns, memories and state; of vectors, vectors.py; of deleting, forgetting.py."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kinds: tuple[int, dict[str, int]] = (-1, {})

    # --- writing -----------------------------------------------------------------------------

    def record_turn(self, turn: TurnRecord, at: datetime) -> tuple[str, ...]:
        """Write a turn and the episodes of what was said; return the episodes' ids.

        A person who was forgotten meanwhile is left out.
        """
        tools, place = dump("tools", list(turn.tools)), dump("place", turn.place)
        ids = []
        with self._store.write() as db:
            known = db.execute(
                "UPDATE people SET last_seen = max(last_seen, ?) WHERE id = ?",
                (to_seconds(at), turn.person),
            ).rowcount
            person = turn.person if known else None
            number = db.execute(
                "INSERT INTO turns VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (turn.conversation, turn.agent, turn.turn, to_seconds(at), tools, turn.language,
                 place, turn.stopped, turn.speaker, turn.unheard, turn.interrupted_at_ms, person),
            ).lastrowid  # fmt: skip
            for reply, (speaker, text) in enumerate(
                [(turn.speaker, turn.user), (turn.agent, turn.reply)]
            ):
                if text.strip():
                    # What only set a tool to work tells nothing later; it can still be searched.
                    kind = "request" if turn.tools and not reply else "episode"
                    ids.append(new_id("e", at))
                    _insert(db, id=ids[-1], kind=kind, text=text, speaker=speaker,
                            turn=number, reply=reply, language=turn.language,
                            person=None if reply else person,
                            recorded_at=to_seconds(at))  # fmt: skip
        return tuple(ids)

    def cut_reply(
        self, conversation: str, turn: int, heard: str, unheard: str, interrupted_at_ms: int
    ) -> None:
        """Only `heard` of a recorded reply was heard: its episode keeps that, or goes."""
        with self._store.write() as db:
            number = db.execute(
                "SELECT id FROM turns WHERE conversation = ? AND turn = ? ORDER BY id DESC",
                (conversation, turn),
            ).fetchone()
            if number is None:
                return
            db.execute(
                "UPDATE turns SET stopped = 'cancelled', unheard = ?, interrupted_at_ms = ? "
                "WHERE id = ?",
                (unheard, interrupted_at_ms, number[0]),
            )
            told = db.execute(
                "SELECT row, text, subject, predicate, object FROM memories "
                "WHERE turn = ? AND reply = 1",
                number,
            ).fetchone()
            if told is None:
                return
            row = dict(zip(("row", "text", "subject", "predicate", "object"), told, strict=True))
            unindex(db, row)
            if heard.strip():
                db.execute(
                    "UPDATE memories SET text = ?, indexed = 0 WHERE row = ?", (heard, row["row"])
                )
                index_words(db, row["row"], row | {"text": heard})
            else:
                db.execute("DELETE FROM memories WHERE row = ?", (row["row"],))

    def remember(self, memory: StoredMemory) -> str:
        """Write a memory; one that is known already is not written twice.

        A fact ends the one before it in the same slot that it contradicts.
        """
        with self._store.write() as db:
            return _remember(db, memory)

    def learn(self, episode: str, facts: Sequence[StoredMemory], by: LearnedBy) -> tuple[str, ...]:
        """Write what was drawn from an episode, and that it was; nothing if it was forgotten."""
        with self._store.write() as db:
            if not _set_learned(db, episode, by):
                return ()
            return tuple(_remember(db, fact) for fact in facts)

    def set_learned(self, ids: Sequence[str], by: LearnedBy) -> None:
        with self._store.write() as db:
            for id in ids:
                _set_learned(db, id, by)

    def save_state(self, key: str, value: Any) -> None:
        with self._store.write() as db:
            if value is None:
                db.execute("DELETE FROM state WHERE key = ?", (key,))
            else:
                db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, dump(key, value)))

    # --- reading -----------------------------------------------------------------------------

    def newest(self, kind: str | None, limit: int, offset: int) -> tuple[StoredMemory, ...]:
        """Newest first."""
        rows = self._store.rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE ?1 IS NULL OR m.kind = ?1 "
            "ORDER BY m.recorded_at DESC, m.row DESC LIMIT ?2 OFFSET ?3",
            (kind, limit, offset),
        )
        return tuple(_memory(r) for r in rows)

    def get(self, ids: Sequence[str]) -> dict[str, StoredMemory]:
        return {
            r[0]: _memory(r)
            for some in batches(ids)
            for r in self._store.rows(
                f"SELECT {_COLUMNS} {_FROM} WHERE m.id IN ({','.join('?' * len(some))})", some
            )
        }

    def to_learn(self, by: LearnedBy, limit: int) -> tuple[StoredMemory, ...]:
        """What people said that was not learned from yet, the newest first."""
        rows = self._store.rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE m.reply = 0 AND m.learned < 2 AND m.learned < ? "
            "ORDER BY m.row DESC LIMIT ?",
            (_LEARNED[by], limit),
        )
        return tuple(_memory(r) for r in rows)

    def facts(self, predicates: Collection[str], at: datetime) -> tuple[StoredMemory, ...]:
        """What was so at a moment, the newest first; of all predicates if none are given."""
        wanted = [p for name in predicates for p in (name, f"is_{name}")]
        chosen = "replace(lower(m.predicate), ' ', '_') " + (
            f"IN ({','.join('?' * len(wanted))})" if wanted else "IS NOT NULL"
        )
        moment = to_seconds(at)
        rows = self._store.rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE m.slot IS NOT NULL AND {chosen} "
            "AND m.valid_from <= ? AND (m.valid_to IS NULL OR m.valid_to > ?) "
            "ORDER BY m.valid_from DESC, m.row DESC",
            (*wanted, moment, moment),
        )
        return tuple(_memory(r) for r in rows)

    def kinds(self) -> dict[str, int]:
        """How many memories there are of each kind."""
        version = self._store.version
        if self._kinds[0] != version:
            counted = self._store.rows("SELECT kind, count(*) FROM memories GROUP BY kind")
            self._kinds = (version, dict(counted))
        return self._kinds[1]

    def turns(self, conversation: str, limit: int) -> tuple[TurnRecord, ...]:
        """The last `limit` turns of a conversation, oldest first."""
        rows = self._store.rows(
            "SELECT id, agent, turn, at, tools, language, place, stopped, speaker, unheard, "
            "interrupted_at_ms, person, "
            "(SELECT text FROM memories WHERE turn = turns.id AND reply = 0), "
            "(SELECT text FROM memories WHERE turn = turns.id AND reply = 1) "
            "FROM turns WHERE conversation = ? ORDER BY id DESC LIMIT ?",
            (conversation, limit),
        )
        return tuple(
            TurnRecord(
                conversation=conversation, agent=r[1], turn=r[2], at=to_time(r[3]),
                tools=tuple(load(r[4])), language=r[5], place=load(r[6]), stopped=r[7],
                speaker=r[8], unheard=r[9], interrupted_at_ms=r[10], person=r[11],
                user=r[12] or "", reply=r[13] or "",
            )
            for r in reversed(rows)
        )  # fmt: skip

    def state(self, key: str) -> Any | None:
        rows = self._store.rows("SELECT value FROM state WHERE key = ?", (key,))
        return load(rows[0][0]) if rows else None

    def export(self) -> Iterator[dict[str, Any]]:
        """Everything but vectors, as JSON-able rows that name their table."""
        for table in ("turns", "memories", "state", "scenes"):
            names = [r[1] for r in self._store.rows(f"PRAGMA table_info({table})")]
            for row in self._store.rows(f"SELECT * FROM {table}"):
                yield {"table": table, **dict(zip(names, row, strict=True))}

    def containing(
        self,
        rarities: Mapping[str, float],
        total: int,
        limit: int,
        said_by: Sequence[str] | None = None,
    ) -> list[str]:
        """Ids of memories with any of these terms, best first; of these people alone, if given.

        Terms that a tenth of a large ledger has are left out: they are slow and say little.
        """
        common = rarity(total, total // 10) if total > 1000 else 0.0
        telling = [t for t, weight in rarities.items() if weight >= common]
        if not telling:
            return []
        query = " OR ".join(f'"{t}"' for t in telling)
        if said_by is None:
            rows = self._store.rows(
                "SELECT m.id FROM "
                "(SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?) "
                "JOIN memories m ON m.row = rowid",
                (query, limit),
            )
        else:
            rows = self._store.rows(
                "SELECT m.id FROM words JOIN memories m ON m.row = words.rowid "
                f"WHERE words MATCH ? AND m.person IN ({','.join('?' * len(said_by))}) "
                "ORDER BY rank LIMIT ?",
                (query, *said_by, limit),
            )
        return [r[0] for r in rows]

    def said(
        self, by: Sequence[str], kinds: Sequence[str], since: datetime | None, limit: int
    ) -> tuple[StoredMemory, ...]:
        """What these people said, the newest first."""
        rows = self._store.rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE m.person IN ({','.join('?' * len(by))}) "
            f"AND m.kind IN ({','.join('?' * len(kinds))}) AND m.recorded_at >= ? "
            "ORDER BY m.recorded_at DESC, m.row DESC LIMIT ?",
            (*by, *kinds, to_seconds(since) if since else 0.0, limit),
        )
        return tuple(_memory(r) for r in rows)

    def rarity(self, wanted: Iterable[str], total: int) -> dict[str, float]:
        """Inverse document frequency of each term."""
        query = "SELECT doc FROM word_counts WHERE term = ?"
        found = {t: self._store.rows(query, (t,)) for t in wanted}
        return {t: rarity(total, rows[0][0] if rows else 0) for t, rows in found.items()}


def _remember(db: sqlite3.Connection, memory: StoredMemory) -> str:
    recorded, since = to_seconds(memory.recorded_at), to_seconds(memory.at)
    slot = slot_of(memory.about or memory.subject, memory.predicate, memory.object)
    end: float | None = None
    later: str | None = None
    over: list[int] = []
    if slot is None:
        known = db.execute(
            "SELECT id FROM memories WHERE kind = ? AND text = ? AND slot IS NULL "
            "AND turn IS NULL AND valid_to IS NULL AND person IS ? AND about IS ?",
            (memory.kind, memory.text, memory.person, memory.about),
        ).fetchone()
        if known:
            return str(known[0])
    for row, other, predicate, thing, start, stop in db.execute(
        "SELECT row, id, predicate, object, valid_from, valid_to FROM memories "
        "WHERE slot = ? AND kind = ? ORDER BY valid_from",
        (slot, memory.kind),
    ).fetchall():
        same = says_the_same((predicate, thing), (memory.predicate, memory.object))
        if start > since:  # learned today of something that was so before
            end, later = start, other
            if same:  # it was so even then
                _supersede(db, over, since, other)
                db.execute("UPDATE memories SET valid_from = ? WHERE row = ?", (since, row))
                return later
            break
        if stop is None or stop > since:
            if same:
                return str(other)
            over.append(row)
    _supersede(db, over, since, memory.id)
    _insert(db, id=memory.id, kind=memory.kind, text=memory.text, recorded_at=recorded,
            speaker=memory.speaker, language=memory.language, slot=slot,
            subject=memory.subject, predicate=memory.predicate, object=memory.object,
            valid_from=since, valid_to=end, superseded_by=later,
            source=memory.source, person=memory.person,
            about=memory.about)  # fmt: skip
    return memory.id


def _set_learned(db: sqlite3.Connection, id: str, by: LearnedBy) -> bool:
    query = "UPDATE memories SET learned = max(learned, ?) WHERE id = ?"
    return db.execute(query, (_LEARNED[by], id)).rowcount > 0


def _supersede(db: sqlite3.Connection, rows: Sequence[int], at: float, by: str) -> None:
    db.executemany(
        "UPDATE memories SET valid_to = ?, superseded_by = ? WHERE row = ?",
        [(at, by, row) for row in rows],
    )


def _insert(db: sqlite3.Connection, **row: Any) -> None:
    cursor = db.execute(
        f"INSERT INTO memories ({','.join(row)}) VALUES ({','.join('?' * len(row))})",
        tuple(row.values()),
    )
    index_words(db, cursor.lastrowid, row)


def index_words(db: sqlite3.Connection, number: int | None, row: Mapping[str, Any]) -> None:
    db.execute("INSERT INTO words (rowid, terms) VALUES (?, ?)", (number, indexed_words(row)))


def unindex(db: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Take a memory's terms and vectors out; `row` has all that `indexed_words` reads."""
    db.execute(
        "INSERT INTO words (words, rowid, terms) VALUES ('delete', ?, ?)",
        (row["row"], indexed_words(row)),
    )
    db.execute("DELETE FROM vectors WHERE memory = ?", (row["row"],))


def indexed_words(row: Mapping[str, Any]) -> str:
    """The terms of a memory. FTS5 keeps no copy, so deleting needs exactly the same ones."""
    parts = (row["text"], row.get("subject"), row.get("predicate"), row.get("object"))
    return " ".join(t for p in parts if p for t in terms(p))


def _memory(r: Sequence[Any]) -> StoredMemory:
    return StoredMemory(
        id=r[0], kind=r[1], text=r[2], recorded_at=to_time(r[3]), speaker=r[4], conversation=r[5],
        language=r[6], subject=r[7], predicate=r[8], object=r[9],
        valid_from=None if r[10] is None else to_time(r[10]),
        valid_to=None if r[11] is None else to_time(r[11]), superseded_by=r[12], source=r[13],
        person=r[14], about=r[15],
    )  # fmt: skip
