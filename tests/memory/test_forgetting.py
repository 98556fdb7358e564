"""What is forgotten is gone: from recall, from the ledger, and from the disk byte by byte."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from bytes_on_disk import holds

from omni_agent.errors import SettingsError
from omni_agent.memory import Memory, TurnRecord

SECRET = "Zanzibarine"


def forms(text: str) -> list[bytes]:
    return [f.encode(e) for f in (text, text.lower()) for e in ("utf-8", "utf-16-le", "utf-16-be")]


def fill(memory: Memory, n: int) -> None:
    words = random.Random(n)
    for i in range(n):
        said = " ".join(
            words.choices(["rice", "tea", "nuts", "oslo", "姐姐", "火车"], k=i % 60 + 1)
        )
        memory.record_turn(
            TurnRecord(conversation=f"c{i % 3}", agent="a", turn=i, user=f"{i} {said}", reply=said)
        )


def test_no_byte_of_a_forgotten_text_is_left_in_the_folder(tmp_path, letters) -> None:
    folder = tmp_path / "memory"
    with Memory(folder, embedder=letters) as memory:
        fill(memory, 40)
        memory.remember(f"{SECRET} is allergic", subject=SECRET, predicate="is", object="allergic")
        memory.record_turn(
            TurnRecord(
                conversation=f"with {SECRET}", agent="a", turn=1, user=f"I am {SECRET.upper()}!",
                reply="Hello.", tools=({"name": "x", "arguments": {"who": [SECRET]}},),
                place={"at": f"home of {SECRET}"}, speaker=SECRET,
            )
        )  # fmt: skip
        memory.save_state("timer", {"for": SECRET})
        memory.save_state("other", {"for": "Ben"})
        fill(memory, 40)
        assert memory.flush(30)
        assert holds(folder, *forms(SECRET))

        gone = memory.forget_matching(SECRET.lower())

        assert len(gone) == 3, "the fact, and both halves of the turn"
        assert holds(folder, *forms(SECRET)) == []
        assert memory.recall(SECRET) == ()
        assert memory.turns(f"with {SECRET}") == ()
        assert memory.load_state("timer") is None
        assert memory.load_state("other") == {"for": "Ben"}
        assert memory.count() == 160
    assert holds(folder, *forms(SECRET)) == []


def test_no_vector_and_no_id_of_a_forgotten_text_is_left_in_the_folder(tmp_path, letters) -> None:
    folder = tmp_path / "memory"
    with Memory(folder, embedder=letters) as memory:
        fill(memory, 20)
        id = memory.remember("quizzical zebra yoga")
        assert memory.flush(30)
        store = memory._use().store
        (blob,) = store.rows(
            "SELECT vector FROM vectors JOIN memories m ON m.row = memory WHERE id = ?", (id,)
        )[0]
        assert len(np.frombuffer(blob, "<f4")) == letters.dim
        assert "ledger.sqlite3" in {n.removesuffix("-wal") for n in holds(folder, blob)}
        assert memory.forget(id) == (id,)
        assert memory.flush(30)
        assert holds(folder, blob, blob[:64], id.encode()) == []
        assert memory.count() == 40
        assert memory.recall("0 rice")
        assert not memory.notes


def test_an_episode_takes_its_turn_and_the_facts_drawn_from_it(memory: Memory) -> None:
    said, answered = memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=1, user="I hate kale", reply="No kale, then.")
    )
    fact = memory.remember("The user hates kale.", source=said)
    other = memory.remember("The sky is blue.")
    assert set(memory.forget(answered)) == {said, answered, fact}
    assert [m.id for m in memory.list()] == [other]
    assert memory.forget(answered, "e_nothing") == ()


def test_forgetting_the_newer_fact_does_not_revive_the_older(memory: Memory) -> None:
    fact = {"subject": "Anna", "predicate": "lives in"}
    memory.remember("Anna lives in Oslo", **fact, object="Oslo")
    memory.forget(memory.remember("Anna lives in Rome", **fact, object="Rome"))
    assert memory.recall("Anna lives") == ()
    assert [m.superseded_by for m in memory.list()] == [None]


def test_forgetting_everything_leaves_an_empty_memory(memory: Memory) -> None:
    fill(memory, 5)
    assert memory.flush(30)
    memory.forget(*[m.id for m in memory.list(limit=100)])
    assert memory.flush(30)
    assert memory.count() == 0
    assert holds(memory.folder, b"oslo") == []
    assert list((memory.folder / "index").glob("*")) == []


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_blank_text_never_matches_everything(memory: Memory, text: str) -> None:
    with pytest.raises(SettingsError, match="everything"):
        memory.forget_matching(text)


def test_random_histories_leave_no_byte(tmp_path: Path, letters) -> None:
    """Rows of all sizes are written and dropped, so that B-tree pages are split and balanced."""
    rng = random.Random(7)
    folder = tmp_path / "memory"
    with Memory(folder, embedder=letters) as memory:
        kept: dict[str, str] = {}
        for n in range(120):
            token = f"tok{rng.getrandbits(60):x}q"
            kept[memory.remember(f"{token} " * rng.choice([1, 3, 40, 900]))] = token
            if n % 30 == 29:
                doomed = rng.sample(sorted(kept), 12)
                memory.forget(*doomed)
                gone = [kept.pop(d).encode() for d in doomed]
                assert holds(folder, *gone) == []
        assert memory.count() == len(kept)
