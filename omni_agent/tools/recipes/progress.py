"""Which dishes are being cooked and how far each is, kept across restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Protocol

from omni_agent.tools.recipes.recipe import Recipe

_STATE = "cooking"


class StateStore(Protocol):
    """Keeps a small JSON object under a name, also across restarts."""

    def load_state(self, name: str) -> dict[str, Any] | None: ...
    def save_state(self, name: str, state: dict[str, Any]) -> None: ...


class Recipes(Protocol):
    def __getitem__(self, id: str, /) -> Recipe: ...
    def __contains__(self, id: object, /) -> bool: ...


@dataclass(slots=True)
class Dish:
    """One dish on the stove. `step` counts from 1; `touched`: when it was last asked about."""

    recipe: Recipe
    step: int
    servings: int
    touched: datetime
    done: bool = False

    @property
    def factor(self) -> Fraction:
        """How many times the recipe's own amounts are needed."""
        return Fraction(self.servings, self.recipe.servings)


class Progress:
    """The dishes begun, the current one last."""

    def __init__(self, recipes: Recipes, store: StateStore) -> None:
        self._store = store
        self._dishes: dict[str, Dish] = {}
        for saved in (store.load_state(_STATE) or {}).get("dishes", []):
            if saved["recipe"] in recipes:  # one that is gone from the library is not resumed
                recipe = recipes[saved["recipe"]]
                self._dishes[recipe.id] = Dish(
                    recipe,
                    min(saved["step"], recipe.step_count),
                    saved["servings"],
                    datetime.fromisoformat(saved["touched"]),
                    saved["done"],
                )

    def __iter__(self) -> Iterator[Dish]:
        return iter(self._dishes.values())

    @property
    def current(self) -> Dish | None:
        return next(reversed(self._dishes.values()), None)

    def get(self, recipe: Recipe) -> Dish | None:
        return self._dishes.get(recipe.id)

    def put(self, dish: Dish) -> None:
        """Make it the current dish."""
        self._dishes.pop(dish.recipe.id, None)
        self._dishes[dish.recipe.id] = dish

    def drop(self, dish: Dish) -> None:
        del self._dishes[dish.recipe.id]

    def save(self) -> None:
        dishes = [
            {
                "recipe": dish.recipe.id,
                "step": dish.step,
                "servings": dish.servings,
                "done": dish.done,
                "touched": dish.touched.isoformat(),
            }
            for dish in self
        ]
        self._store.save_state(_STATE, {"dishes": dishes})
