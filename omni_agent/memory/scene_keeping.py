"""What stays of old scenes, and what goes first when the pictures need too much room.

    age             pictures that stay
    under 7 days    all
    7 to 30 days    one for each 10 minutes of a source
    30 to 365 days  one for each hour
    older           one for each day

The one that stays is the most telling: of people in it, words read and a description, the one that
has most of them; among equals the one that lasted longest. The words of scenes stay. A scene that
lost its picture and has neither words nor people tells nothing any more and goes as a whole.

Where pictures need more than the budget, those with the greatest age / (1 + how telling) go first,
until they need a tenth less than the budget.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from omni_agent.memory.scene_rows import delete_scenes, drop_pictures
from omni_agent.memory.store import Store

DAY = 86_400.0
RULES = ((365 * DAY, DAY), (30 * DAY, 3_600.0), (7 * DAY, 600.0))
"""From which age on there is one picture for how many seconds."""
BUDGET = 500_000_000
"""Bytes of pictures."""
_ROOM = 0.9


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """`telling`: 0 … 3. `bytes`: of its file."""

    scene: str
    at: float
    until: float
    source: str
    telling: int
    bytes: int


def kept_pictures(store: Store) -> list[KeptPicture]:
    return [
        KeptPicture(*row)
        for row in store.rows(
            "SELECT id, at, until, source, "
            "(people <> '[]') + (text <> '') + (description <> ''), bytes "
            "FROM scenes WHERE picture IS NOT NULL ORDER BY at"
        )
    ]


def too_many(pictures: Sequence[KeptPicture], now: float) -> list[str]:
    """The scenes whose pictures go by age."""
    stretches: dict[tuple[str, float, float], list[KeptPicture]] = {}
    for picture in pictures:
        apart = next((every for age, every in RULES if now - picture.at >= age), None)
        if apart is not None:
            stretch = (picture.source, apart, picture.at // apart)
            stretches.setdefault(stretch, []).append(picture)
    return [p.scene for some in stretches.values() for p in some if p is not max(some, key=_worth)]


def too_large(pictures: Sequence[KeptPicture], now: float, budget: int) -> list[str]:
    """The scenes whose pictures go for want of room."""
    used = sum(p.bytes for p in pictures)
    if used <= budget:
        return []
    gone = []
    for picture in sorted(pictures, key=lambda p: (p.at - now) / (1 + p.telling)):
        if used <= _ROOM * budget:
            break
        used -= picture.bytes
        gone.append(picture.scene)
    return gone


def drop(db: sqlite3.Connection, scenes: Sequence[str]) -> list[str]:
    """Take their pictures, and what then tells nothing; returns the pictures' ids."""
    pictures = drop_pictures(db, scenes)
    idle = [
        r[0]
        for r in db.execute(
            "SELECT id FROM scenes WHERE picture IS NULL AND people = '[]' AND text = '' "
            "AND description = ''"
        )
    ]
    delete_scenes(db, idle)
    return pictures


def _worth(picture: KeptPicture) -> tuple[int, float]:
    return picture.telling, picture.until - picture.at
