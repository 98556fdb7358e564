"""How to listen: `Listening`, and how patient to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from omni_agent.errors import SettingsError

Asked = Literal["question", "statement", "time"]
"""What the agent said last: a question, something else, or that the user may take their time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a pause may last before the turn is taken as over, in ms from the last syllable.

    `least_ms` where the user has finished for sure (192 at the least: sooner it cannot be known),
    `most_ms` where for sure not; in between by how sure it is.
    """

    least_ms: int = 256
    most_ms: int = 1600

    def __post_init__(self) -> None:
        if not 192 <= self.least_ms <= self.most_ms <= 30_000:
            raise SettingsError(
                f"patience from {self.least_ms} to {self.most_ms} ms: give a least and a most "
                "within 192 … 30000, the least first"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """When the user's turn begins and ends. Raises SettingsError for values that make no sense.

    `turns`: "auto", or "push-to-talk", where only `commit` ends a turn.
    `interrupt`: whether the user may cut in while the agent speaks; if not, what is said then is
    not heard.
    `judge`: what tells a pause within a turn from its end: "smart-turn" goes by how the words
    sound, "silence" by their absence alone, for `silence_ms`.
    `patience`: after anything the agent said that is no question; `after_question`: after one,
    since answers are short; `after_time`: after "take your time".
    `silence_ms`: how long a pause ends a turn where "silence" is the judge.
    `interrupt_ms`: so much clear speech interrupts the agent; less may be a "yeah" or "okay" and
    lets it go on, unless `heard_words` says otherwise. 0: whatever sounds like words interrupts.
    `longest_s`: a turn ends after so many seconds (in "auto").
    `preroll_ms`: sound before the first sign of speech that belongs to it: soft consonants.
    `speech_from`, `silence_below`: probabilities of speech in 32 ms at which speech begins, and
    below which it pauses.
    """

    turns: Literal["auto", "push-to-talk"] = "auto"
    interrupt: bool = True
    judge: Literal["smart-turn", "silence"] = "smart-turn"
    patience: Patience = Patience()
    after_question: Patience = Patience(least_ms=224, most_ms=2000)
    after_time: Patience = Patience(least_ms=500, most_ms=4000)
    silence_ms: int = 700
    interrupt_ms: int = 600
    longest_s: float = 120.0
    preroll_ms: int = 300
    speech_from: float = 0.5
    silence_below: float = 0.35

    def __post_init__(self) -> None:
        for name, choices in (("turns", ("auto", "push-to-talk")), ("judge", _JUDGES)):
            if getattr(self, name) not in choices:
                raise SettingsError(
                    f"{name}={getattr(self, name)!r}: it is {' or '.join(map(repr, choices))}"
                )
        for name in ("patience", "after_question", "after_time"):
            if not isinstance(getattr(self, name), Patience):
                raise SettingsError(
                    f"{name}={getattr(self, name)!r}: give Patience(least_ms=…, most_ms=…)"
                )
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise SettingsError(f"{name}={value!r} is no number")
            if not least <= value <= most:
                raise SettingsError(f"{name}={value!r}: give {least:g} … {most:g}")
        if self.silence_below > self.speech_from:
            raise SettingsError(
                f"silence_below={self.silence_below} is above speech_from={self.speech_from}; "
                "speech would end where it begins"
            )

    def patience_after(self, asked: Asked | None) -> Patience:
        match asked:
            case "question":
                return self.after_question
            case "time":
                return self.after_time
            case "statement" | None:
                return self.patience
            case _:
                raise SettingsError(
                    f"asked={asked!r}: it is one of {', '.join(map(repr, get_args(Asked)))}, None"
                )


_JUDGES = ("smart-turn", "silence")
_RANGES = (
    ("silence_ms", 100, 30_000),
    ("interrupt_ms", 0, 5_000),
    ("longest_s", 1, 600),
    ("preroll_ms", 0, 2_000),
    ("speech_from", 0.05, 0.99),
    ("silence_below", 0.01, 0.99),
)
