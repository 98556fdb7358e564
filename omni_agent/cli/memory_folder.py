"""What the commands about the memory share: which folder, and how rows are printed for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from omni_agent.memory import Memory

Folder = Annotated[
    Path | None,
    typer.Option(help="The memory folder; by default OMNI_AGENT_MEMORY_DIR, or the user's own."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON Lines instead of a table.")]


def chosen_folder(folder: Path | None) -> Path:
    from omni_agent.settings import load_settings

    return folder or load_settings().memory_dir


def open_memory(folder: Path | None) -> Memory:
    from omni_agent.memory import Memory

    return Memory(chosen_folder(folder))


def print_json(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False, default=lambda at: at.isoformat()))
