"""Killed, damaged, read-only, too new: what was finished is kept, and nothing is made worse."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from omni_agent.errors import MemoryCorrupt, MemoryReadOnly, MemoryTooNew
from omni_agent.memory import Memory, TurnRecord

WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from made_embedder import Letters
from omni_agent.memory import Memory, TurnRecord
memory = Memory(sys.argv[1], embedder=Letters())
for n in range(100_000):
    text = f"line {n} " + "rice " * (n * 37 % 200)
    ids = memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=n, user=text, reply=f"reply {n}")
    )
    if n % 10 == 9:
        memory.forget(ids[0])
        print("gone", *ids, flush=True)
    else:
        print("kept", *ids, flush=True)
"""


def test_a_process_killed_at_any_moment_loses_no_finished_turn(tmp_path, letters) -> None:
    folder = tmp_path / "memory"
    here = str(Path(__file__).parents[1])
    rng = random.Random(3)
    kept: set[str] = set()
    gone: set[str] = set()
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), here], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]  # it has begun
        time.sleep(rng.random() * 0.15)
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait()
        for line in lines:
            if line.endswith("\n"):
                word, *ids = line.split()
                (kept if word == "kept" else gone).update(ids)
    with Memory(folder, embedder=letters) as memory:
        assert len(kept) > 100
        assert kept <= memory.get(*kept).keys()
        assert memory.get(*gone) == {}
        assert memory.flush(60)
        parts = memory._use()
        generation, index = parts.indexer._serving or pytest.fail("there is no index")
        assert index.counts() == parts.vectors.expected(generation)
        assert parts.vectors.count_pending(generation) == 0
        assert memory.recall("line 0 rice")


def fill(folder: Path, letters, n: int = 10) -> None:
    with Memory(folder, embedder=letters) as memory:
        for i in range(n):
            memory.record_turn(
                TurnRecord(conversation="c", agent="a", turn=i, user=f"mango {i}", reply="ok")
            )


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith("ledger")}


@pytest.mark.parametrize("damage", ["garbage", "truncated", "overwritten", "another program's"])
def test_a_damaged_ledger_is_named_and_left_as_it_is(tmp_path, letters, damage: str) -> None:
    fill(tmp_path, letters, 200)
    ledger = tmp_path / "ledger.sqlite3"
    whole = ledger.read_bytes()
    match damage:
        case "garbage":
            ledger.write_bytes(b"not a database at all" * 100)
        case "truncated":
            ledger.write_bytes(whole[: len(whole) // 2])
        case "overwritten":
            ledger.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
        case _:
            ledger.unlink()
            db = sqlite3.connect(ledger)
            db.execute("CREATE TABLE songs (a)")
            db.close()
    before = contents(tmp_path)
    with pytest.raises(MemoryCorrupt, match=r"ledger\.sqlite3.*nothing was changed"):
        Memory(tmp_path, embedder=letters).count()
    assert contents(tmp_path) == before


def test_a_ledger_of_a_newer_version_is_left_as_it_is(tmp_path, letters) -> None:
    fill(tmp_path, letters)
    db = sqlite3.connect(tmp_path / "ledger.sqlite3")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = contents(tmp_path)
    with pytest.raises(MemoryTooNew, match="format 99"):
        Memory(tmp_path, embedder=letters).count()
    assert contents(tmp_path) == before


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that the test's user may read but not write; root gives up its rights for it."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights")
@pytest.mark.parametrize("filled", [False, True])
def test_a_read_only_folder_is_named(unprivileged: Path, letters, filled: bool) -> None:
    if filled:
        fill(unprivileged, letters)
    unprivileged.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(MemoryReadOnly, match=str(unprivileged)):
        Memory(unprivileged, embedder=letters).count()


def index_of(folder: Path) -> Path:
    (only,) = (folder / "index").iterdir()
    return only


def test_a_lost_index_is_made_again(tmp_path, letters) -> None:
    fill(tmp_path, letters)
    shutil.rmtree(tmp_path / "index")
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.flush(30)
        assert any("made again" in note for note in memory.notes)
        assert [m.text for m in memory.recall("mango 3", limit=1)] == ["mango 3"]
        parts = memory._use()
        assert parts.indexer._serving[1].counts() == {"episode": 20}


def test_a_broken_index_is_made_again_and_its_remains_are_removed(tmp_path, letters) -> None:
    fill(tmp_path, letters)
    broken = index_of(tmp_path)
    (broken / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.flush(30)
        assert any("cannot be used" in note for note in memory.notes)
        assert memory.recall("mango 3")
        assert memory._use().indexer._serving[1].counts() == {"episode": 20}
    assert index_of(tmp_path) != broken


def test_an_index_with_too_few_vectors_is_made_again(tmp_path, letters) -> None:
    fill(tmp_path, letters)
    with Memory(tmp_path, embedder=letters) as memory:
        memory.flush(30)
        _, index = memory._use().indexer._serving
        collection = index._collection("episode")
        collection.delete(ids=collection.get(limit=3)["ids"])
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.flush(30)
        assert any("made again" in note for note in memory.notes)
        assert memory._use().indexer._serving[1].counts() == {"episode": 20}


def test_rebuilding_needs_the_model_only_when_it_changed(tmp_path, letters) -> None:
    fill(tmp_path, letters)
    letters.passage = lambda texts: pytest.fail("a vector that is kept was made again")
    with Memory(tmp_path, embedder=letters) as memory:
        seen: list[tuple[int, int]] = []
        memory.rebuild(lambda done, total: seen.append((done, total)))
        assert seen[-1] == (20, 20)
        assert not memory.notes


def test_another_model_makes_its_own_vectors(tmp_path, letters) -> None:
    fill(tmp_path, letters)
    other = type(letters)()
    other.name, other.dim = "other letters", 32
    with Memory(tmp_path, embedder=other) as memory:
        assert memory.flush(30)
        assert [m.text for m in memory.recall("mango 3", limit=1)] == ["mango 3"]
        assert not memory.notes


def test_without_an_embedding_recall_goes_by_words_and_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with Memory(tmp_path) as memory:
        memory.remember("The spare key is under the pot.")
        assert memory.flush(10)
        assert memory.recall("spare key")
        assert "omni-agent[compact]" in memory.notes[0]


def test_a_full_disk_is_named_and_the_turns_before_are_kept(memory: Memory) -> None:
    store = memory._use().store
    kept = memory.remember("before")
    memory.flush(30)
    pages = store.rows("PRAGMA page_count")[0][0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(Exception, match="no room left"):
        memory.remember("x " * 500_000)
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert [m.id for m in memory.list()] == [kept]
    assert memory.remember("after")
