"""What foods are called, in English and Chinese: synonyms, pantry staples, allergens, diets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from omni_agent.tools.recipes.recipe import Recipe
from omni_agent.tools.recipes.wording import singular


@dataclass(frozen=True, slots=True)
class _Table:
    """What foods.toml says. `same`: each name with all names of that food."""

    same: dict[str, frozenset[str]]
    staples: frozenset[str]
    other_food: frozenset[str]
    not_a_kind: dict[str, frozenset[str]]
    allergens: dict[str, re.Pattern[str]]
    diets: dict[str, re.Pattern[str]]
    courses: dict[str, re.Pattern[str]]
    origins: dict[str, str]


@cache
def _table() -> _Table:
    read = tomllib.loads(Path(__file__).with_name("foods.toml").read_text(encoding="utf-8"))
    same: dict[str, set[str]] = {}
    for line in read["same"].strip().splitlines():
        group = _names(line)
        for name in group:
            same.setdefault(name, set()).update(group)

    def patterns(key: str) -> dict[str, re.Pattern[str]]:
        return {name: re.compile(pattern) for name, pattern in read[key].items()}

    return _Table(
        same={name: frozenset(group) for name, group in same.items()},
        staples=_names(read["staples"]),
        other_food=_names(read["other_food"]),
        not_a_kind={name: _names(others) for name, others in read["not_a_kind"].items()},
        allergens=patterns("allergens"),
        diets=patterns("diets"),
        courses=patterns("courses"),
        origins=read["origins"],
    )


def _names(listed: str) -> frozenset[str]:
    return frozenset(plain(name) for name in re.split(r"[,\n]", listed) if name.strip())


def is_staple(food: str) -> bool:
    """Salt, oil, water …: what every kitchen has."""
    return plain(food) in _table().staples


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Lower case, singular, without what describes the state ("fresh", "large", "chopped")."""
    name = re.sub(r"\s+", " ", name.strip().lower().replace("-", " "))
    name = re.sub(
        r"\b(leftover|fresh|large|small|medium|ripe|raw|some|a few|the|my|of|a|an)\b ", "", name
    )
    return singular(name)


class Foods:
    """Tells whether two names mean the same food.

    Knows a small table, and learns pairs from recipes that exist in two languages: the n-th
    ingredient of a step in one language is the n-th in the other.
    """

    def __init__(self, recipes: Iterable[Recipe] = ()) -> None:
        self._learned: dict[str, set[str]] = {}
        for recipe in recipes:
            self._learn(recipe)

    def names_of(self, food: str) -> frozenset[str]:
        """Every name known for the food, the given one included."""
        name = plain(food)
        return frozenset(_table().same.get(name, ()) or {name}) | self._learned.get(name, set())

    def same(self, wanted: str, ingredient: str) -> bool:
        """Is `ingredient` ("soft tofu") the `wanted` food ("tofu", "豆腐") or a kind of it?"""
        given = plain(ingredient)
        return any(_is_kind_of(name, given) for name in self.names_of(wanted))

    def _learn(self, recipe: Recipe) -> None:
        english, chinese = recipe.texts.get("en"), recipe.texts.get("zh")
        if not (english and chinese):
            return
        for ours, theirs in zip(english.steps, chinese.steps, strict=True):
            if len(ours.ingredients) != len(theirs.ingredients):
                continue
            for one, other in zip(ours.ingredients, theirs.ingredients, strict=True):
                a, b = plain(one.name), plain(other.name)
                in_order = one.amount and other.amount and one.amount.low == other.amount.low
                if in_order and not self._table_denies(a, b):
                    self._learned.setdefault(a, set()).add(b)
                    self._learned.setdefault(b, set()).add(a)

    def _table_denies(self, one: str, other: str) -> bool:
        """Both are in the table, and in no group together: here the order does differ."""
        known = _table().same
        return one in known and other in known and other not in known[one]


@lru_cache(maxsize=16384)
def _is_kind_of(name: str, given: str) -> bool:
    if name == given:
        return True
    table = _table()
    if given in table.not_a_kind.get(name, ()):
        return False
    if re.search(r"[\u4e00-\u9fff]", name):
        if given.endswith(name):
            return True
        return given.startswith(name) and given[-1] not in table.other_food
    words, theirs = ([singular(w) for w in n.split()] for n in (name, given))
    if not words or not set(words) <= set(theirs):
        return False
    return theirs[-1] == words[-1] or theirs[-1] not in table.other_food


# --- allergens -------------------------------------------------------------------------------


def allergens_in(words: str) -> frozenset[str]:
    """The allergens that a sentence names: "allergic to nuts" → nuts and peanuts."""
    return _named_in(words, _table().allergens)


def _named_in(words: str, patterns: Mapping[str, re.Pattern[str]]) -> frozenset[str]:
    text = words.lower()
    return frozenset(name for name, pattern in patterns.items() if pattern.search(text))


_ALLERGY = re.compile(
    r"allerg|intoleran|coeliac|celiac|can ?not eat|can't eat|过敏|不耐受|不能吃|乳糜泻"
)
_NO_ALLERGY = re.compile(
    r"\b(no|not|any|isn't|aren't|without) (\w+ )?allerg|不过敏|没有?.{0,4}过敏|不再.{0,4}过敏"
)


def tells_an_allergy(words: str) -> bool:
    """Is this a sentence such as "Anna is allergic to peanuts"; not "I have no allergies"."""
    text = words.lower()
    return bool(_ALLERGY.search(text)) and not _NO_ALLERGY.search(text)


_AVOIDED = re.compile(
    r"allergic to (?P<a>[^.;!?]+)|(?:can ?not|can't) eat (?P<b>[^.;!?]+)"
    r"|(?P<c>\w+) (?:allergy|intoleran)|对(?P<d>[^。；]+?)(?:严重)?过敏|不能吃(?P<e>[^。；，]+)"
)
_BETWEEN = re.compile(r",|、|，|\band\b|\bor\b|和|还有|以及|或")


def avoided_in(words: str) -> frozenset[str]:
    """What such a sentence tells to leave out, as allergens and as foods: "mangoes", "芒果"."""
    foods = {
        food.strip()
        for match in _AVOIDED.finditer(words.lower())
        for food in _BETWEEN.split(next(g for g in match.groups() if g))
        if len(food.strip()) > 1 or not food.isascii()
    }
    return frozenset(foods - {""}) | allergens_in(words)


# --- diets and courses -----------------------------------------------------------------------

_FREE_OF = {"gluten-free": {"gluten"}, "dairy-free": {"dairy"}, "nut-free": {"nuts", "peanuts"}}


def diets_in(words: str) -> frozenset[str]:
    return _named_in(words, _table().diets)


def courses_in(words: str) -> frozenset[str]:
    return _named_in(words, _table().courses)


def says_only(words: str, course: str) -> bool:
    """Is the course all that is said: "soup", "汤"?"""
    return bool(_table().courses[course].fullmatch(words))


def country_of(word: str) -> str:
    """ "italian" → "italy"; any other word stays as it is."""
    return _table().origins.get(word, word)


def suits(recipe: Recipe, diet: str) -> bool:
    """Vegan dishes are vegetarian too; "…-free" goes by the recipe's allergens."""
    if diet in _FREE_OF:
        return not recipe.allergens & _FREE_OF[diet]
    return diet in recipe.diet or (diet == "vegetarian" and "vegan" in recipe.diet)
