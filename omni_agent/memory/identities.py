"""Who is whom: people who turned out to be one, and voices that belong to faces.

Rows are never rewritten when two people become one. Merges and links are looked up when somebody
is asked for, so that each of them can be taken back.

A voice and a face are one person from log-odds of `LINKED` on (55 to 1), if no other face of this
voice and no other voice of this face comes near. Evidence adds up over calls but is held within
±`LIMIT`, so that what is seen today can turn what was believed for a year. People of two names, and
people of whom both voice and face are known, are joined by nothing but a merge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from omni_agent.errors import UnknownPerson
from omni_agent.memory.records import Consent, Person
from omni_agent.memory.values import to_time

PrintKind = Literal["voice", "face"]
KINDS: tuple[PrintKind, ...] = ("voice", "face")
LIMIT = 10.0
LINKED = 4.0
LEAD = 2.0
_RANK: Mapping[Consent, int] = {"session": 0, "asked": 1, "named": 2, "agreed": 3}


@dataclass(frozen=True, slots=True)
class PersonRow:
    id: str
    name: str | None
    consent: Consent
    first_seen: float
    last_seen: float
    merged_into: str | None
    call: str | None

    @property
    def kept(self) -> bool:
        return _RANK[self.consent] > 1


class Fetch(Protocol):
    def __call__(self, query: str) -> list[Any]: ...


class Identities:
    """What the ledger said about who is whom at one moment."""

    def __init__(
        self,
        rows: Iterable[PersonRow],
        evidence: Iterable[tuple[str, str, float]] = (),
        prints: Iterable[tuple[str, PrintKind]] = (),
    ) -> None:
        """`evidence`: voice, face and log-odds, oldest first. `prints`: person and kind."""
        self.rows = {r.id: r for r in rows}
        self._odds: dict[tuple[str, str], float] = {}
        for voice, face, log_odds in evidence:
            pair = (self.root(voice), self.root(face))
            total = self._odds.get(pair, 0.0) + log_odds
            self._odds[pair] = max(-LIMIT, min(LIMIT, total))
        self.links: set[tuple[str, str]] = set()
        self._prints = {(self.root(p), kind) for p, kind in prints if p in self.rows}
        self._groups: dict[str, tuple[PersonRow, ...]] = {}
        members: dict[str, list[PersonRow]] = {}
        joined = self._joined()
        for row in self.rows.values():
            members.setdefault(joined[self.root(row.id)], []).append(row)
        for some in members.values():
            some.sort(key=lambda r: (r.name is None, -_RANK[r.consent], r.first_seen, r.id))
            some.sort(key=lambda r: r.merged_into is not None)  # stable: whom others became, first
            self._groups |= dict.fromkeys((r.id for r in some), tuple(some))

    def root(self, id: str) -> str:
        """Whom somebody was merged into, at the end of the chain. Raises UnknownPerson."""
        while (row := self.row(id)).merged_into is not None:
            id = row.merged_into
        return id

    def row(self, id: str) -> PersonRow:
        """Raises UnknownPerson."""
        if id not in self.rows:
            raise UnknownPerson(
                f"nobody in this memory has the id {id!r}. They may have been forgotten; "
                "`omni-agent memory people list` shows who is there."
            )
        return self.rows[id]

    def __contains__(self, id: object) -> bool:
        return id in self.rows

    def id(self, id: str) -> str:
        """The one id that stands for this person in all answers. Raises UnknownPerson."""
        self.row(id)
        return self._groups[id][0].id

    def group(self, id: str) -> tuple[PersonRow, ...]:
        """All rows that are this person, the one that stands for them first."""
        self.row(id)
        return self._groups[id]

    def ids(self, id: str) -> tuple[str, ...]:
        return tuple(r.id for r in self.group(id))

    def person(self, id: str) -> Person:
        group = self.group(id)
        return Person(
            id=group[0].id,
            name=next((r.name for r in group if r.name is not None), None),
            consent=max((r.consent for r in group), key=lambda c: _RANK[c]),
            first_seen=to_time(min(r.first_seen for r in group)),
            last_seen=to_time(max(r.last_seen for r in group)),
        )

    def kept(self, id: str) -> bool:
        """Whether they told their name or agreed, and so outlive their call."""
        return any(r.kept for r in self.group(id))

    def calls(self, id: str) -> set[str | None]:
        return {r.call for r in self.group(id)}

    def everybody(self) -> tuple[str, ...]:
        """The ids that stand for people, in the order in which they were first met."""
        first = {self._groups[id][0].id: self._groups[id] for id in self.rows}
        return tuple(sorted(first, key=lambda id: min(r.first_seen for r in first[id])))

    def log_odds(self, voice: str, face: str) -> float:
        """All evidence that this voice and this face are one person; `LIMIT` for one and the same.

        Raises UnknownPerson.
        """
        pair = (self.root(voice), self.root(face))
        return LIMIT if pair[0] == pair[1] else self._odds.get(pair, 0.0)

    def bearer(self, id: str, kind: PrintKind) -> str:
        """Who of this person's linked halves has the voice, or the face: prints and evidence are
        kept with that one, so that the link can still be undone."""
        own = self.root(id)
        roots = [own, *(r.id for r in self.group(id) if r.merged_into is None)]
        return next((r for r in roots if (r, kind) in self._prints), own)

    def _joined(self) -> dict[str, str]:
        """For each root one that stands for it and all that are linked to it; fills `links`."""
        joined = {id: id for id, row in self.rows.items() if row.merged_into is None}
        names: dict[str, set[str]] = {id: set() for id in joined}
        for row in sorted(self.rows.values(), key=lambda r: r.merged_into is not None):
            if row.name is not None and not names[self.root(row.id)]:
                names[self.root(row.id)].add(row.name.casefold())
        for voice, face in self._linked():
            one, other = joined[voice], joined[face]
            both_whole = all((id, k) in self._prints for id in (voice, face) for k in KINDS)
            if one != other and len(names[one] | names[other]) <= 1 and not both_whole:
                self.links.add((voice, face))
                joined |= {id: one for id, to in joined.items() if to == other}
                names[one] |= names[other]
        return joined

    def _linked(self) -> list[tuple[str, str]]:
        """Pairs that evidence speaks for, the surest first."""
        odds = {pair: value for pair, value in self._odds.items() if pair[0] != pair[1]}
        of_voice: dict[str, list[float]] = {}
        of_face: dict[str, list[float]] = {}
        for (voice, face), value in odds.items():
            of_voice.setdefault(voice, []).append(value)
            of_face.setdefault(face, []).append(value)
        pairs = [
            (value, voice, face)
            for (voice, face), value in odds.items()
            if value >= LINKED
            and min(_lead(value, of_voice[voice]), _lead(value, of_face[face])) >= LEAD
        ]
        return [(voice, face) for _, voice, face in sorted(pairs, reverse=True)]


def _lead(value: float, values: Sequence[float]) -> float:
    """How far one of these values is ahead of the others."""
    best, *second = sorted(values, reverse=True)[:2]
    return value - (max(second, default=-math.inf) if value == best else best)


def read_identities(fetch: Fetch) -> Identities:
    """`fetch`: runs a query and gives all its rows."""
    rows = fetch(
        "SELECT id, name, consent, first_seen, last_seen, merged_into, call FROM people "
        "ORDER BY rowid"
    )
    evidence = fetch("SELECT voice_person, face_person, log_odds FROM evidence ORDER BY at, id")
    prints = fetch("SELECT DISTINCT person, kind FROM prints")
    return Identities((PersonRow(*r) for r in rows), evidence, prints)
