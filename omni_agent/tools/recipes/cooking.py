"""The guide through a recipe: where the cook is, what comes next, how much of what.

Everything it says is worded for the ear, in English or Chinese. Where the cook is lies in a
`StateStore`, so that a restart goes on at the same step for the same number of people.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Literal

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ToolError
from omni_agent.messages import Language
from omni_agent.tools.recipes.foods import Foods
from omni_agent.tools.recipes.progress import Dish, Progress, Recipes, StateStore
from omni_agent.tools.recipes.quantities import System, round_half_up
from omni_agent.tools.recipes.recipe import Ingredient, Recipe, StepTimer
from omni_agent.tools.recipes.wording import (
    count_people,
    join,
    pick,
    say_duration,
    with_article,
)


@dataclass(frozen=True, slots=True)
class Guidance:
    """What to tell the cook, and where the cook now is. `step` counts from 1."""

    words: str
    recipe: Recipe
    servings: int
    step: int
    done: bool = False


_FORGOTTEN = timedelta(hours=12)  # starting the same dish later than this begins at step 1
MAX_SERVINGS = 100


class CookingGuide:
    """Leads through one dish at a time; other dishes wait where they were left."""

    def __init__(
        self,
        recipes: Recipes,
        store: StateStore,
        *,
        foods: Foods | None = None,
        clock: Clock = SYSTEM_CLOCK,
        system: System = "as written",
        offer_timers: bool = True,
    ) -> None:
        self._progress = Progress(recipes, store)
        self._foods = foods or Foods()
        self._clock = clock
        self._system = system
        self._offer_timers = offer_timers

    # --- moving ------------------------------------------------------------------------------

    def start(
        self, recipe: Recipe, servings: int | None = None, *, language: Language = "en"
    ) -> Guidance:
        """Begin a dish at its first step, or go back to where it was left."""
        people = _valid_servings(recipe.servings if servings is None else servings, language)
        dish = self._progress.get(recipe)
        resumed = (
            dish is not None
            and dish.step > 1
            and not dish.done
            and self._clock.now() - dish.touched < _FORGOTTEN
        )
        if dish is None or not resumed:
            dish = Dish(recipe, 1, people, self._clock.now())
        elif servings is not None:
            dish.servings = people
        self._progress.put(dish)
        title, takes = recipe.title(language), say_duration(recipe.minutes * 60, language)
        if resumed:
            intro = pick(language, f"Back to {title}.", f"我们接着做{title}。")
        else:
            intro = pick(
                language,
                f"{title} for {count_people(dish.servings, language)}, about {takes}.",
                f"{title}，{count_people(dish.servings, language)}份，大约{takes}。",
            )
        return self._at_step(dish, language, before=intro)

    def next(self, *, language: Language = "en") -> Guidance:
        dish = self._current(language)
        if dish.step < dish.recipe.step_count:
            dish.step += 1
            return self._at_step(dish, language)
        dish.done = True
        title = dish.recipe.title(language)
        english = f"That was the last step. {title} is ready. Enjoy your meal!"
        chinese = f"这就是最后一步了，{title}做好了。请慢用！"
        return self._guidance(dish, pick(language, english, chinese))

    def back(self, *, language: Language = "en") -> Guidance:
        dish = self._current(language)
        before = ""
        if dish.step == 1:
            before = pick(language, "This is the first step.", "这已经是第一步了。")
        elif not dish.done:
            dish.step -= 1
        return self._at_step(dish, language, before=before)

    def repeat(self, *, language: Language = "en") -> Guidance:
        return self._at_step(self._current(language), language)

    def jump(self, to: int | Literal["first", "last"], *, language: Language = "en") -> Guidance:
        """Raises ToolError where there is no such step."""
        dish = self._current(language)
        last = dish.recipe.step_count
        step = {"first": 1, "last": last}.get(to, 0) if isinstance(to, str) else to
        if step < 0:
            step += last + 1
        if not 1 <= step <= last:
            english = f"There is no step {to}; the recipe has {last}."
            raise ToolError(pick(language, english, f"没有第{to}步，一共{last}步。"))
        dish.step = step
        return self._at_step(dish, language)

    def finish(self, *, language: Language = "en") -> Guidance:
        """End the dish; one that was left before it becomes the current one again."""
        dish = self._current(language)
        words = pick(language, "Well done. Enjoy your meal!", "辛苦了，请慢用！")
        self._progress.drop(dish)
        if other := self._progress.current:
            name, step = other.recipe.title(language), other.step
            words += pick(
                language, f" {name} is still at step {step}.", f"{name}还停在第{step}步。"
            )
        self._progress.save()
        return Guidance(words, dish.recipe, dish.servings, dish.step, True)

    # --- asking ------------------------------------------------------------------------------

    @property
    def dishes(self) -> tuple[Recipe, ...]:
        """What is being cooked; the current dish last."""
        return tuple(dish.recipe for dish in self._progress)

    def where(self, *, language: Language = "en") -> Guidance:
        """Which dish, which step, and about how long is left."""
        dish = self._current(language)
        title, n, last = dish.recipe.title(language), dish.step, dish.recipe.step_count
        if dish.done:
            ready = pick(language, f"{title} is ready.", f"{title}已经做好了。")
            return self._guidance(dish, ready)
        left = say_duration(self.seconds_left(language=language), language)
        english = f"You are at step {n} of {last} of {title}, about {left} left."
        chinese = f"{title}做到第{n}步，共{last}步，大约还要{left}。"
        return self._guidance(dish, pick(language, english, chinese))

    def seconds_left(self, *, language: Language = "en") -> int:
        """The recipe's time, shared out over its steps by their waits; whole minutes."""
        dish = self._current(language)
        steps = dish.recipe.in_language(language).steps
        weights = [sum(t.seconds for t in step.timers) + _HANDS_ON for step in steps]
        share = Fraction(sum(weights[dish.step - 1 :]), sum(weights))
        minutes = 0 if dish.done else max(1, round_half_up(dish.recipe.minutes * share))
        return 60 * (minutes if minutes < 20 else 5 * round_half_up(Fraction(minutes, 5)))

    def timer(self, *, language: Language = "en") -> StepTimer | None:
        """The wait that the current step asks for."""
        dish = self._current(language)
        return dish.recipe.in_language(language).steps[dish.step - 1].timer

    def ingredients(self, *, language: Language = "en") -> Guidance:
        dish = self._current(language)
        needed = join(self._say_all(dish.recipe.in_language(language).ingredients, dish), language)
        people = count_people(dish.servings, language)
        return self._guidance(
            dish, pick(language, f"For {people} you need {needed}.", f"{people}份需要{needed}。")
        )

    def tools(self, *, language: Language = "en") -> Guidance:
        dish = self._current(language)
        cookware = dish.recipe.in_language(language).cookware
        needed = join([with_article(c) for c in cookware], language)
        if not needed:
            return self._guidance(
                dish, pick(language, "You need no special tools.", "不需要特别的厨具。")
            )
        return self._guidance(dish, pick(language, f"You need: {needed}.", f"需要{needed}。"))

    def how_much(self, what: str, *, language: Language = "en") -> Guidance:
        """The total of an ingredient, named in either language, and the steps that use it."""
        dish = self._current(language)
        names = self._matching(dish.recipe, what, language)
        if not names:
            title = dish.recipe.title(language)
            words = pick(language, f"{title} has no {what} in it.", f"{title}里没有{what}。")
            return self._guidance(dish, words)
        text = dish.recipe.in_language(language)
        told: list[str] = []
        for name in names:
            steps = [
                n for n, s in enumerate(text.steps, 1) if any(i.name == name for i in s.ingredients)
            ]
            totals = [i for i in text.ingredients if i.name.lower() == name.lower()]
            if all(i.amount is None and not i.loosely for i in totals):
                amount = pick(language, f"{name} to taste", f"{name}适量")
            else:
                amount = join(self._say_all(totals, dish), language)
            numbers = [str(n) for n in steps]
            told.append(
                pick(
                    language,
                    f"{amount}, in step{'s' if steps[1:] else ''} {join(numbers, 'en')}",
                    f"{amount}，第{'、'.join(numbers)}步用",
                )
            )
        said = ("；" if language == "zh" else "; ").join(told)
        return self._guidance(dish, said[0].upper() + said[1:] + pick(language, ".", "。"))

    def scale(self, servings: int, *, language: Language = "en") -> Guidance:
        """Cook for another number of people; tells the amounts from the current step on."""
        dish = self._current(language)
        dish.servings = _valid_servings(servings, language)
        steps = dish.recipe.in_language(language).steps[dish.step - 1 :]
        coming = [i for step in steps for i in step.ingredients if i.amount]
        people = count_people(servings, language)
        words = pick(language, f"Now for {people}.", f"好，改成{people}份。")
        if coming:
            needed = join(self._say_all(coming, dish), language)
            words += pick(language, f" From here you need {needed}.", f"接下来需要{needed}。")
        return self._guidance(dish, words)

    # --- inside ------------------------------------------------------------------------------

    def _current(self, language: Language) -> Dish:
        if dish := self._progress.current:
            return dish
        raise ToolError(
            pick(
                language,
                "No recipe is started yet. What would you like to cook?",
                "还没有开始做菜。你想做什么？",
            )
        )

    def _at_step(self, dish: Dish, language: Language, *, before: str = "") -> Guidance:
        dish.done = False
        text = dish.recipe.in_language(language)
        step = text.steps[dish.step - 1]
        n, last = dish.step, dish.recipe.step_count
        said = step.say(text.language, factor=dish.factor, system=self._system)
        place = pick(language, f"Step {n} of {last}.", f"第{n}步，共{last}步。")
        words = [before, place, said]
        if self._offer_timers and (wait := step.timer) and wait.seconds >= 60:
            words.append(wait.offer(language))
        return self._guidance(dish, ("" if language == "zh" else " ").join(filter(None, words)))

    def _say_all(self, ingredients: Sequence[Ingredient], dish: Dish) -> list[str]:
        texts = dish.recipe.texts.values()
        languages = {i.name: t.language for t in texts for i in t.ingredients}
        scaled = [i.scaled(dish.factor, self._system) for i in ingredients]
        return [i.say(languages[i.name]).rstrip(",") for i in scaled]

    def _matching(self, recipe: Recipe, what: str, language: Language) -> list[str]:
        """The ingredients' names in `language` that `what` can mean."""
        names = list(dict.fromkeys(i.name for i in recipe.in_language(language).ingredients))
        exact = [name for name in names if name.lower() == what.strip().lower()]
        kinds = exact or [name for name in names if self._foods.same(what, name)]
        if kinds:
            return kinds
        spelt = {name.lower(): name for name in names}
        close = difflib.get_close_matches(what.lower(), spelt, n=1, cutoff=0.75)
        return [spelt[c] for c in close]

    def _guidance(self, dish: Dish, words: str) -> Guidance:
        dish.touched = self._clock.now()
        self._progress.save()
        return Guidance(words, dish.recipe, dish.servings, dish.step, dish.done)


_HANDS_ON = 120  # seconds that a step takes beside its waits


def _valid_servings(servings: int, language: Language) -> int:
    if not 1 <= servings <= MAX_SERVINGS:
        raise ToolError(
            pick(
                language,
                f"Cannot cook for {servings}; give 1 to {MAX_SERVINGS} people.",
                f"不能做{servings}份，请给1到{MAX_SERVINGS}人。",
            )
        )
    return servings
