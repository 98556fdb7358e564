"""What people said, and how they looked when."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from omni_agent.errors import SettingsError
from omni_agent.memory.looks import (
    LookRow,
    at_time,
    clean_slot,
    clean_value,
    read_looks,
    write_look,
)
from omni_agent.memory.person_ledger import PersonLedger, Whom, id_of
from omni_agent.memory.recall import score
from omni_agent.memory.records import Look, StoredMemory
from omni_agent.memory.values import clean, new_id, to_seconds, to_time

SAID = ("episode", "request")
MIN_SAID = 0.15
"""Less than a recall asks for: whose words they are is known already."""


class PersonPast(PersonLedger):
    def said(
        self,
        person: Whom,
        about: str | None = None,
        *,
        since: datetime | None = None,
        limit: int = 20,
    ) -> tuple[StoredMemory, ...]:
        """What they said, the newest first; with `about`, what bears on that, the best first."""
        ids = self._identities().ids(id_of(person))
        if about is None or not about.strip():
            return self._ledger.said(ids, SAID, since, limit)
        found = self._finder.find(about, self._clock.now(), kinds=SAID, said_by=ids)
        if found is None:
            return ()
        question, memories = found
        ranked = sorted(
            ((score(question, m), m) for m in memories.values() if not since or m.at >= since),
            key=lambda pair: (pair[0], pair[1].recorded_at),
            reverse=True,
        )
        return tuple(m for value, m in ranked if value >= MIN_SAID)[:limit]

    def look(
        self,
        person: Whom,
        slot: str,
        value: str,
        *,
        confidence: float,
        at: datetime | None = None,
        source: str | None = None,
    ) -> Look:
        """How somebody looks: look(anna, "glasses", "yes", confidence=0.9).

        Another value ends the one before it from `at` on (now by default); nothing is overwritten.
        Whoever sees flickers must settle them first. `confidence`: 0 … 1. `source`: the id of what
        it was seen in. Raises UnknownPerson, and SettingsError for what is no slot or value.
        """
        if not 0.0 <= confidence <= 1.0:
            raise SettingsError(f"a confidence is from 0 to 1; this is {confidence}")
        moment = at or self._clock.now()
        with self._write() as db:
            known = self._identities()
            row = LookRow(
                new_id("l", moment), known.bearer(id_of(person), "face"), clean_slot(slot),
                clean_value(value), confidence, to_seconds(moment), None, None,
                None if source is None else clean(source),
            )  # fmt: skip
            id = write_look(db, known.ids(id_of(person)), row)
        rows = read_looks(self._store, row.slot, self._identities().ids(id_of(person)))
        return self._look(next(r for r in rows if r.id == id))

    def looks(
        self, person: Whom | None = None, *, slot: str | None = None, at: datetime | None = None
    ) -> tuple[Look, ...]:
        """How people look at a moment, now by default: looks(slot="glasses", at=call_began).

        Asked of a moment up to two minutes before they were first looked at, it tells what was seen
        then. In the order of people and slots.
        """
        moment = at or self._clock.now()
        found = []
        for _, rows in groupby(self._rows(person, slot), key=lambda pair: pair[0]):
            if row := at_time((r for _, r in rows), moment):
                found.append(self._look(row))
        return tuple(found)

    def look_history(self, person: Whom, *, slot: str | None = None) -> tuple[Look, ...]:
        """Slot by slot, everything that was ever seen, in the order of time."""
        return tuple(self._look(row) for _, row in self._rows(person, slot))

    def _rows(self, person: Whom | None, slot: str | None) -> list[tuple[tuple[int, str], LookRow]]:
        known = self._identities()
        group = None if person is None else known.ids(id_of(person))
        rows = read_looks(self._store, None if slot is None else clean_slot(slot), group)
        order = {id: i for i, id in enumerate(known.everybody())}
        keyed = [((order[known.id(r.person)], r.slot), r) for r in rows if r.person in known]
        return sorted(keyed, key=lambda pair: (pair[0], pair[1].valid_from))

    def _look(self, row: LookRow) -> Look:
        return Look(
            id=row.id, person=self._person(row.person), slot=row.slot, value=row.value,
            confidence=row.confidence, valid_from=to_time(row.valid_from),
            valid_to=None if row.valid_to is None else to_time(row.valid_to),
            superseded_by=row.superseded_by, source=row.source,
        )  # fmt: skip
