"""What is remembered of people's tastes, read out of memories in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from omni_agent.tools.places.cuisine import Wish, understand, understand_diets

QUERY = "food diet vegan vegetarian allergic allergy likes loves hates wheelchair 吃素 过敏 喜欢吃"
"""Finds, in words and in meaning, the memories that matter to where one eats."""


@dataclass(frozen=True, slots=True)
class Preferences:
    diets: frozenset[str] = frozenset()
    allergies: tuple[str, ...] = ()
    """In English where it is a common one, else as said."""
    likes: tuple[Wish, ...] = ()
    dislikes: tuple[Wish, ...] = ()
    wheelchair: bool = False


def preferences_from(memories: Iterable[str]) -> Preferences:
    """Read statements such as "I'm vegan", "Anna is allergic to nuts", "我喜欢日料".

    Questions, wishes of the moment ("I'd like a pizza"), what is said of a place, and diets that
    a statement denies count for nothing.
    """
    diets: set[str] = set()
    allergies: dict[str, None] = {}
    likes: list[Wish] = []
    dislikes: list[Wish] = []
    wheelchair = False
    for clause in (c for memory in memories for c in _statements(memory)):
        for allergen in _allergens(clause):
            if diet := _ALLERGEN_DIETS.get(allergen):
                diets.add(diet)
            else:
                allergies[_ALLERGENS_ZH.get(allergen, allergen)] = None
        if _WHEELCHAIR.search(clause):
            wheelchair = True
        if _DISLIKES.search(clause):
            dislikes += _foods(clause)
        elif not _DENIES.search(clause):
            if _STATES.search(clause) and not _OF_A_PLACE.search(clause):
                diets |= understand_diets(clause)
            if _LIKES.search(clause):
                likes += _foods(clause)
    return Preferences(
        frozenset(diets), tuple(allergies), tuple(likes), tuple(dislikes), wheelchair
    )


_CLAUSE = re.compile(r"[^.;!。；！\n]+?(?=[.;!。；！\n]|,? but |，?但是?|$)", re.IGNORECASE)
_QUESTION = re.compile(r"[?？]|吗|\bwhere\b|\bwhat\b|哪里|哪儿|有没有|什么", re.IGNORECASE)
_STATES = re.compile(
    r"\b(?:i am|am|i['’]m|we['’]re|is|are|eats?|keeps?|follows?|needs?|diet|only|prefers?)\b"
    r"|我|吃|是|只",
    re.IGNORECASE,
)
_OF_A_PLACE = re.compile(
    r"\b(?:restaurant|café|cafe|place|bar|options?|menu|in mind)s?\b|餐厅|馆|店|家|选择|考虑",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not|isn['’]t|aren['’]t|no longer|never|stopped|used to)\b|不是|不再|没有|以前",
    re.IGNORECASE,
)
_LIKES = re.compile(
    r"(?<!would )(?<!['’]d )\b(?:likes?|loves?|enjoys?|prefers?|favou?rite|fan of|craves?)\b"
    r"|喜欢|爱吃|爱喝|最爱|偏爱",
    re.IGNORECASE,
)
_DISLIKES = re.compile(
    r"\b(?:don['’]t|doesn['’]t|do not|does not|never) (?:like|eat|want|enjoy)|\bhates?\b"
    r"|\bdislikes?\b|can['’]t stand|\bavoids?\b|不喜欢|讨厌|不吃|不爱|不想吃",
    re.IGNORECASE,
)
_ALLERGENS = (
    re.compile(r"(?:allergic|allergy|intolerant|intolerance) to ([a-z][a-z ,&-]*)", re.IGNORECASE),
    re.compile(r"\b([a-z]+) (?:allergy|intolerance|intolerant)\b", re.IGNORECASE),
    re.compile(r"对([\u4e00-\u9fff、和]{1,20}?)(?:严重)?(?:过敏|不耐受)"),
    re.compile(r"([\u4e00-\u9fff]{1,4}?)(?:过敏|不耐受)"),
)
_WHEELCHAIR = re.compile(r"\b(?:uses?|in|has|have) (?:a|my|the) wheelchair\b|坐轮椅|用轮椅", re.I)
_ALLERGEN_DIETS = {
    "gluten": "gluten_free", "wheat": "gluten_free", "麸质": "gluten_free",
    "小麦": "gluten_free", "lactose": "lactose_free", "milk": "lactose_free",
    "dairy": "lactose_free", "乳糖": "lactose_free", "牛奶": "lactose_free",
}  # fmt: skip

_NO_ALLERGENS = ("", "an", "no", "any", "food", "the", "食物", "什么", "严重")
_PLURALS = {"peanut": "peanuts", "nut": "nuts", "egg": "eggs", "shrimps": "shrimp"}
_ALLERGENS_EN = {
    "peanuts": "花生", "nuts": "坚果", "shellfish": "贝类", "shrimp": "虾", "fish": "鱼",
    "eggs": "鸡蛋", "soy": "大豆", "sesame": "芝麻", "seafood": "海鲜", "crab": "螃蟹",
}  # fmt: skip
_ALLERGENS_ZH = {zh: en for en, zh in _ALLERGENS_EN.items()}


def allergen_words(allergen: str, language: str) -> str:
    return _ALLERGENS_EN.get(allergen, allergen) if language == "zh" else allergen


def _statements(memory: str) -> list[str]:
    if _QUESTION.search(memory[:400]):
        return []
    return [clause.strip() for clause in _CLAUSE.findall(memory[:400]) if clause.strip()]


def _allergens(clause: str) -> list[str]:
    for pattern in _ALLERGENS:
        if found := pattern.search(clause):
            parts = re.split(r",|&|\band\b|\bor\b|、|和", found[1])
            names = (p.strip().lower()[:30] for p in parts)
            return [_PLURALS.get(name, name) for name in names if name not in _NO_ALLERGENS]
    return []


def _foods(clause: str) -> list[Wish]:
    wish = understand(clause)
    return [wish] if wish.is_food else []
