"""The vectors in Chroma: an index that can be made again from the ledger at any time.

It holds ids and vectors only. Texts stay in the ledger, where they can be truly deleted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from omni_agent.errors import MemoryStoreError, MissingExtra
from omni_agent.memory.values import Vectors

T = TypeVar("T")
_TRIES = 3
_BATCH = 250


class IndexBroken(MemoryStoreError):
    """Chroma could not do what it was asked to, after some tries."""


class VectorIndex:
    """One folder of Chroma: cosine, one collection a kind, for the vectors of one model.

    A memory has one or more vectors, with ids "memory#part".
    """

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self._model = re.sub(r"[^a-zA-Z0-9._-]", "_", model)
        self._collections: dict[str, Any] = {}
        self._client: Any = _try(lambda: _client(folder))

    def add(self, kind: str, ids: Sequence[str], vectors: Sequence[Vectors]) -> None:
        """Add each memory's vectors; adding again replaces."""
        keys = [f"{i}#{part}" for i, v in zip(ids, vectors, strict=True) for part in range(len(v))]
        flat = [row for v in vectors for row in v]
        collection = self._collection(kind)
        for i in range(0, len(keys), _BATCH):
            some, rows = keys[i : i + _BATCH], flat[i : i + _BATCH]
            _try(partial(collection.upsert, ids=some, embeddings=rows))

    def nearest(self, kind: str, vector: Vectors, limit: int) -> dict[str, float]:
        """The memories nearest to a vector [1, dim], with cosines, best first."""
        collection = self._collection(kind)
        found = _try(
            lambda: collection.query(
                query_embeddings=vector, n_results=limit, include=["distances"]
            )
        )
        cosines: dict[str, float] = {}
        for key, distance in zip(found["ids"][0], found["distances"][0], strict=True):
            cosines.setdefault(key.rpartition("#")[0], 1.0 - distance)
        return cosines

    def counts(self) -> dict[str, int]:
        """How many vectors there are of each kind."""
        collections = _try(self._client.list_collections)
        suffix = f".{self._model}"
        counts = {
            c.name.removesuffix(suffix): _try(c.count)
            for c in collections
            if c.name.endswith(suffix)
        }
        return {kind: n for kind, n in counts.items() if n}

    def close(self) -> None:
        self._collections.clear()
        self._client.close()

    def _collection(self, kind: str) -> Any:
        if kind not in self._collections:
            self._collections[kind] = _try(
                lambda: self._client.get_or_create_collection(
                    f"{kind}.{self._model}",
                    embedding_function=None,
                    configuration={"hnsw": {"space": "cosine"}},
                )
            )
        return self._collections[kind]


def _client(folder: Path) -> Any:
    try:
        import chromadb
        from chromadb.config import Settings
    except ImportError as error:
        raise MissingExtra("chromadb", "compact", needed_for="The memory's index") from error
    folder.mkdir(parents=True, exist_ok=True)
    return chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))


def _try(action: Callable[[], T]) -> T:
    """Bounded: a loop over a broken segment would eat the machine's memory."""
    for left in reversed(range(_TRIES)):
        try:
            return action()
        except (KeyboardInterrupt, SystemExit, GeneratorExit, MissingExtra):
            raise
        except BaseException as error:  # Chroma's Rust part panics with a BaseException
            if not left:
                raise IndexBroken(f"The memory's index failed: {error}") from error
            time.sleep(0.05)
    raise AssertionError("unreachable")
