"""What the tools for people tell, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from omni_agent.events import PersonHere
from omni_agent.messages import Language
from omni_agent.tools.base import ToolContext
from omni_agent.tools.people_meant import Words, side_of, where

_LONGEST = 300  # characters of what was said


class Scene(Protocol):
    @property
    def at(self) -> datetime: ...
    @property
    def text(self) -> str: ...
    @property
    def description(self) -> str: ...


def tell_here(person: PersonHere, present: Sequence[PersonHere], language: Language) -> str:
    side, zh = side_of(person, present), language == "zh"
    if person.name is None:
        name = "一位我不认识的人" if zh else "somebody I don't know"
    elif person.sure:
        name = person.name
    else:
        name = f"可能是{person.name}" if zh else f"perhaps {person.name}"
    if side is not None:
        at = where(side, language)
    elif person.x is None and any(p.x is not None for p in present):
        at = "不在画面里" if zh else "out of view"
    else:
        at = ""
    if zh:
        return f"{at}是{name}" if side is not None else name + (f"（{at}）" if at else "在")
    return f"{name} is {at or 'here'}"


def heard_nothing(name: str, about: str | None, language: Language) -> str:
    if language == "zh":
        return f"我没听到{name}说过{about or '什么'}。"
    what = f" about {about}" if about else ""
    return f"I have not heard {name} say anything{what}."


def statements(words: Sequence[Words]) -> list[Words]:
    """Without questions; each once."""
    found: dict[str, Words] = {}
    for one in words:
        text = one.text.strip()
        if text and not text.endswith(("?", "？")):
            found.setdefault(text.casefold(), one)
    return list(found.values())


def quoted(text: str) -> str:
    plain = " ".join(text.split()).replace('"', "'").replace("“", "'").replace("”", "'")
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"


def inside(name: str) -> str:
    """Of a sentence."""
    name = name.rstrip(",")
    return f"t{name[1:]}" if name.startswith("The person") else name


def by_place(person: PersonHere | None, ctx: ToolContext) -> str:
    if person is not None and person.name is not None:
        return person.name
    side = None if person is None else side_of(person, ctx.present)
    if ctx.language == "zh":
        return f"{where(side, 'zh')}的人" if side else "有个人"
    return f"the person {where(side, 'en')}" if side else "somebody"


def tell_look(name: str, slot: str, value: str, language: Language) -> str:
    match value.casefold():
        case "yes":
            return f"{name}：有{slot}" if language == "zh" else f"{name} has {slot}"
        case "no" | "none":
            return f"{name}：没有{slot}" if language == "zh" else f"{name} has no {slot}"
        case _:
            return f"{name}：{slot} {value}" if language == "zh" else f"{name}'s {slot}: {value}"


def tell_seen(scene: Scene, now: datetime, language: Language) -> str | None:
    what = quoted(scene.description or scene.text)
    if not what:
        return None
    minutes = round((now - scene.at).total_seconds() / 60)
    if language == "zh":
        ago = "刚才" if minutes < 2 else f"{minutes}分钟前" if minutes < 90 else "之前"
        return f"{ago}我看到：“{what}”"
    ago = "just now" if minutes < 2 else f"{minutes} minutes ago"
    if minutes >= 90:
        ago = f"{round(minutes / 60)} hours ago" if minutes < 48 * 60 else f"on {scene.at:%B %d}"
    verb = "I saw" if scene.description else "I read"
    return f'{ago[0].upper()}{ago[1:]} {verb}: "{what}"'
