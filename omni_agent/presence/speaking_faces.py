"""Which face speaks with which voice: mouths that move while a voice sounds, and rest when not.

Time is cut into slots of a second. How much a mouth moves in the slots of one voice is compared
with what it does in all others, at each of some lags, since camera and microphone need not agree on
the time. Whose voice a slot was is asked anew each time: what the diarizer learns later counts for
what was seen before. A mouth that always moves, or never (a photograph), is nobody's who speaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from omni_agent.memory.face_tracks import FaceTrack

SLOT = 1.0  # seconds
LAGS = tuple(k / 10 for k in range(-4, 5))
_AGAINST, _FOR = -1.0, 1.5
"""The most that one slot may say, in log-odds."""
_STEEP, _EVEN = 1.2, 1.0  # how log-odds grow with the deviations from rest, and where they begin
_LEAST_DEVIATION = 0.2
_REST = 0.006  # motion, in shares of the face's contrast, below which all is stillness
_UNKNOWN_REST, _UNKNOWN_SPREAD = 0.01, 0.5
_FEW = 3  # slots of others from which on a mouth's habits are known
_OFF = 2.0  # by so much must another lag explain more
_SPOKEN = 0.3  # the share of speech from which a slot is spoken
_LATEST = 0.6  # seconds after a slot until its pictures are all there
_MOVABLE = 80.0  # seconds after which a slot is put down to a voice for good

Label = Callable[[float, float], str | None]
"""Whose voice sounded most from one time to another, in seconds; None for nobody's."""
Speech = Callable[[float, float], float]
"""How much of the time from one moment to another somebody spoke, 0 … 1."""
Resolve = Callable[[str], str]
"""The id that a voice or face goes by now."""
Pair = tuple[str, str]
"""A voice and a face."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """`moved`: for each face in view float [lags], the mean logarithm of its motion."""

    start: float
    spoken: bool
    moved: Mapping[str, np.ndarray]


class SpeakingFaces:
    """One call and one camera. All times are seconds of the call."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._next = 0.0
        self._settled: dict[Pair, float] = {}
        self._lag_scores = np.zeros(len(LAGS))

    @property
    def lag(self) -> float:
        """Seconds by which the pictures seem to come too late."""
        return LAGS[self._lag]

    def see(self, now: float, tracks: Sequence[FaceTrack], speech: Speech) -> None:
        """Take in the slots that are over; `tracks` are all that were in view lately."""
        while self._next + SLOT + _LATEST <= now:
            start, self._next = self._next, self._next + SLOT
            here = [t for t in tracks if t.first_seen <= start + SLOT and t.last_seen >= start]
            share = speech(start, start + SLOT)
            moved = {t.id: m for t in here if (m := _moved(t, start, start + SLOT)) is not None}
            if moved and (share == 0.0 or share >= _SPOKEN):
                self._slots.append(_Slot(start, share > 0.0, moved))

    def evidence(self, now: float, label: Label, resolve: Resolve) -> Mapping[Pair, float]:
        """The log-odds that a voice belongs to a face, for each pair that was there together."""
        voices = [label(s.start, s.start + SLOT) if s.spoken else None for s in self._slots]
        habits = self._habits(voices, resolve)
        settled: dict[Pair, float] = {}
        for (one, other), value in self._settled.items():
            pair = resolve(one), resolve(other)
            settled[pair] = settled.get(pair, 0.0) + value
        totals, kept, best = dict(settled), [], np.zeros(len(LAGS))
        for slot, voice in zip(self._slots, voices, strict=True):
            old = slot.start < now - _MOVABLE
            if not old:
                kept.append(slot)
            if voice is None:
                continue
            highest = np.zeros(len(LAGS))
            for id, moved in slot.moved.items():
                pair = voice, resolve(id)
                odds = _STEEP * (habits[pair].deviation(moved) - _EVEN)
                highest = np.maximum(highest, odds)
                value = float(np.clip(odds[self._lag], _AGAINST, _FOR))
                for sums in (totals, settled) if old else (totals,):
                    sums[pair] = sums.get(pair, 0.0) + value
            best += np.minimum(highest, 2 * _FOR)
        self._slots, self._settled, self._lag_scores = kept, settled, best
        return totals

    def speaker(self, start: float, end: float, tracks: Sequence[FaceTrack]) -> str | None:
        """The one face whose mouth moved from `start` to `end`, while all others rested."""
        moving = []
        for track in tracks:
            moved = _moved(track, start, end)
            if moved is None:
                return None  # it may be the one
            rest = [s.moved[track.id] for s in self._slots if not s.spoken and track.id in s.moved]
            if _Habit.of(rest).deviation(moved)[self._lag] >= 2 * _EVEN:
                moving.append(track.id)
        return moving[0] if len(moving) == 1 else None

    # --- inside ------------------------------------------------------------------------------

    @property
    def _lag(self) -> int:
        middle, best = len(LAGS) // 2, int(self._lag_scores.argmax())
        return best if self._lag_scores[best] > self._lag_scores[middle] + _OFF else middle

    def _habits(self, voices: Sequence[str | None], resolve: Resolve) -> dict[Pair, _Habit]:
        """For each voice and face what the mouth does while that voice is silent."""
        found: dict[Pair, list[np.ndarray]] = {}
        every = {voice for voice in voices if voice is not None}
        for slot, speaking in zip(self._slots, voices, strict=True):
            for id, moved in slot.moved.items():
                for voice in every:
                    rests = found.setdefault((voice, resolve(id)), [])
                    if speaking != voice and (speaking is not None or not slot.spoken):
                        rests.append(moved)
        return {pair: _Habit.of(rests) for pair, rests in found.items()}


@dataclass(frozen=True, slots=True)
class _Habit:
    """How much a mouth moves while somebody else speaks, or nobody. Float [lags] each."""

    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, rests: Sequence[np.ndarray]) -> _Habit:
        if len(rests) < _FEW:  # nothing is known of this mouth yet: only clear motion counts
            middle = np.full(len(LAGS), math.log(_REST + _UNKNOWN_REST))
            return cls(np.max([*rests, middle], axis=0), np.full(len(LAGS), _UNKNOWN_SPREAD))
        values = np.stack(rests)
        middle = np.median(values, axis=0)
        spread = 1.48 * np.median(np.abs(values - middle), axis=0)
        return cls(middle, np.maximum(spread, _LEAST_DEVIATION))

    def deviation(self, moved: np.ndarray) -> np.ndarray:
        return np.asarray((moved - self.middle) / self.spread)


def _moved(track: FaceTrack, start: float, end: float) -> np.ndarray | None:
    """Float [lags]: the mean logarithm of the motion; None where too little was seen."""
    samples = [m for m in track.mouth if start + LAGS[0] <= m.t < end + LAGS[-1]]
    samples = [m for m in samples if not math.isnan(m.motion)]
    found = np.zeros(len(LAGS))
    for k, lag in enumerate(LAGS):
        motion = [m.motion for m in samples if start + lag <= m.t < end + lag]
        if len(motion) < 2:
            return None
        found[k] = np.mean(np.log(_REST + np.array(motion)))
    return found
