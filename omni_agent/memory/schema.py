"""The ledger's tables, and how a file is known to be one of ours, whole, and not too new."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from omni_agent.errors import MemoryCorrupt, MemoryReadOnly, MemoryTooNew

VERSION = 3
_APPLICATION = 0x4F4D4E49  # "OMNI", in the file's header

# A new ledger is made in version 2 and then brought up to date like an old one.
_FIRST = 2
_TABLES = """
CREATE TABLE turns (
    id INTEGER PRIMARY KEY, conversation TEXT NOT NULL, agent TEXT NOT NULL, turn INTEGER NOT NULL,
    at REAL NOT NULL, tools TEXT NOT NULL, language TEXT NOT NULL, place TEXT NOT NULL,
    stopped TEXT NOT NULL, speaker TEXT NOT NULL,
    unheard TEXT NOT NULL DEFAULT '', interrupted_at_ms INTEGER);
CREATE INDEX turns_of ON turns (conversation, id);

-- An episode's words live here only; its turn has the rest. Times are seconds since 1970, UTC.
CREATE TABLE memories (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, text TEXT NOT NULL,
    recorded_at REAL NOT NULL, speaker TEXT, turn INTEGER REFERENCES turns (id), reply INTEGER,
    language TEXT, slot TEXT, subject TEXT, predicate TEXT, object TEXT,
    valid_from REAL, valid_to REAL, superseded_by TEXT, source TEXT,
    indexed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX memories_kind ON memories (kind);
CREATE INDEX memories_of ON memories (turn);
CREATE INDEX memories_slot ON memories (slot) WHERE slot IS NOT NULL;
CREATE INDEX memories_source ON memories (source) WHERE source IS NOT NULL;
CREATE INDEX memories_indexed ON memories (indexed);

-- One vector a part of a text, kept so that the index can be made again without the model.
CREATE TABLE vectors (
    memory INTEGER NOT NULL REFERENCES memories (row), part INTEGER NOT NULL,
    model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (memory, part));

CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL);

-- The index that is due: each memory's `indexed` is the generation that it is in.
CREATE TABLE due (generation INTEGER NOT NULL, model TEXT NOT NULL);
INSERT INTO due VALUES (1, '');
CREATE TABLE means (model TEXT PRIMARY KEY, vectors BLOB NOT NULL);

-- Terms come ready cut from words.py; the words themselves are in `memories`.
CREATE VIRTUAL TABLE words USING fts5 (terms, content = '', tokenize = 'unicode61');
CREATE VIRTUAL TABLE word_counts USING fts5vocab (words, 'row');
"""

_CHANGES = {
    1: """
ALTER TABLE turns ADD COLUMN unheard TEXT NOT NULL DEFAULT '';
ALTER TABLE turns ADD COLUMN interrupted_at_ms INTEGER""",
    2: """
-- Who said it. The names in `speaker` stay as they were said then.
ALTER TABLE turns ADD COLUMN person TEXT;
ALTER TABLE memories ADD COLUMN person TEXT;
-- Whom a fact is about.
ALTER TABLE memories ADD COLUMN about TEXT;
CREATE INDEX turns_person ON turns (person) WHERE person IS NOT NULL;
CREATE INDEX memories_person ON memories (person) WHERE person IS NOT NULL;
CREATE INDEX memories_about ON memories (about) WHERE about IS NOT NULL;
-- What was learned of what somebody said: 0 nothing yet, 1 by rules, 2 by a model too.
ALTER TABLE memories ADD COLUMN learned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX memories_learned ON memories (learned) WHERE reply = 0 AND learned < 2;
CREATE INDEX memories_at ON memories (recorded_at);

-- consent: session, asked, named or agreed. merged_into: who this one turned out to be.
-- call: the one in which they were met last.
CREATE TABLE people (
    id TEXT PRIMARY KEY, name TEXT, consent TEXT NOT NULL, first_seen REAL NOT NULL,
    last_seen REAL NOT NULL, merged_into TEXT, call TEXT);

-- Biometric. vector: float32, sealed where the memory is (see `seal`). kind: voice or face.
CREATE TABLE prints (
    id TEXT PRIMARY KEY, person TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL,
    vector BLOB NOT NULL, quality REAL NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL,
    call TEXT, picture TEXT);
CREATE INDEX prints_of ON prints (person);

-- Whether a voice and a face are one person, in natural logarithms of the odds.
CREATE TABLE evidence (
    id INTEGER PRIMARY KEY, call TEXT NOT NULL, voice_person TEXT NOT NULL,
    face_person TEXT NOT NULL, log_odds REAL NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
    UNIQUE (call, voice_person, face_person, reason));

