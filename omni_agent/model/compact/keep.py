"""What was worked out once and is kept in a file only to save time at the next start."""

from __future__ import annotations

import io
import logging
import secrets
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

logger = logging.getLogger("omni_agent.model")


def keep(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; where that cannot be done, it is made anew every time."""
    # Written under another name first: a process killed here leaves no half of a file.
    partial = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(file)
    except OSError as why:
        logger.info("%s cannot be kept and is made at every start: %s", file.name, why)
        with suppress(OSError):  # most often there is none
            partial.unlink()


def keep_arrays(file: Path, arrays: Arrays) -> None:
    """Like `keep`, by name."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    keep(file, out.getvalue())


def kept_arrays(file: Path, *names: str) -> Arrays | None:
    """What `keep_arrays` has written; None where there is nothing that can be used."""
    if not file.exists():
        return None
    try:
        with np.load(file) as found:
            return {name: found[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as why:
        logger.warning("%s cannot be used and is made again: %s", file.name, why)
        return None
