"""What is said while a slow tool works, now this way, now that."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence

from omni_agent.messages import Language

Phrases = str | Sequence[str]
Filler = Phrases | Mapping[Language, Phrases]
"""One phrase or several to choose from, for all languages or for each."""

FILLERS: Mapping[Language, Sequence[str]] = {
    "en": ("Let me see.", "One moment.", "Just a second.", "Let me check."),
    "zh": ("我看看。", "稍等。", "我查一下。", "请等一下。"),
}
"""For tools that have none of their own."""

_KEPT = 8  # phrases of a conversation
_CONVERSATIONS = 64


def phrases_in(language: Language, filler: Filler | None) -> tuple[str, ...]:
    """The phrases there are in this language, maybe none."""
    if isinstance(filler, Mapping):
        filler = filler.get(language.split("-")[0])
    if filler is None:
        return ()
    return (filler,) if isinstance(filler, str) else tuple(filler)


def varied(phrases: Sequence[str], said: Sequence[str]) -> str | None:
    """The phrase that was said least recently; `said`: what was, the newest last."""
    last_said = {phrase: when for when, phrase in enumerate(said)}
    return min(phrases, key=lambda phrase: last_said.get(phrase, -1), default=None)


class FillersSaid:
    """The fillers that were said lately, in each of the conversations that had one lately."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, deque[str]] = OrderedDict()

    def of(self, conversation: str) -> deque[str]:
        """Those of this conversation, the newest last; to be added to."""
        said = self._said.setdefault(conversation, deque(maxlen=_KEPT))
        self._said.move_to_end(conversation)
        if len(self._said) > _CONVERSATIONS:
            self._said.popitem(last=False)
        return said
