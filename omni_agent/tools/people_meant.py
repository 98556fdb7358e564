"""Whom somebody means: by name, by where they sit, by their voice, or as "me"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from omni_agent.errors import ToolError
from omni_agent.events import PersonHere
from omni_agent.messages import Language
from omni_agent.tools.base import ToolContext

HIGH, LOW = 165.0, 150.0
"""Hz: a voice above the first is a woman's more often than not, below the second a man's."""
_ALIKE = 0.72  # how near a name as it was heard must come to a name
_ME = re.compile(r"(?:i|me|my|myself|mine|the user|user|我|我自己|自己|本人)", re.IGNORECASE)
_SIDES = (
    ("left", re.compile(r"\bleft\b|左")),
    ("right", re.compile(r"\bright\b|右")),
    ("middle", re.compile(r"\bmiddle\b|\bcent(?:er|re)\b|\bbetween\b|中间|当中")),
)
_WOMAN = re.compile(r"\b(?:wom[ae]n|lady|girl|she|her|female)\b|女|她|姑娘|阿姨|太太")
_MAN = re.compile(r"\b(?:m[ae]n|guy|gentleman|boy|he|him|male)\b|男|他|小伙|叔叔|先生")
EVERYBODY = re.compile(
    r"(?:every(?:one|body)|all(?: of (?:us|them))?|they|them|we|us|who|any(?:one|body)|people|"
    r"大家|所有人|他们|我们|谁|每个人|各位)?",
    re.IGNORECASE,
)

ASKS_WHO = re.compile(
    r"^\W*(?:(?:and|so|but|okay|ok|now)\W+)?(?:who|which of|(?:do|does|is|has) any\w*)\b|"
    r"谁|哪位|哪个人|有没有人",
    re.IGNORECASE,
)
"""A question for a person: whoever small models take for the answer, all are meant."""

_ASKS = re.compile(
    r"[?？]|^\W*(?:(?:and|so|but|okay|ok|now|please)\W+)*(?:wh\w+|how|did|do|does|have|has|is|are|"
    r"was|were|can|could|find|show|look|search|tell|read)\b|哪|什么|吗|谁|找|看|怎么|几",
    re.IGNORECASE,
)


class Someone(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str | None: ...


class Words(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def person(self) -> str | None: ...


class Seen(Protocol):
    @property
    def person(self) -> Someone: ...
    @property
    def slot(self) -> str: ...
    @property
    def value(self) -> str: ...


class KnownPeople(Protocol):
    """What the tools want of `Memory.people`. Called from any thread."""

    def all(self) -> Sequence[Someone]: ...
    def get(self, person: str, /) -> Someone | None: ...
    def said(
        self, person: str, about: str | None = None, *, limit: int = 20
    ) -> Sequence[Words]: ...
    def looks(
        self, person: str | None = None, *, slot: str | None = None, at: datetime | None = None
    ) -> Sequence[Seen]: ...
    def agree(self, person: str, /) -> Someone: ...
    def forget(self, person: str, /) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Meant:
    """`how`: by what they were found, where that was not their name. `sure`: see `PersonHere`."""

    id: str
    name: str | None
    how: str = ""
    sure: bool = True

    def called(self, language: Language) -> str:
        """At the beginning of a sentence."""
        if language == "zh":
            name = self.name or "那位我还不认识的人"
            return f"{self.how}的{name}" if self.how else name
        name = self.name or "The person whose name I don't know"
        return f"{name}, {self.how}," if self.how else name


def tells(heard: str) -> bool:
    """Whether these words tell something, where small models may take them for a question."""
    return bool(heard) and not _ASKS.search(heard)


def known_people(ctx: ToolContext) -> KnownPeople:
    """Raises ToolError where this memory knows nobody."""
    people = getattr(ctx.memory, "people", None)
    if people is None or getattr(people, "keeping", "off") == "off":
        raise ToolError("this agent was opened without a memory for people")
    found: KnownPeople = people
    return found


def meant(person: str, ctx: ToolContext) -> Meant:
    """Raises ToolError, with whom it knows, where nobody or several could be meant."""
    people, words = known_people(ctx), " ".join(person.split()).strip(" .!?'\"")
    if _ME.fullmatch(words):
        if ctx.speaker is None or (me := people.get(ctx.speaker)) is None:
            raise ToolError("it is not sure whose voice that was; ask who is speaking")
        return Meant(me.id, me.name)
    if found := _by_name(words, people, ctx.present):
        return found
    return _by_place(words.casefold(), ctx)


def side_of(person: PersonHere, present: Sequence[PersonHere]) -> str | None:
    """ "left", "middle" or "right" among those in view; None where that says nothing."""
    xs = sorted(p.x for p in present if p.x is not None)
    if person.x is None or len(xs) < 2:
        return None
    if person.x == xs[0]:
        return "left"
    return "right" if person.x == xs[-1] else "middle"


def where(side: str, language: Language) -> str:
    if language == "zh":
        return {"left": "左边", "right": "右边", "middle": "中间"}[side]
    return "in the middle" if side == "middle" else f"on the {side}"


# --- inside -----------------------------------------------------------------------------------


def _by_name(words: str, people: KnownPeople, present: Sequence[PersonHere]) -> Meant | None:
    here = {p.id: p for p in present}
    named = [p for p in people.all() if p.name]
    # Those who are here come first: two people may share a name.
    named.sort(key=lambda p: p.id not in here)
    for alike in (_equal, _within, _nearly):
        found = [p for p in named if p.name is not None and alike(words, p.name)]
        if [p for p in found if p.id in here]:
            found = [p for p in found if p.id in here]
        if len(found) > 1:
            names = ", ".join(str(p.name) for p in found)
            raise ToolError(f"{words!r} may be one of several: {names}; ask which")
        if found:
            return Meant(found[0].id, found[0].name)
    for person in present:  # "Is that Ben?"
        if person.name is not None and not person.sure and _equal(words, person.name):
            return Meant(person.id, person.name, sure=False)
    return None


def _by_place(words: str, ctx: ToolContext) -> Meant:
    present, language = ctx.present, ctx.language
    side = next((name for name, pattern in _SIDES if pattern.search(words)), None)
    woman, man = bool(_WOMAN.search(words)), bool(_MAN.search(words))
    if woman == man:
        woman = man = False
    if side is None and not (woman or man):
        names = ", ".join(p.name for p in present if p.name) or "nobody by name"
        raise ToolError(f"nobody called {words!r:.60} is known; here I know {names}")
    fits = [p for p in present if not (woman and _is_low(p)) and not (man and _is_high(p))]
    if side is not None:
        seen = sorted((p for p in present if p.x is not None), key=lambda p: p.x or 0.0)
        if not seen:
            raise ToolError("nobody is in view; ask for a name")
        if side == "middle":
            inner = [p for p in seen[1:-1] if p in fits] or seen[1:-1]
            if len(inner) != 1:
                raise ToolError(f"of {len(seen)} people in view nobody is surely in the middle")
            found = inner[0]
        else:
            found = ([p for p in seen if p in fits] or seen)[0 if side == "left" else -1]
        return Meant(found.id, found.name, where(side, language), found.sure)
    # Nothing but the voice to go by: only where it leaves no doubt, and it is told.
    sure = [p for p in fits if (woman and _is_high(p)) or (man and _is_low(p))]
    if len(sure) != 1 or len(fits) != 1:
        raise ToolError(f"it is not sure who is meant by {words!r:.60}; ask for a name or a place")
    how = "听声音" if language == "zh" else "by the voice"
    return Meant(sure[0].id, sure[0].name, how, sure[0].sure)


def _equal(words: str, name: str) -> bool:
    return words.casefold() == name.casefold()


def _within(words: str, name: str) -> bool:
    said, own = words.casefold(), name.casefold()
    if not own.isascii():
        return own in said
    return bool(re.search(rf"\b{re.escape(own)}\b", said)) or own.split()[0] == said


def _nearly(words: str, name: str) -> bool:
    one, other = words.casefold(), name.casefold()
    return difflib.SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _is_high(person: PersonHere) -> bool:
    return person.pitch is not None and person.pitch >= HIGH


def _is_low(person: PersonHere) -> bool:
    return person.pitch is not None and person.pitch <= LOW
