"""What people have a right to: to be forgotten, to see what is kept of them, to be let go."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from omni_agent.memory.erasing import erase, expire
from omni_agent.memory.person_export import write_export
from omni_agent.memory.person_ledger import PersonLedger, Whom, id_of


class PersonLeaving(PersonLedger):
    def forget(self, person: Whom, *, also: Collection[str] = ()) -> tuple[str, ...]:
        """Delete somebody for good; returns the ids of the memories that went.

        All they said goes with its turns, all facts about them, their prints, portraits, looks,
        and the scenes they are in; in what others said, their names become "someone". A name that
        somebody else has too stays. `also`: further names and words that are theirs.

        When this returns no byte of it is left in the folder, but for the vectors of their words,
        which are off the disk after `Memory.flush` or `close`. Raises UnknownPerson.
        """
        with self._write() as db:
            ids = self._identities().ids(id_of(person))
            erased = erase(db, ids, also, self._clock.now())
        self._pictures.remove(erased.pictures)
        self._store.scrub()
        self._forgotten()
        return erased.memories

    def expire_strangers(self, call: str | None = None) -> int:
        """Let everybody go who neither told their name nor agreed; returns how many.

        `call`: those who were met last in this one; else all, as after a crash. What they said
        stays, said by nobody in particular. No byte of their prints and pictures is left.
        """
        with self._write() as db:
            known = self._identities()
            gone = [
                id
                for id in known.everybody()
                if not known.kept(id) and (call is None or known.calls(id) == {call})
            ]
            if gone:
                rows = [row for id in gone for row in known.ids(id)]
                bare = not self._prints.are_veiled(rows)
                erased = expire(db, rows, self._clock.now(), scrub=bare)
        if gone:
            self._pictures.remove(erased.pictures)
            if bare:  # takes long in a large memory; what was never there needs no scrubbing
                self._store.scrub()
            else:
                self._store.empty_log()
        return len(gone)

    def export(self, person: Whom, folder: str | os.PathLike[str]) -> Path:
        """Everything that is kept of somebody, as a new folder of JSON and pictures.

        It appears only when it is whole, and only its owner may read it; nothing in it is
        encrypted. Raises UnknownPerson, MemorySealed, and SettingsError where the folder exists
        or cannot be written.
        """
        known, id = self._identities(), id_of(person)
        return write_export(
            self._store, self._prints, self._pictures, known.person(id), known.ids(id),
            Path(folder).expanduser(),
        )  # fmt: skip
