"""Who eats along, and what they must not have: asked of the memory before a dish is proposed.

Where it is known who is there, their allergies and diets count, those of their families, and those
of whoever talked with the agent without a name. Where nobody is known, all that is remembered does.
What is said is meant to err on the safe side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from omni_agent.events import RecalledMemory
from omni_agent.messages import Language
from omni_agent.tools.base import ToolContext
from omni_agent.tools.recipes.foods import avoided_in, suits, tells_an_allergy
from omni_agent.tools.recipes.recipe import Recipe
from omni_agent.tools.recipes.wording import join

KeptDiet = Literal["vegan", "vegetarian"]
Contains = Callable[[Recipe, str], bool]
"""Tells whether a recipe holds a food or allergen."""


class Fact(Protocol):
    """A statement of the memory: "Ben", "allergic_to", "nuts"; `source`: what it was drawn from."""

    @property
    def id(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def predicate(self) -> str | None: ...
    @property
    def object(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def about(self) -> str | None: ...
    @property
    def speaker(self) -> str | None: ...


@runtime_checkable
class KnowsFacts(Protocol):
    """A memory that knows statements besides sentences."""

    def facts(self, *, predicates: Collection[str]) -> Sequence[Fact]: ...


@dataclass(frozen=True, slots=True)
class Minded:
    """`why`: in the cook's language, without a full stop; `foods`: what to leave out for it."""

    why: str
    foods: frozenset[str] = frozenset()
    diet: KeptDiet | None = None

    def forbids(self, recipe: Recipe, contains: Contains) -> bool:
        unfit = self.diet is not None and not suits(recipe, self.diet)
        return unfit or any(contains(recipe, food) for food in self.foods)


def minded(ctx: ToolContext) -> list[Minded]:
    """What those who eat along must not have, each with the reason."""
    found: list[Minded] = []
    known: Sequence[Fact] = ()
    if isinstance(ctx.memory, KnowsFacts):
        known = ctx.memory.facts(predicates=("allergic_to", "not_allergic_to", "avoids", "diet"))
        found = [_of(f, ctx.language) for f in known if _eats_along(f.subject or "", ctx.people)]
    return [m for m in dict.fromkeys([*found, *_told(ctx, known)]) if m.foods or m.diet]


def foods_of(told: Iterable[Minded]) -> list[str]:
    return sorted({food for one in told for food in one.foods})


def diet_of(told: Iterable[Minded]) -> KeptDiet | None:
    """The strictest."""
    diets = {one.diet for one in told}
    return "vegan" if "vegan" in diets else "vegetarian" if "vegetarian" in diets else None


def warning(
    recipe: Recipe, told: Iterable[Minded], language: Language, *, contains: Contains
) -> str:
    """Said before a dish that holds what somebody must not have."""
    why = [one.why for one in told if one.forbids(recipe, contains)]
    if not why:
        return ""
    if language == "zh":
        return f"请注意：{'；'.join(why)}。"
    return f"Take care: {' '.join(_sentence(w) for w in why)} "


def say_left_out(
    left_out: Sequence[Recipe], told: Iterable[Minded], language: Language, *, contains: Contains
) -> str:
    """Which dishes were held back, and for whom."""
    if not left_out:
        return ""
    titles = join([r.title(language) for r in left_out[:3]], language)
    why = [one.why for one in told if any(one.forbids(r, contains) for r in left_out)]
    if language == "zh":
        return f"我没有算上{titles}" + (f"，因为{'；'.join(why)}。" if why else "。")
    return f" I left out {titles}" + (f", because: {'; '.join(why)}." if why else ".")


def say_diet(told: Iterable[Minded], language: Language) -> str:
    """That a diet was kept which nobody had asked for, and for whom."""
    why = [one.why for one in told if one.diet]
    if not why:
        return ""
    if language == "zh":
        return f"只算了素菜，因为{'；'.join(why)}。"
    return f" I kept to {diet_of(told)} dishes, because: {'; '.join(why)}."


# --- facts ---------------------------------------------------------------------------------------

