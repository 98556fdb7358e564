"""What has been heard so far, to the millisecond.

A model makes speech faster than it sounds, so what was made says nothing about what was heard. A
`PlaybackBuffer` lies between the two: sound is put in as it comes, the loudspeaker takes it out.
"""

from __future__ import annotations

import bisect
import math
import re
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import MediaError
from omni_agent.media import Audio
from omni_agent.messages import Heard

RAMP = 0.01
"""Seconds in which the level goes from full to silent."""


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


class SpokenMap:
    """Where in a reply's sound which of its words lie; outlives the buffer it was played from."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._ends: list[int] = []  # counted samples up to the end of each stretch
        self._chars: list[tuple[int, int]] = []  # its first character, and the one after its last

    def add(self, samples: int, first: int, last: int) -> None:
        self._ends.append(self._length + samples)
        self._chars.append((first, last))

    @property
    def ms(self) -> int:
        """How long the reply's sound is so far."""
        return round(self._length * 1000 / self.rate)

    def at(self, ms: int) -> Played:
        """What has been heard once the first `ms` milliseconds have sounded."""
        samples = max(0, round(ms * self.rate / 1000))
        index = bisect.bisect_right(self._ends, samples)
        if index == len(self._ends):
            return Played(self.ms, self._chars[-1][1] if self._chars else 0)
        begins = self._ends[index - 1] if index else 0
        first, last = self._chars[index]
        done = (last - first) * (samples - begins) // (self._ends[index] - begins)
        return Played(max(0, ms), first + done)

    @property
    def _length(self) -> int:
        return self._ends[-1] if self._ends else 0


class FillTap(Protocol):
    def __call__(self, samples: np.ndarray, /, *, at: float, ahead: float) -> None:
        """At `at`, in any thread, `samples` were taken out that sound `ahead` seconds later."""
        ...


