"""Cuts a reply that is still being written into clauses that can be spoken at once.

The first clause is short, so that the voice starts early; later ones grow, because a longer
stretch sounds better and there is speech in hand to cover the work on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of the reply. `text_upto`: where it ends, in characters of the whole reply."""

    text: str
    text_upto: int


class ClauseSplitter:
    """Takes a reply piece by piece and gives back the clauses that are finished.

    However the reply is cut into pieces, the clauses are the same, and joined they are the reply.
    """

    def __init__(self) -> None:
        self._open = ""
        self._upto = 0
        self._count = 0

    def push(self, piece: str) -> list[Clause]:
        """Add words; returns the clauses they finish, often none."""
        done = []
        for char in piece:  # one by one: what comes later can never change a decision
            self._open += char
            end = self._end_of_clause()
            if end:
                done.append(self._take(end))
        return done

    def finish(self) -> list[Clause]:
        """The reply is over: what is left is the last clause."""
        return [self._take(len(self._open))] if self._open else []

    def _take(self, end: int) -> Clause:
        text, self._open = self._open[:end], self._open[end:]
        self._upto += end
        self._count += 1
        return Clause(text, self._upto)

    def _end_of_clause(self) -> int:
        """How many characters of the open text are a clause now; 0 while it has to wait."""
        text = self._open
        char = text[-1]
        if len(text) >= _LONGEST:
            return len(text)
        if not (char.isspace() or char in _BREAKS or _is_wide(char) or _after_doubt(text)):
            return 0
        size = _size(text)
        if not size:
            return 0
        mark = _mark_before(text)
        least = _LEAST[min(self._count, len(_LEAST) - 1)]
        if mark:
            strength, end = mark
            return end if size >= (least if strength == "comma" else min(least, _SHORT)) else 0
        return _break_without_mark(text, size, first=self._count == 0)


_LEAST = (1, 24, 40, 60)
"""Phonemes, by estimate, before a comma may end the first, second, third and later clauses."""
_SHORT = 20
"""Shorter sentences than this, in phonemes, go together with the next one."""
_LONGEST = 600
"""Characters after which a clause ends wherever it is: no reply is written like that."""
_FIRST_WORDS, _FIRST_WORDS_MOST, _FIRST_SIZE = 2, 6, 9
_FIRST_WIDE, _FIRST_WIDE_MOST = 20, 40
_LATER_SIZE, _LATER_SIZE_MOST = 140, 220

_BREAKS = frozenset("!?;—。！？；，、：…\n")
_WIDE_SENTENCE = frozenset("。！？；…")
_WIDE_COMMA = frozenset("，、：")
_BREAK_BEFORE = frozenset(
    {
        "and", "or", "but", "with", "in", "on", "at", "for", "from", "because", "so",
        "which", "who", "when", "while", "until", "if", "by", "then", "than", "where",
        "after", "before", "about", "into", "near",
    }
)  # fmt: skip
_WIDE_BREAK_AFTER = frozenset("的了和在是吗呢吧着过")

_TITLES = frozenset(
    {
        "dr", "mr", "mrs", "ms", "prof", "st", "jr", "sr", "vs", "e.g", "i.e", "eg", "ie",
        "approx", "ca", "cf", "fig", "vol", "dept", "gen", "rep", "sen", "mt", "ft", "inc",
        "ltd", "co", "resp", "incl", "excl", "min", "max", "temp", "tbsp", "tsp", "est",
    }
)  # fmt: skip
"""With a full stop, these never end a sentence."""
_DOUBTFUL = frozenset(
    ("no", "nos", "pp", "etc", "a.m", "p.m", "u.s", "u.k", "oz", "lb", "lbs", "hr", "hrs", "al")
)
"""These may: what follows the space decides."""

_TAIL_MARK = re.compile(r"(?P<word>\S*?)(?P<mark>[.:,–-]+)(?P<close>[)\]\"'”’*_]*)\s$")
_TAIL_DOUBT = re.compile(r"(?:^|\s)\(?(?P<word>[A-Za-z.]+)\.\s+(?P<next>\S)$")
_TAIL = 48
"""Characters looked back on: no word that matters is longer."""
_WORD = re.compile(r"\S+")


def _size(text: str) -> int:
    """About how many phonemes are in the text: one a letter, four a Chinese character."""
    return sum(4 if _is_wide(c) else 3 if c.isdigit() else 1 for c in text if c.isalnum())


def _is_wide(char: str) -> bool:
    return (
        "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uf900" <= char < "\ufb00"
    )


def _after_doubt(text: str) -> bool:
    found = _TAIL_DOUBT.search(text[-_TAIL:])
    return found is not None and found["word"].lower() in _DOUBTFUL


def _mark_before(text: str) -> tuple[str, int] | None:
    """The punctuation that the text's end decides on: its strength and where the clause ends."""
    char, end = text[-1], len(text)
    if char == "\n" or char in _WIDE_SENTENCE:
        return "sentence", end
    if char in _WIDE_COMMA or char in ";—":
        return "comma", end
    if char in "!?":
        word = text.split()[-1].rstrip("!?")
        is_address = any(sign in word for sign in "/@=&") or "." in word.strip(".")
        return None if is_address else ("sentence", end)
    if found := _TAIL_DOUBT.search(text[-_TAIL:]):
        return _after_doubtful(found["word"].lower(), found["next"], end - 1)
    found = _TAIL_MARK.search(text[-_TAIL:])
    if not found or not char.isspace():
        return None
    mark, word = found["mark"], found["word"].lstrip("(\"'“‘*_")
    if mark[-1] == ".":
        ends = mark != "." or not (_continues(word) or _is_list_number(text, word))
        return ("sentence", end) if ends else None
    if mark[-1] in "–-" and word:
        return None  # a hyphen at the end of a word, not a dash between spaces
    return "comma", end


def _continues(word: str) -> bool:
    """A word whose full stop is no end of a sentence, or not yet known to be one."""
    low = word.lower()
    return low in _TITLES or low in _DOUBTFUL or (len(word) == 1 and word.isupper() and word != "I")


def _after_doubtful(word: str, following: str, end: int) -> tuple[str, int] | None:
    if word not in _DOUBTFUL:
        return None
    goes_on = following.isdigit() if word in ("no", "nos", "pp") else not following.isupper()
    return None if goes_on else ("sentence", end)


def _is_list_number(text: str, word: str) -> bool:
    line = text.rstrip().rsplit("\n", 1)[-1].strip(" *_#")
    return word.isdigit() and line == f"{word}."


def _break_without_mark(text: str, size: int, *, first: bool) -> int:
    """A place to breathe where no punctuation comes: before a small word, or after a particle."""
    if _is_wide(text[-1]):
        least, most = (_FIRST_WIDE, _FIRST_WIDE_MOST) if first else (_LATER_SIZE, _LATER_SIZE_MOST)
        due = size >= most or (size >= least and text[-1] in _WIDE_BREAK_AFTER)
        return len(text) if due else 0
    if not text[-1].isspace():
        return 0
    words = list(_WORD.finditer(text))
    if first:
        due = len(words) > _FIRST_WORDS and _size(text[: words[-1].start()]) >= _FIRST_SIZE
        overdue = len(words) >= _FIRST_WORDS_MOST
    else:
        due, overdue = size >= _LATER_SIZE, size >= _LATER_SIZE_MOST
    last = words[-1]
    if due and last[0].lower() in _BREAK_BEFORE and not text[last.end() :].strip():
        return last.start()
    return len(text) if overdue else 0
