"""Whether a face wears glasses, measured on the strip around the eyes; no model is needed.

Eight measures of what a frame adds to a face – a line over the nose, rims under the eyes, arms
towards the ears, another colour on the bridge, lenses – are weighed by a logistic regression.
Its numbers were fitted on photographs of 70 people, 21 of them with glasses, and on frames of
eight kinds drawn into the others: `python benchmarks/looks.py --photographs FOLDER --fit`.
"""

from __future__ import annotations

import math

import numpy as np

from omni_agent.media import Image
from omni_agent.memory.embed.face import Face, opencv

WIDTH, HEIGHT, EYES = 128, 96, 56
"""Of the strip in pixels, and how far apart the eyes are in it, 36 pixels below its upper edge."""
LEAST_EYES = 20.0
"""Pixels between the eyes, below which thin frames are no longer seen."""
MEASURES = ("bridge", "ridge", "rim", "arm", "lens", "glare", "bridge light", "bridge colour")
_LEVEL = 36
_WEIGHTS = (0.40, 3.37, 2.57, 4.52, 1.09, -0.68, 0.99, 1.82)
_BIAS = 16.82


def eye_strip(image: Image, face: Face) -> np.ndarray:
    """The eyes, turned level, with their surroundings: uint8 [96, 128, 3] RGB."""
    cv2 = opencv()
    right, left = face.landmarks[0].astype(np.float64), face.landmarks[1].astype(np.float64)
    across, middle = left - right, (right + left) / 2
    scale = EYES / max(float(np.hypot(*across)), 1e-6)
    angle = math.atan2(across[1], across[0])
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    turn = np.array(
        [
            [c, s, WIDTH / 2 - (c * middle[0] + s * middle[1])],
            [-s, c, _LEVEL - (-s * middle[0] + c * middle[1])],
        ]
    )
    pixels = image.pixels
    if scale < 0.5:  # else every other pixel would be left out
        reach = 2.0 / scale * EYES
        top, low = (int(np.clip(middle[1] + d * reach, 0, len(pixels))) for d in (-1, 1))
        near, far = (int(np.clip(middle[0] + d * reach, 0, pixels.shape[1])) for d in (-1, 1))
        if top < low and near < far:
            pixels = cv2.GaussianBlur(pixels[top:low, near:far], (0, 0), 0.4 / scale)
            turn[:, 2] += turn[:, :2] @ (near, top)
    strip: np.ndarray = cv2.warpAffine(
        pixels, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return strip


def measures(strip: np.ndarray) -> np.ndarray:
    """float64 [8], in the order of `MEASURES`. `strip`: as `eye_strip` gives it."""
    cv2 = opencv()
    colours = cv2.GaussianBlur(strip.astype(np.float32), (0, 0), 0.8)
    grey = colours.mean(axis=2)
    contrast = float(grey[16:80, 16:112].std()) + 4.0
    steep = np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)) / (8.0 * contrast)
    ridge = np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 2, ksize=5))[20:48, 58:70] / (64.0 * contrast)
    arms = [side.mean(axis=1).max() for side in _both(steep, (18, 46), (2, 16))]
    rims = [_rim(steep), _rim(steep[:, ::-1])]
    cheeks = float(np.mean([side.mean() for side in _both(grey, (66, 80), (24, 46))]))
    lenses = float(np.mean([side.mean() for side in _both(grey, (30, 48), (26, 46))]))
    brightest = np.percentile([side.ravel() for side in _both(grey, (28, 56), (20, 52))], 99)
    lab = cv2.cvtColor(colours / np.float32(255), cv2.COLOR_RGB2LAB)
    skin = (lab[50:64, 58:70].mean(axis=(0, 1)) + lab[6:16, 52:76].mean(axis=(0, 1))) / 2
    other = np.abs(lab[24:46, 58:70].mean(axis=1) - skin)
    return np.array(
        [
            math.log(float(steep[20:48, 58:70].mean(axis=1).max()) + 0.003),
            math.log(float(ridge.mean(axis=1).max()) + 0.003),
            math.log(float(np.mean(rims)) + 0.003),
            math.log(float(np.mean(arms)) + 0.003),
            (lenses - cheeks) / contrast,
            (float(brightest) - cheeks) / contrast,
            math.log(float(other[:, 0].max()) + 2.0),
            math.log(float(np.hypot(other[:, 1], other[:, 2]).max()) + 2.0),
        ]
    )


def glasses_log_odds(strip: np.ndarray) -> float:
    """Above 0: glasses are likelier than none."""
    return float(measures(strip) @ np.array(_WEIGHTS)) + _BIAS


def _both(
    values: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The same part of both halves of the face; columns are of the left one."""
    band = values[slice(*rows)]
    return band[:, slice(*columns)], band[:, ::-1][:, slice(*columns)]


def _rim(steep: np.ndarray) -> float:
    """How steep it is along the lower edge of a lens, wherever it may lie."""
    columns = np.arange(20, 54)
    arc = np.sqrt(np.clip(1 - ((columns - 36) / 24.0) ** 2, 0, 1))
    return max(
        float(steep[np.round(_LEVEL + depth * arc).astype(int) + shift, columns].mean())
        for depth in (12, 18, 24)
        for shift in range(-2, 8)
    )
