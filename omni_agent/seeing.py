"""Which pictures of a live source the model is shown: those that show something new.

sampler = FrameSampler(model.profile.sight)
...
if (shown := sampler.take(frame, "camera", speaking=True)) is not None:
    await session.feed(shown)
...
for seen in sampler.for_turn():  # the user's turn is over
    await session.feed(seen.frame)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from omni_agent.errors import SettingsError
from omni_agent.likeness import Glance, Kind
from omni_agent.media import Image, VideoFrame

Sight = Literal["none", "text", "full"]
"""As in `ModelProfile`: how much of a picture the model understands."""

_CUT = 0.4  # of the picture
_CUT_GAP = 0.25  # seconds; a camera that is swung round is not shown at every angle
_CHANGE: dict[Kind, float] = {"view": 0.03, "page": 0.001}
_OLD = 10.0  # seconds after which a turn wants a new picture even of what has not changed
_DARK_FOR = 1.0  # seconds; shorter darkness is a camera that starts or a hand that passes
_SMALLEST = 16  # pixels; nothing can be told from less
_UNKNOWN_STEP = 0.25  # seconds between frames whose times tell nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeing:
    """How much is shown. Rates are the most: what shows nothing new is not shown at all.

    `speaking_fps` holds while the user speaks, `idle_fps` else. `heartbeat`: after so many seconds
    a frame is shown though nothing changed. `longest_side`: pixels, for eyes that see all;
    `reading_side`: for those that read. `per_turn`: frames for one turn, of which `idle_per_turn`
    may go before the user speaks. `per_minute`: frames in any minute. `pages`: the sources without
    tremble and noise, in which small changes count.

    Raises SettingsError for a number that makes no sense.
    """

    speaking_fps: float = 2.0
    idle_fps: float = 0.5
    heartbeat: float = 30.0
    longest_side: int = 640
    reading_side: int = 1600
    per_turn: int = 16
    idle_per_turn: int = 4
    per_minute: int = 60
    pages: frozenset[str] = frozenset({"screen"})

    def __post_init__(self) -> None:
        for name in ("speaking_fps", "idle_fps", "heartbeat", "longest_side", "reading_side"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name}={getattr(self, name)!r}: give a number above 0")
        for name in ("per_turn", "idle_per_turn", "per_minute"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name}={getattr(self, name)!r}: give 0 or more")


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A frame, sized for the model, and the source that it is of."""

    source: str
    frame: VideoFrame


