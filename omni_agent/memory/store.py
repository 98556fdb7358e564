"""The ledger's file: one connection that writes, one that reads, and transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omni_agent.errors import MemoryCorrupt, MemoryReadOnly, MemoryStoreError
from omni_agent.memory import schema


class Store:
    """`folder`/ledger.sqlite3, for any number of threads. Raises as `schema.connect` does."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.sqlite3"
        self._db = schema.connect(self.path)
        self._reader = schema.reader(self.path)
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        self.version = 0  # changes with every transaction; there is one owner, so it tells all

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on disk afterwards, or none."""
        with self._writing:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                    self.version += 1
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.DatabaseError as error:
                raise _explained(error, self.path) from error

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._reading:
            try:
                return self._reader.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise _explained(error, self.path) from error

    def table(self, query: str, values: Sequence[Any] = ()) -> tuple[list[str], list[Any]]:
        """The columns' names and all rows."""
        with self._reading:
            try:
                found = self._reader.execute(query, values)
                return [c[0] for c in found.description], found.fetchall()
            except sqlite3.DatabaseError as error:
                raise _explained(error, self.path) from error

    @property
    def scrub_due(self) -> bool:
        """Whether a process died between deleting something and `scrub`."""
        return bool(self.rows("SELECT scrub FROM due")[0][0])

    def scrub(self) -> None:
        """Leave no old byte: rewrite the file and empty the write-ahead log."""
        with self._writing, self._reading:
            try:
                self._db.execute("VACUUM")  # a B-tree that was balanced has copies in free space
                self._db.execute("UPDATE due SET scrub = 0")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.DatabaseError as error:
                raise _explained(error, self.path) from error

    def empty_log(self) -> None:
        """Bring what was written into the ledger itself: quick, where `scrub` would be too much."""
        with self._writing:
            try:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.DatabaseError as error:
                raise _explained(error, self.path) from error

    def close(self) -> None:
        with self._writing, self._reading:
            self._reader.close()
            self._db.close()


def batches(values: Sequence[Any], size: int = 500) -> Iterator[Sequence[Any]]:
    for i in range(0, len(values), size):
        yield values[i : i + size]


def _explained(error: sqlite3.DatabaseError, path: Path) -> MemoryStoreError | sqlite3.Error:
    match error.sqlite_errorname.split("_")[1] if hasattr(error, "sqlite_errorname") else "":
        case "FULL":
            return MemoryStoreError(
                f"There is no room left on the disk of {path}; what was to be written is not kept."
            )
        case "READONLY" | "PERM" | "CANTOPEN":
            return MemoryReadOnly(f"The memory's ledger {path} cannot be written to ({error}).")
        case "CORRUPT" | "NOTADB":
            return MemoryCorrupt(f"The memory's ledger {path} is damaged ({error}).")
        case "IOERR":
            return MemoryStoreError(f"The disk of {path} failed ({error}).")
        case _:
            return error
