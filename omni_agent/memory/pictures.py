"""The pictures a memory keeps – portraits, keyframes – as files that only their owner may read.

A file is on the disk before the row that names it is committed, and goes after that row is gone.
So after a crash there may be files that no row names, and never the reverse; `sweep` removes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from omni_agent.errors import MemoryStoreError
from omni_agent.media import Image
from omni_agent.memory.sealing import Sealing, is_sealed

_ID = re.compile(r"[a-z]_[0-9a-z]{16}")


class Pictures:
    """`folder`/<id>.jpg; sealed where the memory is."""

    def __init__(self, folder: Path, sealing: Sealing) -> None:
        self._folder, self._sealing = folder, sealing

    def save(self, id: str, picture: Image, *, quality: int = 85) -> None:
        """Write a picture; it is on the disk when this returns. Raises MemoryStoreError."""
        self._write(id, self._sealing.close(picture.to_jpeg(quality), id))

    def load(self, id: str) -> bytes | None:
        """The JPEG file; None where there is none. Raises MemorySealed."""
        path = self._path(id)
        return self._sealing.open(path.read_bytes(), id) if path.exists() else None

    def remove(self, ids: Iterable[str]) -> None:
        """Overwrite and delete them; what is not there is no trouble."""
        for id in ids:
            _erase(self._path(id))

    def sweep(self, keep: Collection[str]) -> None:
        """Delete every file but these pictures, and seal those that lie open in a sealed memory."""
        if not self._folder.exists():
            return
        kept = set(keep)
        for path in sorted(self._folder.iterdir()):
            if path.suffix != ".jpg" or path.stem not in kept:
                _erase(path)
            elif self._sealing.on and not is_sealed(found := path.read_bytes()):
                self._write(path.stem, self._sealing.close(found, path.stem))

    def size(self, id: str) -> int:
        """Bytes of its file; 0 where there is none."""
        path = self._path(id)
        return path.stat().st_size if path.exists() else 0

    def bytes_used(self) -> int:
        if not self._folder.exists():
            return 0
        return sum(path.stat().st_size for path in self._folder.iterdir())

    def _path(self, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise MemoryStoreError(f"{id!r} is no id of a picture.")
        return self._folder / f"{id}.jpg"

    def _write(self, id: str, data: bytes) -> None:
        path = self._path(id)
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(0o700, exist_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                _overwrite(path)
            part.replace(path)
            if os.name == "posix":
                folder = os.open(self._folder, os.O_RDONLY)
                os.fsync(folder)
                os.close(folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise MemoryStoreError(
                f"The picture {path} cannot be written: {error.strerror}. It is not kept."
            ) from error


def _erase(path: Path) -> None:
    try:
        _overwrite(path)
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise MemoryStoreError(f"{path} cannot be deleted: {error.strerror}.") from error


def _overwrite(path: Path) -> None:
    """With zeros, where the file system writes in place; a copy-on-write one keeps the old."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
