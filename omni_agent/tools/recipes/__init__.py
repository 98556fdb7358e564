"""Recipes: read, search, scale, and be led through them."""

from omni_agent.tools.recipes.cooking import CookingGuide, Guidance
from omni_agent.tools.recipes.kitchen import Kitchen
from omni_agent.tools.recipes.library import RecipeLibrary
from omni_agent.tools.recipes.recipe import Recipe
from omni_agent.tools.recipes.search import RecipeSearch

__all__ = ["CookingGuide", "Guidance", "Kitchen", "Recipe", "RecipeLibrary", "RecipeSearch"]
