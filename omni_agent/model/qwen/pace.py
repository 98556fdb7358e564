"""How far into its text a speech has come, told by how long it has sounded: an estimate.

The Talker reads a token with every code, 20 ms, and speaks far more slowly; nothing in the model
says which word is sounding. So every character is given the time that it usually takes, and what
replies turn out to take corrects the scale, for each voice by itself.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

PRIOR_SECONDS = 20.0
"""The scale is moved as if that much speech had been heard at the usual rate."""


def usual_seconds(char: str) -> float:
    """What a character takes at an unhurried rate, assumed: 15 letters, or 4.5 Han, a second."""
    if char.isspace():
        return 0.0
    if char in ".!?;:…。！？；：":
        return 0.35
    if char in ",、，—–":
        return 0.2
    if char.isdigit():
        return 0.25
    if not char.isalpha():
        return 0.0
    return 0.22 if unicodedata.east_asian_width(char) in "WF" else 1 / 15


@dataclass(slots=True)
class Pace:
    """One voice's, learnt from the replies that it has spoken to their end."""

    _usual: float = PRIOR_SECONDS
    _took: float = PRIOR_SECONDS

    @property
    def scale(self) -> float:
        """How many times as long as usual this voice takes."""
        return self._took / self._usual

    def seconds(self, text: str) -> float:
        """How long it will take to say this."""
        return self.scale * sum(map(usual_seconds, text))

    def learn(self, text: str, seconds: float) -> None:
        """This was said from its first to its last word, and took so long."""
        usual = sum(map(usual_seconds, text))
        # Noise, or a reply of nothing but signs, tells nothing of the voice.
        if usual and 1 / 4 <= seconds / usual <= 4:
            self._usual += usual
            self._took += seconds


class Progress:
    """How far one reply has come. Its answers never go back, and never beyond the text so far."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._upto = 0
        self._reached = 0.0  # usual seconds of the text up to there

    def upto(self, text: str, seconds: float) -> int:
        """How many characters of the `text` so far have sounded after that many seconds."""
        usual = seconds / self._pace.scale
        while self._upto < len(text):
            reached = self._reached + usual_seconds(text[self._upto])
            if reached > usual:
                break
            self._reached = reached
            self._upto += 1
        return self._upto
