"""The people an agent knows: who they are, how they sound and look, what they said.

Reached as `Memory.people`. A person may be given as a `Person` or by id; ids that were merged or
linked go on meaning the person they became. Every call is one transaction and may come from any
thread. Names, looks and words are data that people gave: lay them before a model quoted, never as
instructions.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import datetime

from omni_agent.errors import SettingsError
from omni_agent.memory import person_changes
from omni_agent.memory.identities import LIMIT, read_identities
from omni_agent.memory.names import clean_name
from omni_agent.memory.person_leaving import PersonLeaving
from omni_agent.memory.person_ledger import Whom, id_of
from omni_agent.memory.person_past import PersonPast
from omni_agent.memory.prints import FacePrint
from omni_agent.memory.recognition import Recognition
from omni_agent.memory.records import Change, Consent, Keeping, KeptPrint, Look, Person, Who
from omni_agent.memory.values import clean, new_id, to_seconds, to_time

__all__ = [
    "Change", "Consent", "FacePrint", "Keeping", "KeptPrint", "Look", "People", "Person", "Who",
]  # fmt: skip


class People(Recognition, PersonPast, PersonLeaving):
    """Made by `Memory`; `keeping` says of whom voices and faces are kept.

    Here: who there is, and who is who. Elsewhere: knowing them again (recognition.py), what they
    said and how they look (person_past.py), forgetting and export (person_leaving.py).
    """

    # --- who there is --------------------------------------------------------------------------

    def all(self) -> tuple[Person, ...]:
        """Everybody, in the order in which they were first met; strangers of open calls too."""
        known = self._identities()
        return tuple(known.person(id) for id in known.everybody())

    def get(self, person: Whom) -> Person | None:
        """By id, as they are now; None if nobody has it (any more)."""
        known, id = self._identities(), id_of(person)
        return known.person(id) if id in known else None

    def named(self, name: str) -> tuple[Person, ...]:
        """Everybody of this name, whatever its case: two people may share one."""
        wanted = clean_name(name).casefold()
        return tuple(p for p in self.all() if p.name is not None and p.name.casefold() == wanted)

    def named_like(self, text: str) -> tuple[Person, ...]:
        """`named`, for a text that may be no name at all."""
        return self.named(text) if text.strip() else ()

    def add(
        self, name: str | None = None, *, consent: Consent = "session", call: str | None = None
    ) -> Person:
        """Somebody new; a name makes them `named`. `call`: the one in which they were met.

        Raises SettingsError for a name of which nothing can be kept.
        """
        now = self._clock.now()
        name = None if name is None else clean_name(name)
        if name is not None and consent in ("session", "asked"):
            consent = "named"
        consent = self._allowed(consent)
        at, id = to_seconds(now), new_id("p", now)
        with self._write() as db:
            db.execute(
                "INSERT INTO people VALUES (?, ?, ?, ?, ?, NULL, ?)",
                (id, name, consent, at, at, call),
            )
        return Person(id, name, consent, to_time(at), to_time(at))

    def seen(self, person: Whom, *, call: str | None = None, at: datetime | None = None) -> None:
        """They are here, or were at that time. Raises UnknownPerson, as all that follows."""
        id = self._identities().id(id_of(person))
        with self._write() as db:
            db.execute(
                "UPDATE people SET last_seen = max(last_seen, ?), call = coalesce(?, call) "
                "WHERE id = ?",
                (to_seconds(at or self._clock.now()), call, id),
            )

    def rename(self, person: Whom, name: str) -> Person:
        """What they are called from now on; who tells their name is kept beyond the call."""
        name = clean_name(name)
        with self._write() as db:
            row = self._identities().group(id_of(person))[0]
            consent = self._allowed("named") if not row.kept else row.consent
            before = {"name": row.name, "consent": row.consent}
            after = {"name": name, "consent": consent}
            if before != after:
                db.execute(
                    "UPDATE people SET name = ?, consent = ? WHERE id = ?", (name, consent, row.id)
                )
                self._change(db, "rename", person=row.id, before=before, after=after)
        return self._person(row.id)

    def agree(self, person: Whom) -> Person:
        """They said that they may be remembered."""
        return self.consent(person, "agreed")

    def consent(self, person: Whom, consent: Consent) -> Person:
        """What they agreed to; `session` takes an agreement back.

        Raises SettingsError where this memory keeps nobody beyond a call.
        """
        if self._allowed(consent) != consent:
            raise SettingsError(
                f"consent {consent!r} cannot be kept: this memory was opened with "
                f"people={self.keeping!r} and lets everybody go at the end of the call. "
                "Open it with people='ask'."
            )
        with self._write() as db:
            for row in self._identities().group(id_of(person)):
                if row.consent != consent:
                    db.execute("UPDATE people SET consent = ? WHERE id = ?", (consent, row.id))
                    before, after = {"consent": row.consent}, {"consent": consent}
                    self._change(db, "consent", person=row.id, before=before, after=after)
        return self._person(id_of(person))

    # --- who is who ----------------------------------------------------------------------------

    def merge(self, person: Whom, into: Whom) -> Person:
        """They are one: `person` is from now on `into`, with all that is theirs."""
        with self._write() as db:
            known = self._identities()
            one, other = known.root(id_of(person)), known.root(id_of(into))
            if one != other:
                db.execute("UPDATE people SET merged_into = ? WHERE id = ?", (other, one))
                self._change(db, "merge", person=one, into=other)
        return self._person(other)

    def split(self, person: Whom, prints: Collection[str]) -> Person:
        """These prints are somebody else's: a stranger's, until they are named or agree.

        Raises SettingsError if they are not prints of this person.
        """
        now = self._clock.now()
        id, at = new_id("p", now), to_seconds(now)
        with self._write() as db:
            known = self._identities()
            mine = {p.id: p for p in self._prints.of(known.ids(id_of(person)))}
            if not prints or (foreign := set(prints) - set(mine)):
                wrong = sorted(foreign) if prints else "none"
                raise SettingsError(f"these are no prints of {id_of(person)}: {wrong}")
            call = max((mine[p] for p in prints), key=lambda p: p.at).call
            db.execute(
                "INSERT INTO people VALUES (?, NULL, 'session', ?, ?, NULL, ?)", (id, at, at, call)
            )
            for owner in {mine[p].person for p in prints}:
                some = [p for p in prints if mine[p].person == owner]
                db.executemany("UPDATE prints SET person = ? WHERE id = ?", [(id, p) for p in some])
                self._change(db, "split", person=owner, new=id, prints=some)
        return self._person(id)

    def link(
        self, call: str, voice_person: Whom, face_person: Whom, log_odds: float, reason: str
    ) -> float:
        """Evidence that this voice and this face are one person, or (below 0) that they are not.

        It adds up by call and reason. Returns what `same` is now; from 4 on the two are one.
        """
        if not math.isfinite(log_odds):
            raise SettingsError(f"log-odds of {log_odds} are no evidence; give a finite number")
        with self._write() as db:
            known = self._identities()
            voice = known.bearer(id_of(voice_person), "voice")
            face = known.bearer(id_of(face_person), "face")
            if voice == face:
                return LIMIT
            row = (call, voice, face)
            before = db.execute(
                "SELECT log_odds FROM evidence WHERE call = ? AND voice_person = ? "
                "AND face_person = ? AND reason = ?",
                (*row, clean(reason)),
            ).fetchone()
            total = max(-LIMIT, min(LIMIT, log_odds + (before[0] if before else 0.0)))
            db.execute(
                "INSERT OR REPLACE INTO evidence VALUES (NULL, ?, ?, ?, ?, ?, ?)",
                (*row, total, clean(reason), to_seconds(self._clock.now())),
            )
            after = read_identities(lambda query: db.execute(query).fetchall())
            for v, f in after.links - known.links:
                self._change(db, "linked", voice=v, face=f, log_odds=after.log_odds(v, f))
            for v, f in known.links - after.links:
                self._change(db, "unlinked", voice=v, face=f, log_odds=after.log_odds(v, f))
        return after.log_odds(voice, face)

    def same(self, voice_person: Whom, face_person: Whom) -> float:
        """The log-odds that they are one, from all calls: −10 … 10, and 10 for one and the same."""
        known = self._identities()
        voice = known.bearer(id_of(voice_person), "voice")
        return known.log_odds(voice, known.bearer(id_of(face_person), "face"))

    def attribute(self, memory: str, person: Whom) -> None:
        """It was they who said this episode. Raises SettingsError for an id of no episode."""
        with self._write() as db:
            id = self._identities().bearer(id_of(person), "voice")
            row = db.execute(
                "SELECT person, turn FROM memories WHERE id = ? AND reply = 0", (memory,)
            ).fetchone()
            if row is None:
                raise SettingsError(f"{memory!r} is not the id of something a person said")
            db.execute("UPDATE memories SET person = ? WHERE id = ?", (id, memory))
            db.execute("UPDATE turns SET person = ? WHERE id = ?", (id, row[1]))
            self._change(db, "said", person=id, before={memory: row[0]})

    def changes(self, person: Whom | None = None, *, limit: int = 50) -> tuple[Change, ...]:
        """What was decided, the newest first: about one person or about all."""
        about = None if person is None else self._identities().ids(id_of(person))
        return person_changes.read_changes(self._store, about, limit)

    def undo(self, change: Change | int) -> None:
        """Take a decision back. Raises SettingsError where it was overtaken by a later one."""
        number = change.id if isinstance(change, Change) else change
        with self._write() as db:
            person_changes.undo_change(db, number, self._clock.now())

    def speaker(self, person: Whom) -> str | None:
        """Under which id their words are kept; None if they were forgotten meanwhile."""
        known, id = self._identities(), id_of(person)
        return known.bearer(id, "voice") if id in known else None

    def seen_as(self, person: Whom) -> str | None:
        """Under which id what is seen of them is kept; None if they were forgotten meanwhile."""
        known, id = self._identities(), id_of(person)
        return known.bearer(id, "face") if id in known else None

    def every_id(self, people: Collection[Whom]) -> frozenset[str]:
        """All ids that these people's memories may carry; those forgotten meanwhile left out."""
        known = self._identities()
        return frozenset(i for p in people if id_of(p) in known for i in known.ids(id_of(p)))

    def _allowed(self, consent: Consent) -> Consent:
        """With people="session" nobody new is kept, whatever they say."""
        if self.keeping == "session" and consent not in ("session", "asked"):
            return "session"
        return consent
