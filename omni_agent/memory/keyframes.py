"""Which frames of a live source begin a scene: those after which the picture is really another.

A scene ends where most of the picture is another and has come to rest, or has been in motion for
`RESTLESS` seconds. Where only a little is another – keys put on a table – it ends once that has
lasted for `LASTING` seconds, `CALM` after it began at the earliest, so that somebody who sits and
talks is not kept at every nod. No source begins more than `BURST` scenes at once and, after that,
one every `PACE` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from omni_agent.likeness import Glance, Kind
from omni_agent.media import Image

ALIKE: dict[Kind, float] = {"view": 0.004, "page": 0.002}
"""Less of a picture than this is no difference: a view and its noise."""
OTHER: dict[Kind, float] = {"view": 0.25, "page": 0.05}
"""From so much on it is another picture."""
_STILL: dict[Kind, float] = {"view": 0.02, "page": 0.002}
SETTLE = 3.0  # seconds in which a source that has just been switched on may find its exposure
RESTLESS = 8.0
LASTING = 6.0
CALM = 20.0
BURST = 20
PACE = 9.0
_SMALLEST = 16  # pixels; nothing can be told from less


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A frame that begins a scene. `t`: when it was, in the seconds that `Keyframes` was given."""

    image: Image
    glance: Glance
    t: float


def is_seen(image: Image, glance: Glance) -> bool:
    """Whether there is anything to see: no black frame, no scrap of a few pixels."""
    return min(image.size) >= _SMALLEST and not glance.is_dark


class Keyframes:
    """One source; its frames in their order. A frame older than the last is left out.

    `until`: when the present scene was last seen.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.scene: Keyframe | None = None
        self.until = 0.0
        self._last: Keyframe | None = None
        self._restless_since: float | None = None
        self._other_since: float | None = None
        self._allowance = float(BURST)
        self._allowed_at: float | None = None

    def take(self, image: Image, t: float, *, newcomer: bool = False) -> Keyframe | None:
        """The frame that begins the next scene, if one does. `newcomer`: somebody has come in."""
        if self._last is not None and t <= self._last.t:
            return None
        if min(image.size) < _SMALLEST:
            return None
        frame = Keyframe(image, Glance.at(image, self.kind), t)
        if frame.glance.is_dark:
            return None
        last, self._last = self._last, frame
        still = last is not None and frame.glance.difference(last.glance) < _STILL[self.kind]
        if not self._is_next(frame, still) and not newcomer:
            return None
        return self.begin(frame) if self._is_affordable(t) else None

    def rest(self) -> Keyframe | None:
        """What was seen too briefly to begin a scene, where nothing else was; the source ends."""
        return self.begin(self._last) if self.scene is None and self._last else None

    def begin(self, frame: Keyframe) -> Keyframe:
        """From now on this is the scene; it may be one that was seen before."""
        self.scene, self.until = frame, max(frame.t, self.until)
        self._restless_since = self._other_since = None
        return frame

    def _is_next(self, frame: Keyframe, still: bool) -> bool:
        if self._restless_since is None:
            self._restless_since = frame.t
        restless = frame.t - self._restless_since
        if self.scene is None:
            return still or restless >= SETTLE
        difference = frame.glance.difference(self.scene.glance)
        if difference >= OTHER[self.kind]:
            self._other_since = None
            return still or restless >= RESTLESS
        self._restless_since, self.until = None, frame.t
        if difference < ALIKE[self.kind]:
            self._other_since = None
            return False
        if self._other_since is None:
            self._other_since = frame.t
        lasting = frame.t - self._other_since >= LASTING
        return still and lasting and frame.t - self.scene.t >= CALM

    def _is_affordable(self, t: float) -> bool:
        if self._allowed_at is not None:
            self._allowance = min(float(BURST), self._allowance + (t - self._allowed_at) / PACE)
        self._allowed_at = t
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True
