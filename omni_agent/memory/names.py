"""Names as people give them: kept as data, and found again in what others say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from omni_agent.errors import SettingsError
from omni_agent.memory.values import clean
from omni_agent.memory.words import is_everyday, is_unspaced

LONGEST_NAME = 60
_JOINERS = "\u200c\u200d"  # invisible, but they shape Persian words and emoji


def clean_name(name: str) -> str:
    """One line of at most 60 characters without control characters.

    Raises SettingsError where nothing is left.
    """
    plain = unicodedata.normalize("NFC", clean(name))
    plain = "".join(
        " " if unicodedata.category(c) in ("Zl", "Zp", "Cc") else c
        for c in plain
        if c in _JOINERS or unicodedata.category(c) not in ("Cf", "Co", "Cn")
    )
    plain = " ".join(plain.split())[:LONGEST_NAME].strip(" " + _JOINERS)
    if not plain:
        raise SettingsError(f"{name!r} is no name that could be kept. Give some letters.")
    return plain


class Mentions:
    """Finds names in texts: as whole words, whatever their case; Anna in "Annas" too.

    A name that is also an everyday word ("Will") counts only as it is written.
    """

    def __init__(self, names: Iterable[str]) -> None:
        forms = {
            form: None
            for name in sorted(names, key=len, reverse=True)
            for form in (name, unicodedata.normalize("NFD", name))
        }
        self._names = re.compile("|".join(map(_pattern, forms)) or r"(?!)")

    def found_in(self, text: str | None) -> bool:
        return text is not None and self._names.search(text) is not None

    def taken_out(self, text: str) -> str:
        """The text with "someone" in each name's place."""
        return self._names.sub("某人" if is_unspaced(text) else "someone", text)

    def taken_out_of(self, value: Any) -> Any:
        """The same for every string in a JSON value, keys too."""
        match value:
            case str():
                return self.taken_out(value)
            case dict():
                return {self.taken_out(k): self.taken_out_of(v) for k, v in value.items()}
            case list():
                return [self.taken_out_of(v) for v in value]
            case _:
                return value


def _pattern(name: str) -> str:
    words = r"\s+".join(map(re.escape, name.split()))
    before = r"(?<!\w)" if name[0].isalnum() and not is_unspaced(name[0]) else ""
    after = r"(?=(?:es|s)?(?!\w))" if name[-1].isalnum() and not is_unspaced(name[-1]) else ""
    return f"(?:{before}{words}{after})" if is_everyday(name) else f"(?i:{before}{words}{after})"
