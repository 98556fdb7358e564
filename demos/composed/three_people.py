"""The example that anyone can play: three people tell of themselves, then ask about each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from composed.scene import RATE, Line, Scene, faces_of
from omni_agent.media import Audio

VOICES = {"Anna": "bf_emma", "Ben": "am_michael", "Carla": "af_bella"}
GLASSES = ("Ben",)
SEATS = {"Anna": 0.18, "Ben": 0.5, "Carla": 0.82}

LINES: Sequence[tuple[str, str]] = (
    ("Anna", "Hello! I'm Anna, and it is so good to see you both again after the summer."),
    ("Ben", "Hi, I'm Ben. I came here straight from work today, so forgive me if I yawn."),
    ("Carla", "And I'm Carla. I live just across the street, so I had the shortest way of all."),
    ("Ben", "Before anybody cooks tonight, please remember that I am allergic to peanuts."),
    ("Ben", "And my train to Hamburg leaves at seven in the morning, so I must not stay too late."),
    ("Carla", "My dog is called Biscuit, and he will be eleven years old in October."),
    ("Anna", "The spare key for the garden is under the blue flower pot, in case you need it."),
    ("Carla", "What did Ben say about peanuts?"),
    ("Ben", "What did the woman on the left say about the key?"),
    ("Anna", "Who wears glasses?"),
)  # fmt: skip

PAUSE = 1.2  # seconds after each line, in the film
_LOUDNESS = 0.06  # root mean square of every voice

Speak = Callable[[str, str], Audio]
"""Of words and the name of a voice."""


def compose(speak: Speak, progress: Callable[[int, int], None] = lambda done, of: None) -> Scene:
    """Everything said one after the other. `progress`: of lines, called before each and at last."""
    at, lines = 1.0, list[Line]()
    for number, (who, text) in enumerate(LINES):
        progress(number, len(LINES))
        sound = speak(text, VOICES[who]).resampled(RATE).samples
        sound = (sound * _LOUDNESS / np.sqrt(np.mean(sound**2))).astype(np.float32)
        lines.append(Line(who, at, sound, text))
        at = lines[-1].end + PAUSE
    progress(len(LINES), len(LINES))
    return Scene(lines, faces_of(*VOICES), [(0.0, SEATS)], at, GLASSES)
