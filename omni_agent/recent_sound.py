"""The last seconds of a microphone, so that a word is not cut where it was first noticed."""

from __future__ import annotations

from collections import deque

import numpy as np

from omni_agent.media import Audio, Resampler


class RecentSound:
    """Sound by its place in the whole, in ms. Takes any rate, keeps `rate` Hz; memory stays flat.

    It takes the rate of the first chunk; when a device is changed in the middle, the new rate
    goes on seamlessly.
    """

    def __init__(self, rate: int, *, seconds: float) -> None:
        self.rate = rate
        self._most = round(seconds * rate)
        self._chunks: deque[np.ndarray] = deque()
        self._kept = 0  # samples
        self._end = 0  # samples since the beginning
        self._resampler: Resampler | None = None

    def add(self, audio: Audio) -> Audio:
        """Keep it; gives it back at `rate` Hz."""
        if self._resampler is None or self._resampler.from_rate != audio.rate:
            self._resampler = Resampler(audio.rate, self.rate)
        return self._keep(self._resampler.push(audio))

    def rest(self) -> Audio:
        """What the change of rate still held back, now that a pause follows."""
        if self._resampler is None:
            return Audio(np.zeros(0, np.float32), self.rate)
        return self._keep(self._resampler.flush())

    def _keep(self, sound: Audio) -> Audio:
        self._chunks.append(sound.samples)
        self._kept += len(sound.samples)
        self._end += len(sound.samples)
        while self._kept - len(self._chunks[0]) >= self._most:
            self._kept -= len(self._chunks.popleft())
        return sound

    @property
    def ms(self) -> int:
        """How much has been added in all."""
        return self._end * 1000 // self.rate

    def since(self, ms: int) -> Audio:
        """From `ms` on, as far back as is kept."""
        wanted = self._end - max(0, ms) * self.rate // 1000
        whole = np.concatenate([np.zeros(0, np.float32), *self._chunks])
        return Audio(whole[max(0, len(whole) - max(0, wanted)) :], self.rate)
