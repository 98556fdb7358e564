"""The faces of a call, followed from frame to frame: a track is one person's face in this call.

Where a face was tells who it is from one frame to the next. What it looks like tells after it was
hidden, and is looked at again every second, since people change seats; if it was another's after
all, what its mouth did since then moves along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from omni_agent.media import VideoFrame
from omni_agent.memory.embed.face import (
    Face,
    FaceFinder,
    FacePrinter,
    FaceQuality,
    quality,
    upright,
)
from omni_agent.memory.mouth import Mouth, MouthSample
from omni_agent.memory.portraits import BestShots, Shot, portrait
from omni_agent.memory.values import Vectors

LOOK_AGAIN = 1.0  # seconds between two prints of a face that sits still
_FIRST_LOOKS = 3  # prints in a row for a new face
_AT_ONCE = 3  # prints in one frame: a crowd takes its turns
_AT_MOST = 8  # once somebody is not who was thought
_GONE_AFTER = 0.5  # seconds without being found
_KEPT_GONE = 200  # tracks that may come back
_MOUTH_SECONDS = 60.0
_FAR_MORE = 0.15
_NEAR = 0.25  # the overlap from which a face is the one that was there


@dataclass(slots=True, eq=False)
class FaceTrack:
    """`box`: x, y, width, height in the last frame it was seen in; `face`, `quality`: how it was
    found there. `print`: None until a good view.

    `mouth`: the last minute, a sample a frame, for tying a voice to this face. `hidden`: not seen
    in the newest frame. `alone`: seconds in which no other face was in view.
    """

    id: str
    box: tuple[float, float, float, float]
    first_seen: float
    last_seen: float
    face: Face | None = None
    quality: FaceQuality | None = None
    hidden: bool = False
    seen: int = 0
    alone: float = 0.0
    shots: BestShots = field(default_factory=BestShots)
    mouth: deque[MouthSample] = field(default_factory=lambda: deque(maxlen=1800))
    _moving: Mouth = field(default_factory=Mouth)
    _looked: float = -1e9
    _looks: int = 0
    _speed: np.ndarray = field(default_factory=lambda: np.zeros(2))

    @property
    def print(self) -> Vectors | None:
        """float32 [dim], of the best shots."""
        return self.shots.mean


@dataclass(slots=True)
class _Seen:
    face: Face
    crop: np.ndarray
    quality: FaceQuality
    print: Vectors | None = None


class FaceTracker:
    """`see` the frames of one camera in their order; a frame older than the last is left out."""

    def __init__(self, finder: FaceFinder, printer: FacePrinter) -> None:
        self._finder, self._printer = finder, printer
        self._tracks: list[FaceTrack] = []
        self._gone: list[FaceTrack] = []
        self._joined: dict[str, str] = {}
        self._count = 0
        self._t = -1.0
        self._again: dict[str, float] = {}

    @property
    def tracks(self) -> tuple[FaceTrack, ...]:
        """In view now, or hidden for less than half a second."""
        return tuple(t for t in self._tracks if t.seen > 1 or len(self._tracks) == 1)

    @property
    def every(self) -> tuple[FaceTrack, ...]:
        """All of the call, those who left too."""
        return (*self._gone, *self._tracks)

    def resolve(self, track: str) -> str:
        """The id that a track goes by now: a face that came back may first have got a new one."""
        while track in self._joined:
            track = self._joined[track]
        return track

    def see(self, frame: VideoFrame) -> tuple[FaceTrack, ...]:
        """The tracks that are in view in this frame."""
        if frame.t <= self._t:
            return self.tracks
        passed, self._t = (frame.t - self._t if self._t >= 0 else 0.0), frame.t
        seen = []
        for face in self._finder.find(frame.image):
            crop = upright(frame.image, face)
            seen.append(_Seen(face, crop, quality(face, crop)))
        pairs = self._by_place(seen)
        self._look(seen, pairs)
        pairs = self._by_looks(seen, pairs)
        for i, track in pairs.items():
            self._update(track, seen[i], frame, passed, len(seen))
        for i, one in enumerate(seen):
            if i not in pairs:
                self._update(self._begin(one), one, frame, 0.0, len(seen))
        self._put_away()
        return tuple(t for t in self._tracks if not t.hidden)

    # --- who is who ----------------------------------------------------------------------------

    def _by_place(self, seen: Sequence[_Seen]) -> dict[int, FaceTrack]:
        """Faces that lie where a track is expected, the closest first."""
        options = []
        for i, one in enumerate(seen):
            for track in self._tracks:
                near = _overlap(one.face.box, self._expected(track))
                if near >= _NEAR:
                    options.append((near, i, track))
        pairs: dict[int, FaceTrack] = {}
        taken: set[str] = set()
        for _, i, track in sorted(options, key=lambda o: -o[0]):
            if i not in pairs and track.id not in taken:
                pairs[i] = track
                taken.add(track.id)
        return pairs

    def _expected(self, track: FaceTrack) -> tuple[float, float, float, float]:
        x, y, width, height = track.box
        ahead = min(self._t - track.last_seen, 0.4)
        return (x + track._speed[0] * ahead, y + track._speed[1] * ahead, width, height)

    def _look(self, seen: Sequence[_Seen], pairs: dict[int, FaceTrack]) -> None:
        """Make prints where they are needed most: new faces, crossing ones, long unseen ones."""
        wanted = []
        for i, one in enumerate(seen):
            track = pairs.get(i)
            if not one.quality.usable:
                continue
            if track is None:
                urgency = 100.0 + one.quality.overall
            else:
                waited = self._t - track._looked
                crossing = any(
                    _overlap(one.face.box, other.face.box) > 0.05
                    for other in seen
                    if other is not one
                )
                jumped = _overlap(one.face.box, track.box) < 0.5
                due = LOOK_AGAIN if track._looks >= _FIRST_LOOKS else 0.0
                if waited < due and not crossing and not jumped:
                    continue
                urgency = min(waited, 50.0) + 10.0 * (crossing + jumped)
            wanted.append((urgency, i))
        chosen = [i for _, i in sorted(wanted, key=lambda w: -w[0])[:_AT_ONCE]]
        self._print(seen, chosen)

    def _print(self, seen: Sequence[_Seen], chosen: Sequence[int]) -> None:
        vectors = self._printer.prints([seen[i].crop for i in chosen])
        for i, vector in zip(chosen, vectors, strict=True):
            seen[i].print = vector

    def _doubted(self, seen: Sequence[_Seen], pairs: dict[int, FaceTrack]) -> list[int]:
        """Faces that do not look like the track whose place they have, or far more like another."""
        bars = self._printer.thresholds
        found = []
        for i, track in pairs.items():
            vector, mine = seen[i].print, track.print
            if vector is None or mine is None:
                continue
            score = float(vector @ mine)
            others = (t for t in (*self._tracks, *self._gone) if t is not track)
            best = max((float(vector @ t.print) for t in others if t.print is not None), default=-1)
            unlike = score <= bars.different and track.shots.sure
            if unlike or best >= max(bars.same, score + _FAR_MORE):
                found.append(i)
        return found

    def _by_looks(self, seen: Sequence[_Seen], pairs: dict[int, FaceTrack]) -> dict[int, FaceTrack]:
        """Correct what place alone says by the prints there are."""
        kept = dict(pairs)
        doubted = self._doubted(seen, pairs)
        if doubted:  # seats may have been swapped: look at the others too, at once
            rest = [i for i in pairs if seen[i].print is None and seen[i].quality.usable]
            self._print(seen, rest[:_AT_MOST])
            doubted = self._doubted(seen, pairs)
        for i in doubted:
            del kept[i]
        for i in [*doubted, *(i for i in range(len(seen)) if i not in pairs)]:
            vector = seen[i].print
            found = self._recognised(vector, kept) if vector is not None else None
            if found is not None:
                self._return(found)
                kept[i] = found
                if i in pairs:
                    self._hand_over(pairs[i], found)
            elif i in doubted:
                # One bad view is no proof that the seat changed hands; two are.
                track = pairs[i]
                first = self._again.pop(track.id, None)
                if first is None or self._t - first > 2 * LOOK_AGAIN:
                    self._again[track.id] = self._t
                    track._looked, seen[i].print = -1e9, None
                    kept[i] = track
        return kept

    def _recognised(self, vector: Vectors, kept: dict[int, FaceTrack]) -> FaceTrack | None:
        """The one track, seen before and not in view elsewhere, that this print is of."""
        busy = {t.id for t in kept.values()}
        scores = sorted(
            (
                (float(vector @ t.print), t.last_seen, t)
                for t in (*self._tracks, *self._gone)
                if t.id not in busy and t.print is not None
            ),
            key=lambda s: (-s[0], -s[1]),
        )
        bars = self._printer.thresholds
        if not scores or scores[0][0] < bars.same:
            return None
        if len(scores) > 1 and scores[0][0] - scores[1][0] < bars.margin:
            return None
        return scores[0][2]

    def _return(self, track: FaceTrack) -> None:
        if track in self._gone:
            self._gone.remove(track)
            self._tracks.append(track)

    def _hand_over(self, wrong: FaceTrack, right: FaceTrack) -> None:
        """What was put down to `wrong` since its last print was `right`'s all along."""
        moved = [m for m in wrong.mouth if m.t > wrong._looked]
        for sample in moved:
            wrong.mouth.remove(sample)
        late = right.mouth[-1].t if right.mouth else -1.0
        right.mouth.extend(m for m in moved if m.t > late)
        wrong._moving.lost()
        right._moving.lost()

    # --- the tracks ----------------------------------------------------------------------------

    def _begin(self, one: _Seen) -> FaceTrack:
        self._count += 1
        track = FaceTrack(f"face{self._count}", one.face.box, self._t, self._t)
        self._tracks.append(track)
        return track

    def _update(
        self, track: FaceTrack, one: _Seen, frame: VideoFrame, passed: float, faces: int
    ) -> None:
        since = self._t - track.last_seen
        if 0 < since <= 1.0:
            moved = (np.array(one.face.box[:2]) - np.array(track.box[:2])) / since
            track._speed = 0.5 * track._speed + 0.5 * moved
        else:
            track._speed = np.zeros(2)
        track.face, track.quality, track.hidden = one.face, one.quality, False
        track.box = one.face.box
        track.last_seen = self._t
        track.seen += 1
        track.alone += passed if faces == 1 and passed <= 1.0 else 0.0
        sample = track._moving.see(one.crop, self._t)
        if one.quality.frontal > 0 and one.quality.uncovered > 0:
            track.mouth.append(sample)
        while track.mouth and track.mouth[0].t < self._t - _MOUTH_SECONDS:
            track.mouth.popleft()
        if one.print is not None:
            track._looked = self._t
            track._looks += 1
            self._again.pop(track.id, None)
            self._keep(track, one, one.print, frame)
            self._rejoin(track)

    def _keep(self, track: FaceTrack, one: _Seen, vector: Vectors, frame: VideoFrame) -> None:
        """Among the best shots, unless it may be of someone else."""
        mine, good = track.print, one.quality.overall
        if mine is not None and float(vector @ mine) <= self._printer.thresholds.different:
            if track.shots.sure or good <= track.shots.all[0].quality:
                return
            track.shots = BestShots()  # the views so far were too bad to tell
        track.shots.add(Shot(self._t, good, vector, lambda: portrait(frame.image, one.face)))

    def _rejoin(self, track: FaceTrack) -> None:
        """A new track that turns out to be someone who left goes on as the old one."""
        if track._looks > _FIRST_LOOKS or track.print is None:
            return
        others = dict(enumerate(self._tracks))
        found = self._recognised(track.print, others)
        if found is None or found not in self._gone:
            return
        self._gone.remove(found)
        self._joined[track.id] = found.id
        track.id, track.first_seen = found.id, found.first_seen
        track.seen += found.seen
        track.alone += found.alone
        track.mouth = deque([*found.mouth, *track.mouth], maxlen=track.mouth.maxlen)
        track.shots.join(found.shots)

    def _put_away(self) -> None:
        staying = []
        for track in self._tracks:
            track.hidden = track.last_seen < self._t
            if self._t - track.last_seen <= _GONE_AFTER:
                staying.append(track)
            elif track.seen > 1:  # found once is a curtain, a lamp, a picture of a picture
                track._moving.lost()
                self._gone.append(track)
        self._tracks = staying
        del self._gone[:-_KEPT_GONE]


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a[2] * a[3] + b[2] * b[3] - both)
