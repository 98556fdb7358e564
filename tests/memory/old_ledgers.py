"""Ledgers as earlier versions of this package made them, word for word."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

_FIRST = """
CREATE TABLE turns (
    id INTEGER PRIMARY KEY, conversation TEXT NOT NULL, agent TEXT NOT NULL, turn INTEGER NOT NULL,
    at REAL NOT NULL, tools TEXT NOT NULL, language TEXT NOT NULL, place TEXT NOT NULL,
    stopped TEXT NOT NULL, speaker TEXT NOT NULL);
CREATE INDEX turns_of ON turns (conversation, id);
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
CREATE TABLE vectors (
    memory INTEGER NOT NULL REFERENCES memories (row), part INTEGER NOT NULL,
    model TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (memory, part));
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE due (generation INTEGER NOT NULL, model TEXT NOT NULL);
INSERT INTO due VALUES (1, '');
CREATE TABLE means (model TEXT PRIMARY KEY, vectors BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (terms, content = '', tokenize = 'unicode61');
CREATE VIRTUAL TABLE word_counts USING fts5vocab (words, 'row');
INSERT INTO turns VALUES
    (1, 'c', 'guide', 1, 1777636800.0, '[]', 'en', 'null', 'done', 'Anna');
INSERT INTO memories VALUES
    (1, 'e_a', 'episode', 'Where is the lighthouse?', 1777636800.0, 'Anna', 1, 0, 'en',
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0),
    (2, 'e_b', 'episode', 'Left at the bakery, then over the bridge.', 1777636800.0, 'guide', 1, 1,
     'en', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0),
    (3, 'f_c', 'fact', 'Anna likes tea.', 1777636800.0, NULL, NULL, NULL, 'en',
     'anna\x1flikes', 'Anna', 'likes', 'tea', 1777636800.0, NULL, NULL, NULL, 0);
INSERT INTO words (rowid, terms) VALUES (1, 'where is the lighthouse'),
    (2, 'left at the bakery then over the bridge'), (3, 'anna like tea anna like tea');
INSERT INTO state VALUES ('timer', '{"for":"eggs"}');
"""
_SECOND = """
ALTER TABLE turns ADD COLUMN unheard TEXT NOT NULL DEFAULT '';
ALTER TABLE turns ADD COLUMN interrupted_at_ms INTEGER;
UPDATE turns SET unheard = 'It is far.', interrupted_at_ms = 900;
"""


def old_ledger(folder: Path, version: Literal[1, 2]) -> Path:
    """A ledger with a turn of Anna's, a fact and a state."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ledger.sqlite3"
    db = sqlite3.connect(path)
    db.executescript(_FIRST + (_SECOND if version == 2 else ""))
    db.execute(f"PRAGMA application_id = {0x4F4D4E49}")
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()
    return path
