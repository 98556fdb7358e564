"""What is suggested to the cook, in words: dishes that fit, and what allergies rule out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omni_agent.messages import Language
from omni_agent.tools.base import ToolContext
from omni_agent.tools.recipes.foods import avoided_in, tells_an_allergy
from omni_agent.tools.recipes.recipe import Recipe
from omni_agent.tools.recipes.search import Found, SearchResult
from omni_agent.tools.recipes.wording import join, say_duration


def say_found(result: SearchResult, language: Language) -> str:
    """At most as many dishes as were asked for, with their time and what is lacking."""
    if not result.found:
        return "我没有找到合适的菜。" if language == "zh" else "I have no dish that fits."
    said = [_say_one(found, language) for found in result.found]
    if language == "zh":
        return f"可以做{'；'.join(said)}。" + ("想做哪一道？" if said[1:] else "要开始吗？")
    ask = "Which one would you like?" if said[1:] else "Shall we start?"
    return f"You could make {'; or '.join(said)}. {ask}"


def _say_one(found: Found, language: Language) -> str:
    title, takes = found.recipe.title(language), say_duration(found.recipe.minutes * 60, language)
    words = f"{title}，{takes}" if language == "zh" else f"{title}, {takes}"
    if found.used and found.missing:
        lacking = list(found.missing[:3])
        if more := len(found.missing) - len(lacking):
            lacking.append(f"{more}样别的" if language == "zh" else f"{more} more")
        missing = join(lacking, language)
        words += f"，还缺{missing}" if language == "zh" else f", but you lack {missing}"
    elif found.used:
        words += "，材料都有" if language == "zh" else ", and you have it all"
    return words


# --- allergies -------------------------------------------------------------------------------


def allergies(ctx: ToolContext) -> list[str]:
    """The remembered sentences that tell of an allergy; warnings that were given do not count."""
    asked = ("allergy, allergic to, cannot eat", "过敏，不能吃")
    found = (m for query in asked for m in ctx.memory.recall(query, limit=5))
    told = dict.fromkeys(m.text for m in found if m.speaker != ctx.agent)
    return [text for text in told if tells_an_allergy(text)]


Contains = Callable[[Recipe, str], bool]
"""Tells whether a recipe holds a food or allergen."""


def warning(
    recipe: Recipe, allergies: Sequence[str], language: Language, *, contains: Contains
) -> str:
    """Said before a dish that holds what somebody is allergic to."""
    told = [t for t in allergies if any(contains(recipe, food) for food in avoided_in(t))]
    if not told:
        return ""
    if language == "zh":
        return f"请注意：{'；'.join(text.rstrip('.。') for text in told)}。"
    return f"Take care: {' '.join(text.rstrip('.。') + '.' for text in told)} "


def say_left_out(
    left_out: Sequence[Recipe],
    allergies: Sequence[str],
    language: Language,
    *,
    contains: Contains,
) -> str:
    """Which dishes were held back, and the remembered allergy that did it."""
    if not left_out:
        return ""
    titles = [r.title(language) for r in left_out[:3]]
    why = [
        told.rstrip(".。")
        for told in allergies
        if any(contains(recipe, food) for recipe in left_out for food in avoided_in(told))
    ]
    if language == "zh":
        return f"我没有算上{join(titles, 'zh')}" + (f"，因为{'；'.join(why)}。" if why else "。")
    because = f", because: {'; '.join(why)}." if why else "."
    return f" I left out {join(titles, 'en')}{because}"
