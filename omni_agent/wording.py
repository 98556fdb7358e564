"""The few sentences that the agent itself says, where neither model nor tool has words."""

from __future__ import annotations

from collections.abc import Mapping

from omni_agent.messages import Language

APOLOGY = {
    "en": "Sorry, I could not do that. Please ask me another way.",
    "zh": "抱歉，我没能做到。请换个说法再试一次。",
}
HEARD_NOTHING = {
    "en": "Sorry, I did not hear anything.",
    "zh": "抱歉，我什么都没听到。",
}
TOO_MANY_STEPS = {
    "en": "Sorry, I did not get to the end of that. Let us take it step by step.",
    "zh": "抱歉，这件事我没能做完。我们一步一步来吧。",
}


def in_language(wording: Mapping[Language, str], language: Language) -> str:
    return wording.get(language, wording["en"])
