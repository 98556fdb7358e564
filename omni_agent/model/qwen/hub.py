"""From "qwen2.5-omni-7b" or a path to a checkpoint on this machine, fetched if it has to be."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from omni_agent.errors import DiskFull, DownloadFailed, MissingExtra, ModelLoadError, UnknownModel
from omni_agent.model.artifacts import Artifact, ArtifactFile
from omni_agent.model.progress import PullProgress, Silent, size_text
from omni_agent.model.qwen.checkpoint import SPEAKERS_FILE, Checkpoint, read_checkpoint
from omni_agent.model.qwen.published import PUBLISHED, Published
from omni_agent.model.sources import Hub
from omni_agent.settings import load_settings

WANTED = ("*.json", "*.jinja", "merges.txt", "*.safetensors", SPEAKERS_FILE)
"""Of a repository, what a checkpoint is; pictures and explanations stay there."""

_PATIENCE = 10.0


def find_checkpoint(source: str | Path, progress: PullProgress | None = None) -> Checkpoint:
    """A published model by name, or whatever lies in a folder.

    A published model is looked for in the folder OMNI_AGENT_MODELS, then in the hub's cache
    (HF_HOME, HF_HUB_CACHE), then fetched into that from the hub (HF_ENDPOINT), unless
    OMNI_AGENT_OFFLINE or HF_HUB_OFFLINE is set.

    Raises UnknownModel, ModelLoadError, DownloadFailed, DiskFull.
    """
    if isinstance(source, str) and (model := PUBLISHED.get(source.lower())):
        return _published(model, progress or Silent())
    folder = Path(source).expanduser()
    if not folder.is_dir() and len(folder.parts) == 1:
        raise UnknownModel(
            f"{source} is neither a folder nor a published Qwen2.5-Omni; those are: "
            + ", ".join(PUBLISHED)
        )
    return read_checkpoint(folder)


def _published(model: Published, progress: PullProgress) -> Checkpoint:
    settings, hub = load_settings(), Hub.from_environment()
    if settings.local_models:
        for name in (model.name, model.repo.rpartition("/")[2]):
            if (settings.local_models / name / "config.json").is_file():
                return read_checkpoint(settings.local_models / name)
    folder = hub.cache / f"models--{model.repo.replace('/', '--')}" / "snapshots" / model.revision
    lacking = _lacking(folder)
    if lacking is None:
        return read_checkpoint(folder)
    if settings.offline or hub.offline:
        setting = "OMNI_AGENT_OFFLINE" if settings.offline else "HF_HUB_OFFLINE"
        raise DownloadFailed(
            f"{model.repo} at {model.revision} is not in {hub.cache}, and {setting} is set. "
            f"What is wrong with the copy there: {lacking}"
        )
    _fetch(model, hub, folder, progress)
    return read_checkpoint(folder)


def _lacking(folder: Path) -> str | None:
    """What is wrong with the snapshot in the hub's cache; None where it is whole."""
    try:
        read_checkpoint(folder).speakers_file()
    except ModelLoadError as error:
        return str(error)
    return None


def _fetch(model: Published, hub: Hub, folder: Path, progress: PullProgress) -> None:
    """Everything that is missing, file by file; an interrupted download goes on where it stopped.

    Raises DownloadFailed with what the hub said, or DiskFull.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_download
    except ImportError as error:
        raise MissingExtra("huggingface_hub", "qwen", needed_for=model.title) from error
    try:
        listing = HfApi(endpoint=hub.endpoint, token=hub.token or False).model_info(
            model.repo, revision=model.revision, files_metadata=True, timeout=_PATIENCE
        )
        sizes = {file.rfilename: file.size or 0 for file in listing.siblings or ()}
        sizes = {n: size for n, size in sizes.items() if any(fnmatch(n, p) for p in WANTED)}
        artifact = _artifact(model, sizes)
        progress.plan([artifact])
        _check_room(hub.cache, sum(s for n, s in sizes.items() if not (folder / n).exists()))
        done = 0
        for name, size in sizes.items():

            def advance(here: int, before: int = done) -> None:
                progress.advance(artifact, before + here)

            hf_hub_download(
                model.repo,
                name,
                revision=model.revision,
                cache_dir=hub.cache,
                endpoint=hub.endpoint,
                token=hub.token or False,
                tqdm_class=_counting(advance),
            )
            done += size
            progress.advance(artifact, done)
        progress.end(artifact)
    except DiskFull:
        raise
    except Exception as error:  # the hub's own, its HTTP client's and the system's
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(hub.cache, str(error)) from error
        raise DownloadFailed(
            f"{model.repo} at {model.revision} could not be fetched from {hub.endpoint}: "
            f"{type(error).__name__}: {error}\nA copy of yours will do: name its folder instead of "
            f"{model.name!r}, or lay it into a folder as {model.name} and set OMNI_AGENT_MODELS to "
            "that"
        ) from error


def _artifact(model: Published, sizes: dict[str, int]) -> Artifact:
    """The repository as progress bars know things to fetch."""
    files = tuple(ArtifactFile(name, size, "") for name, size in sizes.items())
    return Artifact(model.name, "omni", model.title, ("multilingual",), "", (), files, folder=True)


def _check_room(cache: Path, needed: int) -> None:
    """Raises DiskFull before anything is fetched, if it cannot fit."""
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise _disk_full(cache, f"{size_text(needed)} to fetch, {size_text(free)} free")


def _disk_full(cache: Path, what: str) -> DiskFull:
    return DiskFull(
        f"{cache} has too little room: {what}. Make some, or name another disk with HF_HOME=/path"
    )


def _counting(report: Callable[[int], None]) -> Any:
    """A class of progress bars that show nothing and report bytes.

    One download may have two bars, of bytes that came and bytes that were put together: the one
    that is ahead counts.
    """
    from tqdm.auto import tqdm

    furthest = 0

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal furthest
            self.n += n or 0
            if self.n > furthest:
                furthest = int(self.n)
                report(furthest)

    return Bar
