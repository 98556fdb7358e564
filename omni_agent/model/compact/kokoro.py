"""Kokoro's net in two halves, so that its first sound need not wait for its last.

The first half reads the phonemes and settles the length, pitch and energy of everything; it takes
a thirtieth of the time. The second turns frames (25 ms each) into sound, a window at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omni_agent.model.compact import kokoro_graph
from omni_agent.model.compact.kokoro_graph import CONTENT, DURATIONS, ENERGY, NORMS, PITCH

Floats = npt.NDArray[np.float32]

RATE = 24_000
FRAME = 600
"""Samples a frame."""

_QUIET = -5.0
"""Frames of less energy, on the net's own scale, are silence before or after the words."""
_MARGIN = 3
"""Frames kept around the words, and made beside a window for the sake of its edges."""
_FIRST, _GROWTH, _LONGEST = (14, 22), 1.6, 60
"""Frames of the first window, least and most; how much longer the next may be; the longest."""
_FADE = FRAME // 5
"""Samples on each side of a join over which two windows are faded into each other."""
_EARLY = 0.12
"""How much lower the energy must be, a frame, for a join to come later."""


@dataclass(frozen=True, slots=True)
class Frames:
    """What the first half says of `n` frames, and of the phonemes they speak."""

    content: Floats  # float32 [1, 512, n]
    pitch: Floats  # float32 [1, 2n]
    energy: Floats  # float32 [1, 2n]
    ends: Floats  # int [phonemes]: the frame where each one ends
    words: tuple[int, int]  # the frames between the silence before and the silence after


@dataclass(frozen=True, slots=True)
class Window:
    """Frames [start, end) that are turned into sound together."""

    start: int
    end: int


class Kokoro:
    """The loaded net. `style` is float32 [1, 256], a row of a voice's table."""

    def __init__(self, path: Path, *, threads: int) -> None:
        self._path, self._threads = path, threads
        self._first, self._second = kokoro_graph.open_halves(path, threads=threads)

    def frames(self, ids: list[int], style: Floats, speed: float, options: Any = None) -> Frames:
        """The first half. `ids`: the numbers of the phonemes."""
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style,
            "speed": np.array([speed], np.float32),
        }
        names = [CONTENT, PITCH, ENERGY, DURATIONS]
        content, pitch, energy, durations = self._first.run(names, inputs, options)
        ends = np.cumsum(durations.reshape(-1))[1:-1]
        return Frames(content, pitch, energy, ends, _words(_by_frame(energy)))

    def sound(
        self, frames: Frames, window: Window, style: Floats, norms: Floats, options: Any = None
    ) -> Floats:
        """The second half: float32 samples of a window, and `_FADE` more on both sides.

        `norms`: float32 [1, channels, 1], how the net is to normalise.
        """
        first, last = frames.words
        start, end = max(first, window.start - _MARGIN), min(last, window.end + _MARGIN)
        inputs = {**_between(frames, start, end), "style": style, NORMS: norms}
        made = self._second.run(["audio"], inputs, options)[0].reshape(-1).astype(np.float32)
        begin = (window.start - start) * FRAME
        length = (window.end - window.start) * FRAME
        padded: Floats = np.pad(made, _FADE)
        return padded[begin : begin + length + 2 * _FADE]

    def norms(self, sentences: Iterable[tuple[list[int], Floats]]) -> Floats:
        """float32 [sentences, channels]: how the net by itself normalises whole sentences, given
        as phonemes' numbers and style. Takes a third of the time they take to say, and two seconds.
        """
        measure = kokoro_graph.open_measure(self._path, threads=self._threads)
        rows = []
        for ids, style in sentences:
            frames = self.frames(ids, style, 1.0)
            whole = _between(frames, 0, frames.content.shape[2])
            rows.append(measure.run([NORMS], {**whole, "style": style})[0].reshape(-1))
        return np.stack(rows)


def windows(frames: Frames) -> Iterator[Window]:
    """Cut the words where they are softest: a short window first, then ever longer ones.

    A window takes less time to make than the one before it takes to sound.
    """
    start, end = frames.words
    energy = _by_frame(frames.energy)
    least, most = _FIRST
    while end - start > most + least // 2:
        places = np.arange(start + least, start + most + 1)
        softest = energy[places] + energy[places - 1] + _EARLY * (places - places[0])
        cut = int(places[np.argmin(softest)])
        yield Window(start, cut)
        least, most = cut - start, min(int(_GROWTH * (cut - start)), _LONGEST)
        start = cut
    yield Window(start, end)


def joined(pieces: Iterator[Floats]) -> Iterator[Floats]:
    """Windows' sounds, each with `_FADE` samples too many on both sides, as one seamless sound."""
    rising = np.linspace(0.0, 1.0, 2 * _FADE, dtype=np.float32)
    tail: Floats | None = None
    for piece in pieces:
        head = piece[: 2 * _FADE]
        if tail is None:
            yield piece[_FADE : -2 * _FADE]
        else:
            yield np.concatenate(
                [tail * rising[::-1] + head * rising, piece[2 * _FADE : -2 * _FADE]]
            )
        tail = piece[-2 * _FADE :]
    if tail is not None:
        yield tail[:_FADE]


def _between(frames: Frames, start: int, end: int) -> dict[str, Floats]:
    """What the second half needs of the frames [start, end)."""
    return {
        CONTENT: frames.content[:, :, start:end],
        PITCH: frames.pitch[:, 2 * start : 2 * end],
        ENERGY: frames.energy[:, 2 * start : 2 * end],
    }


def _by_frame(energy: Floats) -> Floats:
    return energy.reshape(-1, 2).mean(axis=1)


def _words(energy: Floats) -> tuple[int, int]:
    loud = np.flatnonzero(energy > _QUIET)
    if not len(loud):
        return 0, len(energy)
    return max(0, int(loud[0]) - _MARGIN), min(len(energy), int(loud[-1]) + 1 + _MARGIN)
