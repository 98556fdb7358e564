"""How a mouth moves: what shows who is speaking, once it is laid beside the sound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from omni_agent.errors import MediaError
from omni_agent.memory.embed.face import SIDE

_MOUTH = np.s_[76:108, 34:78]  # of the upright crop: lips, teeth and some chin
_EYES = np.s_[40:72, 34:78]  # moves with the head alone
_WANDER = 3  # pixels
_CHEEKS = (np.s_[60:74, 26:38], np.s_[60:74, 74:86])


@dataclass(frozen=True, slots=True)
class MouthSample:
    """One frame. `openness`: 0 … 1, the share of the mouth's region that is darker than lips are.

    `motion`: how much the mouth changed since the frame before beyond what the whole face did, in
    shares of the face's own contrast; NaN in the first frame and after a gap.
    """

    t: float
    openness: float
    motion: float


class Mouth:
    """The mouth of one face, frame by frame, from upright crops (uint8 [112, 112, 3])."""

    def __init__(self, *, longest_gap: float = 0.6) -> None:
        self._gap = longest_gap
        self._before: np.ndarray | None = None
        self._at = -math.inf

    def see(self, crop: np.ndarray, t: float) -> MouthSample:
        if crop.shape != (SIDE, SIDE, 3):
            raise MediaError(f"an upright crop is [{SIDE}, {SIDE}, 3]; this is {crop.shape}")
        grey = _smoothed(crop.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))
        skin = float(np.median(np.concatenate([grey[c].ravel() for c in _CHEEKS])))
        openness = float((grey[_MOUTH][4:26, 8:36] < 0.5 * skin).mean())
        grey = (grey - grey.mean()) / max(float(grey.std()), 4.0)
        motion = math.nan
        if self._before is not None and 0 < t - self._at <= self._gap:
            mouth, eyes = (_change(grey, self._before, where) for where in (_MOUTH, _EYES))
            motion = max(0.0, mouth - 0.8 * eyes)
        self._before, self._at = grey, t
        return MouthSample(t, openness, motion)

    def lost(self) -> None:
        """The face was out of sight, or may have been someone else's."""
        self._before = None


def _change(now: np.ndarray, before: np.ndarray, where: tuple[slice, slice]) -> float:
    """Mean difference of a region to where it fits best nearby: landmarks wander as mouths open."""
    rows, columns = where
    near = before[
        rows.start - _WANDER : rows.stop + _WANDER, columns.start - _WANDER : columns.stop + _WANDER
    ]
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    moved = np.lib.stride_tricks.sliding_window_view(near, shape)
    return float(np.abs(moved - now[where]).mean(axis=(2, 3)).min())


def _smoothed(grey: np.ndarray) -> np.ndarray:
    """A 3 × 3 mean: landmarks jitter by a pixel, and that is no motion."""
    padded = np.pad(grey, 1, mode="edge")
    return np.asarray(
        sum(padded[i : i + SIDE, j : j + SIDE] for i in range(3) for j in range(3)) / 9.0,
        np.float32,
    )
