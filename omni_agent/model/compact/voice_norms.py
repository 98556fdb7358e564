"""How Kokoro normalises what a voice says, learned once a voice from a dozen sentences.

The means and variances hardly depend on what is said, and much on how long it is and by whom: with
those of sentences of the same length, a window sounds as it does within its own sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omni_agent.messages import Language
from omni_agent.model.compact.keep import keep_arrays, kept_arrays
from omni_agent.model.compact.kokoro import Floats

SENTENCES: dict[Language, tuple[str, ...]] = {
    "en": (
        "Yes.",
        "Okay!",
        "Of course.",
        "That is right.",
        "You can do it.",
        "The water is hot.",
        "I would use butter.",
        "Twenty-five minutes, please.",
        "You can use oil instead of it.",
        "We will need two eggs and some milk.",
        "The nearest café is two hundred metres away.",
        "The museum opens at nine in the morning and closes at six in the evening.",
        "Now chop the onions finely, heat the oil in a large pan, and let them fry on low heat for "
        "about ten minutes.",
    ),
    "zh": (
        "好。",
        "可以！",
        "没问题。",
        "对，是这样。",
        "你做得很好。",
        "水已经开了。",
        "我会用黄油。",
        "请等二十五分钟。",
        "你可以用植物油代替。",
        "我们需要两个鸡蛋和牛奶。",
        "最近的咖啡馆离这里两百米。",
        "博物馆早上九点开门，晚上六点关门。",
        "现在把洋葱切碎，锅里放油烧热，用小火慢慢炒十分钟左右。",
    ),
}
"""What a voice says to be learned: of all lengths, and as agents talk."""

_WIDTH = 0.3
"""How much two sentences' lengths may differ, in their logarithm, to be much alike."""


@dataclass(frozen=True, slots=True)
class VoiceNorms:
    """`lengths`: int [sentences], in phonemes. `rows`: float32 [sentences, channels]."""

    lengths: np.ndarray
    rows: Floats

    def of(self, phonemes: int) -> Floats:
        """float32 [1, channels, 1] for a sentence of that many phonemes."""
        apart = (np.log(self.lengths) - np.log(max(1, phonemes))) / _WIDTH
        weights = np.exp(0.5 * (np.min(apart**2) - apart**2))
        mixed = (weights / weights.sum()).astype(np.float32) @ self.rows
        return np.asarray(mixed[None, :, None], np.float32)

    def save(self, file: Path) -> None:
        keep_arrays(file, {"lengths": self.lengths, "rows": self.rows})


def saved(file: Path) -> VoiceNorms | None:
    """What `save` has written; None where there is nothing that can be used."""
    found = kept_arrays(file, "lengths", "rows")
    return VoiceNorms(found["lengths"], found["rows"]) if found else None
