"""The vectors in the ledger, and which of them the index lacks.

Each memory carries the index generation it is in. A new generation – after something was forgotten,
or for another model – makes every memory due again without touching a row.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omni_agent.memory.store import Store, batches
from omni_agent.memory.values import Vectors

_AT = " @ "  # between a model and the server that its vectors are on


@dataclass(frozen=True, slots=True)
class Pending:
    """A memory that the index lacks."""

    row: int
    id: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class KeptVectors:
    """Memory, vector and model of it, one for each part of a text."""

    rows: Sequence[tuple[str, bytes, str]]

    def cosines(self, model: str, query: Vectors) -> dict[str, float]:
        """Of each memory to a question's vector [1, dim]: that of its nearest part."""
        rows = [(id, vector) for id, vector, made_by in self.rows if made_by == model]
        return _cosines(rows, query)


class VectorLedger:
    def __init__(self, store: Store) -> None:
        self._store = store

    def generation(self) -> int:
        """Of the index that is due; always more than 0."""
        return int(self._store.rows("SELECT generation FROM due")[0][0])

    def model(self) -> str:
        """Whose vectors the index is made of; empty before the first one."""
        return str(self._store.rows("SELECT model FROM due")[0][0]).partition(_AT)[0]

    def next_generation(self) -> int:
        with self._store.write() as db:
            db.execute("UPDATE due SET generation = generation + 1")
        return self.generation()

    def pending(self, generation: int, limit: int) -> list[Pending]:
        """The oldest memories that the index lacks."""
        return [
            Pending(*row)
            for row in self._store.rows(
                "SELECT row, id, kind, text FROM memories WHERE indexed < ? ORDER BY row LIMIT ?",
                (generation, limit),
            )
        ]

    def unembedded(self, generation: int, model: str, limit: int) -> list[Pending]:
        """Those of them that have no vectors of this model, newest first."""
        return [
            Pending(*row)
            for row in self._store.rows(
                "SELECT row, id, kind, text FROM memories WHERE indexed < ? AND NOT EXISTS "
                "(SELECT 1 FROM vectors v WHERE v.memory = row AND v.model = ?) "
                "ORDER BY row DESC LIMIT ?",
                (generation, model, limit),
            )
        ]

    def any_memory(self) -> bool:
        return bool(self._store.rows("SELECT EXISTS (SELECT 1 FROM memories)")[0][0])

    def count_pending(self, generation: int) -> int:
        query = "SELECT count(*) FROM memories WHERE indexed < ?"
        return int(self._store.rows(query, (generation,))[0][0])

    def save(self, row: int, model: str, vectors: Vectors) -> bool:
        """Keep a memory's vectors; False if it was forgotten in the meantime."""
        with self._store.write() as db:
            if not db.execute("SELECT 1 FROM memories WHERE row = ?", (row,)).fetchone():
                return False
            db.execute("DELETE FROM vectors WHERE memory = ?", (row,))
            db.executemany(
                "INSERT INTO vectors VALUES (?, ?, ?, ?)",
                [(row, part, model, v.astype("<f4").tobytes()) for part, v in enumerate(vectors)],
            )
        return True

    def of_rows(self, rows: Sequence[int]) -> dict[int, Vectors]:
        found: dict[int, list[Vectors]] = {}
        for some in batches(rows):
            marks = ",".join("?" * len(some))
            for row, blob in self._store.rows(
                f"SELECT memory, vector FROM vectors WHERE memory IN ({marks}) "
                "ORDER BY memory, part",
                some,
            ):
                found.setdefault(row, []).append(np.frombuffer(blob, "<f4"))
        return {row: np.stack(parts) for row, parts in found.items()}

    def of_ids(self, ids: Sequence[str]) -> KeptVectors:
        rows: list[tuple[str, bytes, str]] = []
        for some in batches(ids):
            rows += self._store.rows(
                "SELECT m.id, v.vector, v.model FROM memories m JOIN vectors v ON v.memory = m.row "
                f"WHERE m.id IN ({','.join('?' * len(some))})",
                some,
            )
        return KeptVectors(rows)

    def cosines(self, ids: Sequence[str], model: str, query: Vectors) -> dict[str, float]:
        """Of each memory to a question's vector [1, dim]: that of its nearest part."""
        return self.of_ids(ids).cosines(model, query)

    def nearest(
        self, query: Vectors, limit: int, *, model: str, behind: int, newest: int
    ) -> dict[str, float]:
        """The best cosines among the newest memories that are in no index from `behind` on."""
        rows = self._store.rows(
            "SELECT m.id, v.vector FROM memories m INDEXED BY memories_indexed "
            "JOIN vectors v ON v.memory = m.row "
            "WHERE m.indexed < ? AND v.model = ? ORDER BY m.row DESC LIMIT ?",
            (behind, model, newest),
        )
        return _best(rows, query, limit)

    def nearest_said(
        self, query: Vectors, limit: int, *, model: str, by: Sequence[str], newest: int = 5000
    ) -> dict[str, float]:
        """The best cosines among the newest memories of these people."""
        rows = self._store.rows(
            "SELECT m.id, v.vector FROM memories m JOIN vectors v ON v.memory = m.row "
            f"WHERE m.person IN ({','.join('?' * len(by))}) AND v.model = ? "
            "ORDER BY m.row DESC LIMIT ?",
            (*by, model, newest),
        )
        return _best(rows, query, limit)

    def set_indexed(self, rows: Sequence[int], generation: int) -> None:
        with self._store.write() as db:
            db.executemany(
                "UPDATE memories SET indexed = ? WHERE row = ?", [(generation, r) for r in rows]
            )

    def expected(self, generation: int) -> dict[str, int]:
        """How many vectors of each kind the index should hold."""
        return dict(
            self._store.rows(
                "SELECT m.kind, count(*) FROM memories m JOIN vectors v ON v.memory = m.row "
                "WHERE m.indexed = ? GROUP BY m.kind",
                (generation,),
            )
        )

    def expect(self, model: str, home: str) -> None:
        """Make everything due again if the index was made of another model's vectors, or elsewhere.

        `home`: empty for the memory's own folder.
        """
        made_of = f"{model}{_AT}{home}" if home else model
        with self._store.write() as db:
            before = db.execute("SELECT model FROM due").fetchone()[0]
            if before != made_of:
                db.execute("UPDATE due SET model = ?, generation = generation + 1", (made_of,))

    def means(self, model: str) -> Vectors | None:
        """The kept means of embed/centred.py."""
        rows = self._store.rows("SELECT vectors FROM means WHERE model = ?", (model,))
        return np.frombuffer(rows[0][0], "<f4").reshape(2, 2, -1) if rows else None

    def save_means(self, model: str, means: Vectors) -> None:
        with self._store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO means VALUES (?, ?)", (model, means.astype("<f4").tobytes())
            )


def _best(rows: Sequence[tuple[str, bytes]], query: Vectors, limit: int) -> dict[str, float]:
    cosines = _cosines(rows, query)
    return {id: cosines[id] for id in heapq.nlargest(limit, cosines, key=cosines.__getitem__)}


def _cosines(rows: Sequence[tuple[str, bytes]], query: Vectors) -> dict[str, float]:
    found: dict[str, float] = {}
    for (id, _), cosine in zip(rows, _dots(rows, query), strict=True):
        found[id] = max(cosine, found.get(id, -1.0))
    return found


def _dots(rows: Sequence[tuple[str, bytes]], query: Vectors) -> list[float]:
    if not rows:
        return []
    vectors = np.frombuffer(b"".join(r[1] for r in rows), "<f4").reshape(len(rows), -1)
    dots: list[float] = (vectors @ query[0]).tolist()
    return dots
