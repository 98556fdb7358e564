"""What is suggested to the cook, in words: dishes that fit."""

from __future__ import annotations

from omni_agent.messages import Language
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
