"""Pure values: what a listener makes of the sound. Times are ms of the microphone's sound."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpeechMaybe:
    """The first sign of speech, which began at `at_ms`: lower the reply."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechLikely:
    """It sounds like words and not like a hum: pause the reply; nothing is lost yet."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechSure:
    """The user speaks, since `at_ms`: a turn of theirs has begun."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechGone:
    """It was a cough, a hum, a noise or a word of assent, up to `at_ms`: let the reply go on."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    """The user is silent since `at_ms`; with probability `over` the turn is over.

    It comes again with a better estimate while the same pause lasts.
    """

    at_ms: int
    over: float


@dataclass(frozen=True, slots=True)
class WentOn:
    """The user speaks again, since `at_ms`, and so the last `Paused` was within the turn."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class TurnOver:
    """The turn is over. `at_ms`: its last syllable; `waited_ms`: from there to the decision."""

    at_ms: int
    waited_ms: int


Heed = SpeechMaybe | SpeechLikely | SpeechSure | SpeechGone | Paused | WentOn | TurnOver
