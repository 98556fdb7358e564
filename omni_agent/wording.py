"""The few sentences that the agent itself says, where neither model nor tool has words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from omni_agent.messages import Language
from omni_agent.model.compact.language import language_of

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

_GO_ON = re.compile(
    r"(please |sorry |okay |ok |yes )*"
    r"(go on|go ahead|continue|carry on|keep going|and then|say the rest|"
    r"(what )?(were you|you were) saying)( please)?"
    r"|(好|请|你)*(继续|接着|说下去|然后呢|刚才说什么)(说|讲)?(吧)?"
)


def in_language(wording: Mapping[Language, str], language: Language) -> str:
    return wording.get(language, wording["en"])


def language_of_words(words: str, before: Language) -> Language:
    """The language of typed words where their script tells it, or else the one before."""
    match language_of(words):
        case "zh":
            return "zh"
        case "en" if before == "zh":
            return "en"
        case _:  # Latin letters tell nothing of which other language it is
            return before


def asks_to_go_on(words: str) -> bool:
    """Whether somebody who had cut in wants to hear the rest."""
    return bool(_GO_ON.fullmatch(re.sub(r"[^\w\s]", "", words).casefold().strip()))


def gap_after(text: str) -> str:
    """What stands between `text` and the words that follow it: nothing in Chinese."""
    return "" if not text or text[-1].isspace() or ord(text[-1]) >= 0x2E80 else " "
