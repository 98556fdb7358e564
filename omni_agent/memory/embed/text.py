"""What the memory does around an embedding: questions kept, long texts in parts."""

from __future__ import annotations

import threading
from collections import OrderedDict

from omni_agent.errors import SettingsError
from omni_agent.text_embedding import TextEmbedder, Vectors


class QueryCache:
    """The vectors of the last questions: a question repeated, or asked of two kinds, is free."""

    def __init__(self, embedder: TextEmbedder, size: int = 256) -> None:
        self._embedder, self._size = embedder, size
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> Vectors:
        """[1, dim] of the text's head."""
        head = text[:QUERY_CHARACTERS]
        with self._lock:
            if head in self._kept:
                self._kept.move_to_end(head)
                return self._kept[head]
        vector = self._embedder.query([head])
        if vector.shape != (1, self._embedder.dim):
            raise SettingsError(
                f"The embedder {self._embedder.name} gave an array of shape {vector.shape} for "
                f"one text; (1, {self._embedder.dim}) is due."
            )
        with self._lock:
            self._kept[head] = vector
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return vector

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


QUERY_CHARACTERS = 300  # longer questions cost more than the turn can wait for
PART_CHARACTERS = 600
MAX_PARTS = 8


def parts(text: str) -> list[str]:
    """A text in pieces that one vector can stand for; of a very long text, its head.

    Cut at the end of a sentence or at a space where there is one in the piece's second half.
    """
    found: list[str] = []
    rest = text.strip()
    while rest and len(found) < MAX_PARTS:
        cut = len(rest)
        if cut > PART_CHARACTERS:
            head = rest[:PART_CHARACTERS]
            cut = max(head.rfind(mark) + 1 for mark in (". ", "\n", "。", "！", "？", "! ", "? "))
            if cut < PART_CHARACTERS // 2:
                cut = head.rfind(" ") + 1
            if cut < PART_CHARACTERS // 2:
                cut = PART_CHARACTERS
        found.append(rest[:cut].strip())
        rest = rest[cut:].lstrip()
    return found or [text[:1]]
