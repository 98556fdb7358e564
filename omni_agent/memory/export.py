"""All memories as one readable file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omni_agent.errors import SettingsError


def write_lines(rows: Iterable[dict[str, Any]], target: Path) -> Path:
    """JSON Lines; the file appears only when it is whole. Raises SettingsError."""
    if target.exists():
        raise SettingsError(f"{target} exists already. Name a new file to export to.")
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SettingsError(f"{target} cannot be written: {error.strerror}.") from error
    return target
