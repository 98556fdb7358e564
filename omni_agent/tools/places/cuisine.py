"""From what a person says they want to what the map can be asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from omni_agent.tools.places.cuisine_table import TASTES, Taste
from omni_agent.tools.places.place import Place


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for. All empty: anything to eat or drink."""

    label_en: str = ""
    label_zh: str = ""
    cuisines: frozenset[str] = frozenset()
    near_cuisines: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    hints: frozenset[str] = frozenset()
    diets: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    """What no table knows: parts of a name, perhaps."""

    def label(self, language: str) -> str:
        return self.label_zh if language == "zh" else self.label_en

    @property
    def is_food(self) -> bool:
        """It names a kind of food or place, so that others do not fit."""
        return bool(self.cuisines or self.kinds)

    def fit(self, place: Place) -> float:
        """How well a place's food fits, 0 (not at all) to 1, diets apart."""
        by_name = self._fit_of_name(place)
        if not self.is_food:
            return by_name if self.words else 1.0
        by_food = 0.0
        if self.cuisines & set(place.cuisines):
            by_food = 1.0
        elif place.kind in self.kinds:
            by_food = 0.9
        elif self._hinted(place):
            by_food = 0.8
        elif self.near_cuisines & set(place.cuisines) or (
            "restaurant" in self.kinds and place.kind == "cafe"
        ):
            by_food = 0.4
        return max(by_food, by_name if by_name > 0.9 else 0.0)

    def _fit_of_name(self, place: Place) -> float:
        if not self.words:
            return 0.0
        names = fold(" ".join((place.name, *place.names.values())))
        return sum(word in names for word in self.words) / len(self.words)

    def _hinted(self, place: Place) -> bool:
        name = fold(place.name)
        return any(re.search(_hint_pattern(hint), name) for hint in self.hints)


def understand(said: str, diet: str | None = None) -> Wish:
    """A wish from free words, English or Chinese, with a diet beside them.

    Words that no table knows become a search by name, as long as they are all there is.
    """
    tastes, rest = _read(said)
    diets = {t.diet for t in tastes if t.diet} | understand_diets(diet or "")
    foods = [t for t in tastes if not t.diet]
    # "Italian restaurant" and "sushi bar" ask for the food; the kind of house only wraps it.
    if telling := [t for t in foods if t.cuisines]:
        foods = telling
    elif special := [t for t in foods if t.en.split("|")[0] not in _GENERIC]:
        foods = special
    return Wish(
        label_en=" or ".join(t.en.split("|")[0] for t in foods) or " ".join(rest),
        label_zh="或".join(t.zh.split("|")[0] for t in foods) or " ".join(rest),
        cuisines=_union(t.cuisines for t in foods),
        near_cuisines=_union(t.near for t in foods),
        kinds=_union(t.kinds for t in foods),
        hints=_union(t.hints for t in foods),
        diets=frozenset(diets),
        words=tuple(rest),
    )


def understand_diets(said: str) -> frozenset[str]:
    """The diets named in free words or in OSM's own (`gluten_free`)."""
    tastes, _ = _read(said)
    return frozenset(t.diet for t in tastes if t.diet)


def tastes_in(said: str) -> list[Taste]:
    """Every entry of the table that the words name, in the order of the table."""
    return _read(said)[0]


def fold(text: str) -> str:
    """Lower case without accents, so that "café" is "cafe" and "Ônam" is "onam"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in apart if not unicodedata.combining(c))


DIET_NAMES: dict[str, dict[str, str]] = {
    t.diet: {"en": t.en.split("|")[0], "zh": t.zh.split("|")[0]} for t in TASTES if t.diet
}

_HAN = re.compile(r"[\u4e00-\u9fff]")
_SAID_AROUND_IT = (
    "a an the some any good nice great best decent cosy cozy really very place places spot spots "
    "shop shops store joint somewhere something anything food eat eating drink drinking to of for "
    "with and or in at on near nearby around here me us i we want would like find get have where "
    "can could is are there please options option menu my by close closest nearest serving that "
    "serves serve open now style house dishes dish cuisine"
)
_SAID_AROUND_IT_ZH = (
    "好吃|好喝|不错|附近|这附近|哪里|哪儿|有没有|有什么|什么|一家|一个|一点|地方|店|馆|的|吗|呢|想|我|要|"
    "吃|喝|找|去|在|有|家|好|点|东西|最近|最好|周边|旁边|这里|这儿|可以|能|推荐|和|或者|或|料理|菜"
)
_FILLING = frozenset(_SAID_AROUND_IT.split())
_FILLING_ZH = sorted(_SAID_AROUND_IT_ZH.split("|"), key=len, reverse=True)
_GENERIC = ("food", "restaurant")


def _read(said: str) -> tuple[list[Taste], list[str]]:
    """The tastes named in some words, longest first match, and what is left over."""
    left = f" {fold(said[:200]).replace('_', ' ')} "
    found: list[Taste] = []
    for pattern, taste in _patterns():
        left, times = pattern.subn(" ", left)
        if times and taste not in found:
            found.append(taste)
    for filling in _FILLING_ZH:
        left = left.replace(filling, " ") if _HAN.search(left) else left
    rest = [w for w in re.findall(r"[\w'&]+", left) if w not in _FILLING]
    return sorted(found, key=TASTES.index), rest


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Taste], ...]:
    """What to look for, longest first."""
    phrases: dict[str, Taste] = {}
    for taste in TASTES[::-1]:  # the map's own words; the first entry of the table wins
        phrases |= {word.replace("_", " "): taste for word in taste.cuisines.split()}
    for taste in TASTES[::-1]:  # what people say outweighs them
        phrases |= {fold(p): taste for p in (*taste.en.split("|"), *taste.zh.split("|")) if p}
    longest_first = sorted(phrases.items(), key=lambda p: -len(p[0]))
    return tuple((re.compile(_pattern(phrase)), taste) for phrase, taste in longest_first)


def _pattern(phrase: str) -> str:
    if _HAN.search(phrase):
        return re.escape(phrase)
    # Not \b: Chinese puts no space around a Latin word ("附近的sushi").
    return rf"(?<![a-z0-9]){re.escape(phrase)}(?:e?s)?(?![a-z0-9])"


def _hint_pattern(hint: str) -> str:
    whole = r"\b" if len(hint) <= 4 else ""
    return rf"\b{re.escape(fold(hint).replace('_', ' '))}{whole}"


def _union(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())
