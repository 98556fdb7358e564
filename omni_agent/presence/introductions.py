"""What people say about who they are: taken down for the voice that said it.

Names are what people call themselves. That somebody else says a name makes it a guess, unless there
is only one person whom it can mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from omni_agent.memory.people import People
from omni_agent.presence.cast import Cast, Part
from omni_agent.presence.names_said import NameSaid, names_said

_NEXT = 8.0
"""Seconds after a name was called in which whoever speaks next is taken to be meant."""
_ANSWER = 15.0  # seconds in which a question is answered
_YES = re.compile(
    r"\s*(?:yes|yeah|yep|yup|sure|of course|correct|right|exactly|that's right|please do|you may|"
    r"it is|是的|是啊|对|没错|嗯|好的|好啊|可以|当然)",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\s*(?:no\b|nope|not\b|please don't|don't|that's not|不是|不对|不用|不要|不行|没有|别)",
    re.IGNORECASE,
)
_MAY_I = re.compile(r"remember (?:you|her|him|them)\b[^.!]*\?|记住你[^。！]*[？?]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Question:
    """What the agent has asked: "Is that Ben?", or whether it may remember somebody."""

    part: Part
    about: str
    at: float


class Introductions:
    """One call's. Times are seconds of the call. Not for several threads."""

    def __init__(self, people: People, cast: Cast) -> None:
        self._people, self._cast = people, cast
        self._called: tuple[str, float, Part | None] | None = None
        self._question: _Question | None = None
        self._by_others: set[str] = set()  # people whose name others told

    def heard(self, text: str, part: Part, at: float, here: Sequence[Part]) -> None:
        """`part`: the voice that said it. `here`: all voices and faces that are there."""
        self._answered(text, part, at)
        if self._called is not None and part is not self._called[2]:
            name, called_at, _ = self._called
            if at - called_at <= _NEXT and self._is_free(part, name, here):
                part.guess = name
            self._called = None
        for said in names_said(text):
            self._take(said, part, at, here)

    def agent_said(self, text: str, at: float, here: Sequence[Part]) -> None:
        """A question of the agent's to which yes or no is an answer."""
        self._question = None
        if "?" not in text and "？" not in text:
            return
        for part in here:
            maybe = self._cast.maybe(part)
            if maybe is not None and maybe.casefold() in text.casefold():
                self._question = _Question(part, "name", at)
        if _MAY_I.search(text):
            named = [p for p in here if (person := self._cast.person(p)) and person.name
                     and person.name.casefold() in text.casefold()]  # fmt: skip
            if named:
                self._question = _Question(named[0], "consent", at)

    # --- inside ------------------------------------------------------------------------------

    def _answered(self, text: str, part: Part, at: float) -> None:
        question, self._question = self._question, None
        if question is None or at - question.at > _ANSWER:
            return
        yes, no = _YES.match(text), _NO.match(text)
        if question.about == "name" and yes:
            self._cast.confirm(question.part)
        elif question.about == "name" and no:
            self._cast.deny(question.part)
        elif self._same(question.part, part) and self._people.keeping == "ask":
            # Only they themselves can agree.
            if yes:
                self._people.agree(part.person)
            elif no:
                self._people.consent(part.person, "session")

    def _take(self, said: NameSaid, part: Part, at: float, here: Sequence[Part]) -> None:
        match said.kind:
            case "own" | "called":
                self._is_called(part, said.name, insists=said.kind == "called")
            case "not":
                self._is_not_called(part, said.name)
            case "other":
                self._introduced(said.name, part, at, here)
            case "addressed":
                self._called = (said.name, at, part)

    def _is_called(self, part: Part, name: str, *, insists: bool) -> None:
        person, maybe = self._cast.person(part), self._cast.maybe(part)
        if person is None:
            return
        if maybe is not None and _same_name(maybe, name):
            self._cast.confirm(part)
            return
        if person.name is None or insists or person.id in self._by_others:
            earlier = [p for p in self._people.named(name) if p.id != person.id]
            if person.name is None and len(earlier) == 1 and not self._people.prints(earlier[0]):
                self._people.merge(person, earlier[0])  # known by hearsay, never met
            else:
                self._people.rename(person, name)
            self._by_others.discard(person.id)
        part.perhaps = part.guess = None

    def _is_not_called(self, part: Part, name: str) -> None:
        person, maybe = self._cast.person(part), self._cast.maybe(part)
        if maybe is not None and _same_name(maybe, name):
            self._cast.deny(part)
        elif person is not None and person.name is not None and _same_name(person.name, name):
            for change in self._people.changes(person):
                after = change.details.get("after") or {}
                if change.what == "rename" and not change.undone and after.get("name") == name:
                    self._people.undo(change)
                    return
            self._cast.deny(part)

    def _introduced(self, name: str, by: Part, at: float, here: Sequence[Part]) -> None:
        for part in here:
            maybe = self._cast.maybe(part)
            if maybe is not None and _same_name(maybe, name):
                self._cast.confirm(part)
                return
        free = [p for p in here if not self._same(p, by) and self._is_free(p, name, here)]
        people = {person.id for p in free if (person := self._cast.person(p)) is not None}
        if len(people) == 1:
            (id,) = people
            self._people.rename(id, name)
            self._by_others.add(id)
        else:
            self._called = (name, at, by)

    def _is_free(self, part: Part, name: str, here: Sequence[Part]) -> bool:
        """Whether this name may be theirs: they have none, and nobody there has it."""
        persons = [self._cast.person(p) for p in here]
        taken = any(p is not None and p.name and _same_name(p.name, name) for p in persons)
        person = self._cast.person(part)
        return not taken and person is not None and person.name is None

    def _same(self, one: Part, other: Part) -> bool:
        a, b = self._cast.person(one), self._cast.person(other)
        return a is not None and b is not None and a.id == b.id


def _same_name(one: str, other: str) -> bool:
    """ "Anna" is "Anna Lopez" too."""
    a, b = one.casefold(), other.casefold()
    return a == b or a.split()[0] == b or b.split()[0] == a
