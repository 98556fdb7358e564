"""Kokoro's net in two halves, so that its first sound need not wait for its last.

The first half reads the phonemes and settles the length, pitch and energy of everything; it takes
a thirtieth of the time. The second turns frames (25 ms each) into sound, a window at a time.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError

logger = logging.getLogger("omni_agent.model")

RATE = 24_000
FRAME = 600
"""Samples a frame."""

_CONTENT, _PITCH, _ENERGY = (
    "/encoder/MatMul_1_output_0",
    "/encoder/Reshape_output_0",
    "/encoder/Reshape_1_output_0",
)
_DURATIONS = "/encoder/Gather_output_0"
"""The values in the published graph at which it is cut."""

_QUIET = -5.0
"""Frames of less energy, on the net's own scale, are silence before or after the words."""
_MARGIN = 3
"""Frames kept around the words, and made beside a window for the sake of its edges."""
_FIRST, _GROWTH, _LONGEST = (22, 34), 1.6, 60
"""Frames of the first window, least and most; how much longer the next may be; the longest."""
_OTHERS, _RUN = 0.6, 6
"""How many frames of other words are made along with one of the window, in runs of so many."""
_SILENCE = 0.8
"""As many frames of silence at the most are made along with one of words."""
_FADE = FRAME // 5
"""Samples on each side of a join over which two windows are faded into each other."""
_EARLY = 0.12
"""How much lower the energy must be, a frame, for a join to come later."""


@dataclass(frozen=True, slots=True)
class Frames:
    """What the first half says of `n` frames, and of the phonemes they speak."""

    content: np.ndarray  # float32 [1, 512, n]
    pitch: np.ndarray  # float32 [1, 2n]
    energy: np.ndarray  # float32 [1, 2n]
    ends: np.ndarray  # int [phonemes]: the frame where each one ends
    words: tuple[int, int]  # the frames between the silence before and the silence after


@dataclass(frozen=True, slots=True)
class Window:
    """Frames [start, end) that are turned into sound together."""

    start: int
    end: int


class Kokoro:
    """The loaded net. `style` is float32 [1, 256], a row of a voice's table."""

    def __init__(self, path: Path, *, threads: int) -> None:
        first, second = _halves(path)
        self._first = _open(first, path, threads)
        self._second = _open(second, path, threads)

    def frames(self, ids: list[int], style: np.ndarray, speed: float, options: Any) -> Frames:
        """The first half. `ids`: the numbers of the phonemes."""
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style,
            "speed": np.array([speed], np.float32),
        }
        names = [_CONTENT, _PITCH, _ENERGY, _DURATIONS]
        content, pitch, energy, durations = self._first.run(names, inputs, options)
        ends = np.cumsum(durations.reshape(-1))[1:-1]
        return Frames(content, pitch, energy, ends, _words(_by_frame(energy)))

    def sound(self, frames: Frames, window: Window, style: np.ndarray, options: Any) -> np.ndarray:
        """The second half: float32 samples of a window, and `_FADE` more on both sides.

        The net normalises over time, so that what stands beside a window colours it. It is made
        together with samples of the other words, and with as large a share of the silence as the
        whole has: a window alone comes out several dB softer, and Chinese tones suffer.
        """
        first, last = frames.words
        start, end = max(first, window.start - _MARGIN), min(last, window.end + _MARGIN)
        others = _sample(np.r_[first:start, end:last], int(_OTHERS * (end - start)))
        n, words = frames.content.shape[2], last - first
        share = (end - start + len(others)) / words
        share *= min(1.0, _SILENCE * words / max(1, n - words))
        before, after = round(first * share), round((n - last) * share)
        earlier, later = others[others < start], others[others >= end]
        chosen = np.r_[first - before : first, earlier, start:end, later, n - after : n]
        halves = np.stack([2 * chosen, 2 * chosen + 1], axis=1).reshape(-1)
        inputs = {
            _CONTENT: frames.content[:, :, chosen],
            _PITCH: frames.pitch[:, halves],
            _ENERGY: frames.energy[:, halves],
            "style": style,
        }
        made = self._second.run(["audio"], inputs, options)[0].reshape(-1).astype(np.float32)
        begin = (before + len(earlier) + window.start - start) * FRAME
        length = (window.end - window.start) * FRAME
        padded = np.pad(made, _FADE)
        return padded[begin : begin + length + 2 * _FADE]


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


