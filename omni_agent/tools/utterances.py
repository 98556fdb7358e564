"""More of what people say than would be read in code: lines in a TOML file, by tool or agent."""

from __future__ import annotations

import tomllib
from pathlib import Path


def utterances(beside: str, name: str = "utterances.toml") -> dict[str, list[str]]:
    """Key → lines of the file `name` in the folder of the module `beside` (its `__file__`)."""
    text = Path(beside).with_name(name).read_text("utf-8")
    return {key: lines.split("\n")[1:] for key, lines in tomllib.loads(text).items()}
