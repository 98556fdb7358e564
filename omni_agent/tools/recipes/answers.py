"""What the kitchen's tools give back: words to speak, and a card for the screen."""

from __future__ import annotations

from typing import Any

from omni_agent.messages import Language
from omni_agent.tools.base import Say, ToolContext
from omni_agent.tools.recipes.cooking import Guidance
from omni_agent.tools.recipes.recipe import Recipe


class Nowhere:
    """Keeps nothing: for looking into a recipe without starting it."""

    def load_state(self, name: str) -> dict[str, Any] | None:
        return None

    def save_state(self, name: str, state: dict[str, Any]) -> None:
        return None


def told_in(guidance: Guidance, ctx: ToolContext, *, before: str = "") -> Say:
    data = {
        "recipe": guidance.recipe.title(ctx.language),
        "step": guidance.step,
        "steps": guidance.recipe.step_count,
        "servings": guidance.servings,
    }
    return Say(before + guidance.words, data)


def card(recipe: Recipe, language: Language) -> dict[str, Any]:
    return {"name": recipe.title(language), "minutes": recipe.minutes, "course": recipe.course}
