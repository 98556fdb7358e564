"""A call's camera and screen, kept as scenes: on a thread of its own, and never in the call's way.

Two frames a second of each source are compared, and few begin a scene. What is read in those and
told of them comes later, while nobody speaks. See memory/scenes.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from omni_agent.clock import Clock
from omni_agent.errors import OmniAgentError
from omni_agent.events import PersonHere
from omni_agent.media import Image, VideoFrame
from omni_agent.scene_eyes import SceneEyes, scene_eyes
from omni_agent.tools.base import Position

if TYPE_CHECKING:
    from omni_agent.conversation import Conversation
    from omni_agent.live import LiveCall
    from omni_agent.memory.embed.face import FaceFinder
    from omni_agent.memory.scenes import Scenes

logger = logging.getLogger("omni_agent.scenes")

FPS = 2.0
READS_AT_MOST = 1600
"""Pixels of a picture's longer side that is read."""
_WAITING = 12  # frames; of more, the oldest are not looked at
_UNTOLD = 8  # pictures that wait for eyes; of more, the oldest stay untold
_AT_CLOSE = 3.0  # seconds in which those that still wait may be told
_LOOKS_AGAIN = 0.2  # seconds after which it is looked whether anybody still speaks
_NEAR = 0.12  # of the picture's width, by which a face may be beside where it was seen
_NICE = 10


class PeopleSeen(Protocol):
    def __call__(self) -> Sequence[PersonHere]:
        """Who is there now."""
        ...


@dataclass(frozen=True, slots=True)
class _Frame:
    image: Image
    source: str
    at: datetime
    people: tuple[PersonHere, ...]
    place: Position | None


