"""One timer: how it stands, how it is spoken of, how it is saved."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from omni_agent.messages import Language

logger = logging.getLogger("omni_agent.tools")

UNNAMED: dict[Language, str] = {"en": "timer", "zh": "计时器"}
"""What a timer is called that was given no name."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer as it stands. `seconds`: its whole length; `due` None: paused with `left` seconds."""

    name: str
    seconds: float
    due: datetime | None
    left: float
    language: Language

    def remaining(self, now: datetime) -> float:
        """Seconds until it rings, never below 0."""
        return self.left if self.due is None else max(0.0, (self.due - now).total_seconds())


def is_unnamed(timer: Timer) -> bool:
    return timer.name in UNNAMED.values()


def called(timer: Timer, language: Language) -> str:
    if not is_unnamed(timer):
        return timer.name
    return "计时器" if language == "zh" else "the timer"


def ring_words(timer: Timer) -> str:
    unnamed = is_unnamed(timer)
    if timer.language == "zh":
        lasts = say_duration(timer.seconds, "zh")
        return f"{lasts}到了。" if unnamed else f"{timer.name}的时间到了。"
    if unnamed:
        return f"Time is up: {say_duration(timer.seconds, 'en')}."
    return f"The {timer.name} timer is done."


def late_words(timer: Timer, ago: float) -> str:
    since = say_duration(max(ago, 1), timer.language)
    if timer.language == "zh":
        return f"我不在的时候，{called(timer, 'zh')}的时间到了，那是{since}前。"
    which = "the timer" if is_unnamed(timer) else f"the {timer.name} timer"
    return f"While I was away, {which} ended, {since} ago."


def dumped(timer: Timer) -> dict[str, Any]:
    return {
        "name": timer.name,
        "seconds": timer.seconds,
        "due": timer.due and timer.due.isoformat(),
        "left": timer.left,
        "language": timer.language,
    }


def loaded(state: dict[str, Any] | None) -> list[Timer]:
    timers = []
    for saved in (state or {}).get("timers", []):
        try:
            due = saved["due"] and datetime.fromisoformat(saved["due"])
            timers.append(
                Timer(saved["name"], saved["seconds"], due, saved["left"], saved["language"])
            )
        except (KeyError, TypeError, ValueError):
            logger.exception("a saved timer cannot be read and is left out: %r", saved)
    return timers


def say_duration(seconds: float, language: Language) -> str:
    """ "1 hour and 20 minutes", "half a minute" · "1小时20分钟", "半分钟"."""
    zh = language == "zh"
    whole = max(0, round(seconds))
    if whole == 30:
        return "半分钟" if zh else "half a minute"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    if zh:
        counted = [(hours, "小时"), (minutes, "分钟" if not rest else "分"), (rest, "秒")]
        return "".join(f"{n}{unit}" for n, unit in counted if n) or "0秒"
    counted = [(hours, "hour"), (minutes, "minute"), (rest, "second")]
    said = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in counted if n]
    return " and ".join(said) or "0 seconds"