_TELLER = "user"
"""The subject of what somebody without a name said of themselves."""
_VEGAN = ("vegan", "纯素", "全素", "吃纯素", "吃全素", "纯素食者", "纯素主义者")
_VEGETARIAN = ("vegetarian", "素", "meat", "any meat", "肉", "荤", "荤菜", "肉类")
_MEATS = frozenset(
    ("beef", "pork", "chicken", "lamb", "bacon", "ham", "sausage", "turkey", "duck", "veal")
)
_OF_DIETS = {
    "pescatarian": _MEATS,
    "halal": frozenset({"pork", "bacon", "ham"}),
    "kosher": frozenset({"pork", "bacon", "ham", "shellfish"}),
    "清真": frozenset({"猪肉"}),
    "犹太洁食": frozenset({"猪肉", "虾", "蟹"}),
}


def _eats_along(subject: str, people: Collection[str]) -> bool:
    """Where people are known: they, their families, and who has no name."""
    if not people:
        return True
    name, belongs = subject.casefold(), ("'s ", "的")
    return any(
        name == who or any(name.startswith(f"{who}{mark}") for mark in belongs)
        for who in (_TELLER, *(p.casefold() for p in people))
    )


def _of(fact: Fact, language: Language) -> Minded:
    what = str(fact.object)
    why = _why(fact, language)
    thing = what.casefold()
    if fact.predicate == "not_allergic_to":
        return Minded(why)
    if thing in _VEGAN:
        return Minded(why, diet="vegan")
    if thing in _VEGETARIAN or (fact.predicate == "diet" and "素" in thing):
        return Minded(why, diet="vegetarian")
    if fact.predicate == "diet":
        return Minded(why, _OF_DIETS.get(thing, frozenset()))
    return Minded(why, frozenset({what}))


def _why(fact: Fact, language: Language) -> str:
    """ "Ben is allergic to nuts", "you are vegan", "小明不吃猪肉"."""
    subject, what = str(fact.subject), str(fact.object)
    nameless = subject.casefold() == _TELLER
    family = subject.casefold().startswith((f"{_TELLER}'s ", f"{_TELLER}的"))
    rest = subject[len(_TELLER) :].removeprefix("'s ").removeprefix("的") if family else ""
    if language == "zh":
        who = f"你的{rest}" if family else "你" if nameless else subject
        said = {"allergic_to": f"对{what}过敏", "avoids": f"不吃{what}"}
        return who + said.get(str(fact.predicate), f"是{what}的")
    who = f"your {rest}" if family else "you" if nameless else subject
    be, do = ("are", "do") if nameless else ("is", "does")
    said = {"allergic_to": f"{be} allergic to {what}", "avoids": f"{do} not have {what}"}
    return f"{who} {said.get(str(fact.predicate), f'{be} {what}')}"


# --- sentences -----------------------------------------------------------------------------------


def _told(ctx: ToolContext, known: Sequence[Fact]) -> list[Minded]:
    """What is remembered in words alone: no statement was drawn from it yet."""
    asked = ("allergy, allergic to, cannot eat", "过敏，不能吃")
    found = (m for query in asked for m in ctx.memory.recall(query, limit=5))
    drawn = {id for fact in known for id in (fact.id, fact.source)}
    return [
        Minded(m.text.rstrip(".。 "), avoided_in(m.text))
        for m in found
        if m.speaker != ctx.agent  # a warning that the agent gave is no second reason
        and m.id not in drawn
        and tells_an_allergy(m.text)
        and _concerns(m, ctx.people)
        and not _is_over(m, known)
    ]


def _concerns(memory: RecalledMemory, people: Collection[str]) -> bool:
    """Said by somebody who is there or has no name, or about somebody who is there."""
    return (
        not people
        or memory.speaker in (None, _TELLER, *people)
        or any(name.casefold() in memory.text.casefold() for name in people)
    )


def _is_over(memory: RecalledMemory, known: Sequence[Fact]) -> bool:
    """Whether the same person has said since that they are not allergic to it any more."""
    over = {
        food
        for fact in known
        if fact.predicate == "not_allergic_to" and fact.speaker == memory.speaker
        for food in avoided_in(f"allergic to {fact.object}") | {str(fact.object).casefold()}
    }
    return avoided_in(memory.text) <= over


def _sentence(why: str) -> str:
    return f"{why[0].upper()}{why[1:]}."
