"""What a memory knows: facts, and what there is still to learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from omni_agent.clock import Clock
from omni_agent.memory.facts import Statement, fact_of, normal
from omni_agent.memory.opened import Opened
from omni_agent.memory.records import LearnedBy, Person, StoredMemory


class KnownFacts(ABC):
    """The part of `Memory` that learning.py works with."""

    _clock: Clock

    @abstractmethod
    def _use(self) -> Opened: ...

    def facts(
        self,
        *,
        about: Collection[Person | str] = (),
        predicates: Collection[str] = (),
        at: datetime | None = None,
    ) -> tuple[StoredMemory, ...]:
        """The statements that were so at a moment, now by default, the newest first.

        `about`: people, their ids, or names that subjects go by. `predicates`: "likes",
        "allergic_to" …; all of them, if none are given. What contradicts what: facts.py.
        """
        parts = self._use()
        found = parts.ledger.facts([normal(p) for p in predicates], at or self._clock.now())
        if not about:
            return found
        ids = parts.people.every_id(about)
        names = {a.casefold() for a in about if isinstance(a, str)}
        return tuple(f for f in found if f.about in ids or (f.subject or "").casefold() in names)

    def to_learn(self, by: LearnedBy, *, limit: int = 50) -> tuple[StoredMemory, ...]:
        """What people said that nobody has learned from yet, the newest first.

        See omni_agent/learning.py, `learn` and `learned_nothing`.
        """
        return self._use().ledger.to_learn(by, limit)

    def learn(
        self, episode: StoredMemory, statements: Sequence[Statement], by: LearnedBy
    ) -> tuple[str, ...]:
        """Keep what was learned from something somebody said; the ids of the facts.

        It is told in words that stand by themselves ("The user is allergic to nuts."), and is
        forgotten with the episode. Nothing is kept if that was forgotten meanwhile.
        """
        parts, now = self._use(), self._clock.now()
        facts = [fact_of(statement, episode, now) for statement in statements]
        for i, fact in enumerate(facts):
            known = parts.people.named_like(fact.subject or "") if fact.about is None else ()
            if len(known) == 1:
                facts[i] = replace(fact, about=parts.people.speaker(known[0]))
        ids = parts.ledger.learn(episode.id, facts, by)
        if ids:
            parts.indexer.wake()
        return ids

    def learned_nothing(self, ids: Sequence[str], by: LearnedBy) -> None:
        """There was nothing to learn from these; that outlives the process."""
        self._use().ledger.set_learned(ids, by)
