"""A listener that goes by loudness alone: calls are tried out on it without any net."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from omni_agent.listening import (
    Heed,
    Paused,
    SpeechGone,
    SpeechLikely,
    SpeechMaybe,
    SpeechSure,
    TurnOver,
    WentOn,
)
from omni_agent.media import Audio

_WINDOW = 320  # samples, 20 ms
RATE = 16_000


class LoudListener:
    """Stands in for `TurnListener`. 60 ms of loudness are likely speech, 200 ms surely; a pause of
    200 ms may be the end, one of 500 ms is.
    """

    def __init__(self, settings: object) -> None:
        self._rest = np.zeros(0, np.float32)
        self._ms = 0
        self._loud = self._quiet = self._began = 0
        self._speaks = self._paused = False

    async def prepare(self) -> None: ...

    async def hear(self, audio: Audio, *, speaking: bool, asked: str | None) -> list[Heed]:
        sound = np.concatenate([self._rest, audio.samples])
        whole = len(sound) // _WINDOW * _WINDOW
        self._rest = sound[whole:]
        return [
            heed
            for window in sound[:whole].reshape(-1, _WINDOW)
            for heed in self._window(bool(np.abs(window).max() > 0.1))
        ]

    def heard_words(self, text: str) -> list[Heed]:
        return []

    def commit(self) -> list[Heed]:
        was, self._speaks = self._speaks, False
        return [TurnOver(self._ms, 0)] if was else []

    def clear(self) -> None:
        self._loud = self._quiet = 0
        self._speaks = self._paused = False

    def _window(self, is_loud: bool) -> Iterator[Heed]:
        self._ms += 20
        if is_loud:
            self._loud += 20
            if self._loud == 20 and not self._speaks:
                self._began = self._ms - 20
                yield SpeechMaybe(self._began)
            elif self._loud == 60 and not self._speaks:
                yield SpeechLikely(self._began)
            elif self._loud == 200 and not self._speaks:
                self._speaks = True
                yield SpeechSure(self._began)
            if self._paused:
                self._paused = False
                yield WentOn(self._ms - 20)
            self._quiet = 0
            return
        self._quiet += 20
        if not self._speaks:
            if self._loud and self._quiet == 100:
                self._loud = 0
                yield SpeechGone(self._ms)
        elif self._quiet == 200:
            self._paused = True
            yield Paused(self._ms - 200, 0.9)
        elif self._quiet == 500:
            self._speaks = self._paused = False
            self._loud = 0
            yield TurnOver(self._ms - 500, 500)


def speech(seconds: float) -> Audio:
    """What it takes for speech."""
    t = np.arange(round(seconds * RATE)) / RATE
    return Audio((0.3 * np.sin(2 * np.pi * 300 * t)).astype(np.float32), RATE)