def joined(pieces: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Windows' sounds, each with `_FADE` samples too many on both sides, as one seamless sound."""
    rising = np.linspace(0.0, 1.0, 2 * _FADE, dtype=np.float32)
    tail: np.ndarray | None = None
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


def _sample(frames: np.ndarray, count: int) -> np.ndarray:
    """About `count` of these frames, in runs that are spread over them evenly."""
    runs = min(count, len(frames)) // _RUN
    starts = np.linspace(0, len(frames) - _RUN, runs).astype(int)
    return np.unique(frames[(starts[:, None] + np.arange(_RUN)).reshape(-1)])


def _by_frame(energy: np.ndarray) -> np.ndarray:
    return energy.reshape(-1, 2).mean(axis=1)


def _words(energy: np.ndarray) -> tuple[int, int]:
    loud = np.flatnonzero(energy > _QUIET)
    if not len(loud):
        return 0, len(energy)
    return max(0, int(loud[0]) - _MARGIN), min(len(energy), int(loud[-1]) + 1 + _MARGIN)


def _halves(path: Path) -> tuple[Path | bytes, Path | bytes]:
    """Both halves of the net at `path`, kept beside it; in memory where nothing can be written."""
    try:
        stamp = path.stat()
    except OSError as why:
        raise ModelLoadError(f"the voice's model {path} cannot be read: {why}") from why
    mark = f"{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    files = [path.with_name(f"{path.stem}.{mark}.{part}.onnx") for part in ("frames", "sound")]
    if all(file.is_file() for file in files):
        return files[0], files[1]
    halves = _split(path)
    try:
        for file, half in zip(files, halves, strict=True):
            partial = file.with_suffix(f".{secrets.token_hex(4)}.part")
            partial.write_bytes(half)
            partial.replace(file)
    except OSError as why:
        logger.info("the voice's halves cannot be kept and are made at every start: %s", why)
    return halves


def _split(path: Path) -> tuple[bytes, bytes]:
    try:
        import onnx
        from onnx.utils import Extractor
    except ImportError as missing:
        raise MissingExtra("onnx", "compact", needed_for="the voice") from missing
    try:
        model = onnx.load(str(path))
    except Exception as why:  # protobuf's errors share no base class but this
        raise ModelLoadError(f"the voice's model {path} cannot be opened: {why}") from why
    made = {name for node in model.graph.node for name in node.output}
    if lacking := {_CONTENT, _PITCH, _ENERGY, _DURATIONS} - made:
        raise ModelLoadError(f"{path} is no Kokoro model: it lacks {', '.join(sorted(lacking))}")
    kinds = {_DURATIONS: onnx.TensorProto.INT64}
    for name in (_CONTENT, _PITCH, _ENERGY, _DURATIONS):
        kind = kinds.get(name, onnx.TensorProto.FLOAT)
        model.graph.value_info.append(onnx.helper.make_tensor_value_info(name, kind, None))
    cut = Extractor(model)
    frames = cut.extract_model(
        ["tokens", "style", "speed"], [_CONTENT, _PITCH, _ENERGY, _DURATIONS]
    )
    sound = cut.extract_model([_CONTENT, _PITCH, _ENERGY, "style"], ["audio"])
    return frames.SerializeToString(), sound.SerializeToString()


def _open(half: Path | bytes, path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as missing:
        raise MissingExtra("onnxruntime", "compact", needed_for="the voice") from missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle workers that spin would take the cores from the thinker, which decodes meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = half if isinstance(half, bytes) else str(half)
    try:
        return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as why:  # onnxruntime's errors share no base class but this
        raise ModelLoadError(f"the voice's model {path} cannot be opened: {why}") from why
