"""What a pull reports while it runs, and the progress bars that show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from omni_agent.model.artifacts import Artifact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class PullProgress(Protocol):
    """Byte counts are of finished files, so that they add up to the artifacts' sizes."""

    def plan(self, artifacts: Sequence[Artifact]) -> None:
        """These will be fetched, in this order."""
        ...

    def advance(self, artifact: Artifact, done: int) -> None: ...

    def note(self, artifact: Artifact, text: str) -> None:
        """Something worth telling: a source that failed, a wait for another process."""
        ...

    def end(self, artifact: Artifact) -> None: ...


class Silent:
    """Reports to nobody."""

    def plan(self, artifacts: Sequence[Artifact]) -> None:
        return

    def advance(self, artifact: Artifact, done: int) -> None:
        return

    def note(self, artifact: Artifact, text: str) -> None:
        return

    def end(self, artifact: Artifact) -> None:
        return


class ProgressBars:
    """A bar for each artifact and one for all: bytes, speed, time left. Plain lines in a log."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            speed_estimate_period=10,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._all: TaskID | None = None

    def plan(self, artifacts: Sequence[Artifact]) -> None:
        for artifact in artifacts:
            self._tasks[artifact.name] = self.bars.add_task(
                artifact.name, total=artifact.bytes, start=False
            )
        if len(artifacts) > 1:
            total = sum(artifact.bytes for artifact in artifacts)
            self._all = self.bars.add_task("[bold]all", total=total)

    def advance(self, artifact: Artifact, done: int) -> None:
        if artifact.name not in self._done:
            self.bars.start_task(self._tasks[artifact.name])
            if not self.console.is_terminal:
                self.console.print(f"fetching {artifact.name} ({size_text(artifact.bytes)}) …")
        self._done[artifact.name] = done
        self.bars.update(self._tasks[artifact.name], completed=done)
        if self._all is not None:
            self.bars.update(self._all, completed=sum(self._done.values()))

    def note(self, artifact: Artifact, text: str) -> None:
        self.console.print(
            f"{artifact.name}: {text}", style="dim", markup=False, highlight=False, soft_wrap=True
        )

    def end(self, artifact: Artifact) -> None:
        self.advance(artifact, artifact.bytes)
        if not self.console.is_terminal:
            self.console.print(f"{artifact.name} is in place")


def size_text(count: int) -> str:
    """1117320768 → "1.12 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@contextmanager
def progress_bars(console: Console | None = None) -> Iterator[ProgressBars]:
    """Bars on standard error for as long as the block lasts."""
    from rich.console import Console

    shown = ProgressBars(console or Console(stderr=True))
    with shown.bars:
        yield shown
