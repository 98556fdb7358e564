"""A recipe as a value: what it is, what goes in, and its steps in each language it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from omni_agent.messages import Language
from omni_agent.tools.recipes.quantities import Amount, System, in_system, scale
from omni_agent.tools.recipes.wording import say_duration, say_ingredient, say_temperatures

ALLERGENS = ("gluten", "nuts", "peanuts", "dairy", "egg", "soy", "fish", "shellfish", "sesame")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One mention of an ingredient. `loosely`: an amount in words only, "a pinch"."""

    name: str
    amount: Amount | None = None
    loosely: str = ""
    note: str = ""

    def scaled(self, factor: Fraction, system: System = "as written") -> Ingredient:
        if self.amount is None:
            return self
        scaled = scale(self.amount, factor, name=self.name)
        amount = in_system(scaled, system, name=self.name)
        return Ingredient(self.name, amount, self.loosely, self.note)

    def say(self, language: Language) -> str:
        return say_ingredient(self.name, self.amount, self.loosely, language)


@dataclass(frozen=True, slots=True)
class Cookware:
    name: str


@dataclass(frozen=True, slots=True)
class StepTimer:
    """A wait that a step asks for. `seconds` to `longest` where the recipe gives a range."""

    name: str
    seconds: int
    longest: int

    def say(self, language: Language) -> str:
        if self.longest == self.seconds:
            return say_duration(self.seconds, language)
        unit = 60 if self.seconds % 60 == 0 and self.longest % 60 == 0 else 1
        joint = "到" if language == "zh" else " to "
        return f"{self.seconds // unit}{joint}{say_duration(self.longest, language)}"

    def offer(self, language: Language) -> str:
        """The question whether to set it."""
        if language == "zh":
            return f"要设一个{say_duration(self.seconds, 'zh')}的计时器吗？"
        minutes, seconds = divmod(self.seconds, 60)
        if seconds or minutes >= 60:
            return f"Shall I set a timer for {say_duration(self.seconds, 'en')}?"
        return f"Shall I set {'an' if minutes in (8, 11, 18) else 'a'} {minutes} minute timer?"


@dataclass(frozen=True, slots=True)
class Step:
    """One paragraph: plain words with ingredients, cookware and timers among them."""

    parts: tuple[str | Ingredient | Cookware | StepTimer, ...]
    section: str = ""

    @property
    def ingredients(self) -> tuple[Ingredient, ...]:
        return tuple(p for p in self.parts if isinstance(p, Ingredient))

    @property
    def cookware(self) -> tuple[Cookware, ...]:
        return tuple(p for p in self.parts if isinstance(p, Cookware))

    @property
    def timers(self) -> tuple[StepTimer, ...]:
        return tuple(p for p in self.parts if isinstance(p, StepTimer))

    @property
    def timer(self) -> StepTimer | None:
        """The wait worth a timer: the first of a minute or more, else the first."""
        waits = self.timers
        return next((w for w in waits if w.seconds >= 60), waits[0] if waits else None)

    def say(
        self, language: Language, *, factor: Fraction = Fraction(1), system: System = "as written"
    ) -> str:
        """The step in words to be spoken, its amounts for `factor` times the servings."""
        said = ""
        for i, part in enumerate(self.parts):
            match part:
                case str():
                    said += say_temperatures(part, language, system)
                case Ingredient():
                    words = part.scaled(factor, system).say(language)
                    after = next(iter(self.parts[i + 1 : i + 2]), ".")
                    if part.note and not (isinstance(after, str) and after[:1] in _STOPS):
                        words += f"({part.note})" if language == "zh" else f", {part.note},"
                    elif part.note:
                        words += f"，{part.note}" if language == "zh" else f", {part.note}"
                    said += words
                case Cookware():
                    said += part.name
                case StepTimer():
                    said += part.say(language)
        said = _ARTICLES.sub(lambda m: f"{m[1]} {m[2] or m[3]} ", said)
        return said.replace(",,", ",").replace(",.", ".").strip()


_ARTICLES = re.compile(  # "the half a spoon", "the a quarter of a spoon"
    r"\b(the) (?:(half) an?|an? (quarter|third|eighth)) ", re.IGNORECASE
)
_STOPS = tuple(",.;:!?，。；：！？、)")


@dataclass(frozen=True, slots=True)
class RecipeText:
    """A recipe in one language."""

    language: Language
    title: str
    steps: tuple[Step, ...]
    aliases: tuple[str, ...] = ()
    origin: str = ""
    notes: tuple[str, ...] = ()

    @property
    def ingredients(self) -> tuple[Ingredient, ...]:
        """Every ingredient once, in order of first use, its amounts added up per unit."""
        shelves: dict[str, list[Ingredient]] = {}
        for mention in (i for step in self.steps for i in step.ingredients):
            shelf = shelves.setdefault(mention.name.lower(), [])
            for k, other in enumerate(shelf):
                if mention.amount is None and (other.amount or not mention.loosely):
                    break
                if other.amount is None and not other.loosely:
                    shelf[k] = mention
                    break
                if mention.amount and other.amount and mention.amount.unit == other.amount.unit:
                    total = other.amount + mention.amount
                    shelf[k] = Ingredient(other.name, total, "", other.note or mention.note)
                    break
                if mention.loosely and mention.loosely == other.loosely:
                    break
            else:
                shelf.append(mention)
        return tuple(i for shelf in shelves.values() for i in shelf)

    @property
    def cookware(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(c.name for step in self.steps for c in step.cookware))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A dish. `minutes`: from start to table; `diet` and `allergens` in English words.

    `texts` holds at least one language; each has the same number of steps.
    """

    id: str
    servings: int
    minutes: int
    texts: Mapping[Language, RecipeText] = field(repr=False)
    prep_minutes: int | None = None
    cook_minutes: int | None = None
    course: str = ""
    tags: frozenset[str] = frozenset()
    diet: frozenset[str] = frozenset()
    allergens: frozenset[str] = frozenset()

    def in_language(self, language: Language) -> RecipeText:
        """The recipe in that language, or in the one it has."""
        return self.texts.get(language) or next(iter(self.texts.values()))

    def title(self, language: Language) -> str:
        return self.in_language(language).title

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it goes by, in all languages."""
        every = [n for text in self.texts.values() for n in (text.title, *text.aliases)]
        return tuple(dict.fromkeys([*every, self.id.replace("-", " ")]))

    @property
    def step_count(self) -> int:
        return len(next(iter(self.texts.values())).steps)
