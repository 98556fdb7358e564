"""Voice and face prints as they are kept, and whom among the people they are nearest to.

Of each person a few prints are kept: good ones that differ from each other, since the same voice
through a telephone, or the same face from the side, is another print. They are compared as one,
pooled by their worth. The nearest single print would be the wrong thing to go by: with ten prints
each, one of somebody's is near any stranger (`python benchmarks/known_people.py` has the figures).

A stranger's print is on the disk only under a veil: a random pad that this process alone holds. Who
tells their name or agrees has it taken off; else it is noise as soon as the process ends.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from omni_agent.errors import SettingsError
from omni_agent.memory.embed.pooling import agreed
from omni_agent.memory.embed.voice import VoicePrint, pooled
from omni_agent.memory.identities import PrintKind
from omni_agent.memory.records import KeptPrint
from omni_agent.memory.sealing import Sealing
from omni_agent.memory.store import Store
from omni_agent.memory.values import Vectors, to_time

MOST = 10
"""Prints of one kind and model that are kept of a person."""
ALIKE = 0.9
"""The cosine from which two views of a face show the same: the better one stays. (Of a voice, more
of the same makes the pooled print surer.)"""
_ENOUGH_SECONDS = 10.0  # of speech; more of it makes a print no better
_VEILED = b"~"  # before the vector, which then has a length that no vector has
_COLUMNS = "id, person, kind, model, quality, seconds, at, call, picture"


@dataclass(frozen=True, slots=True, eq=False)
class FacePrint:
    """`vector`: float32 [dim], of length 1. `quality`: 0 … 1, `FaceQuality.overall` of the view."""

    vector: Vectors
    quality: float


class Printer(Protocol):
    """What a VoicePrinter and a FacePrinter have in common: prints of other names never compare."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...


class Prints:
    """The rows of the table; `people.py` says whose they are by now."""

    def __init__(self, store: Store, sealing: Sealing) -> None:
        self._store, self._sealing = store, sealing
        self._veils: dict[str, bytes] = {}

    def add(
        self,
        db: sqlite3.Connection,
        new: KeptPrint,
        vector: Vectors,
        group: Sequence[str],
        *,
        stranger: bool,
    ) -> list[KeptPrint]:
        """Keep one more print of somebody who goes by the ids of `group`.

        Returns the prints that are not kept: those that say least, which may be the new one.
        """
        rows = db.execute(
            f"SELECT {_COLUMNS}, vector FROM prints WHERE kind = ? AND model = ? "
            f"AND person IN ({_marks(group)})",
            (new.kind, new.model, *group),
        ).fetchall()
        those = [*map(_kept, rows), new]
        vectors = [*(self._opened(r[-1], r[0]) for r in rows), vector]
        losing: list[KeptPrint] = []
        while len(those) > 1:
            least, told = least_telling(np.stack(vectors), [worth(p) for p in those])
            if len(those) <= MOST and not (new.kind == "face" and told >= ALIKE):
                break
            losing.append(those.pop(least))
            vectors.pop(least)
        if new not in losing:
            plain = vector.astype("<f4").tobytes()
            if stranger:
                self._veils[new.id] = secrets.token_bytes(len(plain))
                plain = _VEILED + _masked(plain, self._veils[new.id])
            db.execute(
                f"INSERT INTO prints ({_COLUMNS}, vector) VALUES ({_marks(range(10))})",
                (new.id, new.person, new.kind, new.model, new.quality, new.seconds,
                 new.at.timestamp(), new.call, new.picture, self._sealing.close(plain, new.id)),
            )  # fmt: skip
            db.executemany("DELETE FROM prints WHERE id = ?", [(p.id,) for p in losing])
        return losing

    @property
    def any_veiled(self) -> bool:
        return bool(self._veils)

    def are_veiled(self, group: Sequence[str]) -> bool:
        """Whether no print of these people was ever on the disk as it is."""
        return all(p.id in self._veils for p in self.of(group))

    def unveil(self, db: sqlite3.Connection, kept: Callable[[str], bool]) -> None:
        """Write the prints of people who are kept now as they are."""
        rows = db.execute(
            f"SELECT id, person, vector FROM prints WHERE id IN ({_marks(list(self._veils))})",
            list(self._veils),
        ).fetchall()
        veiled = {id: (p, blob) for id, p, blob in rows if self._is_veiled(blob, id)}
        # A veil outlives its print by one change: somebody may be reading it right now.
        self._veils = {id: veil for id, veil in self._veils.items() if id in veiled}
        for id, (person, blob) in veiled.items():
            if kept(person):
                plain = self._opened(blob, id).tobytes()
                sealed = self._sealing.close(plain, id)
                db.execute("UPDATE prints SET vector = ? WHERE id = ?", (sealed, id))

    def of(self, group: Sequence[str]) -> tuple[KeptPrint, ...]:
        """What is kept of somebody, the best first."""
        rows = self._store.rows(
            f"SELECT {_COLUMNS} FROM prints WHERE person IN ({_marks(group)})", group
        )
        return tuple(sorted(map(_kept, rows), key=worth, reverse=True))

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        rows = self._store.rows(f"SELECT id, vector FROM prints WHERE id IN ({_marks(ids)})", ids)
        return {id: self._opened(blob, id) for id, blob in rows}

    def voices(self, model: str, groups: Mapping[str, str]) -> dict[str, VoicePrint]:
        """Everybody's voice, pooled. `groups`: who each row's person is by now."""
        kept: dict[str, list[VoicePrint]] = {}
        for person, vector, quality, seconds in self._read("voice", model):
            if person in groups:
                kept.setdefault(groups[person], []).append(VoicePrint(vector, seconds, quality))
        return {person: pooled(some) for person, some in kept.items()}

    def faces(self, model: str, groups: Mapping[str, str]) -> dict[str, Vectors]:
        """Everybody's face, pooled: float32 [dim]."""
        kept: dict[str, list[tuple[Vectors, float]]] = {}
        for person, vector, quality, _ in self._read("face", model):
            if person in groups:
                kept.setdefault(groups[person], []).append((vector, max(quality, 0.05)))
        return {
            person: agreed(np.stack([v for v, _ in some]), np.array([q for _, q in some]))
            for person, some in kept.items()
        }

    def _read(self, kind: PrintKind, model: str) -> Iterable[tuple[str, Vectors, float, float]]:
        for person, id, blob, quality, seconds in self._store.rows(
            "SELECT person, id, vector, quality, seconds FROM prints "
            "WHERE kind = ? AND model = ? ORDER BY id",
            (kind, model),
        ):
            yield person, self._opened(blob, id), quality, seconds

    def _opened(self, blob: bytes, id: str) -> Vectors:
        """A veil that is gone leaves a vector of zeros, which is like nobody's."""
        plain = self._sealing.open(blob, id)
        if len(plain) % 4:
            masked = plain[len(_VEILED) :]
            plain = _masked(masked, self._veils.get(id, masked))
        return np.frombuffer(plain, "<f4")

    def _is_veiled(self, blob: bytes, id: str) -> bool:
        return len(self._sealing.open(blob, id)) % 4 != 0


