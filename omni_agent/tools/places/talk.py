"""What was found in one conversation, so that "the second one" and "there" mean something."""

from __future__ import annotations

import difflib
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from omni_agent.tools.places.cuisine import fold
from omni_agent.tools.places.place import Place
from omni_agent.tools.places.ranking import Ranked

_CONVERSATIONS_KEPT = 256
SURE = 0.9
CLOSE_ENOUGH = 0.72
"""Of the letters shared: speech recognition spells names as it hears them."""

_LONGEST_NAME = 80

_ORDINALS = {
    0: r"first|1st|one|number one|1|第一|头一|一号",
    1: r"second|2nd|two|2|第二|二号",
    2: r"third|3rd|three|3|第三|三号",
    3: r"fourth|4th|four|4|第四",
    4: r"fifth|5th|five|5|第五",
    5: r"sixth|6th|six|6|第六",
    6: r"seventh|7th|seven|7|第七",
    7: r"eighth|8th|eight|8|第八",
    -1: r"last|最后",
}
_WRAPPED = r"(?:the |number |no\.? ?|#)*(?:{})(?: one| place| option)?(?:一?个|一?家|间|号)?的?"
_THAT = re.compile(
    r"(?:it|that|there|this|that one|this one|that place|this place|the place|same|the same|"
    r"那里|那儿|那家|那个|这家|这里|这个|它|那边)?",
)


@dataclass(slots=True)
class Talk:
    """One conversation's last answers: what was listed, and what it was last about."""

    listed: list[Ranked] = field(default_factory=list)
    current: Ranked | None = None
    told_allergies: tuple[str, ...] = ()
    """What the user was already asked to mention: once in a conversation is enough."""

    def point_out(self, said: str) -> Ranked | None:
        """The listed place that some words mean: an ordinal, "it", or its name."""
        words = " ".join(said[:_LONGEST_NAME].casefold().replace("’", "'").split()).strip(
            " .?!。？！"
        )
        if _THAT.fullmatch(words):
            return self.current or next(iter(self.listed), None)
        for index, pattern in _ORDINALS.items():
            if re.fullmatch(_WRAPPED.format(pattern), words):
                return self.listed[index] if index < len(self.listed) else None
        named = best_named([r.place for r in self.listed], words, at_least=SURE)
        return next((r for r in self.listed if r.place is named), None)


class Talks:
    """Talks by conversation id; the longest unused are forgotten first."""

    def __init__(self) -> None:
        self._talks: OrderedDict[str, Talk] = OrderedDict()

    def of(self, conversation: str) -> Talk:
        talk = self._talks.setdefault(conversation, Talk())
        self._talks.move_to_end(conversation)
        while len(self._talks) > _CONVERSATIONS_KEPT:
            self._talks.popitem(last=False)
        return talk


def best_named(
    places: Sequence[Place], said: str, *, at_least: float = CLOSE_ENOUGH
) -> Place | None:
    """The place whose name is likest to what was said, or None where none is like it."""
    wanted = _bare(said[:_LONGEST_NAME])
    if not wanted:
        return None
    scored = [(_likeness(wanted, place), -i) for i, place in enumerate(places)]
    score, negative_index = max(scored, default=(0.0, 0))
    return places[-negative_index] if score >= at_least else None


def is_ordinal(said: str) -> bool:
    """It points at a list and is no name."""
    words = " ".join(said[:_LONGEST_NAME].casefold().split()).strip(" .?!。？！")
    return bool(_THAT.fullmatch(words)) or any(
        re.fullmatch(_WRAPPED.format(pattern), words) for pattern in _ORDINALS.values()
    )


def _likeness(wanted: str, place: Place) -> float:
    return max(_alike(wanted, _bare(name)) for name in (place.name, *place.names.values()))


def _alike(wanted: str, name: str) -> float:
    if wanted == name:
        return 1.0
    words, name_words = wanted.split(), name.split()
    if words and name_words and (set(words) <= set(name_words) or set(name_words) <= set(words)):
        return 0.95
    if len(wanted) >= 4 and (wanted in name or (len(name) >= 4 and name in wanted)):
        return 0.9
    return difflib.SequenceMatcher(None, wanted, name, autojunk=False).ratio()


def _bare(name: str) -> str:
    """Without the words that every other name has too."""
    words = re.findall(r"\w+", fold(name).replace("'", ""))
    telling = [w for w in words if w not in ("the", "ravintola", "restaurant", "餐厅")]
    return " ".join(telling or words)
