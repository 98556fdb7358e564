"""Which scenes are asked for: by whom they show, when, where, and by words.

What is asked for without words is exact. Words are judged as in recall.py, by what was read and
told of a scene, and by what it looks like where there is an image model: the better of the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from omni_agent.memory.finding import Embed
from omni_agent.memory.indexer import Indexer
from omni_agent.memory.ledger import Ledger
from omni_agent.memory.recall import Question, score
from omni_agent.memory.scene_rows import KIND, SceneRow, read_scenes
from omni_agent.memory.sights import Sights
from omni_agent.memory.store import Store
from omni_agent.memory.values import clean
from omni_agent.memory.vectors import VectorLedger
from omni_agent.memory.words import query_terms, rarity

MIN_FOUND = 0.15
_EARTH = 6_371_008.8  # metres
_CANDIDATES = 40
_QUESTION_TERMS = 32
_NEWEST = 2_000  # of those that are asked for without words, whose words are compared


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for without words.

    `people`: ids of one person. `spans`: seconds since 1970; the scene was seen within one of
    them. `near`: degrees of latitude and longitude, and metres.
    """

    people: frozenset[str] | None = None
    spans: tuple[tuple[float, float], ...] | None = None
    near: tuple[float, float, float] | None = None

    @property
    def anything(self) -> bool:
        return self.people is None and self.spans is None and self.near is None

    def condition(self) -> tuple[str, list[Any]]:
        """For SQL, over the scene `s`; a place still has to be checked."""
        parts, values = ["1"], list[Any]()
        if self.people is not None:
            parts.append(" OR ".join(["instr(s.people, ?)"] * len(self.people)) or "0")
            values += sorted(self.people)
        if self.spans is not None:
            parts.append(" OR ".join(["(s.at <= ? AND s.until >= ?)"] * len(self.spans)) or "0")
            values += [v for since, until in self.spans for v in (until, since)]
        if self.near is not None:
            lat, lon, metres = self.near
            high = math.degrees(metres / _EARTH)
            parts.append("s.lat BETWEEN ? AND ?")
            values += [lat - high, lat + high]
            wide = high / max(math.cos(math.radians(min(abs(lat) + high, 90.0))), 1e-6)
            if abs(lon) + wide < 180:  # else it reaches over the date line or a pole
                parts.append("s.lon BETWEEN ? AND ?")
                values += [lon - wide, lon + wide]
        return " AND ".join(f"({p})" for p in parts), values

    def is_near(self, lat: float, lon: float) -> bool:
        return self.near is None or metres_between(lat, lon, *self.near[:2]) <= self.near[2]


class SceneSearch:
    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        vectors: VectorLedger,
        indexer: Indexer,
        sights: Sights,
        embed: Embed,
    ) -> None:
        self._store, self._ledger, self._vectors = store, ledger, vectors
        self._indexer, self._sights, self._embed = indexer, sights, embed

    def newest(self, asked: Asked, limit: int) -> list[str]:
        """The ids of what is asked for, the newest first."""
        where, values = asked.condition()
        rows = self._store.rows(
            f"SELECT s.id, s.lat, s.lon FROM scenes s WHERE {where} ORDER BY s.at DESC LIMIT ?",
            (*values, limit if asked.near is None else -1),
        )
        return [r[0] for r in rows if asked.near is None or asked.is_near(r[1], r[2])][:limit]

    def find(
        self, words: str | None, asked: Asked, now: datetime, limit: int
    ) -> list[tuple[float, SceneRow]]:
        """The best first, with scores; the newest where the words say nothing."""
        wanted = query_terms(clean(words or ""))[:_QUESTION_TERMS]
        if words is None or not wanted:
            found = read_scenes(self._store, ids := self.newest(asked, limit))
            return [(1.0, found[id]) for id in ids if id in found]
        scores = self._scores(words, wanted, asked, now)
        likely = sorted(
            (id for id in scores if scores[id] >= MIN_FOUND), key=lambda id: (-scores[id], id)
        )
        rows = read_scenes(self._store, likely)
        ranked = [(scores[id], rows[id]) for id in likely if id in rows]
        ranked.sort(key=lambda pair: (-round(pair[0], 2), -pair[1].at))
        return _each_once(ranked)[:limit]

    def _scores(
        self, words: str, wanted: Sequence[str], asked: Asked, now: datetime
    ) -> dict[str, float]:
        total = sum(self._ledger.kinds().values())
        weights = self._ledger.rarity(wanted, total)
        chosen = None if asked.anything else self.newest(asked, _NEWEST)
        ids = self._worded(weights, total, asked)
        cosines: dict[str, float] = {}
        if (found := self._embed(words)) is not None:
            model, vector = found
            if chosen is None:
                ids += self._indexer.nearest([KIND], vector, _CANDIDATES, model=model)
            else:
                near = self._vectors.cosines(chosen, model, vector)
                ids += sorted(near, key=lambda id: -near[id])[:_CANDIDATES]
            cosines = self._vectors.cosines(list(dict.fromkeys(ids)), model, vector)
        question = Question(words, weights, cosines, now)
        told = self._ledger.get(list(dict.fromkeys(ids)))
        scores = {id: score(question, m) for id, m in told.items() if m.kind == KIND}
        seen = self._sights.relevance(words, None if chosen is None else frozenset(chosen))
        for id, relevant in seen.items():
            scores[id] = max(scores.get(id, 0.0), relevant)
        return scores

    def _worded(self, weights: dict[str, float], total: int, asked: Asked) -> list[str]:
        """Ids of scenes with any of these words, the best first."""
        common = rarity(total, total // 10) if total > 1000 else 0.0
        if not (telling := [t for t, weight in weights.items() if weight >= common]):
            return []
        where, values = asked.condition()
        rows = self._store.rows(
            "SELECT s.id, s.lat, s.lon FROM words JOIN memories m ON m.row = words.rowid "
            f"JOIN scenes s ON s.id = m.id WHERE words MATCH ? AND m.kind = ? AND {where} "
            "ORDER BY rank LIMIT ?",
            (" OR ".join(f'"{t}"' for t in telling), KIND, *values, _CANDIDATES),
        )
        return [r[0] for r in rows if asked.near is None or asked.is_near(r[1], r[2])]


def metres_between(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Along the great circle (haversine)."""
    a, b = math.radians(lat), math.radians(other_lat)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    return 2 * _EARTH * math.asin(min(1.0, math.sqrt(half)))


def _each_once(ranked: Sequence[tuple[float, SceneRow]]) -> list[tuple[float, SceneRow]]:
    """Of scenes with the same words, the best; scenes without words are all told apart."""
    found: dict[str, tuple[float, SceneRow]] = {}
    for value, row in ranked:
        said = " ".join(f"{row.description} {row.text}".casefold().split())
        found.setdefault(said or row.id, (value, row))
    return list(found.values())
