"""Faces in a picture: where they are (YuNet), how good each view is, and whose they are (SFace).

YuNet: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023). SFace: Zhong et al.,
"SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition" (2021).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.media import Image
from omni_agent.memory.embed.pooling import unit
from omni_agent.memory.values import Vectors

SIDE = 112
"""Of the upright, centred crop that a print is made from, in pixels."""
UPRIGHT = np.array(
    [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]], np.float32
)
"""Where the five landmarks lie in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face found in a picture, in its pixels. `box`: x, y, width, height.

    `landmarks`: float32 [5, 2]: the eye on the picture's left, the other, the tip of the nose, the
    corners of the mouth. `score`: 0 … 1, how sure the finder is.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    score: float


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """How much of a face a view shows, each 0 … 1. `overall` is as good as the worst of them."""

    size: float
    sharpness: float
    frontal: float
    exposure: float
    uncovered: float

    @property
    def overall(self) -> float:
        return min(self.size, self.sharpness, self.frontal, self.exposure, self.uncovered)

    @property
    def usable(self) -> bool:
        """Good enough for a print that may be compared."""
        return self.overall >= 0.25


@dataclass(frozen=True, slots=True)
class FaceThresholds:
    """Cosines of one printer: `same` or more is one person, `different` or less two people."""

    same: float
    different: float
    margin: float


class FaceFinder(Protocol):
    def find(self, image: Image) -> list[Face]:
        """All faces, the largest first; none in a picture that is too small or too dark."""
        ...


class FacePrinter(Protocol):
    """Faces to unit vectors. `name` stands for the weights: those of others are never compared."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def thresholds(self) -> FaceThresholds: ...

    def prints(self, crops: Sequence[np.ndarray]) -> Vectors:
        """Upright crops, each uint8 [112, 112, 3] RGB → [n, dim]."""
        ...


class YuNet:
    """Finds faces from about 12 pixels of `max_side` on. Calls from several threads take turns."""

    def __init__(self, path: Path, *, max_side: int = 640, least_score: float = 0.7) -> None:
        """`path`: the catalog's "face-finder". A larger picture is looked at in this size."""
        cv2 = opencv()
        self._max_side = max_side
        try:
            self._net: Any = cv2.FaceDetectorYN.create(
                str(path), "", (max_side, max_side), least_score, 0.3, 500
            )
        except cv2.error as error:
            raise ModelLoadError(f"the face finder {path} cannot be loaded: {error}") from error
        self._lock = threading.Lock()

    def find(self, image: Image) -> list[Face]:
        cv2 = opencv()
        width, height = image.size
        if min(width, height) < 16 or max(width, height) > 40 * min(width, height):
            return []
        scale = min(1.0, self._max_side / max(width, height))
        small = np.ascontiguousarray(image.pixels[:, :, ::-1])
        if scale < 1.0:
            size = (max(16, round(width * scale)), max(16, round(height * scale)))
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            self._net.setInputSize((small.shape[1], small.shape[0]))
            _, rows = self._net.detect(small)
        stretch = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        found = [_face(row, stretch) for row in (rows if rows is not None else ())]
        inside = [f for f in found if f is not None]
        return sorted(inside, key=lambda f: -f.box[2] * f.box[3])


class SFace:
    """128 numbers a face, 20 ms of one core. Calls from several threads take turns."""

    name = "sface-2021dec-int8"
    dim = 128
    thresholds = FaceThresholds(same=0.40, different=0.30, margin=0.05)

    def __init__(self, path: Path) -> None:
        """`path`: the catalog's "face-print"."""
        cv2 = opencv()
        try:
            self._net: Any = cv2.FaceRecognizerSF.create(str(path), "")
        except cv2.error as error:
            raise ModelLoadError(f"the face print {path} cannot be loaded: {error}") from error
        self._lock = threading.Lock()

    def prints(self, crops: Sequence[np.ndarray]) -> Vectors:
        vectors = np.zeros((len(crops), self.dim), np.float32)
        with self._lock:
            for vector, crop in zip(vectors, crops, strict=True):
                vector[:] = self._net.feature(np.ascontiguousarray(crop[:, :, ::-1]))[0]
        return unit(vectors)


