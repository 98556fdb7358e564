"""Who speaks when, while a call goes on.

Every 0.19 s of speech gets a voice print of the 1.2 s around it. Prints of steady speech are
clustered into speakers (memory/speakers.py), and a Viterbi path through the prints of each stretch
of speech says who spoke: staying is free, a change costs. What was said before a new voice was
known to be one is labelled again. All is counted in samples: the same sound, the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from omni_agent.errors import MediaError, SettingsError
from omni_agent.memory.embed.voice import VoicePrint, VoicePrinter
from omni_agent.memory.speakers import Speaker, Speakers
from omni_agent.memory.values import Vectors

RATE = 16_000
FRAME = 512
"""Samples that share one verdict of the voice activity detector."""
WINDOW, HOP = 38, 6  # in frames: what one print is made of, and from one print to the next
_BRIDGED = 8  # frames of silence inside one stretch of speech
_CHANGE = 3.0  # what the path pays for a change of speaker
_UNKNOWN = 0.25  # the score of a voice that is none of the speakers
_OVERLAP_OF = HOP / WINDOW  # prints overlap, so each is that much of an observation
_DIP = 1.5  # natural logarithm of power
_NO_DIP = 4.0
_SHARE = 0.15  # of a voice in a print, from which it may be sounding too
_MIXED = 18  # frames of such prints
_LAP = round(0.3 * RATE)
_SNAP = 9  # frames around a change, in which the quietest is taken for it
SHORT_SECONDS = 1.0
HORIZON_FRAMES = 90 * RATE // FRAME
"""What is younger than this may still be put down to another speaker."""


@dataclass(frozen=True, slots=True)
class SpeakerSegment:
    """A stretch of speech of one voice. `start`, `end`: samples at 16 kHz since the call began.

    `speaker` is the id of a voice of this call ("voice2") or a person's, where enrolled; None where
    it is not known, and where the segment is `short` (under 1 s): then `guess` is what the voice
    alone says, to be believed only with help from elsewhere. `overlap`: at one of its ends `other`
    speaks as well, and the two segments overlap in time. `own`: the agent's own voice, from the
    loudspeaker. `confidence`: 0 … 1.
    """

    start: int
    end: int
    speaker: str | None
    guess: str | None
    confidence: float
    short: bool = False
    overlap: bool = False
    other: str | None = None
    own: bool = False

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / RATE


@dataclass(frozen=True, slots=True)
class _Window:
    index: int  # it begins at frame index × HOP
    share: float  # of it that is speech
    print: Vectors

    @property
    def centre(self) -> int:
        return self.index * HOP + WINDOW // 2


class Diarizer:
    """One call. `hear` takes its sound; `now` and `segments` may be asked at any time.

    An hour keeps the sound of the last seconds, the prints of the last minutes, and one print
    for each speaker.
    """

    def __init__(self, printer: VoicePrinter) -> None:
        if printer.rate != RATE:
            raise SettingsError(f"{printer.name} prints at {printer.rate} Hz; a call is at {RATE}")
        self._printer = printer
        self._speakers = Speakers(printer.calibration)
        self._sound = np.zeros(0, np.float32)  # from frame `_kept` on
        self._kept = 0
        self._speech = np.zeros(0, bool)  # from frame `_since` on
        self._energy = np.zeros(0, np.float32)
        self._since = 0
        self._windows: list[_Window] = []
        self._next = 0
        self._steady: int | None = None
        self._unsettled = 0
        self._old: list[SpeakerSegment] = []
        self._recent: tuple[SpeakerSegment, ...] | None = ()

    def enrol(self, person: str, known: VoicePrint, *, own: bool = False) -> None:
        """Recognise this person from now on, and in the last minute and a half."""
        self._speakers.enrol(person, known, own=own)
        self._recent = None

    def hear(self, samples: np.ndarray, speech: Sequence[bool] | np.ndarray) -> None:
        """float32 [n × FRAME] at 16 kHz, and for each frame whether it is speech.

        Raises MediaError where the two do not fit.
        """
        if len(samples) != len(speech) * FRAME:
            raise MediaError(
                f"{len(samples)} samples do not fit {len(speech)} frames of {FRAME} samples"
            )
        if not len(samples):
            return
        frames = samples.reshape(-1, FRAME)
        energy = np.log(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-9)
        self._sound = np.concatenate([self._sound, samples])
        self._speech = np.concatenate([self._speech, np.asarray(speech, bool)])
        self._energy = np.concatenate([self._energy, energy.astype(np.float32)])
        self._recent = None
        self._print_windows()
        self._forget_sound()

    @property
    def now(self) -> SpeakerSegment | None:
        """Who is speaking, as far as heard; None in silence."""
        segments = self._label()
        if not segments or self._frames * FRAME - segments[-1].end > _BRIDGED * FRAME:
            return None
        return segments[-1]

    def segments(self, start: int = 0, end: int | None = None) -> tuple[SpeakerSegment, ...]:
        """What of the call, or of these samples, was said by whom, by the light of now."""
        every = [self._renamed(s) for s in self._old] + list(self._label())
        until = self._frames * FRAME if end is None else end
        return tuple(s for s in every if s.end > start and s.start < until)

    @property
    def speakers(self) -> dict[str, Speaker]:
        """The voices of this call by id, with what each sounds like."""
        return {s.id: s for s in self._speakers.heard()}

    def resolve(self, speaker: str) -> str:
        """The id that a speaker named earlier goes by now: two voices may turn out to be one."""
        return self._speakers.resolve(speaker)

    # --- prints --------------------------------------------------------------------------------

    @property
    def _frames(self) -> int:
        return self._since + len(self._speech)

    def _print_windows(self) -> None:
        due: list[tuple[int, float]] = []
        while self._next * HOP + WINDOW <= self._frames:
            begin = self._next * HOP - self._since
            share = float(_bridged(self._speech[begin : begin + WINDOW]).mean())
            if share >= 0.35:
                due.append((self._next, share))
            self._next += 1
        for at in range(0, len(due), 16):
            some = due[at : at + 16]
            begins = [(index * HOP - self._kept) * FRAME for index, _ in some]
            stretches = np.stack([self._sound[b : b + WINDOW * FRAME] for b in begins])
            for (index, share), vector in zip(some, self._printer.prints(stretches), strict=True):
                self._take(_Window(index, share, vector))

    def _take(self, window: _Window) -> None:
        """All that follows from a print happens here, so that it can't depend on the chunks."""
        self._windows.append(window)
        self._recent = None
        steady = window.share >= 0.9
        if steady and (self._steady is None or window.index - self._steady >= 2):
            self._steady = window.index
            self._speakers.add(window.print)
            self._unsettled += 1
        if self._unsettled >= (2 if len(self._windows) < 150 else 4):
            self._speakers.settle()
            self._unsettled = 0
        if window.index % 32 == 0 and window.index * HOP - self._since > 2 * HORIZON_FRAMES:
            self._freeze(window.index * HOP - HORIZON_FRAMES)

    def _forget_sound(self) -> None:
        spare = self._next * HOP - self._kept
        if spare > 0:
            self._sound = self._sound[spare * FRAME :]
            self._kept += spare

    def _freeze(self, horizon: int) -> None:
        """Close the books on what lies before this frame: at its last pause, if there is one."""
        labels = self._label()
        cut = self._since
        for segment, after in pairwise(labels):
            if segment.end < after.start and segment.end <= horizon * FRAME:
                cut = segment.end // FRAME
        if horizon - cut > 2 * HORIZON_FRAMES:  # music, a crowd, a detector that never lets go
            cut = horizon
        before = [s for s in labels if s.start < cut * FRAME]
        self._old += [replace(s, end=min(s.end, cut * FRAME)) for s in before]
        self._speech = self._speech[cut - self._since :]
        self._energy = self._energy[cut - self._since :]
        self._since = cut
        self._windows = [w for w in self._windows if w.centre >= cut]
        self._recent = None

    # --- labels --------------------------------------------------------------------------------

    def _label(self) -> tuple[SpeakerSegment, ...]:
        if self._recent is None:
            speech = _bridged(self._speech, pad=1)
            edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]).astype(int)))
            found: list[SpeakerSegment] = []
            speakers = self._speakers.heard()
            for begin, end in edges.reshape(-1, 2) + self._since:
                found += self._label_stretch(int(begin), int(end), speakers)
            self._recent = tuple(found)
        return self._recent

    def _label_stretch(self, begin: int, end: int, speakers: list[Speaker]) -> list[SpeakerSegment]:
        windows = [w for w in self._windows if begin - 3 <= w.centre < end + 3]
        if not windows:
            near = [
                w
                for w in self._windows
                if w.centre - WINDOW // 2 < end and w.centre + WINDOW // 2 > begin
            ]
            windows = near[len(near) // 2 : len(near) // 2 + 1]
        if not windows or not speakers:
            return [self._segment(begin, end, None, 0.0, speakers)]
        calibration = self._printer.calibration
        centres = np.stack([s.print.vector for s in speakers])  # [speakers, dim]
        gains = np.array([calibration.gain(WINDOW * FRAME / RATE, s.seconds) for s in speakers])
        cosines = np.stack([w.print for w in windows]) @ centres.T  # [windows, speakers]
        unknown = np.full((len(windows), 1), _UNKNOWN)
        scores = np.concatenate([cosines * gains, unknown], axis=1)
        weight = np.array([w.share for w in windows])[:, None] * calibration.slope * _OVERLAP_OF
        path = best_path(scores * weight, _CHANGE)
        found: list[SpeakerSegment] = []
        overlaps: list[int] = []
        first, start = 0, begin
        for i in range(1, len(path) + 1):
            if i < len(path) and path[i] == path[first]:
                continue
            stop = end if i == len(path) else self._change(windows[i - 1].centre, windows[i].centre)
            stop = min(max(stop, start + 1), end)
            k = int(path[first])
            run = scores[first:i]
            others = np.delete(run, k, axis=1).max(axis=1)
            odds = calibration.slope * float(np.mean(run[:, k] - others))
            found.append(
                self._segment(start, stop, k if k < len(speakers) else None, odds, speakers)
            )
            if i < len(path) and max(k, path[i]) < len(speakers):
                pair = cosines[:, [k, path[i]]], float(centres[k] @ centres[path[i]])
                if self._both_at(stop, (begin, end), windows, *pair):
                    overlaps.append(len(found) - 1)
            first, start = i, stop
        for i in overlaps:
            found[i], found[i + 1] = _lapped(found[i], found[i + 1])
        return [s for s in found if s.end > s.start]

    def _both_at(
        self,
        frame: int,
        stretch: tuple[int, int],
        windows: list[_Window],
        cosines: np.ndarray,
        alike: float,
    ) -> bool:
        """Whether two voices sound at once where one gives way to the other.

        Then the sound has no dip, and prints hold some of both for longer than their length
        explains. `cosines`: [windows, 2] to the two voices, which are `alike` to each other.
        """
        near = self._energy[max(0, frame - _SNAP - self._since) : frame + _SNAP - self._since]
        whole = self._energy[stretch[0] - self._since : stretch[1] - self._since]
        if not len(near) or not len(whole) or np.median(whole) - near.min() > _NO_DIP:
            return False
        shares = (cosines - alike * cosines[:, ::-1]) / (1 - min(alike, 0.9) ** 2)
        reach = np.array([abs(w.centre - frame) for w in windows]) < WINDOW
        return int((reach & (shares.min(axis=1) > _SHARE)).sum()) * HOP >= _MIXED

    def _change(self, before: int, after: int) -> int:
        """The frame at which one voice gives way to the next: at a dip of the sound, if any."""
        middle = (before + after) // 2
        low = max(middle - _SNAP, self._since) - self._since
        near = self._energy[low : middle + _SNAP - self._since]
        if not len(near) or near.min() > np.median(near) - _DIP:
            return middle
        return self._since + low + int(near.argmin())

    def _segment(
        self, begin: int, end: int, speaker: int | None, odds: float, speakers: list[Speaker]
    ) -> SpeakerSegment:
        who = speakers[speaker] if speaker is not None else None
        guess = who.id if who else None
        short = (end - begin) * FRAME < SHORT_SECONDS * RATE
        confidence = 1 / (1 + math.exp(-max(-8.0, min(8.0, odds)))) if who else 0.0
        return SpeakerSegment(
            start=begin * FRAME,
            end=end * FRAME,
            speaker=None if short else guess,
            guess=guess,
            confidence=round(confidence, 3),
            short=short,
            own=bool(who and who.own),
        )

    def _renamed(self, segment: SpeakerSegment) -> SpeakerSegment:
        if segment.guess is None or (now := self.resolve(segment.guess)) == segment.guess:
            return segment
        own = now in self._speakers.all and self._speakers.all[now].own
        return replace(segment, guess=now, speaker=None if segment.short else now, own=own)


def best_path(scores: np.ndarray, change: float) -> np.ndarray:
    """The states [n] that add up to most in `scores` [n, states], where each change costs."""
    n, states = scores.shape
    came_from = np.zeros((n, states), np.int64)
    reached = scores[0].copy()
    for i in range(1, n):
        leader = int(reached.argmax())
        switched = reached[leader] - change
        stay = reached >= switched
        came_from[i] = np.where(stay, np.arange(states), leader)
        reached = np.where(stay, reached, switched) + scores[i]
    path = np.empty(n, np.int64)
    path[-1] = int(reached.argmax())
    for i in range(n - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path


def _lapped(a: SpeakerSegment, b: SpeakerSegment) -> tuple[SpeakerSegment, SpeakerSegment]:
    """Two segments that meet, made to overlap by 0.6 s, or half of the shorter one."""
    reach = min(_LAP, (a.end - a.start) // 2, (b.end - b.start) // 2)
    return (
        replace(a, end=a.end + reach, overlap=True, other=b.guess),
        replace(b, start=b.start - reach, overlap=True, other=a.guess),
    )


def _bridged(speech: np.ndarray, pad: int = 0) -> np.ndarray:
    """Speech with its short silences filled, and `pad` frames more at each end."""
    on = np.flatnonzero(speech)
    filled = speech.copy()
    if not len(on):
        return filled
    for gap in np.flatnonzero((np.diff(on) > 1) & (np.diff(on) <= _BRIDGED + 1)):
        filled[on[gap] : on[gap + 1]] = True
    for _ in range(pad):
        filled = filled | np.append(filled[1:], False) | np.insert(filled[:-1], 0, False)
    return filled
