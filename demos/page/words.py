"""The words of the page, from the same tables that its scripts use."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parents[1] / "static" / "words"
LANGUAGES = ("en", "zh")


@cache
def table(language: str) -> dict[str, Any]:
    """All words of a language; English where there is no table of it."""
    name = language if language in LANGUAGES else "en"
    return dict(json.loads((TABLES / f"{name}.json").read_text("utf-8")))


def words(language: str, key: str, **values: Any) -> str:
    """The words of a key, with `{name}`s filled in; `n` chooses between "one" and "other"."""
    entry = table(language)[key]
    if isinstance(entry, dict):
        entry = entry.get("one" if values.get("n") == 1 else "other", entry["other"])
    for name, value in values.items():
        entry = entry.replace(f"{{{name}}}", str(value))
    return str(entry)
