"""Everything a memory keeps of one person, as a folder that they can be given."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from omni_agent.errors import SettingsError
from omni_agent.memory.pictures import Pictures
from omni_agent.memory.prints import Prints
from omni_agent.memory.records import Person
from omni_agent.memory.store import Store
from omni_agent.memory.values import load, to_time

_TIMES = frozenset(
    ("at", "until", "recorded_at", "valid_from", "valid_to", "first_seen", "last_seen")
)
_JSON = frozenset(("tools", "place", "people", "details"))


def write_export(
    store: Store,
    prints: Prints,
    pictures: Pictures,
    person: Person,
    ids: Sequence[str],
    target: Path,
) -> Path:
    """person.json, said.json, facts.json, looks.json, prints.json, links.json, changes.json,
    scenes.json, and pictures/. Times are UTC."""
    if target.exists():
        raise SettingsError(f"{target} exists already. Name a new folder to export to.")
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        (part / "pictures").mkdir(0o700, parents=True)
        part.chmod(0o700)
        for name, content in _contents(store, prints, person, ids).items():
            text = json.dumps(content, ensure_ascii=False, indent=1, default=_plain)
            _write(part / name, text.encode("utf-8", "replace") + b"\n")
        for id in _pictures(store, ids):
            if (jpeg := pictures.load(id)) is not None:
                _write(part / "pictures" / f"{id}.jpg", jpeg)
        part.replace(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise SettingsError(f"{target} cannot be written: {error.strerror}.") from error
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return target


def _contents(
    store: Store, prints: Prints, person: Person, ids: Sequence[str]
) -> dict[str, object]:
    marks = ",".join("?" * len(ids))

    def rows(query: str, *values: Any) -> list[dict[str, Any]]:
        return _rows(store, query.replace("(IDS)", f"({marks})"), values)

    said = rows(
        "SELECT t.*, (SELECT text FROM memories WHERE turn = t.id AND reply = 0) AS said, "
        "(SELECT text FROM memories WHERE turn = t.id AND reply = 1) AS answer "
        "FROM turns t WHERE person IN (IDS) ORDER BY id",
        *ids,
    )
    columns = "id, kind, text, recorded_at, language, subject, predicate, object, valid_from, "
    columns += "valid_to, superseded_by, source, person, about"
    facts = rows(
        f"SELECT {columns} FROM memories WHERE turn IS NULL AND (person IN (IDS) OR about IN (IDS) "
        "OR lower(subject) = lower(?) OR lower(object) = lower(?)) ORDER BY row",
        *ids, *ids, person.name, person.name,
    )  # fmt: skip
    kept = rows(
        "SELECT id, person, kind, model, quality, seconds, at, call, picture FROM prints "
        "WHERE person IN (IDS) ORDER BY id",
        *ids,
    )
    vectors = prints.vectors([r["id"] for r in kept])
    changes = [
        row
        for row in rows("SELECT * FROM changes ORDER BY id")
        if any(id in json.dumps(row["details"]) for id in ids)
    ]
    return {
        "person.json": {**asdict(person), "ids": list(ids)},
        "said.json": said,
        "facts.json": facts,
        "looks.json": rows("SELECT * FROM looks WHERE person IN (IDS) ORDER BY valid_from", *ids),
        "prints.json": [{**r, "vector": vectors[r["id"]].tolist()} for r in kept],
        "links.json": rows(
            "SELECT * FROM evidence WHERE voice_person IN (IDS) OR face_person IN (IDS) "
            "ORDER BY id",
            *ids, *ids,
        ),
        "changes.json": changes,
        "scenes.json": _scenes(store, ids),
    }  # fmt: skip


def _scenes(store: Store, ids: Sequence[str]) -> list[dict[str, Any]]:
    scenes = _rows(
        store,
        "SELECT id, at, until, conversation, source, place, people, text, description, picture "
        "FROM scenes ORDER BY at",
    )
    return [s for s in scenes if set(s["people"]) & set(ids)]


def _pictures(store: Store, ids: Sequence[str]) -> list[str]:
    found = store.rows(
        f"SELECT picture FROM prints WHERE person IN ({','.join('?' * len(ids))})", ids
    )
    return [r[0] for r in found if r[0]] + [
        s["picture"] for s in _scenes(store, ids) if s["picture"]
    ]


def _rows(store: Store, query: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    names, found = store.table(query, values)
    return [
        {name: _told(name, value) for name, value in zip(names, row, strict=True)} for row in found
    ]


def _told(name: str, value: Any) -> Any:
    if value is not None and name in _TIMES:
        return to_time(value)
    return load(value) if value is not None and name in _JSON else value


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} has no place in an export")


def _write(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
