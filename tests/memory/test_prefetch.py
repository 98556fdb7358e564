"""Whoever has come in: what they said is looked through, among however many memories."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from bytes_on_disk import holds

from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.people import Person

DIRECTIONS = {"asked": (1, 0, 0, 0), "aside": (0.6, 0.8, 0, 0)}


class Aimed:
    """Vectors by the first word: "near" is nearer to "asked" than "aside" is; the rest is apart."""

    name, dim = "aimed", 4

    def query(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([self._direction(text) for text in texts], np.float32)

    passage = query

    def _direction(self, text: str) -> Sequence[float]:
        first, last = text.split(" ")[0], text.split(" ")[-1]
        if first == "near":  # no two alike: among equals an approximate search finds anything
            angle = 0.005 * int(last)
            return (math.cos(angle), 0, 0, math.sin(angle))
        return DIRECTIONS.get(first, (0, 0, 1, 0))


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Memory]:
    """Anna and her one sentence, and sixty of others that are nearer to what will be asked."""
    with Memory(tmp_path / "memory", embedder=Aimed()) as memory:
        anna, ben = memory.people.add("Anna"), memory.people.add("Ben")
        tell(memory, anna, "aside of it, the harbour")
        for n in range(60):
            tell(memory, ben, f"near it, number {n}")
        memory.flush(30)
        yield memory


def tell(memory: Memory, person: Person, said: str) -> None:
    memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=0, user=said, reply="",
                   speaker=str(person.name), person=person.id)
    )  # fmt: skip


def told(memory: Memory, *people: Person) -> list[str]:
    return [m.text for m in memory.recall("asked", people=people, limit=100)]


def test_what_somebody_said_is_found_once_they_are_here_though_the_index_overlooks_it(
    crowd: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (anna,), (ben,) = crowd.people.named("Anna"), crowd.people.named("Ben")
    monkeypatch.setattr(crowd._use().indexer, "nearest", lambda *_, **__: {})
    assert told(crowd, anna) == []
    crowd.prefetch([anna, ben])
    assert "aside of it, the harbour" in told(crowd, anna)
    assert "aside of it, the harbour" not in told(crowd, ben)
    assert told(crowd) == []


def test_whoever_turned_out_to_be_somebody_known_brings_all_of_it(crowd: Memory) -> None:
    (anna,) = crowd.people.named("Anna")
    stranger = crowd.people.add(call="c")
    crowd.people.merge(stranger, anna)
    crowd.prefetch([stranger])
    assert "aside of it, the harbour" in told(crowd, anna)


def test_who_is_forgotten_is_no_longer_at_hand(crowd: Memory) -> None:
    (anna,) = crowd.people.named("Anna")
    crowd.prefetch([anna])
    at_hand = crowd._use().finder._at_hand
    assert at_hand._held
    crowd.forget(anna)
    assert not at_hand._held
    assert "aside of it, the harbour" not in told(crowd)
    assert holds(crowd.folder, b"harbour") == []


def test_people_nobody_knows_and_an_empty_memory_are_no_trouble(memory: Memory) -> None:
    memory.prefetch(["p_0000000000000000", memory.people.add("Anna")])
    assert memory.recall("anything", people=["p_0000000000000000"]) == ()
