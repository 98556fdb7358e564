"""A tone that stands for speech where no voice is needed."""

from __future__ import annotations

import numpy as np

from omni_agent.media import Audio

SPEECH_RATE = 15.0
"""Characters a second in which the tone stands for speech."""

TONE_RATE = 24_000
"""Hz"""


class Tone:
    """A quiet 220 Hz that runs on without a click from piece to piece."""

    def __init__(self) -> None:
        self._position = 0

    def say(self, text: str) -> Audio:
        n = round(len(text) / SPEECH_RATE * TONE_RATE)
        t = np.arange(self._position, self._position + n) / TONE_RATE
        self._position += n
        return Audio((0.1 * np.sin(2 * np.pi * 220 * t)).astype(np.float32), TONE_RATE)