def _masked(plain: bytes, veil: bytes) -> bytes:
    mask = np.frombuffer(plain, np.uint8) ^ np.frombuffer(veil, np.uint8)
    return mask.tobytes()


def worth(print: KeptPrint) -> float:
    """0 … 1: how much a print says."""
    if print.kind == "face":
        return print.quality
    return print.quality * min(1.0, print.seconds / _ENOUGH_SECONDS)


def least_telling(vectors: Vectors, worths: Sequence[float]) -> tuple[int, float]:
    """Which of these prints [n, dim] can best be spared – poor, or like a better one – and its
    cosine to the nearest better one."""
    order = np.argsort(-np.array(worths), kind="stable")
    cosines = vectors @ vectors.T
    told = np.array([-1.0] * len(worths))
    for place, i in enumerate(order[1:], start=1):
        told[i] = cosines[i, order[:place]].max()
    least = int((np.array(worths) * (1.0 - np.maximum(told, 0.0))).argmin())
    return least, float(told[least])


def checked(vector: Vectors, printer: Printer) -> Vectors:
    """float32 [dim] of length 1. Raises SettingsError for what no printer made."""
    if vector.shape != (printer.dim,) or not np.isfinite(vector).all():
        raise SettingsError(
            f"a print of {printer.name} is [{printer.dim}] finite numbers; "
            f"this one is {list(vector.shape)}"
        )
    if abs(float(np.linalg.norm(vector)) - 1.0) > 0.01:
        raise SettingsError(
            f"a print of {printer.name} has length 1; this one {np.linalg.norm(vector):.3g}"
        )
    return vector.astype(np.float32)


def _kept(row: Sequence[object]) -> KeptPrint:
    id, person, kind, model, quality, seconds, at, call, picture = row[:9]
    return KeptPrint(id, person, kind, model, quality, seconds, to_time(at), call, picture)  # type: ignore[arg-type]


def _marks(values: Sequence[object] | range) -> str:
    return ",".join("?" * len(values))
