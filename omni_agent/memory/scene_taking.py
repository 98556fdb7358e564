"""Seeing: what becomes a scene, how long it lasts, and what of it stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from omni_agent.clock import Clock
from omni_agent.likeness import Glance, Kind
from omni_agent.media import Image
from omni_agent.memory import scene_keeping
from omni_agent.memory.keyframes import ALIKE, Keyframe, Keyframes, is_seen
from omni_agent.memory.people import People
from omni_agent.memory.person_ledger import Whom
from omni_agent.memory.pictures import Pictures
from omni_agent.memory.scene_rows import SceneRow, grow_scene, insert_scene
from omni_agent.memory.scene_search import SceneSearch
from omni_agent.memory.sights import Sights
from omni_agent.memory.store import Store
from omni_agent.memory.values import clean, new_id, to_seconds, to_time

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


class ToHide(Protocol):
    """Finds what is to be hidden in a picture; asked only where one is kept, for it takes time."""

    def __call__(self, image: Image, /) -> Collection[Box]: ...


RETURN = 600.0
"""Seconds within which a view that is seen again is the same scene, and not a new one."""
JUST_BEGUN = 10.0
"""It takes seconds until somebody is recognised: whoever is, after so many, has come in since."""
_SIDE, _QUALITY = 640, 75
_WRITTEN_EVERY = 10.0  # seconds; how long a scene lasted is not written for every frame
_LONGEST = 4_000  # characters of what was read, and of a description
_RECENT = 24  # views of a source that are compared with
_CHECKED_EVERY = 20  # scenes between two looks at the budget


class Located(Protocol):
    """Anything with a latitude and a longitude in degrees (WGS 84)."""

    @property
    def lat(self) -> float: ...

    @property
    def lon(self) -> float: ...


@dataclass(slots=True)
class _View:
    """A scene of this process that may be seen again."""

    id: str
    glance: Glance
    at: float
    until: float
    people: set[str]
    written: float


@dataclass(frozen=True, slots=True)
class _Latest:
    """What a source's last frame came with."""

    place: Located | Mapping[str, Any] | None
    people: set[str]
    hide: Collection[Box] | ToHide


class _Source:
    """One camera or screen of one conversation."""

    def __init__(self, kind: Kind) -> None:
        self.frames = Keyframes(kind)
        self.views: list[_View] = []
        self.latest: _Latest | None = None
        self.now: _View | None = None


