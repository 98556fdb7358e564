"""What those who are here said, and what is about them, kept in memory while they are here.

Among 100,000 memories, the forty that are nearest to a question may be anybody's. Those of the
people in the room are few enough to be compared all of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from omni_agent.memory.store import Store
from omni_agent.memory.values import Vectors

NEWEST = 2_000
"""Vectors of one person that are kept at hand: 3 MB."""
_PEOPLE = 20


@dataclass(frozen=True, slots=True)
class _Held:
    """`vectors`: float32 [n, dim], one for each of `ids`; of one `model`."""

    model: str
    ids: tuple[str, ...]
    vectors: Vectors


class AtHand:
    """For any number of threads. What was forgotten meanwhile may still be among the ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def fetch(self, person: str, ids: Collection[str], model: str) -> None:
        """`ids`: all that the person goes by."""
        marks = ",".join("?" * len(ids))
        rows = self._store.rows(
            "SELECT m.id, v.vector FROM memories m JOIN vectors v ON v.memory = m.row "
            f"WHERE (m.person IN ({marks}) OR m.about IN ({marks})) AND v.model = ? "
            "ORDER BY m.row DESC LIMIT ?",
            (*ids, *ids, model, NEWEST),
        )
        held = None
        if rows:
            vectors = np.frombuffer(b"".join(r[1] for r in rows), "<f4").reshape(len(rows), -1)
            held = _Held(model, tuple(r[0] for r in rows), vectors)
        with self._lock:
            self._held.pop(person, None)
            if held is not None:
                self._held[person] = held
            while len(self._held) > _PEOPLE:
                self._held.popitem(last=False)

    def nearest(
        self, query: Vectors, limit: int, *, model: str, of: Collection[str]
    ) -> dict[str, float]:
        """The cosines of each person's nearest memories to a question's vector [1, dim]."""
        with self._lock:
            held = [self._held[p] for p in of if p in self._held]
        found: dict[str, float] = {}
        for some in held:
            if some.model == model:
                dots = some.vectors @ query[0]
                for i in np.argsort(-dots)[:limit]:
                    id = some.ids[i]
                    found[id] = max(float(dots[i]), found.get(id, -1.0))
        return found

    def forget(self) -> None:
        with self._lock:
            self._held.clear()
