"""What all of `People` stands on: one transaction a call, and who is whom by now."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from omni_agent.clock import Clock
from omni_agent.memory.finding import Finder
from omni_agent.memory.identities import Identities, read_identities
from omni_agent.memory.ledger import Ledger
from omni_agent.memory.person_changes import What, write_change
from omni_agent.memory.pictures import Pictures
from omni_agent.memory.prints import Prints
from omni_agent.memory.records import Keeping, Person
from omni_agent.memory.store import Store

Whom = Person | str
"""A person, or their id."""


class PersonLedger:
    """`forgotten` is called after words were deleted, so that the index is made again."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        prints: Prints,
        pictures: Pictures,
        finder: Finder,
        *,
        keeping: Keeping,
        clock: Clock,
        forgotten: Callable[[], None],
    ) -> None:
        self.keeping: Keeping = keeping
        self._store, self._ledger, self._finder = store, ledger, finder
        self._prints, self._pictures = prints, pictures
        self._clock, self._forgotten = clock, forgotten
        self._versions = count(1)
        self._version = 0
        self._known: tuple[int, Identities] | None = None

    def changed(self) -> None:
        """Something was written to these tables; what was read before is read again."""
        self._version = next(self._versions)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._store.write() as db:
            yield db
            if self._prints.any_veiled:
                now = read_identities(lambda query: db.execute(query).fetchall())
                self._prints.unveil(db, now.kept)
        self.changed()

    def _identities(self) -> Identities:
        version, known = self._version, self._known
        if known is None or known[0] != version:
            known = self._known = (version, read_identities(self._store.rows))
        return known[1]

    def _change(self, db: sqlite3.Connection, what: What, **details: Any) -> int:
        return write_change(db, self._clock.now(), what, **details)

    def _person(self, person: Whom) -> Person:
        return self._identities().person(id_of(person))


def id_of(person: Whom) -> str:
    return person.id if isinstance(person, Person) else person