class FrameSampler:
    """Takes every frame of every source, gives back the few that the model is to be shown.

    Goes by the frames' own times; where they stand still or jump back, frames count as coming as
    they did before. What it gives has times that only rise, over all sources. The same frames give
    the same pictures. Not for several threads.

    - sight "full": `take` gives frames as they come, and `for_turn` the newest of each source of
      which nothing was shown in the turn, unless the model has just seen the same.
    - sight "text": `take` gives nothing, `for_turn` the newest frame of each source that looks
      other than the one it gave before.
    - sight "none": nothing at all.
    """

    def __init__(self, sight: Sight, settings: Seeing = Seeing()) -> None:
        self.sight = sight
        self.settings = settings
        self._sources: dict[str, _Source] = {}
        self._now = 0.0  # seconds on the timeline that all sources share
        self._given_t = -1.0
        self._shown_at: deque[float] = deque()  # in the last minute
        self._in_turn = 0
        self._idle_in_turn = 0

    def take(
        self, frame: VideoFrame, source: str = "camera", *, speaking: bool
    ) -> VideoFrame | None:
        """The frame as the model is to see it now, or None. `speaking`: the user speaks."""
        if self.sight == "none" or min(frame.image.size) < _SMALLEST:
            return None
        state = self._sources.get(source)
        if state is None:
            # A letter changes little of a picture: who only reads rather looks once too often.
            reads = self.sight == "text" or source in self.settings.pages
            kind: Kind = "page" if reads else "view"
            state = self._sources[source] = _Source(kind, position=self._now)
        state.receive(frame)
        self._now = max(self._now, state.position)
        match self.sight:
            case "text":
                return None
            case "full":
                if not self._is_wanted(state, speaking) or not self._is_affordable(speaking):
                    return None
                self._idle_in_turn += not speaking
                return self._show(state, self.settings.longest_side)
            case _:
                assert_never(self.sight)

    def for_turn(self) -> list[Seen]:
        """What is still to be shown now that the user's turn is over; the next turn begins."""
        side = self.settings.longest_side if self.sight == "full" else self.settings.reading_side
        seen = [
            Seen(name, self._show(state, side))
            for name, state in self._sources.items()
            if state.newest is not None and self._is_due(state)
        ]
        self._in_turn = self._idle_in_turn = 0
        for state in self._sources.values():
            state.shown_in_turn = False
        return seen

    def forget(self, source: str) -> None:
        """The source was switched off: `for_turn` gives nothing of it any more."""
        self._sources.pop(source, None)

    # --- inside ------------------------------------------------------------------------------

    def _is_wanted(self, state: _Source, speaking: bool) -> bool:
        shown, since = state.shown, state.position - state.shown_at
        if state.dark_for is not None and state.dark_for < _DARK_FOR:
            return False
        if shown is None:
            return True
        difference = state.glance.difference(shown)
        if difference >= _CUT and since >= _CUT_GAP:
            return True
        fps = self.settings.speaking_fps if speaking else self.settings.idle_fps
        if since < 1 / fps - 0.5 * state.step:  # the frame that lies nearest to the due time
            return False
        new = difference >= _CHANGE[state.kind] or (speaking and not state.shown_in_turn)
        return new or since >= self.settings.heartbeat

    def _is_affordable(self, speaking: bool) -> bool:
        while self._shown_at and self._shown_at[0] <= self._now - 60:
            self._shown_at.popleft()
        settings = self.settings
        return (
            self._in_turn < settings.per_turn
            and len(self._shown_at) < settings.per_minute
            and (speaking or self._idle_in_turn < settings.idle_per_turn)
        )

    def _is_due(self, state: _Source) -> bool:
        if state.dark_for is not None and state.dark_for < _DARK_FOR:
            return False
        if state.shown is None:
            return True
        new = state.glance.difference(state.shown) >= _CHANGE[state.kind]
        if self.sight == "text":
            return new
        is_old = state.position - state.shown_at >= _OLD
        return not state.shown_in_turn and (new or is_old)

    def _show(self, state: _Source, side: int) -> VideoFrame:
        assert state.newest is not None
        state.shown, state.shown_at, state.shown_in_turn = state.glance, state.position, True
        self._shown_at.append(self._now)
        self._in_turn += 1
        self._given_t = max(self._now, self._given_t + 0.001)
        return VideoFrame(_sized(state.newest, side), self._given_t)


class _Source:
    """One camera or screen. `position`: of its newest frame, seconds on the common timeline."""

    def __init__(self, kind: Kind, position: float) -> None:
        self.kind = kind
        self.position = position
        self.step = 0.0  # seconds between its frames, lately
        self.newest: Image | None = None
        self.dark_for: float | None = None
        self.shown: Glance | None = None
        self.shown_at = 0.0
        self.shown_in_turn = False
        self._t: float | None = None

    def receive(self, frame: VideoFrame) -> None:
        if self._t is not None:
            passed = frame.t - self._t
            if passed > 0:
                self.step = passed if passed < 2 else self.step
            else:
                passed = self.step or _UNKNOWN_STEP
            self.position += passed
        else:
            passed = 0.0
        self._t = frame.t
        self.newest = frame.image
        self.glance = Glance.at(frame.image, self.kind)
        if self.glance.is_dark:
            self.dark_for = 0.0 if self.dark_for is None else self.dark_for + passed
        else:
            self.dark_for = None


def _sized(image: Image, side: int) -> Image:
    """No side longer than `side` pixels. By whole numbers first: that is quick."""
    import PIL.Image

    if (factor := max(image.size) // side) > 1:
        image = Image(np.array(PIL.Image.fromarray(image.pixels).reduce(factor)))
    return image.thumbnail(side)
