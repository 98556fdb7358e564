"""A file on its way: grows at its end, hashed as it grows, moved into place when it is right."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from omni_agent.errors import CatalogError, DiskFull, VerificationFailed
from omni_agent.model.artifacts import ArtifactFile, Part

BLOCK = 1 << 20


class SourceFailed(CatalogError):
    """This source does not have the file or cannot be reached; another may."""


class Partial:
    """What there is so far of `file`, at `path`. Whatever stops the process, the next can go on.

    Bytes are written straight through, so that a killed process leaves what it had. `advanced` is
    called with the size after each write.
    """

    def __init__(self, path: Path, file: ArtifactFile, advanced: Callable[[int], None]) -> None:
        self.path = path
        self.file = file
        self._advanced = advanced
        self._digest = hashlib.sha256()
        self._out: BinaryIO = open(path, "r+b" if path.exists() else "w+b", buffering=0)  # noqa: SIM115
        self.size = 0
        self.trusted = 0
        """How many bytes were taken up without a check of their own."""

    def resume(self, parts: Sequence[Part] = ()) -> None:
        """Take up what is there; with `parts`, only those whose own SHA-256 is right."""
        self._out.seek(0)
        self._digest, self.size = hashlib.sha256(), 0
        if parts:
            for part in parts:
                whole, own, left = self._digest.copy(), hashlib.sha256(), part.bytes
                while left and (block := self._out.read(min(BLOCK, left))):
                    whole.update(block)
                    own.update(block)
                    left -= len(block)
                if left or own.hexdigest() != part.sha256:
                    break
                self._digest, self.size = whole, self.size + part.bytes
        else:
            while self.size < self.file.bytes and (
                block := self._out.read(min(BLOCK, self.file.bytes - self.size))
            ):
                self._digest.update(block)
                self.size += len(block)
            self.trusted = self.size
        self._cut()

    def restart(self) -> None:
        """Forget everything so far."""
        self._digest, self.size = hashlib.sha256(), 0
        self._cut()

    def write(self, block: bytes) -> None:
        """Append. Raises VerificationFailed past the stated size, DiskFull without room."""
        if self.size + len(block) > self.file.bytes:
            raise VerificationFailed(
                f"{self.file.name}: more than the {self.file.bytes:,} bytes that the catalog states"
            )
        with disk_full_named(self.path, self.file.bytes - self.size):
            view = memoryview(block)
            while view:
                view = view[self._out.write(view) or 0 :]
        self._digest.update(block)
        self.size += len(block)
        self._advanced(self.size)

    def copy(self, existing: Path) -> None:
        """Become a hard link to a file nearby, or a copy. Raises SourceFailed if that is wrong."""
        if (size := existing.stat().st_size) != self.file.bytes:
            raise SourceFailed(f"{existing} has {size:,} bytes, not {self.file.bytes:,}")
        with open(existing, "rb") as source:
            digest = hashlib.file_digest(source, hashlib.sha256)
        if (found := digest.hexdigest()) != self.file.sha256:
            raise SourceFailed(f"{existing} has SHA-256 {found}, not {self.file.sha256}")
        self.discard()
        try:
            os.link(existing.resolve(), self.path)
        except OSError:  # another disk, or a file system without links
            self._out = open(self.path, "w+b", buffering=0)  # noqa: SIM115
            self.restart()
            with open(existing, "rb") as source:
                while block := source.read(BLOCK):
                    self.write(block)
        else:
            self._out = open(self.path, "rb", buffering=0)  # noqa: SIM115
            self._digest, self.size = digest, size
            self._advanced(size)

    def check(self) -> None:
        """Raises VerificationFailed where the size or the SHA-256 is not the catalog's."""
        if self.size != self.file.bytes:
            raise VerificationFailed(
                f"{self.file.name}: {self.size:,} bytes, the catalog states {self.file.bytes:,}"
            )
        if (found := self._digest.hexdigest()) != self.file.sha256:
            raise VerificationFailed(
                f"{self.file.name}: SHA-256 is {found}, the catalog states {self.file.sha256}"
            )

    def move_to(self, target: Path) -> None:
        """Put the checked file in its place, in one step."""
        self.check()
        with disk_full_named(self.path, self.file.bytes):
            os.fsync(self._out.fileno())
            self._out.close()
            os.replace(self.path, target)

    def close(self) -> None:
        """Leave what there is for the next try."""
        self._out.close()
        if self.path.exists() and not self.path.stat().st_size:
            self.path.unlink()

    def discard(self) -> None:
        self._out.close()
        self.path.unlink(missing_ok=True)

    def _cut(self) -> None:
        self._out.truncate(self.size)
        self._out.seek(self.size)
        self._advanced(self.size)


@contextmanager
def disk_full_named(path: Path, needed: int) -> Iterator[None]:
    """Turn the operating system's "no space left" and "over quota" into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise disk_full(path.parent, needed) from error


def disk_full(folder: Path, needed: int) -> DiskFull:
    free = shutil.disk_usage(folder).free
    return DiskFull(
        f"{folder} needs {needed:,} more bytes and has {free:,} free. Make room, or name "
        "another disk with OMNI_AGENT_CACHE_DIR=/path"
    )


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
