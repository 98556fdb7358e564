"""The background: embeds what was remembered and keeps the index equal to the ledger."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from omni_agent.errors import MemoryServerAway, OmniAgentError
from omni_agent.memory.embed.text import parts
from omni_agent.memory.index import IndexBroken, IndexHome, VectorIndex
from omni_agent.memory.values import Vectors
from omni_agent.memory.vectors import VectorLedger
from omni_agent.text_embedding import TextEmbedder

log = logging.getLogger("omni_agent.memory")
_BATCH = 64
AWAY = 5.0
"""Seconds after which a server that did not answer is asked again."""
Progress = Callable[[int, int], None]
"""Called with how many memories are in the index and how many there are to be."""


class Indexer:
    """One thread. Of the generations of the index, those that nobody asks any more are removed.

    While a new generation is being filled, the old one goes on serving; what it lacks is searched
    in the ledger itself.
    """

    def __init__(
        self, home: IndexHome, ledger: VectorLedger, embedder: Callable[[], TextEmbedder]
    ) -> None:
        self._home, self._ledger, self._embedder = home, ledger, embedder
        self.notes: list[str] = []
        self._serving: tuple[int, VectorIndex] | None = None
        self._cleared: tuple[int | None] | None = None  # beside which one nothing is left
        self._away_until = 0.0
        self._searching = ThreadPoolExecutor(2, "memory-index")
        self._changed = threading.Condition()
        self._wanted = 1  # how often work was announced, and up to where it is done
        self._done = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="memory-indexer", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        with self._changed:
            self._wanted += 1
            self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until index and ledger agree; False if that took longer than `timeout` seconds."""
        with self._changed:
            target = self._wanted
            return self._changed.wait_for(
                lambda: self._done >= target or not self._thread.is_alive(), timeout
            )

    def nearest(
        self, kinds: list[str], query: Vectors, limit: int, *, model: str
    ) -> dict[str, float]:
        """Candidates by meaning with their cosines, from the index and from what it lacks."""
        serving = self._serving
        found: dict[str, float] = {}
        if time.monotonic() < self._away_until:
            serving = None
        if serving is not None:
            try:
                search = partial(serving[1].nearest, vector=query, limit=limit)
                for some in self._searching.map(search, kinds):
                    found |= some
            except MemoryServerAway as error:
                self._is_away(error)
                serving, found = None, {}
            except (IndexBroken, KeyError, AttributeError) as error:  # or closed meanwhile
                if serving is self._serving:
                    self._note(f"The index failed in a search and is made again: {error}")
                    self._ledger.next_generation()
                    self.wake()
                serving, found = None, {}
        behind = serving[0] if serving else self._ledger.generation() + 1
        # 5,000 vectors are read and compared in about 10 ms
        return found | self._ledger.nearest(query, limit, model=model, behind=behind, newest=5000)

    def close(self, timeout: float) -> None:
        self.flush(timeout)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        self._searching.shutdown()
        if self._serving is not None:
            self._serving[1].close()

    # --- in the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        checked = False
        while not self._stopping:
            later = None
            with self._changed:
                target = self._wanted
            try:
                self._bring_up_to_date()
                if not checked:
                    checked = True
                    if self._differs():
                        self._bring_up_to_date()
            except MemoryServerAway as error:
                self._is_away(error)
                later = AWAY
            except OmniAgentError as error:
                self._note(f"Recall goes by words alone: {error}")
            except Exception as error:
                log.exception("The memory's background work failed")
                self._note(f"The memory's background work failed: {error!r}")
            with self._changed:
                self._done = target
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._wanted > self._done or self._stopping, later)

    def _bring_up_to_date(self) -> None:
        if not self._ledger.any_memory():
            self._serve(None)
            return
        embedder = self._embedder()
        self._ledger.expect(embedder.name, self._home.name)
        failures = 0
        while not self._stopping:
            generation = self._ledger.generation()
            if not self._embed(generation, embedder):  # first: searched in the ledger at once
                return
            try:
                index = self._open(generation, embedder.name)
                if self._fill(index, generation):
                    self._serve((generation, index))
                    return
            except IndexBroken as error:
                failures += 1
                self._set_aside(generation, error)
                if failures == 2:
                    raise

    def _open(self, generation: int, model: str) -> VectorIndex:
        if self._serving is not None and self._serving[0] == generation:
            return self._serving[1]
        return self._home.open(generation, model)

    def _fill(self, index: VectorIndex, generation: int) -> bool:
        """Add all that lacks; False if a newer generation fell due or the memory is closing."""
        while batch := self._ledger.pending(generation, _BATCH):
            if self._stopping:
                return False
            vectors = self._ledger.of_rows([m.row for m in batch])
            for kind in {m.kind for m in batch}:
                some = [m for m in batch if m.kind == kind and m.row in vectors]
                if some:
                    index.add(kind, [m.id for m in some], [vectors[m.row] for m in some])
            if self._ledger.generation() != generation:
                if self._serving is None or self._serving[1] is not index:
                    index.close()
                return False
            self._ledger.set_indexed([m.row for m in batch], generation)
        return True

    def _embed(self, generation: int, embedder: TextEmbedder) -> bool:
        """Make the vectors that lack; False if the memory is closing."""
        while batch := self._ledger.unembedded(generation, embedder.name, _BATCH):
            for memory in batch:
                if self._stopping:
                    return False
                # One by one: a batch would keep a question that waits from the processor.
                vectors = [embedder.passage([part]) for part in parts(memory.text)]
                self._ledger.save(memory.row, embedder.name, np.concatenate(vectors))
        return True

    def _serve(self, now: tuple[int, VectorIndex] | None) -> None:
        before, self._serving = self._serving, now
        if before is not None and (now is None or before[1] is not now[1]):
            before[1].close()
        generation = now[0] if now else None
        if self._cleared != (generation,):
            self._home.keep_only(generation)
            self._cleared = (generation,)

    def _differs(self) -> bool:
        """Whether the index lost or gained something while nobody looked; then it falls due."""
        if self._serving is None:
            return False
        generation, index = self._serving
        expected, there = self._ledger.expected(generation), index.counts()
        if expected == there:
            return False
        self._note(f"The index held {there} vectors, the ledger {expected}: it is made again.")
        self._ledger.next_generation()
        return True

    def _set_aside(self, generation: int, error: Exception) -> None:
        where = self._home.set_aside(generation)
        self._cleared = None
        self._note(f"The index in {where} cannot be used and is made again: {error}")
        if self._serving is not None and self._serving[0] == generation:
            self._serving = None
        self._ledger.next_generation()

    def _is_away(self, error: MemoryServerAway) -> None:
        """Recall goes on with words, and the newest vectors of the ledger."""
        if time.monotonic() > self._away_until + AWAY:
            self._note(str(error))
        self._away_until = time.monotonic() + AWAY

    def _note(self, text: str) -> None:
        log.warning("%s", text)
        self.notes.append(text)
