"""One table on the screen and the same figures as JSON in benchmarks/results/."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


def report(name: str, rows: Sequence[Mapping[str, Any]], *, notes: Sequence[str] = ()) -> Path:
    """Print `rows` as a table and write benchmarks/results/<name>.json; returns that file."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=name, title_justify="left")
    columns = list(rows[0])
    for column in columns:
        numeric = isinstance(rows[0][column], int | float)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(_shown(row[column]) for column in columns))
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, style="dim")
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    machine = {
        "cpu": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    content = {"name": name, "rows": list(rows), "notes": list(notes), "machine": machine}
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return file


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
