"""Find recipes: by name, by what is at hand, without what must not be in them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from omni_agent.messages import Language
from omni_agent.tools.recipes.foods import (
    Foods,
    allergens_in,
    country_of,
    courses_in,
    diets_in,
    is_staple,
    plain,
    says_only,
    suits,
)
from omni_agent.tools.recipes.recipe import Recipe
from omni_agent.tools.recipes.wording import singular


@dataclass(frozen=True, slots=True)
class Found:
    """A recipe that fits. `score`: 0 … 1; `used`, `missing`: ingredients, if asked by those."""

    recipe: Recipe
    score: float
    used: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`found`: best first. `left_out`: what fits otherwise, but holds something unwanted."""

    found: tuple[Found, ...]
    left_out: tuple[Recipe, ...] = ()


_LATIN = re.compile(r"[A-Za-z]+(?: [A-Za-z]+)*")


class RecipeSearch:
    """A search over some recipes; it learns from them what foods are called in both languages."""

    def __init__(self, recipes: Iterable[Recipe]) -> None:
        self._recipes = tuple(recipes)
        self.foods = Foods(self._recipes)
        self._holds = {
            r.id: {plain(i.name) for t in r.texts.values() for s in t.steps for i in s.ingredients}
            for r in self._recipes
        }

    def named(self, name: str) -> Found | None:
        """The recipe that goes by this name, in any language or a mix of two, typos allowed."""
        names = [name, *self._unmixed(name)]
        scored = [Found(r, max(name_score(n, r) for n in names)) for r in self._recipes]
        best = max(scored, key=lambda f: f.score, default=None)
        return best if best and best.score >= _SAME_NAME else None

    def _unmixed(self, name: str) -> list[str]:
        """A name such as "tomato炒鸡蛋", as a small model may translate it by half, in Chinese."""
        latin = _LATIN.findall(name) if _is_chinese(name) else []
        if len(latin) != 1:
            return []
        foods = (food for food in self.foods.names_of(latin[0]) if _is_chinese(food))
        return [name.replace(latin[0], food) for food in sorted(foods)]

    def find(
        self,
        query: str = "",
        *,
        at_hand: Sequence[str] = (),
        diet: str | None = None,
        kept: str | None = None,
        without: Sequence[str] = (),
        max_minutes: int | None = None,
        course: str | None = None,
        language: Language = "en",
        limit: int = 5,
    ) -> SearchResult:
        """Dishes that fit all that is said; a word of `query` may be a name, food, tag or origin.

        `kept`: one more diet, which somebody keeps. `without` takes foods and allergens.
        `language` is that of `used` and `missing`.
        """
        diets = {*diets_in(query), *filter(None, (diet, kept))}
        courses = courses_in(query)
        fits: list[tuple[bool, Found]] = []
        for recipe in self._recipes:
            if course and recipe.course != course.lower():
                continue
            if not all(suits(recipe, d) for d in diets):
                continue
            if max_minutes is not None and recipe.minutes > max_minutes:
                continue
            if fit := self._fit(recipe, query, at_hand, courses, language):
                fits.append((any(self.contains(recipe, unwanted) for unwanted in without), fit))
        fits.sort(key=lambda f: (-f[1].score, f[1].recipe.minutes, f[1].recipe.id))
        found = [fit for unwanted, fit in fits if not unwanted]
        if found:  # what fits far less than the best is noise; so is what would not be named
            best = found[0].score
            noise = _RESEMBLES + 0.1 if best >= _SURE and not at_hand else 0.6 * best
            found = [f for f in found if f.score >= noise][:limit]
        worst = found[-1].score if found else 0.0
        left_out = [fit.recipe for unwanted, fit in fits if unwanted and fit.score >= worst]
        return SearchResult(tuple(found), tuple(left_out))

    def contains(self, recipe: Recipe, unwanted: str) -> bool:
        """Is the food or allergen in it? When in doubt yes: this guards against allergies."""
        if allergens_in(unwanted) & recipe.allergens:
            return True
        names = [n for n in self.foods.names_of(unwanted) if len(n) > 1]
        return self._has(recipe, unwanted) or any(
            name in food if _is_chinese(name) else re.search(rf"\b{re.escape(name)}\b", food)
            for food in self._holds[recipe.id]
            for name in names
        )

    def _fit(
        self,
        recipe: Recipe,
        query: str,
        at_hand: Sequence[str],
        courses: frozenset[str],
        language: Language,
    ) -> Found | None:
        scores: list[float] = []
        used, missing = self._coverage(recipe, at_hand, language)
        wanted = [food for food in at_hand if not is_staple(food)]
        if wanted:
            if not used:
                return None
            share = len(used) / (len(used) + len(missing))
            hit = sum(self._has(recipe, food) for food in wanted) / len(wanted)
            scores.append(0.6 * hit + 0.4 * share)
        if words := _core(query):
            score = max(name_score(words, recipe), self._word_score(words, recipe, courses))
            if score >= _RESEMBLES:
                scores.append(score)
            elif not wanted:
                return None
        return Found(recipe, sum(scores) / len(scores) if scores else 0.5, used, missing)

    def _has(self, recipe: Recipe, food: str) -> bool:
        return any(self.foods.same(food, held) for held in self._holds[recipe.id])

    def _coverage(
        self, recipe: Recipe, at_hand: Sequence[str], language: Language
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        text = recipe.in_language(language)
        needed = dict.fromkeys(i.name for i in text.ingredients if not is_staple(i.name))
        used = [n for n in needed if any(self.foods.same(food, n) for food in at_hand)]
        return tuple(used), tuple(n for n in needed if n not in used)

    def _word_score(self, query: str, recipe: Recipe, courses: frozenset[str]) -> float:
        """How many of the words are a course, tag, origin or ingredient of the recipe."""
        if recipe.course in courses:
            return 0.75
        if any(says_only(query, course) for course in courses):
            return 0.0
        traits = [*recipe.tags, *(t.origin for t in recipe.texts.values())]
        said = [query] if _is_chinese(query) else query.split()
        hits = sum(
            any(_trait_matches(word, trait) for trait in traits) or self._has(recipe, word)
            for word in said
        )
        return 0.7 * hits / len(said)


_SURE = 0.85
_SAME_NAME = 0.62
_RESEMBLES = 0.55


def name_score(query: str, recipe: Recipe) -> float:
    """0 … 1: how well the words fit the best of the recipe's names."""
    words = _core(query)
    return max((_resemblance(words, _core(name)) for name in recipe.names), default=0.0)


def _resemblance(said: str, name: str) -> float:
    if not said or not name:
        return 0.0
    if said == name:
        return 1.0
    if _is_chinese(said) or _is_chinese(name):
        if name in said and len(name) > 1:
            return 0.95
        if said in name:
            return 0.6 + 0.3 * len(said) / len(name)
        return _likeness(said, name) * 0.95
    ours, theirs = said.split(), name.split()
    if set(theirs) <= set(ours):
        return 0.95 if len(theirs) > 1 else 0.85
    if set(ours) <= set(theirs):
        return 0.65 + 0.3 * len(ours) / len(theirs)
    whole = _likeness(said.replace(" ", ""), name.replace(" ", ""))
    close = sum(max(_likeness(a, b) for b in theirs) for a in ours)
    return 0.95 * max(whole, close / max(len(ours), len(theirs)))


_ALIKE = 0.75  # below it two spellings have little to do with each other


def _likeness(one: str, other: str) -> float:
    """0, or _ALIKE … 1."""
    matcher = difflib.SequenceMatcher(None, one, other)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
        return 0.0
    return ratio if (ratio := matcher.ratio()) >= _ALIKE else 0.0


_FILL = re.compile(
    r"\b(recipes?|dish(es)?|something|anything|with|for|the|a|an|some|how to|make|cook|to|i|want|"
    r"please|food|can|me|my|we|us|any|good|nice|cooking|find|of|and|like|would|let s|quick|fast|"
    r"easy|simple|healthy|recommend|suggest|tonight|dinner|lunch|style|cuisine)\b"
)
_FILL_ZH = re.compile(
    r"我想|我要|想吃|想做|要做|做个|做|吃|菜谱|食谱|怎么|一个|一道|什么|有没有|给我|点|的|吧|呢|吗|请|帮我|找|"
    r"快手|简单|健康|推荐|道菜|今晚|晚饭|午饭|好吃|菜$|素食|纯素|全素|料理"
)
_GENERAL = re.compile(r"\b(vegan|vegetarian|veggie|gluten free|dairy free|nut free|meatless)\b")


@lru_cache(maxsize=4096)
def _core(query: str) -> str:
    """The words that tell which dish: without "I want to cook", "菜谱" …"""
    text = _folded(query)
    bare = _FILL_ZH.sub("", text) if _is_chinese(text) else _FILL.sub(" ", text)
    return " ".join(singular(word) for word in _GENERAL.sub(" ", bare).split())


@lru_cache(maxsize=4096)
def _folded(text: str) -> str:
    """Lower case, without accents and punctuation; Chinese without blanks."""
    text = unicodedata.normalize("NFKD", text.lower())
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = " ".join(re.sub(r"[^\w]|_", " ", text).split())
    return text.replace(" ", "") if _is_chinese(text) else text


def _is_chinese(text: str) -> bool:
    return bool(re.search(r"[\u4e00-\u9fff]", text))


def _trait_matches(word: str, trait: str) -> bool:
    trait = _folded(trait)
    if _is_chinese(word):
        short = word.removesuffix("菜").removesuffix("式").removesuffix("国")
        return bool(short) and (short in trait or (len(trait) > 1 and trait in word))
    word = country_of(word)
    return any(plain(word) == plain(t) for t in (trait, *trait.split())) or (
        " " in word and word in trait
    )
