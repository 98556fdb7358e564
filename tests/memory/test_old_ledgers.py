"""A memory that an earlier version wrote goes on in this one; nothing of it is lost."""

from __future__ import annotations

import sqlite3
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from old_ledgers import old_ledger

from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.schema import VERSION

TURN = TurnRecord(
    conversation="c", agent="guide", turn=1, user="Where is the lighthouse?",
    reply="Left at the bakery, then over the bridge.", speaker="Anna",
    at=datetime(2026, 5, 1, 12, tzinfo=UTC),
)  # fmt: skip


def schema_of(path: Path) -> set[tuple[str, ...]]:
    db = sqlite3.connect(path)
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {(t, *c[1:4]) for t in tables for c in db.execute(f"PRAGMA table_info({t})")}
    found |= set(db.execute("SELECT type, name FROM sqlite_master WHERE type = 'index'"))
    db.close()
    return found


@pytest.mark.parametrize("version", [1, 2])
def test_an_old_ledger_is_brought_up_to_date_with_all_that_is_in_it(
    tmp_path: Path, letters, version
) -> None:
    old_ledger(tmp_path / "old", version)
    with Memory(tmp_path / "old", embedder=letters) as memory:
        (turn,) = memory.turns("c")
        assert (turn.user, turn.reply, turn.speaker) == (TURN.user, TURN.reply, "Anna")
        assert turn.person is None
        assert turn.unheard == ("It is far." if version == 2 else "")
        assert memory.load_state("timer") == {"for": "eggs"}
        assert memory.flush(30)
        assert memory.recall("the lighthouse")[0].id == "e_a"
        memory.cut_reply("c", 1, heard="Left", unheard="at the bakery", interrupted_at_ms=10)
        assert memory.turns("c")[0].interrupted_at_ms == 10
        assert memory.people.all() == ()
    with Memory(tmp_path / "new", embedder=letters) as memory:
        memory.record_turn(TURN)
    old, new = (tmp_path / n / "ledger.sqlite3" for n in ("old", "new"))
    assert schema_of(old) == schema_of(new)
    assert sqlite3.connect(old).execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX rights")
@pytest.mark.parametrize("old", [True, False])
def test_only_its_owner_may_read_a_ledger(tmp_path: Path, letters, old: bool) -> None:
    folder = tmp_path / "memory"
    if old:
        old_ledger(folder, 2).chmod(0o644)
    with Memory(folder, embedder=letters) as memory:
        memory.remember("The spare key is under the pot.")
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.glob("ledger*")}
    assert modes == dict.fromkeys(
        ["ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"], 0o600
    )
