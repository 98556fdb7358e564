"""What colour the clothes under a face are; no model is needed.

Colours are compared in CIELAB, where distances are as large as they look. What lies under the chin
is put into a few groups of like colours, skin is left out, and the largest groups are named by the
nearest of some colours that people agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from omni_agent.media import Image
from omni_agent.memory.embed.face import Face, opencv

NAMED: dict[str, tuple[str, ...]] = {
    "black": ("000000", "151515", "1d1f24", "241f1c"),
    "grey": ("3f4144", "5a5a5a", "7d7f80", "9a9ca0", "b5b7b8", "c6c6c8", "929a90", "8c8474"),
    "white": ("ffffff", "ececec", "e4e6ea", "f2efe8"),
    "red": ("e50000", "b0141c", "8c0a14", "6a0d14", "d83a34", "c4283c", "a8083c"),
    "orange": ("f97306", "ff9a3c", "e07018", "fd7f4c", "c85808", "ff8060"),
    "yellow": ("ffff14", "fff06a", "e8c51c", "d8b400", "fff9a8"),
    "green": (
        "15b01a", "0b5d24", "7bc96a", "b0e8a0", "5c6e2c", "88a818", "123a20", "7ea07a",
        "b0e424", "149a64", "98fca8",
    ),
    "turquoise": ("06c2ac", "108080", "68d8d0", "045c5a"),
    "blue": (
        "0343df", "75bbfd", "06225c", "4878b8", "a8ccf0", "101c40", "3a4c70", "5a86a0",
        "0518a8", "0a6cfc", "5060e0", "8898fc", "d0f4fc", "20d0fc", "0a0450",
        "0808f4",
    ),
    "purple": (
        "7e1e9c", "4a1060", "a878d0", "c8a8e8", "6a20d0", "583068", "d050f0", "84607c",
        "2c0438",
    ),
    "pink": ("ff81c0", "ffb6cc", "e8208c", "d87890", "f8d0dc", "c82468", "ffa0a0", "e858c8"),
    "brown": ("653700", "4a2c14", "8a5a30", "9c6840", "38241a", "7a3c1c", "7a6414", "a08030"),
    "beige": ("d8c09a", "e8d8b8", "c0a880", "efe4cc", "fbf4c4"),
}  # fmt: skip
"""Each colour in some of its shades, as RGB."""

_ROWS, _COLUMNS = (1.35, 2.5), (-0.9, 0.9)
"""Where clothes are looked for: heights of the face below its upper edge, widths beside it."""
_GRID = 24  # samples each way
_LEAST_SEEN = 0.35  # of the place for clothes; the rest may lie outside the picture
_LEAST_CLOTH = 0.25  # of what is seen; the rest may be skin
_SKIN = 13.0
_ALIKE = 16.0  # distance under which two groups are one cloth in light and shade
_SECOND = 0.3  # of the cloth; less of another colour is not told
_SHADE = 0.5  # how much less light and shade count when groups are made
_SOFT = 3.5  # distance by which a colour must be nearer to be e times likelier


def clothes_colour(
    image: Image, face: Face, others: Sequence[Face] = ()
) -> tuple[str, float] | None:
    """A colour or two ("red", "blue and white") and how sure that is, 0 … 1.

    None where too little of the clothes is in view. Two are told in the order of the alphabet.
    `others`: the other faces in the picture; what they cover is left out.
    """
    cloth = _cloth(image, face, others)
    if cloth is None:
        return None
    groups = _groups(cloth)
    share, centre = groups[0]
    name, sure = colour_name(centre)
    if len(groups) > 1 and groups[1][0] >= _SECOND:
        second, also = colour_name(groups[1][1])
        if second != name:
            both = min(1.0, (share + groups[1][0]) / 0.8)
            return " and ".join(sorted((name, second))), min(sure, also) * both
    return name, sure * min(1.0, share / 0.7)


def colour_name(lab: np.ndarray) -> tuple[str, float]:
    """The name of a colour and how sure it is, 0 … 1. `lab`: [3], L 0 … 100."""
    names, points = _named()
    near = np.exp(-_distances(lab[None], points)[0] / _SOFT)
    sums = {name: float(near[[n == name for n in names]].max()) for name in NAMED}
    best = max(sums, key=lambda name: sums[name])
    return best, sums[best] / max(sum(sums.values()), 1e-12)


def _cloth(image: Image, face: Face, others: Sequence[Face]) -> np.ndarray | None:
    """Samples of what is no skin, float32 [n, 3] in CIELAB; None where too little is to be seen."""
    x, y, width, height = face.box
    rows = y + height * np.linspace(*_ROWS, _GRID)
    columns = x + width * (0.5 + np.linspace(*_COLUMNS, _GRID))
    down, across = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
    beside, below = np.abs(across - x - width / 2) / width, (down - y) / height
    body = ~((beside < 0.4) & (below < 1.7)) & ~((beside > 0.7) & (below < 1.5))  # neck, air
    seen = body & (down >= 0) & (down < image.size[1]) & (across >= 0) & (across < image.size[0])
    for other in others:
        left, top, wide, high = other.box
        aside = np.abs(across - left - wide / 2) > 0.7 * wide
        seen &= aside | (down < top - 0.3 * high) | (down > top + 1.2 * high)
    if seen.sum() < _LEAST_SEEN * body.sum():
        return None
    samples = _sampled(image, down[seen], across[seen], height * (_ROWS[1] - _ROWS[0]) / _GRID)
    cloth = samples[_distances(samples, _skin(image, face)[None])[:, 0] > _SKIN]
    return cloth if len(cloth) >= _LEAST_CLOTH * len(samples) else None


def _skin(image: Image, face: Face) -> np.ndarray:
    """The colour of the cheeks, [3]."""
    eyes, mouth = face.landmarks[:2].astype(float), face.landmarks[3:].astype(float)
    cheeks = 0.45 * eyes + 0.55 * mouth
    apart = float(np.hypot(*(eyes[1] - eyes[0])))
    around = np.array([[-0.1, 0], [0.1, 0], [0, -0.1], [0, 0.1], [0, 0]]) * apart
    points = (cheeks[:, None] + around[None]).reshape(-1, 2)
    points = np.clip(points, 0, np.array(image.size) - 1)
    return np.median(_sampled(image, points[:, 1], points[:, 0], 0.1 * apart), axis=0)


def _sampled(image: Image, down: np.ndarray, across: np.ndarray, cell: float) -> np.ndarray:
    """The colours around some pixels, [n, 3] in CIELAB, each the mean of `cell` pixels square."""
    cv2 = opencv()
    top, left = int(down.min()), int(across.min())
    part = image.pixels[top : int(down.max()) + 1, left : int(across.max()) + 1]
    size = [max(1, round(n / max(cell, 1.0))) for n in part.shape[:2]]
    small = cv2.resize(part, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    row = np.minimum((down - top) * size[0] / part.shape[0], size[0] - 1).astype(int)
    column = np.minimum((across - left) * size[1] / part.shape[1], size[1] - 1).astype(int)
    samples: np.ndarray = lab[row, column]
    return samples


def _groups(samples: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Groups of like colours, the largest first: its part of the whole, and its colour [3]."""
    cv2 = opencv()
    flat = (samples * np.array([_SHADE, 1.0, 1.0])).astype(np.float32)
    cv2.setRNGSeed(1)
    count = min(4, len(flat))
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, _ = cv2.kmeans(flat, count, None, stop, 2, cv2.KMEANS_PP_CENTERS)
    members = [samples[labels[:, 0] == i] for i in range(count)]
    members = sorted((m for m in members if len(m)), key=len, reverse=True)
    joined: list[np.ndarray] = []
    for some in members:
        near = (i for i, m in enumerate(joined) if _is_one_cloth(m, some))
        if (i := next(near, None)) is None:
            joined.append(some)
        else:
            joined[i] = np.vstack([joined[i], some])
    joined.sort(key=len, reverse=True)
    return [(len(m) / len(samples), np.median(m, axis=0)) for m in joined]