CREATE TABLE looks (
    id TEXT PRIMARY KEY, person TEXT NOT NULL, slot TEXT NOT NULL, value TEXT NOT NULL,
    confidence REAL NOT NULL, valid_from REAL NOT NULL, valid_to REAL, superseded_by TEXT,
    source TEXT);
CREATE INDEX looks_of ON looks (person, slot);

-- What was decided about people, so that it can be undone.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, what TEXT NOT NULL,
    details TEXT NOT NULL);

-- place, people: JSON; people is a list of ids. text: what was read. Both texts are also, as one,
-- a row of `memories` of the same id, by which they are searched. picture: the id of a file of
-- so many bytes, while it is kept.
CREATE TABLE scenes (
    id TEXT PRIMARY KEY, at REAL NOT NULL, until REAL NOT NULL, conversation TEXT,
    source TEXT NOT NULL, place TEXT, lat REAL, lon REAL, people TEXT NOT NULL, text TEXT NOT NULL,
    description TEXT NOT NULL, picture TEXT, bytes INTEGER NOT NULL DEFAULT 0);
-- All that a scene is chosen by without words: to go through 20,000 of them takes 3 ms.
CREATE INDEX scenes_at ON scenes (at, until, people, lat, lon);
-- What a picture looks like to an image model: float32.
CREATE TABLE sights (
    scene TEXT NOT NULL, model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (scene, model));

-- Which key prints and pictures are sealed with, where it is kept, and a proof that it is it.
CREATE TABLE seal (key TEXT PRIMARY KEY, kept_in TEXT NOT NULL, proof BLOB NOT NULL);

-- 1 from when something was deleted until the bytes it left behind are overwritten.
ALTER TABLE due ADD COLUMN scrub INTEGER NOT NULL DEFAULT 0;
""",
}
"""What brings a ledger of one version to the next; statements end with `;` and a new line."""


def connect(path: Path) -> sqlite3.Connection:
    """Open or make the ledger.

    Raises MemoryCorrupt, MemoryTooNew or MemoryReadOnly before anything in the file is changed.
    """
    if path.exists() and path.stat().st_size:
        _inspect(path)
    _close_to_others(path)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a finished turn outlives a power cut too
        db.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten with zeros
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("BEGIN IMMEDIATE")
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        steps = [] if version else [_TABLES]
        steps += [_CHANGES[v] for v in range(version or _FIRST, VERSION)]
        for statement in (s for step in steps for s in step.split(";\n")):
            db.execute(statement)
        if steps:
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        db.close()
        raise MemoryReadOnly(
            f"The memory's ledger {path} cannot be written to ({error}). "
            "Give this user the right to write there, or name another folder."
        ) from error
    return db


def reader(path: Path) -> sqlite3.Connection:
    """A second connection that sees every commit and never waits for a writer."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def _close_to_others(path: Path) -> None:
    """Voices and faces are in it. What SQLite puts beside it takes the same rights."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if os.name == "posix" and path.stat().st_uid == os.geteuid():
            for file in path.parent.glob(f"{path.name}*"):
                file.chmod(0o600)
    except OSError as error:
        raise MemoryReadOnly(
            f"The memory's ledger {path} cannot be written to ({error.strerror}). "
            "Give this user the right to write there, or name another folder."
        ) from error


def _inspect(path: Path) -> None:
    damaged = (
        f"The memory's ledger {path} is damaged ({{0}}); nothing was changed. "
        "Put back a copy of it, or move it away to start with an empty memory."
    )
    # What a killed process left in the -wal file counts; without one, not even a lock is written.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION and (version or application or _tables(db)):
            raise MemoryCorrupt(damaged.format("it is a database of another program"))
        if version > VERSION:
            raise MemoryTooNew(
                f"The memory's ledger {path} was written by a newer omni-agent (format {version}; "
                f"this one knows up to {VERSION}); nothing was changed. "
                "Update with: pip install -U omni-agent"
            )
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise MemoryCorrupt(damaged.format(" ".join(found.split())))
    except sqlite3.OperationalError as error:
        raise MemoryReadOnly(f"The memory's ledger {path} cannot be opened ({error}).") from error
    except sqlite3.DatabaseError as error:
        raise MemoryCorrupt(damaged.format(error)) from error
    finally:
        db.close()


def _tables(db: sqlite3.Connection) -> int:
    count: int = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return count
