"""The candidates for a question: by words, and by meaning. recall.py judges them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from omni_agent.memory.indexer import Indexer
from omni_agent.memory.ledger import Ledger
from omni_agent.memory.recall import Question
from omni_agent.memory.records import StoredMemory
from omni_agent.memory.values import Vectors, clean
from omni_agent.memory.vectors import VectorLedger
from omni_agent.memory.words import query_terms

Embed = Callable[[str], tuple[str, Vectors] | None]
"""A question's vector [1, dim] with its model's name; None while there is no embedding."""
_CANDIDATES = 40
_QUESTION_TERMS = 32


class Finder:
    def __init__(
        self, ledger: Ledger, vectors: VectorLedger, indexer: Indexer, embed: Embed
    ) -> None:
        self._ledger, self._vectors, self._indexer = ledger, vectors, indexer
        self._embed = embed

    def find(
        self,
        query: str,
        now: datetime,
        *,
        kinds: Collection[str] | None = None,
        present: frozenset[str] = frozenset(),
        said_by: Sequence[str] | None = None,
    ) -> tuple[Question, Mapping[str, StoredMemory]] | None:
        """The question with what may bear on it; None where it says nothing or nothing is there.

        `present`: ids of people whose memories come first. `said_by`: search among the memories of
        these people alone.
        """
        wanted = query_terms(clean(query))[:_QUESTION_TERMS]
        there = self._ledger.kinds()
        searched = [k for k in there if kinds is None or k in kinds]
        if not wanted or not searched:
            return None
        total = sum(there.values())
        rarity = self._ledger.rarity(wanted, total)
        ids = self._ledger.containing(rarity, total, _CANDIDATES, said_by)
        cosines: dict[str, float] = {}
        if (found := self._embed(query)) is not None:
            model, vector = found
            if said_by is None:
                ids += self._indexer.nearest(searched, vector, _CANDIDATES, model=model)
            else:
                ids += self._vectors.nearest_said(vector, _CANDIDATES, model=model, by=said_by)
            cosines = self._vectors.cosines(list(dict.fromkeys(ids)), model, vector)
        memories = self._ledger.get(list(dict.fromkeys(ids)))
        return Question(query, rarity, cosines, now, present), {
            id: m for id, m in memories.items() if m.kind in searched
        }