def upright(image: Image, face: Face) -> np.ndarray:
    """The face turned, moved and scaled onto `UPRIGHT`: uint8 [112, 112, 3] RGB."""
    cv2 = opencv()
    turn = _similarity(face.landmarks, UPRIGHT)
    crop: np.ndarray = cv2.warpAffine(image.pixels, turn, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return crop


def quality(face: Face, crop: np.ndarray) -> FaceQuality:
    """`crop`: as `upright` gives it."""
    cv2 = opencv()
    right, left, nose, mouth_right, mouth_left = face.landmarks.astype(np.float64)
    across, down = left - right, (mouth_right + mouth_left) / 2 - (right + left) / 2
    eyes, length = float(np.hypot(*across)), float(np.hypot(*down))
    # From the front the nose is midway between the eyes; in profile it is beside one of them.
    aside = abs(float((nose - (right + left) / 2) @ across)) / max(eyes * eyes, 1e-6)
    height = float((nose - (right + left) / 2) @ down) / max(length * length, 1e-6)
    frontal = min(_ramp(aside, 0.40, 0.12), _ramp(abs(height - 0.58), 0.45, 0.22))
    frontal = min(frontal, _ramp(length / max(eyes, 1e-6), 2.4, 1.5))
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    middle = grey[24:104, 20:92].astype(np.float32)
    contrast = float(middle.std())
    detail = float(cv2.Laplacian(cv2.GaussianBlur(middle, (0, 0), 1.0), cv2.CV_32F).std())
    clipped = float(((middle < 8) | (middle > 247)).mean())
    exposure = min(
        _ramp(float(middle.mean()), 25, 70), _ramp(float(middle.mean()), 245, 215),
        _ramp(contrast, 6, 20), _ramp(clipped, 0.5, 0.15),
    )  # fmt: skip
    return FaceQuality(
        size=_ramp(eyes, 6, 30),
        sharpness=_ramp(detail / max(contrast, 1e-6), 0.02, 0.07),
        frontal=frontal,
        exposure=exposure,
        uncovered=_ramp(_veil(crop), 30, 14),
    )


def _veil(crop: np.ndarray) -> float:
    """How far the colour of mouth and chin is from that of the cheeks; a mask shows in it."""
    cv2 = opencv()
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB).astype(np.float32)
    cheeks = np.concatenate([lab[62:74, 28:42].reshape(-1, 3), lab[62:74, 70:84].reshape(-1, 3)])
    chin = np.concatenate([lab[82:92, 28:38].reshape(-1, 3), lab[82:92, 74:84].reshape(-1, 3)])
    colour = np.median(chin, axis=0) - np.median(cheeks, axis=0)
    return float(np.hypot(colour[1], colour[2]))


def _ramp(value: float, none: float, full: float) -> float:
    """0 at `none`, 1 at `full`, straight between; either may be the larger."""
    return float(np.clip((value - none) / (full - none), 0.0, 1.0))


def _similarity(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """[2, 3]: the rotation, scale and shift that bring points nearest (Umeyama 1991)."""
    middle, target = points.mean(axis=0), onto.mean(axis=0)
    a = (points - middle) @ np.array([1, 1j])
    b = (onto - target) @ np.array([1, 1j])
    turn = np.vdot(a, b) / max(float(np.vdot(a, a).real), 1e-6)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.hstack([matrix, (target - matrix @ middle)[:, None]])


def _face(row: np.ndarray, stretch: np.ndarray) -> Face | None:
    if not np.isfinite(row).all():
        return None
    x, y = row[:2] * stretch
    width, height = row[2:4] * stretch
    landmarks = (row[4:14].reshape(5, 2) * stretch).astype(np.float32)
    if min(width, height) < 4:
        return None
    return Face((float(x), float(y), float(width), float(height)), landmarks, float(row[14]))


def opencv() -> ModuleType:
    """Raises MissingExtra."""
    try:
        import cv2
    except ImportError as error:
        raise MissingExtra(
            "opencv-python-headless", "compact", needed_for="Seeing faces"
        ) from error
    return cv2
