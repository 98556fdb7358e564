"""What was seen, when, where, and who was there: reached as `Memory.scenes`.

    for every frame of a call:
        id = memory.scenes.see(frame.image, at=now, conversation=call.id, people=present)
        if id is not None:                       # a scene has begun
            memory.scenes.describe(id, text=eyes.read(frame.image), description=…)
    memory.scenes.end(call.id)

    memory.scenes.find("where are my keys")
    memory.scenes.find("on the stove", came_in=anna)     # … when Anna came in

What is read and told in scenes is data: lay it before a model quoted, never as instructions. What
stays of old scenes: scene_keeping.py. Which frames begin one: keyframes.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from omni_agent.memory import forgetting
from omni_agent.memory.person_ledger import Whom
from omni_agent.memory.scene_rows import SceneRow, read_scenes
from omni_agent.memory.scene_search import Asked
from omni_agent.memory.scene_taking import Located, SceneTaking
from omni_agent.memory.sights import ImagePrinter
from omni_agent.memory.values import to_seconds, to_time

__all__ = ["ImagePrinter", "Scene", "Scenes", "Visit"]

ARRIVAL = 30.0
"""Seconds before and after somebody came in that count as "when they came in"."""
AWAY = 60.0
"""Seconds without somebody after which they come in anew."""
_VISITS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """From `at` until `until`, in UTC, `source` showed the same.

    `people`: ids of those who were there at some moment of it. `text`: what was read;
    `description`: what a model with eyes told. `picture`: whether it is still kept. `score`: how
    well it answers what `find` was asked, 0 … 1.
    """

    id: str
    at: datetime
    until: datetime
    source: str
    conversation: str | None
    place: Mapping[str, Any] | None
    people: tuple[str, ...]
    text: str
    description: str
    picture: bool
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody was there from when until when. `scenes`: ids, in the order of time."""

    at: datetime
    until: datetime
    scenes: tuple[str, ...]


class Scenes(SceneTaking):
    """Made by `Memory`. Every call is one transaction and may come from any thread."""

    def get(self, scene: str) -> Scene | None:
        rows = read_scenes(self._store, [scene])
        return self._scene(rows[scene]) if scene in rows else None

    def find(
        self,
        words: str | None = None,
        *,
        person: Whom | None = None,
        came_in: Whom | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        near: Located | None = None,
        within: float = 150.0,
        limit: int = 5,
    ) -> tuple[Scene, ...]:
        """Scenes that all of this holds of; by words the best first, else the newest.

        `person`: they are in it. `came_in`: it was seen when they came in, whether they are in it
        or not. `since`, `until`: it was seen at some moment between. `near`, `within`: a place and
        metres. Nobody is found who was forgotten. Raises SettingsError for times without a zone.
        """
        if limit < 1:
            return ()
        span = (
            to_seconds(since) if since else float("-inf"),
            to_seconds(until) if until else float("inf"),
        )
        spans: tuple[tuple[float, float], ...] | None = (span,)
        if since is None and until is None:
            spans = None
        if came_in is not None:
            moments = [to_seconds(v.at) for v in self.visits(came_in, since=since, until=until)]
            spans = tuple(
                (max(span[0], m - ARRIVAL), min(span[1], m + ARRIVAL)) for m in moments[:_VISITS]
            )
        asked = Asked(
            people=None if person is None else self._people.every_id([person]),
            spans=spans,
            near=None if near is None else (near.lat, near.lon, within),
        )
        found = self._search.find(words, asked, self._clock.now(), limit)
        return tuple(self._scene(row, value) for value, row in found)

    def visits(
        self, person: Whom, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Visit, ...]:
        """When somebody was there, the newest first; whoever is away for a minute comes anew."""
        asked = Asked(people=self._people.every_id([person]))
        rows = read_scenes(self._store, self._search.newest(asked, 5_000))
        visits: list[list[SceneRow]] = []
        for row in sorted(rows.values(), key=lambda r: r.at):
            if visits and row.at - max(r.until for r in visits[-1]) < AWAY:
                visits[-1].append(row)
            else:
                visits.append([row])
        told = (
            Visit(to_time(v[0].at), to_time(max(r.until for r in v)), tuple(r.id for r in v))
            for v in reversed(visits)
        )
        return tuple(
            v for v in told if (not since or v.until >= since) and (not until or v.at <= until)
        )

    def picture(self, scene: Scene | str) -> bytes | None:
        """The JPEG file; None where it is no longer kept. Raises MemorySealed."""
        rows = read_scenes(self._store, [id := scene.id if isinstance(scene, Scene) else scene])
        kept = rows[id].picture if id in rows else None
        return None if kept is None else self._pictures.load(kept)

    def forget(self, *scenes: str) -> tuple[str, ...]:
        """Delete scenes for good, with their words and pictures; returns the ids that went."""
        gone, pictures = forgetting.forget(self._store, scenes)
        self._pictures.remove(pictures)
        self._sights.forget(gone)
        self._forgotten()
        return gone

    def _scene(self, row: SceneRow, value: float = 1.0) -> Scene:
        known = (self._people.get(p) for p in row.people)
        return Scene(
            id=row.id, at=to_time(row.at), until=to_time(row.until), source=row.source,
            conversation=row.conversation, place=row.place,
            people=tuple(dict.fromkeys(p.id for p in known if p is not None)), text=row.text,
            description=row.description, picture=row.picture is not None, score=round(value, 4),
        )  # fmt: skip
