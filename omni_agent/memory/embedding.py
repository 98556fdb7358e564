"""The embedding of a memory: opened when it is first needed, and what it made of questions."""

from __future__ import annotations

import threading
from collections.abc import Callable

from omni_agent.memory.embed.centred import Centred
from omni_agent.memory.embed.text import QueryCache
from omni_agent.memory.values import Vectors
from omni_agent.memory.vectors import VectorLedger
from omni_agent.text_embedding import TextEmbedder

_PATIENCE = 0.25  # seconds a first question waits for it to be opened


class Embedding:
    def __init__(self, find: Callable[[], TextEmbedder]) -> None:
        self._find = find
        self._ready = threading.Event()
        self._opened: tuple[Centred, QueryCache] | None = None

    def open(self, vectors: VectorLedger) -> Centred:
        """Called by the indexer's thread only: the first time, the means take a moment."""
        if self._opened is None:
            embedder = self._find()
            means = vectors.means(embedder.name)
            centred = Centred(embedder, means)
            if means is None:
                vectors.save_means(embedder.name, centred.means)
            self._opened = (centred, QueryCache(centred))
            self._ready.set()
        return self._opened[0]

    def query(self, text: str) -> tuple[str, Vectors] | None:
        """A question's vector [1, dim] with its model's name; None while there is no embedding."""
        if not self._ready.wait(_PATIENCE) or self._opened is None:
            return None
        embedder, questions = self._opened
        return embedder.name, questions(text)

    def forget(self) -> None:
        if self._opened is not None:
            self._opened[1].clear()
