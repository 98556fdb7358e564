"""Which of the compact model's languages a text is in, told by its script."""

from __future__ import annotations

import re

from omni_agent.messages import Language

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")


def language_of(text: str) -> Language | None:
    """ "zh", "en", or None where the text has letters of neither.

    A few Latin names in a Chinese sentence leave it Chinese: a Han character counts as a word.
    """
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    if not han and not latin:
        return None
    return "zh" if han > latin else "en"


def spoken_language(clause: str, reply: Language) -> Language:
    """Which language's voice should say a clause of a reply that is in `reply`.

    A name in Latin letters does not change the voice in the middle of Chinese speech.
    """
    if _HAN.search(clause):
        return "zh"
    return "en" if len(_LATIN.findall(clause)) >= 4 else reply