def _is_one_cloth(some: np.ndarray, others: np.ndarray) -> bool:
    apart = (np.median(some, axis=0) - np.median(others, axis=0)) * (_SHADE, 1.0, 1.0)
    return float(np.linalg.norm(apart)) < _ALIKE


def _distances(colours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[n, m], how different colours look (CIE94, made symmetric)."""
    one, two = colours[:, None].astype(np.float64), others[None].astype(np.float64)
    chroma, other_chroma = np.hypot(one[..., 1], one[..., 2]), np.hypot(two[..., 1], two[..., 2])
    light, strength = one[..., 0] - two[..., 0], chroma - other_chroma
    plane = (one[..., 1] - two[..., 1]) ** 2 + (one[..., 2] - two[..., 2]) ** 2
    hue = np.maximum(plane - strength**2, 0.0)
    both = np.sqrt(chroma * other_chroma)
    parts = light**2 + (strength / (1 + 0.045 * both)) ** 2 + hue / (1 + 0.015 * both) ** 2
    distances: np.ndarray = np.sqrt(parts)
    return distances


@cache
def _named() -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the colours in `NAMED`, and where they lie, [n, 3] in CIELAB."""
    cv2 = opencv()
    names = tuple(name for name, shades in NAMED.items() for _ in shades)
    shades = [bytes.fromhex(shade) for some in NAMED.values() for shade in some]
    rgb = np.array([list(shade) for shade in shades], np.float32)[None] / np.float32(255)
    return names, cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0]
