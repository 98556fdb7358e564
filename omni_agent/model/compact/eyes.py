"""Eyes that read: the text in a picture, by PP-OCRv6 (Chinese and English)."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from omni_agent.errors import MediaError, MissingExtra, ModelLoadError
from omni_agent.media import Image

_LONGEST_SIDE = 1600  # pixels; larger costs time and reads no better
_SMALLEST_TEXT = 8  # pixels; a thinner strip can hold none, and the engine would pad it hugely
_LEAST_CONFIDENCE = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text. `box`: left, top, right, bottom in pixels; `confidence`: 0 … 1."""

    text: str
    box: tuple[int, int, int, int]
    confidence: float


class Eyes:
    """Loads when first used (about a second). Safe to call from several threads."""

    def __init__(self, *, threads: int = 2) -> None:
        self._threads = threads
        self._engine: Any = None
        self._lock = threading.Lock()

    def read(self, image: Image) -> tuple[Line, ...]:
        """Lines in reading order: rows from the top, each from the left. Blocks.

        Raises `MediaError` for pixels that are not uint8 [height, width, 3], `MissingExtra` and
        `ModelLoadError`.
        """
        pixels = image.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            raise MediaError(
                f"a picture must be uint8 [height, width, 3], not {pixels.dtype} {pixels.shape}"
            )
        scaled, scale = _scaled(pixels)
        if min(scaled.shape[:2]) < _SMALLEST_TEXT:
            return ()
        with self._lock:
            if self._engine is None:
                self._engine = _load(self._threads)
            # The engine expects the channel order of OpenCV: blue first.
            found = self._engine(np.ascontiguousarray(scaled[:, :, ::-1]))
        if found.boxes is None or found.txts is None:
            return ()
        lines = []
        for corners, text, confidence in zip(found.boxes, found.txts, found.scores, strict=True):
            (left, top), (right, bottom) = corners.min(axis=0) / scale, corners.max(axis=0) / scale
            if text.strip():
                box = (round(left), round(top), round(right), round(bottom))
                lines.append(Line(text.strip(), box, float(confidence)))
        return _in_reading_order(lines)


def _load(threads: int) -> Any:
    # Its loggers set their own level and handler at import, so quiet them after it.
    try:
        import rapidocr
    except ImportError as error:
        name = error.name or "rapidocr"
        raise MissingExtra(name, "compact", needed_for="Reading pictures") from error
    settings = {
        "Global.log_level": "critical",
        "Global.text_score": _LEAST_CONFIDENCE,
        "Global.max_side_len": _LONGEST_SIDE,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    try:
        engine = rapidocr.RapidOCR(params=settings)
    except Exception as error:  # onnxruntime and omegaconf raise types of their own
        raise ModelLoadError(f"the reading model cannot be loaded: {error}") from error
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return engine


def _scaled(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Large pictures down, and by how much. (The engine itself enlarges small ones.)"""
    height, width = pixels.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1.0:
        return pixels, 1.0
    from PIL import Image as Pillow

    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.LANCZOS)), scale


def _in_reading_order(lines: list[Line]) -> tuple[Line, ...]:
    """Lines whose middles lie within half a line's height of each other make a row."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=_middle):
        first = rows[-1][0] if rows else None
        if first is not None and _middle(line) - _middle(first) < (first.box[3] - first.box[1]) / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda each: each.box[0]))


def _middle(line: Line) -> float:
    return (line.box[1] + line.box[3]) / 2
