"""When a picture was taken, by the clock of the call's microphone."""

from __future__ import annotations

_APART = 1.0  # seconds by which a camera's clock may wander before it is set anew
_SMOOTHING = 0.02


class FrameTimes:
    """Of one camera. Its clock may begin anywhere, stand still, or be set back."""

    def __init__(self) -> None:
        self._offset: float | None = None
        self._before: float | None = None
        self._placed = -1.0

    def place(self, t: float, arrived: float) -> float | None:
        """`t`: the picture's own time, `arrived`: the microphone's, both in seconds.

        None for a picture that is older than the one before it.
        """
        before, self._before = self._before, t
        if before is not None and before - _APART < t < before:
            self._before = before
            return None
        stands_still = before is not None and t == before
        if self._offset is None or abs(arrived - t - self._offset) > _APART:
            self._offset = arrived - t
        else:
            self._offset += _SMOOTHING * (arrived - t - self._offset)
        at = arrived if stands_still else t + self._offset
        if at <= self._placed:
            return None
        self._placed = at
        return at
