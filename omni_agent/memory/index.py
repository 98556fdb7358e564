"""The vectors in Chroma: an index that can be made again from the ledger at any time.

It holds ids and vectors only. Texts stay in the ledger, where they can be truly deleted.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx

from omni_agent.errors import MemoryServerAway, MemoryStoreError, MissingExtra
from omni_agent.memory.values import Vectors

T = TypeVar("T")
_TRIES = 3
_BATCH = 250


class IndexBroken(MemoryStoreError):
    """Chroma could not do what it was asked to, after some tries."""


class IndexHome(Protocol):
    """Where indexes are kept, one a generation: a folder, or a server."""

    name: str
    """Stands for the place; empty for the folder. Another one has to be filled anew."""

    def open(self, generation: int, model: str) -> VectorIndex: ...

    def set_aside(self, generation: int) -> str:
        """Put away what cannot be used; returns where it was."""
        ...

    def keep_only(self, generation: int | None) -> None: ...


class IndexFolder:
    """`folder`/<generation>, each one of Chroma's own."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, generation: int, model: str) -> VectorIndex:
        folder = self._folder / str(generation)
        return VectorIndex(lambda: _client(folder), model)

    def set_aside(self, generation: int) -> str:
        broken = self._folder / str(generation)
        if broken.exists():
            broken.rename(self._folder / f"{generation}.broken-{int(time.time())}")
        return str(broken)

    def keep_only(self, generation: int | None) -> None:
        if self._folder.exists():
            for old in self._folder.iterdir():
                if old.name != str(generation):
                    shutil.rmtree(old)


class VectorIndex:
    """Cosine, one collection a kind, for the vectors of one model.

    A memory has one or more vectors, with ids "memory#part". Raises IndexBroken, and
    MemoryServerAway where it is on a server.
    """

    def __init__(self, connect: Callable[[], Any], model: str, *, version: str = "") -> None:
        self._suffix = re.sub(r"[^a-zA-Z0-9._-]", "_", f".{model}{version}")
        self._collections: dict[str, Any] = {}
        self._client: Any = attempt(connect)

    def add(self, kind: str, ids: Sequence[str], vectors: Sequence[Vectors]) -> None:
        """Add each memory's vectors; adding again replaces."""
        keys = [f"{i}#{part}" for i, v in zip(ids, vectors, strict=True) for part in range(len(v))]
        flat = [row for v in vectors for row in v]
        collection = self._collection(kind)
        for i in range(0, len(keys), _BATCH):
            some, rows = keys[i : i + _BATCH], flat[i : i + _BATCH]
            attempt(partial(collection.upsert, ids=some, embeddings=rows))

    def nearest(self, kind: str, vector: Vectors, limit: int) -> dict[str, float]:
        """The memories nearest to a vector [1, dim], with cosines, best first."""
        collection = self._collection(kind)
        found = attempt(
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
        collections = attempt(self._client.list_collections)
        counts = {
            c.name.removesuffix(self._suffix): attempt(c.count)
            for c in collections
            if c.name.endswith(self._suffix)
        }
        return {kind: n for kind, n in counts.items() if n}

    def close(self) -> None:
        self._collections.clear()
        self._client.close()

    def _collection(self, kind: str) -> Any:
        if kind not in self._collections:
            self._collections[kind] = attempt(
                lambda: self._client.get_or_create_collection(
                    f"{kind}{self._suffix}",
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


def attempt(action: Callable[[], T]) -> T:
    """Bounded: a loop over a broken segment would eat the machine's memory."""
    for left in reversed(range(_TRIES)):
        try:
            return action()
        except (KeyboardInterrupt, SystemExit, GeneratorExit, MissingExtra, MemoryServerAway):
            raise
        except BaseException as error:  # Chroma's Rust part panics with a BaseException
            if isinstance(error, httpx.TransportError):
                raise MemoryServerAway(
                    f"The Chroma server with the memory's index cannot be reached: {error}"
                ) from error
            if not left:
                raise IndexBroken(f"The memory's index failed: {error}") from error
            time.sleep(0.05)
    raise AssertionError("unreachable")
