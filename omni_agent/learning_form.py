"""The form in which a model tells what there is to learn, and how it is shown to fill it."""

from __future__ import annotations

import json
from typing import Any

from omni_agent.messages import Exchange

KINDS = (
    "likes", "dislikes", "allergic_to", "not_allergic_to", "avoids", "eats", "diet", "lives_in",
    "comes_from", "works_as", "other",
)  # fmt: skip
"""Predicates of memory/facts.py, and a place for all else that a sentence may say."""

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "maxItems": 4,
            "items": {
                "type": "object",
                "properties": {
                    "who": {"type": "string", "maxLength": 24},
                    "what": {"enum": list(KINDS)},
                    "value": {"type": "string", "maxLength": 60},
                },
                "required": ["who", "what", "value"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}

INSTRUCTIONS = f"""\
You read one sentence that somebody said and note the lasting facts it states about people, as JSON.
"who" is "speaker" for the one who says it; for others the name, or the word for them ("mother").
"what" is one of: {", ".join(KINDS)}. "other" is for ages, names, things owned, plans.
"value" has the speaker's own words. Most sentences state nothing lasting: then the list is empty.
Questions, wishes, guesses, requests and things of the moment are never facts."""


def _shown(said: str, *facts: tuple[str, str, str]) -> Exchange:
    told = [dict(zip(("who", "what", "value"), fact, strict=True)) for fact in facts]
    return Exchange(said, json.dumps({"facts": told}, ensure_ascii=False))


EXAMPLES = (
    _shown("Peanuts make my throat swell up.", ("speaker", "allergic_to", "Peanuts")),
    _shown("What time is it in Tokyo?"),
    _shown("我从来受不了茴香的味道。", ("speaker", "dislikes", "茴香")),
    _shown("Could you turn the heat down a bit?"),
    _shown(
        "Laura, that's my aunt, runs a bakery in Leeds.",
        ("Laura", "other", "my aunt"),
        ("Laura", "works_as", "runs a bakery"),
        ("Laura", "lives_in", "Leeds"),
    ),
    _shown("我们先放盐还是先放糖？"),
    _shown("There's nothing better than a bowl of ramen for me.", ("speaker", "likes", "ramen")),
    _shown("I'd rather have tea today."),
    _shown("我奶奶在苏州养了两只猫。", ("奶奶", "lives_in", "苏州"), ("奶奶", "other", "两只猫")),
    _shown("The doctor told me to stay away from salt.", ("speaker", "avoids", "salt")),
    _shown("That smells wonderful."),
    _shown("过年我们全家要去三亚。", ("speaker", "other", "过年去三亚")),
    _shown("The oven is hot now, go on."),
    _shown("我在中学教物理。", ("speaker", "works_as", "教物理")),
    _shown("Next month my parents come to visit.", ("parents", "other", "visit Next month")),
    _shown("帮我看看这个牌子上写的什么。"),
)
