"""The candidates for a question: by words, and by meaning. recall.py judges them.

The question is embedded on another thread (C, without the interpreter's lock) while the words are
searched on this one: on a slow core the one takes 16 ms, the other 4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from omni_agent.memory.at_hand import AtHand
from omni_agent.memory.indexer import Indexer
from omni_agent.memory.ledger import Ledger
from omni_agent.memory.recall import Question, covered
from omni_agent.memory.records import StoredMemory
from omni_agent.memory.values import Vectors, clean
from omni_agent.memory.vectors import VectorLedger
from omni_agent.memory.words import query_terms

Embed = Callable[[str], tuple[str, Vectors] | None]
"""A question's vector [1, dim] with its model's name; None while there is no embedding."""
_CANDIDATES = 40  # by words, and as many by meaning
_OF_EACH = 10  # of each person who is there
_QUESTION_TERMS = 32


class Finder:
    def __init__(
        self,
        ledger: Ledger,
        vectors: VectorLedger,
        indexer: Indexer,
        at_hand: AtHand,
        embed: Embed,
    ) -> None:
        self._ledger, self._vectors, self._indexer = ledger, vectors, indexer
        self._at_hand, self._embed = at_hand, embed
        self._embedding = ThreadPoolExecutor(2, "memory-question")

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
        embedded = self._embedding.submit(self._embed, query)
        total = sum(there.values())
        rarity = self._ledger.rarity(wanted, total)
        memories = self._ledger.get(self._ledger.containing(rarity, total, _CANDIDATES, said_by))
        said = {id: covered(rarity, memory) for id, memory in memories.items()}
        kept = self._vectors.of_ids(list(memories))
        cosines: dict[str, float] = {}
        if (found := embedded.result()) is not None:
            model, vector = found
            cosines = kept.cosines(model, vector)
            near = self._near(searched, vector, model, present, said_by)
            memories |= self._ledger.get([id for id in near if id not in memories])
            cosines |= near
        return Question(query, rarity, cosines, now, present, said), {
            id: m for id, m in memories.items() if m.kind in searched
        }

    def prefetch(self, person: str, ids: Collection[str]) -> None:
        """Have at hand the memories of somebody who goes by these ids."""
        self._at_hand.fetch(person, ids, self._vectors.model())

    def forget(self) -> None:
        self._at_hand.forget()

    def close(self) -> None:
        self._embedding.shutdown()

    def _near(
        self,
        kinds: list[str],
        vector: Vectors,
        model: str,
        present: frozenset[str],
        said_by: Sequence[str] | None,
    ) -> dict[str, float]:
        """The cosines of the nearest ones, of those who are there more than of others."""
        if said_by is not None:
            return self._vectors.nearest_said(vector, _CANDIDATES, model=model, by=said_by)
        near = self._indexer.nearest(kinds, vector, _CANDIDATES, model=model)
        best = sorted(near, key=lambda id: -near[id])[:_CANDIDATES]
        here = self._at_hand.nearest(vector, _OF_EACH, model=model, of=present)
        return here | {id: near[id] for id in best}
