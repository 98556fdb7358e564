"""What pictures look like to an image model, and which of them words are about.

No such model comes with omni_agent; one that is given (`Memory(images=…)`) is used.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Protocol

import numpy as np

from omni_agent.errors import SettingsError
from omni_agent.media import Image
from omni_agent.memory.store import Store
from omni_agent.memory.values import Vectors


class ImagePrinter(Protocol):
    """Pictures and words to unit vectors in one space, as CLIP's are.

    `name` stands for the weights: vectors of different names are never compared. `unrelated`,
    `related`: the cosines of words and a picture that they are surely not, and surely, about.
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def unrelated(self) -> float: ...

    @property
    def related(self) -> float: ...

    def image(self, image: Image) -> Vectors:
        """[dim]"""
        ...

    def words(self, text: str) -> Vectors:
        """[dim]"""
        ...


class Sights:
    """The vectors, in the ledger and, once they have been asked for, in memory."""

    def __init__(self, store: Store, printer: ImagePrinter | None) -> None:
        self._store, self._printer = store, printer
        self._lock = threading.Lock()
        self._known: dict[str, Vectors] | None = None
        self._matrix: tuple[list[str], Vectors] | None = None

    @property
    def model(self) -> str | None:
        return self._printer.name if self._printer else None

    @property
    def _dim(self) -> int:
        return self._printer.dim if self._printer else 0

    def of(self, image: Image) -> Vectors | None:
        """The picture's vector, to be kept with `add`; None where there is no image model."""
        if self._printer is None:
            return None
        return self._checked(self._printer.image(image))

    def add(self, scene: str, vector: Vectors) -> None:
        """Write it for a scene that is there; else it is left out."""
        assert self._printer is not None
        with self._store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO sights SELECT id, ?, ? FROM scenes WHERE id = ?",
                (self._printer.name, vector.astype("<f4").tobytes(), scene),
            )
        with self._lock:
            if self._known is not None:
                self._known[scene] = vector
                self._matrix = None

    def forget(self, scenes: Collection[str]) -> None:
        """Out of memory; their rows are gone already."""
        with self._lock:
            for id in scenes:
                if self._known is not None and self._known.pop(id, None) is not None:
                    self._matrix = None

    def relevance(self, text: str, among: Collection[str] | None = None) -> dict[str, float]:
        """How likely it is that the words are about each picture: 0 … 1, those above 0.

        `among`: of these scenes alone.
        """
        if self._printer is None:
            return {}
        ids, matrix = self._all()
        if not ids:
            return {}
        low, high = self._printer.unrelated, self._printer.related
        cosines = matrix @ self._checked(self._printer.words(text))
        scores = np.clip((cosines - low) / max(high - low, 1e-6), 0.0, 1.0)
        return {
            ids[i]: float(scores[i])
            for i in np.flatnonzero(scores)
            if among is None or ids[i] in among
        }

    def _all(self) -> tuple[list[str], Vectors]:
        with self._lock:
            if self._known is None:
                query = "SELECT scene, vector FROM sights WHERE model = ?"
                rows = self._store.rows(query, (self.model,))
                self._known = {id: np.frombuffer(blob, "<f4") for id, blob in rows}
            if self._matrix is None:
                vectors = [np.zeros((0, self._dim), np.float32), *self._known.values()]
                self._matrix = list(self._known), np.vstack(vectors)
            return self._matrix

    def _checked(self, vector: Vectors) -> Vectors:
        assert self._printer is not None
        if vector.shape != (self._dim,):
            raise SettingsError(
                f"The image model {self._printer.name} gave an array of shape {vector.shape} "
                f"for one picture or text; ({self._dim},) is due."
            )
        return vector
