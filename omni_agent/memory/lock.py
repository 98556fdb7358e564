"""One owner process for a memory folder, held by an advisory file lock."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from omni_agent.errors import MemoryInUse, MemoryReadOnly


class FolderLock:
    """Held from construction to `close`; the system lets go of it when the process dies.

    Raises MemoryInUse where another owner has it, MemoryReadOnly where it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "owner.lock"
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise MemoryReadOnly(
                f"The memory folder {folder} cannot be written to ({error.strerror}). "
                "Give this user the right to write there, or name another folder."
            ) from error
        try:
            _lock(self._file)
        except OSError as error:
            owner = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            raise MemoryInUse(
                f"The memory folder {folder} is in use by process {owner or 'unknown'}. "
                "Close that one first, or give this one a folder of its own."
            ) from error
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, str(os.getpid()).encode())
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._file)


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 20  # the locked byte lies past the text, which others may then read

    def _lock(file: int) -> None:
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
