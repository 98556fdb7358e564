"""What has been heard so far, to the millisecond.

A model makes speech faster than it sounds, so what was made says nothing about what was heard. A
`PlaybackBuffer` lies between the two: sound is put in as it comes, the loudspeaker takes it out.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import MediaError
from omni_agent.media import Audio
from omni_agent.messages import Heard


@dataclass(frozen=True, slots=True)
class Played:
    """How much of a reply has sounded. `chars`: so many characters of its text."""

    ms: int
    chars: int

    def of(self, text: str) -> Heard:
        """What was heard of the reply `text`; a word that was begun counts as not heard."""
        heard = text[: self.chars]
        if _inside_word(text, self.chars):
            heard = _LAST_WORD.sub("", heard)
        return Heard(heard.rstrip(), self.ms)


class PlaybackBuffer:
    """One reply at a time on its way to the loudspeaker.

    `add` is called where the sound is made, `fill` by the sound card's thread. `interrupt` drops
    what has not sounded and begins a new reply. Fillers, and silence where the buffer ran dry, are
    played and not counted.
    """

    def __init__(self, rate: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._waiting: deque[_Stretch] = deque()
        self._sounding: deque[_Block] = deque()
        self._added = 0  # characters that the added sound covers
        self._samples = 0  # counted samples that have sounded for sure
        self._chars = 0
        self._sounds_until = -math.inf

    def add(self, audio: Audio, text_upto: int | None) -> None:
        """More sound, with which `text_upto` characters of the reply are covered; None: a filler.

        Raises MediaError for sound at another rate.
        """
        if audio.rate != self.rate:
            raise MediaError(
                f"this buffer plays {self.rate} Hz and got {audio.rate} Hz; use resampled()"
            )
        with self._lock:
            covered = self._added if text_upto is None else max(self._added, text_upto)
            if len(audio.samples):
                filler = text_upto is None
                self._waiting.append(_Stretch(audio.samples, self._added, covered, filler))
                self._added = covered

    def fill(self, n: int, *, ahead: float = 0.0) -> np.ndarray:
        """The next `n` samples, float32 [n]; silence where there are none.

        `ahead`: seconds until the first of them leaves the loudspeaker.
        """
        out = np.zeros(n, np.float32)
        at = 0
        with self._lock:
            begins = self._clock.monotonic() + ahead
            while at < n and self._waiting:
                stretch = self._waiting[0]
                count = min(n - at, len(stretch.samples) - stretch.taken)
                out[at : at + count] = stretch.samples[stretch.taken : stretch.taken + count]
                block = _Block(stretch, stretch.taken, count, begins + at / self.rate)
                self._sounding.append(block)
                stretch.taken += count
                at += count
                if stretch.taken == len(stretch.samples):
                    self._waiting.popleft()
            if at:
                self._sounds_until = begins + at / self.rate
            self._settle()
        return out

    @property
    def played(self) -> Played:
        """What has sounded of the reply up to now."""
        with self._lock:
            return self._settle()

    @property
    def seconds_left(self) -> float:
        """How long it will still sound if nothing is added."""
        with self._lock:
            left = sum(len(s.samples) - s.taken for s in self._waiting) / self.rate
            return left + max(0.0, self._sounds_until - self._clock.monotonic())

    def interrupt(self) -> Played:
        """Drop what has not sounded; tell what was heard. The next `add` begins another reply."""
        with self._lock:
            heard = self._settle()
            self._clear()
            return heard

    def _settle(self) -> Played:
        """Count the blocks that have sounded, and how far the one under way is."""
        now = self._clock.monotonic()
        samples, chars = self._samples, self._chars
        while self._sounding:
            block = self._sounding[0]
            done = min(block.count, max(0, round((now - block.begins) * self.rate)))
            if not block.stretch.filler:
                samples = self._samples + done
                chars = max(self._chars, block.stretch.chars_after(block.start + done))
            if done < block.count:
                break
            self._samples, self._chars = samples, chars
            self._sounding.popleft()
        return Played(round(samples * 1000 / self.rate), chars)


@dataclass(slots=True)
class _Stretch:
    """Sound that covers a reply's characters `first` … `last`, spread evenly."""

    samples: np.ndarray
    first: int
    last: int
    filler: bool
    taken: int = 0

    def chars_after(self, samples: int) -> int:
        return self.first + (self.last - self.first) * samples // len(self.samples)


@dataclass(frozen=True, slots=True)
class _Block:
    """A piece of a stretch that the sound card took. `begins`: when it sounds, by the clock."""

    stretch: _Stretch
    start: int
    count: int
    begins: float


_LAST_WORD = re.compile(r"[^\W\u3040-\u9fff]+$")
"""Chinese and Japanese are heard character by character."""


def _inside_word(text: str, at: int) -> bool:
    return at < len(text) and bool(_LAST_WORD.search(text[:at]) and _LAST_WORD.search(text[at]))
