"""From many pictures of one person to how they look: each picture votes, the newest count most.

votes = LookVotes()                       # one for each track of a face
for look in votes.add(looks_of(image, face), t):
    memory.people.look(person, look.slot, look.value, confidence=look.confidence)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from omni_agent.memory.embed.appearance import SeenLook

EVERY = 1.0
"""Seconds between two votes; what is seen sooner is the same picture once more."""
LEAST = 3
"""Votes without which nothing is said."""
SURE = {"glasses": 0.7, "clothes": 0.5}
"""From which confidence on something is said; there are two answers to one, and many to another."""
_OTHERWISE_SURE = 0.6
_COUNTED = 9


class LookVotes:
    """One person's. `now`: what is sure at present, by slot; a slot that is not there is not sure.

    A value stays until another is sure: a hand before the face takes no glasses off.
    """

    def __init__(self) -> None:
        self.now: dict[str, SeenLook] = {}
        self._votes: dict[str, deque[SeenLook]] = {}
        self._last: dict[str, float] = {}

    def add(self, seen: Iterable[SeenLook], t: float) -> tuple[SeenLook, ...]:
        """Count what one picture tells, seen at `t` seconds; returns what is sure now and was not
        before.
        """
        news = []
        for look in seen:
            if t - self._last.get(look.slot, float("-inf")) < EVERY:
                continue
            self._last[look.slot] = t
            votes = self._votes.setdefault(look.slot, deque(maxlen=_COUNTED))
            votes.append(look)
            before, found = self.now.get(look.slot), self._winner(votes)
            if found is None:
                continue
            if before is None or before.value != found.value:
                news.append(found)
            self.now[look.slot] = found
        return tuple(news)

    def _winner(self, votes: deque[SeenLook]) -> SeenLook | None:
        """The value with the most weight, if it is sure."""
        if len(votes) < LEAST:
            return None
        weights: dict[str, float] = {}
        total = 0.0
        for age, vote in enumerate(reversed(votes)):
            weight = vote.confidence * 0.85**age
            weights[vote.value] = weights.get(vote.value, 0.0) + weight
            total += 0.85**age
        best = max(weights, key=lambda value: weights[value])
        share = weights[best] / total
        slot = votes[-1].slot
        bar = SURE.get(slot, _OTHERWISE_SURE)
        return SeenLook(slot, best, round(share, 3)) if share >= bar else None