class PlaybackBuffer:
    """One reply at a time on its way to the loudspeaker.

    `add` is called where the sound is made, `fill` by the sound card's thread. `interrupt` drops
    what has not sounded and begins a new reply. Fillers, and silence where the buffer ran dry, are
    played and not counted. `duck`, `pause` and `resume` change the level within 10 ms. `tap` is
    told everything that is taken out.
    """

    def __init__(self, rate: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.rate = rate
        self.tap: FillTap | None = None
        self._clock = clock
        self._lock = threading.RLock()
        self._step = 1 / (RAMP * rate)
        self._clear()

    def _clear(self) -> None:
        self.spoken = SpokenMap(self.rate)
        self._waiting: deque[_Stretch] = deque()
        self._sounding: deque[_Block] = deque()
        self._added = 0  # characters that the added sound covers
        self._samples = 0  # counted samples that have sounded for sure
        self._chars = 0
        self._sounds_until = -math.inf
        self._gain = self._target = 1.0

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
                stretch = _Stretch(audio.samples, self._added, covered, filler)
                self._waiting.append(stretch)
                if not filler:
                    self.spoken.add(len(audio.samples), self._added, covered)
                self._added = covered

    def fill(self, n: int, *, ahead: float = 0.0) -> np.ndarray:
        """The next `n` samples, float32 [n]; silence where there are none.

        `ahead`: seconds until the first of them leaves the loudspeaker.
        """
        out = np.zeros(n, np.float32)
        with self._lock:
            now = self._clock.monotonic()
            begins = now + ahead
            # Paused: only what fades out is taken, so that nothing is lost.
            wanted = n if self._target else min(n, math.ceil(self._gain / self._step))
            taken = self._take(out[:wanted], begins)
            self._level(out[:taken], fading=n)
            if taken:
                self._sounds_until = begins + taken / self.rate
            self._settle()
            if self.tap is not None:
                self.tap(out, at=now, ahead=ahead)
        return out

    def duck(self, decibels: float = -12.0) -> None:
        """Play on more softly."""
        with self._lock:
            self._target = 10 ** (decibels / 20)

    def pause(self) -> None:
        """Fall silent, and keep what has not sounded."""
        with self._lock:
            self._target = 0.0

    def resume(self) -> None:
        """Play on at full level, from where it was paused."""
        with self._lock:
            self._target = 1.0

    @property
    def paused(self) -> bool:
        return self._target == 0.0

    @property
    def played(self) -> Played:
        """What has sounded of the reply up to now."""
        with self._lock:
            return self._settle()

    @property
    def seconds_left(self) -> float:
        """How long it will still sound if nothing is added and it is not paused."""
        with self._lock:
            left = sum(len(s.samples) - s.taken for s in self._waiting) / self.rate
            return left + max(0.0, self._sounds_until - self._clock.monotonic())

    def interrupt(self) -> Played:
        """Drop what has not sounded; tell what was heard. The next `add` begins another reply."""
        with self._lock:
            heard = self._settle()
            self._clear()
            return heard

    def next_reply(self) -> None:
        """The next `add` begins another reply, which sounds after what is left of this one."""
        with self._lock:
            self._settle()
            left = [replace(stretch, filler=True) for stretch in self._waiting]
            sounding = [replace(b, stretch=replace(b.stretch, filler=True)) for b in self._sounding]
            until, gain, target = self._sounds_until, self._gain, self._target
            self._clear()
            self._waiting.extend(left)
            self._sounding.extend(sounding)
            self._sounds_until, self._gain, self._target = until, gain, target

    def _take(self, out: np.ndarray, begins: float) -> int:
        """Fill `out` with waiting sound; how many samples there were."""
        at = 0
        while at < len(out) and self._waiting:
            stretch = self._waiting[0]
            count = min(len(out) - at, len(stretch.samples) - stretch.taken)
            out[at : at + count] = stretch.samples[stretch.taken : stretch.taken + count]
            block = _Block(stretch, stretch.taken, count, begins + at / self.rate)
            self._sounding.append(block)
            stretch.taken += count
            at += count
            if stretch.taken == len(stretch.samples):
                self._waiting.popleft()
        return at

    def _level(self, out: np.ndarray, *, fading: int) -> None:
        """Bring the level of `out` towards where it should be, over `fading` samples at most."""
        if self._gain == self._target == 1.0:
            return
        if self._gain != self._target:
            steps = self._step * np.arange(1, len(out) + 1, dtype=np.float32)
            if self._target > self._gain:
                out *= np.minimum(self._gain + steps, self._target)
            else:
                out *= np.maximum(self._gain - steps, self._target)
            reach = fading * self._step
            change = self._target - self._gain
            self._gain += math.copysign(min(reach, abs(change)), change)
        else:
            out *= np.float32(self._gain)

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


class RemotePlayback(PlaybackBuffer):
    """The guess of what a distant player has played: it plays at once, and as fast as sound is."""

    def __init__(self, rate: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__(rate, clock=clock)
        self._upto = clock.monotonic()
        self._behind_ms = 0  # by which the player is behind the guess, or, below 0, ahead of it

    def told(self, ms: int) -> None:
        """The player says that it has played `ms` of the reply by now."""
        with self._lock:
            self._catch_up()
            self._behind_ms = super().played.ms - ms

    def add(self, audio: Audio, text_upto: int | None) -> None:
        with self._lock:
            self._catch_up()
            super().add(audio, text_upto)

    def pause(self) -> None:
        with self._lock:
            self._catch_up()
            super().pause()
            self._gain = 0.0

    def resume(self) -> None:
        with self._lock:
            self._catch_up()
            super().resume()
            self._gain = 1.0

    @property
    def played(self) -> Played:
        with self._lock:
            self._catch_up()
            return self._really(super().played)

    @property
    def seconds_left(self) -> float:
        with self._lock:
            self._catch_up()
            return super().seconds_left

    def interrupt(self) -> Played:
        with self._lock:
            self._catch_up()
            spoken, behind = self.spoken, self._behind_ms
            guess, self._behind_ms = super().interrupt(), 0
            return spoken.at(guess.ms - behind) if behind else guess

    def next_reply(self) -> None:
        with self._lock:
            self._catch_up()
            super().next_reply()
            self._behind_ms = 0

    def _really(self, guess: Played) -> Played:
        return self.spoken.at(guess.ms - self._behind_ms) if self._behind_ms else guess

    def _catch_up(self) -> None:
        """Play what must have sounded since the last look."""
        samples = int((self._clock.monotonic() - self._upto) * self.rate)
        if samples > 0:
            begins = self._upto - self._clock.monotonic()
            self._upto += samples / self.rate
            if self._waiting and not self.paused:
                self.fill(min(samples, self._left), ahead=begins)

    @property
    def _left(self) -> int:
        return sum(len(s.samples) - s.taken for s in self._waiting)


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
