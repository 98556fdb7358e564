from __future__ import annotations

from pathlib import Path


def holds(folder: Path, *needles: bytes) -> list[str]:
    """The files of a folder in which any of these bytes occur."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(n in path.read_bytes() for n in needles)
    ]