class SceneWatch:
    """One call's. `see` is of the call's loop; the rest happens on the thread.

    `quiet`: whether nobody speaks and nothing is being answered. `finder`: faces of who is not in
    `people` are made unrecognisable in what is kept; without it they are kept as they are.
    """

    def __init__(
        self,
        scenes: Scenes,
        *,
        call: str,
        clock: Clock,
        people: PeopleSeen = tuple,
        place: Callable[[], Position | None] = lambda: None,
        quiet: Callable[[], bool] = lambda: True,
        eyes: SceneEyes | None = None,
        finder: FaceFinder | None = None,
    ) -> None:
        self._scenes, self._call, self._clock = scenes, call, clock
        self._people, self._place, self._quiet = people, place, quiet
        self._eyes, self._finder = eyes, finder
        self._news = threading.Condition()
        self._frames: deque[_Frame] = deque(maxlen=_WAITING)
        self._taken: dict[str, datetime] = {}
        self._untold: deque[tuple[str, Image]] = deque(maxlen=_UNTOLD)
        self._busy = self._ended = False
        self._failed: set[type[OmniAgentError]] = set()
        self._thread = threading.Thread(target=self._work, name="scenes", daemon=True)
        self._thread.start()

    @classmethod
    async def of(cls, call: LiveCall, conversation: Conversation) -> SceneWatch | None:
        """None without a memory, and where nobody is to be kept and no face can be hidden."""
        from omni_agent.memory.memory import Memory

        memory = call.agent.memory
        if not isinstance(memory, Memory):
            return None
        finder = await asyncio.to_thread(_face_finder)
        if finder is None and await asyncio.to_thread(lambda: memory.people.keeping) == "off":
            logger.warning(
                "no scenes are kept of this call: nobody is to be kept, and faces cannot be found "
                "to be hidden; `omni-agent models pull people` fetches what finds them"
            )
            return None

        def people() -> Sequence[PersonHere]:
            return conversation.attendance.present if conversation.attendance else ()

        return cls(
            await asyncio.to_thread(lambda: memory.scenes),
            call=call.id,
            clock=call.agent.clock,
            people=people,
            place=lambda: conversation.place,
            quiet=lambda: call.state == "idle",
            eyes=scene_eyes(await call.agent.open_model(), asyncio.get_running_loop()),
            finder=finder,
        )

    def see(self, frame: VideoFrame, source: str = "camera") -> None:
        """A picture; returns at once. What comes faster than twice a second is left out."""
        now = self._clock.now()
        before = self._taken.get(source)
        if before is not None and 0 <= (now - before).total_seconds() < 0.9 / FPS:
            return
        self._taken[source] = now
        people = tuple(p for p in self._people() if p.x is not None)
        with self._news:
            if not self._ended:
                self._frames.append(_Frame(frame.image, source, now, people, self._place()))
                self._news.notify()

    def wait_idle(self, timeout: float = 60.0) -> bool:
        """Until everything that was given is taken in and told. Blocks."""
        with self._news:
            return self._news.wait_for(
                lambda: self._ended or not (self._busy or self._frames or self._untold), timeout
            )

    async def close(self) -> None:
        """The call is over: what was last seen is written. May be called twice."""
        with self._news:
            self._ended = True
            self._news.notify()
        await asyncio.to_thread(self._thread.join)

    # --- on the thread -----------------------------------------------------------------------

    def _work(self) -> None:
        _be_nice()
        while (step := self._next()) is not None:
            self._safely(step)
            with self._news:
                self._busy = False
                self._news.notify_all()
        until = time.monotonic() + _AT_CLOSE
        while self._untold and time.monotonic() < until:
            self._safely(partial(self._tell, *self._untold.popleft()))
        self._safely(partial(self._scenes.end, self._call))

    def _next(self) -> Callable[[], None] | None:
        with self._news:
            while True:
                if self._frames:
                    self._busy = True
                    return partial(self._take, self._frames.popleft())
                if self._ended:
                    return None
                if self._untold and self._quiet():
                    self._busy = True
                    return partial(self._tell, *self._untold.popleft())
                self._news.wait(_LOOKS_AGAIN if self._untold else None)

    def _take(self, frame: _Frame) -> None:
        scene = self._scenes.see(
            frame.image,
            at=frame.at,
            source=frame.source,
            conversation=self._call,
            place=frame.place,
            people=[p.id for p in frame.people if p.sure] if frame.source == "camera" else (),
            hide=partial(self._strangers, frame.people) if self._finder is not None else (),
        )
        if scene is not None and self._eyes is not None:
            self._untold.append((scene, frame.image.thumbnail(READS_AT_MOST)))

    def _strangers(
        self, people: Sequence[PersonHere], image: Image
    ) -> Collection[tuple[float, float, float, float]]:
        """The boxes of faces of whom nobody knows yet that they are there."""
        assert self._finder is not None
        known = [p.x for p in people if p.x is not None]
        middles = [
            (face.box, (face.box[0] + face.box[2] / 2) / image.size[0])
            for face in self._finder.find(image)
        ]
        return [box for box, middle in middles if all(abs(middle - x) > _NEAR for x in known)]

    def _tell(self, scene: str, image: Image) -> None:
        assert self._eyes is not None
        told = self._eyes.tell(image)
        if told.text or told.description:
            self._scenes.describe(scene, text=told.text, description=told.description)

    def _safely(self, step: Callable[[], object]) -> None:
        """A full disk or a model that fails must not end the watching. Each is told once."""
        try:
            step()
        except OmniAgentError as error:
            if type(error) not in self._failed:
                logger.warning("a scene of this call is not kept whole: %s", error)
            self._failed.add(type(error))
        except Exception:
            logger.exception("the call goes on; a scene of it is not kept whole")


def _face_finder() -> FaceFinder | None:
    """None where it is not on this machine; nothing is fetched."""
    from omni_agent.memory.embed.face import YuNet
    from omni_agent.model.catalog import catalog

    try:
        (artifact,) = (a for a in catalog().select("people") if a.name == "face-finder")
        return YuNet(catalog().path("face-finder")) if catalog().installed(artifact) else None
    except OmniAgentError as error:
        logger.warning("faces cannot be found: %s", error)
        return None


def _be_nice() -> None:
    """On Linux a thread can be made to wait for all others."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError:
            logger.debug("this system cannot make one thread nice", exc_info=True)