class SceneTaking:
    """`pages`: the sources without tremble and noise, on which small changes count. `budget`: bytes
    of pictures.
    """

    pages: frozenset[str] = frozenset({"screen"})

    def __init__(
        self,
        store: Store,
        pictures: Pictures,
        people: People,
        search: SceneSearch,
        sights: Sights,
        *,
        clock: Clock,
        forgotten: Callable[[], None],
        written: Callable[[], None],
        budget: int = scene_keeping.BUDGET,
    ) -> None:
        """`forgotten`: called after words were deleted; `written`: after some were written."""
        self._store, self._pictures, self._people = store, pictures, people
        self._search, self._sights = search, sights
        self._clock, self._forgotten, self._written = clock, forgotten, written
        self.budget = budget
        self._lock = threading.RLock()
        self._sources: dict[tuple[str | None, str], _Source] = {}
        self._unchecked = 0

    def see(
        self,
        image: Image,
        *,
        at: datetime | None = None,
        source: str = "camera",
        conversation: str | None = None,
        place: Located | Mapping[str, Any] | None = None,
        people: Collection[Whom] = (),
        hide: Collection[Box] | ToHide = (),
    ) -> str | None:
        """A frame of a live source, in the order of time; the id of the scene it begins, if any.

        Two frames a second are plenty. `at`: now by default. `people`: who is in view. `hide`:
        faces that are made unrecognisable before anything is kept, or what finds them. A black
        frame, one older than the last, and one that shows nothing new give None. Raises
        MemoryStoreError where the picture cannot be written; the next frame may begin the scene
        again.
        """
        t = to_seconds(at or self._clock.now())
        present = self._ids(people)
        with self._lock:
            state = self._source(conversation, source)
            frames, now = state.frames, state.now
            came = now is not None and t - now.at >= JUST_BEGUN and not present <= now.people
            state.latest = _Latest(place, present, hide)
            frame = frames.take(image, t, newcomer=came)
            if frame is None:
                if now is not None and frames.until == t:
                    self._last(state, now, t, present)
                return None
            return self._begin(state, frame, source, conversation, place, present, hide)

    def add(
        self,
        image: Image,
        *,
        at: datetime | None = None,
        source: str = "camera",
        conversation: str | None = None,
        place: Located | Mapping[str, Any] | None = None,
        people: Collection[Whom] = (),
        text: str = "",
        description: str = "",
        hide: Collection[Box] | ToHide = (),
    ) -> str | None:
        """Keep a picture as a scene of its own; its id, or None if it shows nothing new.

        What was seen in this conversation in the last ten minutes with all these people is nothing
        new: that scene lasts longer now. For the frames of a live source there is `see`.
        """
        t = to_seconds(at or self._clock.now())
        with self._lock:
            state = self._source(conversation, source)
            glance = Glance.at(image, state.frames.kind)
            if not is_seen(image, glance):
                return None
            frame = state.frames.begin(Keyframe(image, glance, t))
            return self._begin(
                state, frame, source, conversation, place, self._ids(people), hide, text,
                description,
            )  # fmt: skip

    def describe(
        self,
        scene: str,
        *,
        text: str | None = None,
        description: str | None = None,
        people: Collection[Whom] = (),
    ) -> bool:
        """What was read in a scene, what a model tells of it, who was there too.

        Words take the place of those before. False where the scene is gone.
        """
        with self._store.write() as db:
            there = grow_scene(
                db, scene, people=self._ids(people),
                text=None if text is None else _short(text),
                description=None if description is None else _short(description),
            )  # fmt: skip
        self._written()
        return there

    def end(self, conversation: str | None) -> None:
        """A call is over: what it last showed is written, and old pictures are thinned out."""
        with self._lock:
            for key in [k for k in self._sources if k[0] == conversation]:
                state = self._sources.pop(key)
                if (frame := state.frames.rest()) is not None and (was := state.latest):
                    self._begin(state, frame, key[1], conversation, was.place, was.people, was.hide)
                elif state.now is not None:
                    self._write(state.now)
        self.thin()

    def thin(self) -> int:
        """Hold the rules for old scenes and the budget; returns how many pictures went."""
        now = to_seconds(self._clock.now())
        kept = scene_keeping.kept_pictures(self._store)
        old = set(scene_keeping.too_many(kept, now))
        rest = [p for p in kept if p.scene not in old]
        gone = [*old, *scene_keeping.too_large(rest, now, self.budget)]
        if gone:
            with self._store.write() as db:
                pictures = scene_keeping.drop(db, gone)
            self._pictures.remove(pictures)
            self._sights.forget(gone)
        return len(gone)

    # --- within ----------------------------------------------------------------------------------

    def _begin(
        self,
        state: _Source,
        frame: Keyframe,
        source: str,
        conversation: str | None,
        place: Located | Mapping[str, Any] | None,
        people: set[str],
        hide: Collection[Box] | ToHide,
        text: str = "",
        description: str = "",
    ) -> str | None:
        t, picture = frame.t, frame.image
        state.frames.scene = None  # until it is written, for then the next frame may begin it
        if state.now is not None:
            self._write(state.now)
        again = self._seen_before(state, frame, people)
        if again is not None and self._last(state, again, t, people, text, description):
            state.now, state.frames.scene = again, frame
            return None
        if boxes := hide(picture) if callable(hide) else hide:
            picture = hidden(picture, boxes)
        id = new_id("s", to_time(t))
        picture = picture.thumbnail(_SIDE)
        self._pictures.save(id, picture, quality=_QUALITY)
        call = None if conversation is None else clean(conversation)
        row = SceneRow(
            id=id, at=t, until=t, conversation=call, source=clean(source), place=_plain(place),
            people=tuple(sorted(people)), text=_short(text), description=_short(description),
            picture=id, bytes=self._pictures.size(id),
        )  # fmt: skip
        with self._store.write() as db:
            if forgotten := any(self._people.get(p) is None for p in people):
                self._pictures.remove([id])
            else:
                insert_scene(db, row)
        if forgotten:  # meanwhile; they are in the picture
            return None
        state.frames.scene = frame
        if (sight := self._sights.of(picture)) is not None:
            self._sights.add(id, sight)
        state.now = _View(id, frame.glance, t, t, set(people), t)
        state.views = [*state.views, state.now][-_RECENT:]
        if row.text or row.description:
            self._written()
        self._unchecked += 1
        if self._unchecked >= _CHECKED_EVERY:
            self._unchecked = 0
            self.thin()
        return id

    def _seen_before(self, state: _Source, frame: Keyframe, people: set[str]) -> _View | None:
        bar = ALIKE[state.frames.kind]
        near = [
            (frame.glance.difference(view.glance), view)
            for view in state.views
            if frame.t - view.until <= RETURN and people <= view.people
        ]
        difference, view = min(near, key=lambda pair: pair[0], default=(1.0, None))
        return view if difference < bar else None

    def _last(
        self,
        state: _Source,
        view: _View,
        t: float,
        people: set[str],
        text: str = "",
        description: str = "",
    ) -> bool:
        """The scene goes on; False where it was forgotten meanwhile."""
        new = not people <= view.people
        view.people |= people
        view.until = max(view.until, t)
        if not (new or text or description or t - view.written >= _WRITTEN_EVERY):
            return True
        if self._write(view, text, description):
            return True
        state.views = [v for v in state.views if v is not view]
        state.now = state.frames.scene = None
        return False

    def _write(self, view: _View, text: str = "", description: str = "") -> bool:
        view.written = view.until
        with self._store.write() as db:
            there = [p for p in view.people if self._people.get(p) is not None]
            return grow_scene(
                db, view.id, until=view.until, people=there,
                text=_short(text) or None, description=_short(description) or None,
            )  # fmt: skip

    def _source(self, conversation: str | None, source: str) -> _Source:
        key = (conversation, source)
        if key not in self._sources:
            self._sources[key] = _Source("page" if source in self.pages else "view")
        return self._sources[key]

    def _ids(self, people: Collection[Whom]) -> set[str]:
        """Under which ids they are kept; those forgotten meanwhile are left out."""
        return {id for p in people if (id := self._people.seen_as(p)) is not None}


def hidden(image: Image, boxes: Collection[Box]) -> Image:
    """The picture with these parts as a few large squares, in which no face is recognised."""
    import PIL.Image

    pixels = image.pixels.copy()
    for x, y, width, height in boxes:
        left, top = max(0, int(x - 0.1 * width)), max(0, int(y - 0.2 * height))
        part = pixels[top : int(y + 1.1 * height) + 1, left : int(x + 1.1 * width) + 1]
        if part.size:
            few = PIL.Image.fromarray(part).resize((4, 4), resample=PIL.Image.Resampling.BOX)
            size = (part.shape[1], part.shape[0])
            part[:] = np.asarray(few.resize(size, resample=PIL.Image.Resampling.NEAREST))
    return Image(pixels)


def _plain(place: Located | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if place is None or isinstance(place, Mapping):
        return place
    if is_dataclass(place) and not isinstance(place, type):
        return asdict(place)
    return {"lat": place.lat, "lon": place.lon}


def _short(text: str) -> str:
    return clean(text).strip()[:_LONGEST]
