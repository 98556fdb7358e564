"""How somebody looks in one picture: glasses, and the colour of the clothes.

Each answer comes with how sure it is. One picture alone decides nothing: see memory/look_votes.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from omni_agent.media import Image
from omni_agent.memory.embed.clothes import clothes_colour
from omni_agent.memory.embed.face import Face, FaceQuality, quality, upright
from omni_agent.memory.embed.glasses import LEAST_EYES, eye_strip, glasses_log_odds

Slot = Literal["glasses", "clothes"]
SLOTS: tuple[Slot, ...] = ("glasses", "clothes")

_LEAST_FRONTAL, _LEAST_GOOD = 0.3, 0.25
_SUREST = 2.5
"""Log-odds. A fringe or a deep shadow may look like a frame in every picture there is."""


@dataclass(frozen=True, slots=True)
class SeenLook:
    """What one picture tells: "glasses" is "yes" or "no", "clothes" a colour or two ("red",
    "blue and white"). `confidence`: 0 … 1.
    """

    slot: str
    value: str
    confidence: float


def looks_of(
    image: Image,
    face: Face,
    *,
    others: Sequence[Face] = (),
    view: FaceQuality | None = None,
) -> tuple[SeenLook, ...]:
    """What can be told of this face in this picture; what cannot is left out. About 3 ms.

    `others`: the other faces in the picture, which may hide clothes. `view`: if `quality` was asked
    already. Glasses are not told of a face from the side, blurred, or under 20 pixels between the
    eyes; clothes not where they lie outside the picture.
    """
    found = []
    if (odds := _glasses(image, face, view)) is not None:
        sure = 1 / (1 + math.exp(-abs(odds)))
        found.append(SeenLook("glasses", "yes" if odds > 0 else "no", sure))
    if (cloth := clothes_colour(image, face, others)) is not None:
        found.append(SeenLook("clothes", *cloth))
    return tuple(found)


def _glasses(image: Image, face: Face, view: FaceQuality | None) -> float | None:
    apart = float(np.hypot(*(face.landmarks[1] - face.landmarks[0]).astype(float)))
    if apart < LEAST_EYES:
        return None
    view = view or quality(face, upright(image, face))
    if view.frontal < _LEAST_FRONTAL or min(view.size, view.sharpness, view.exposure) < _LEAST_GOOD:
        return None
    return max(-_SUREST, min(_SUREST, glasses_log_odds(eye_strip(image, face))))
