"""What `ask`, `chat` and `talk` have in common: their options, and opening an agent by them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, assert_never

import typer
from rich.console import Console

from omni_agent.errors import DownloadFailed, SettingsError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.status import Status

    from omni_agent.agent import Agent
    from omni_agent.conversation import Conversation
    from omni_agent.memory import Memory
    from omni_agent.model.artifacts import Artifact
    from omni_agent.model.progress import ProgressBars
    from omni_agent.tools.base import Position
    from omni_agent.tools.runner import Approver

AgentName = Literal["kitchen", "street-guide", "companion", "plain"]

AgentOption = Annotated[
    AgentName,
    typer.Option(
        "--agent",
        "-a",
        help="Who answers: [b]kitchen[/b] leads through recipes, [b]street-guide[/b] knows where "
        "to eat, [b]companion[/b] knows who said what in a call, [b]plain[/b] just talks.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        help="compact, compact-small, qwen2.5-omni-7b, qwen2.5-omni-3b, the folder of a "
        "Qwen2.5-Omni checkpoint, or auto: the best for this machine."
    ),
]
MemoryOption = Annotated[
    Path | None,
    typer.Option(help="The memory folder; by default OMNI_AGENT_MEMORY_DIR, or the user's own."),
]
NoMemoryOption = Annotated[
    bool, typer.Option("--no-memory", help="Remember nothing, and recall nothing.")
]
PlaceOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="LAT,LON[,HEADING]",
        help="Where you are, in degrees, and where you face, clockwise from north.",
    ),
]
VoiceOption = Annotated[
    str | None, typer.Option(help="Whose voice answers, such as af_heart, or Ethan.")
]
LanguageOption = Annotated[
    Literal["en", "zh"], typer.Option(help="Where your words leave open which language it is.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show only the answer's words, and no progress.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options above, as they were given."""

    agent: AgentName = "kitchen"
    model: str = "auto"
    memory: Path | None = None
    no_memory: bool = False
    at: str | None = None
    voice: str | None = None
    language: str = "en"
    quiet: bool = False


@asynccontextmanager
async def opened(wishes: Wishes, approve: Approver) -> AsyncIterator[tuple[Agent, Conversation]]:
    """The agent and a conversation with it, ready to answer at once; progress on standard error."""
    async with loaded(wishes, approve) as (agent, watch):
        conversation = agent.conversation()
        await conversation.feed()
        watch.close()
        yield agent, conversation


@asynccontextmanager
async def loaded(wishes: Wishes, approve: Approver) -> AsyncIterator[tuple[Agent, Progressing]]:
    """The agent and what shows the progress; `close` that when the first session is open."""
    from omni_agent.model import select

    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"language": wishes.language, "approve": approve}
        if wishes.at is not None:
            options["place"] = position(wishes.at)
        if wishes.voice is not None:
            options["voice"] = wishes.voice
        if not wishes.no_memory:
            options["memory"] = stack.enter_context(_memory(wishes.memory))
        watch = stack.enter_context(Progressing(Console(stderr=True, quiet=wishes.quiet)))
        options["model"] = await select.open_model(
            wishes.model, progress=watch, on_prefill=watch.prefill, on_plan=watch.tell
        )
        stack.push_async_callback(select.close_models)
        agent = await asyncio.to_thread(make_agent, wishes.agent, **options)
        await stack.enter_async_context(agent)
        yield agent, watch


def make_agent(name: AgentName, **options: Any) -> Agent:
    """`options` are those of `Agent`.

    The street guide may have to fetch its map first, the companion what tells people apart.
    """
    match name:
        case "kitchen":
            from omni_agent.agents.kitchen import kitchen

            return kitchen(**options)
        case "street-guide":
            from omni_agent.agents.street_guide import street_guide

            return street_guide(**options)
        case "companion":
            from omni_agent.agents.companion import companion

            _fetch_senses()
            return companion(**options)
        case "plain":
            from omni_agent.agent import Agent

            return Agent(PLAIN, name="plain", **options)
        case _:
            assert_never(name)


def _fetch_senses() -> None:
    """What tells people apart. Without it the companion still talks, and knows nobody."""
    from omni_agent.model.catalog import catalog
    from omni_agent.presence.senses import GROUP

    try:
        catalog().ensure(GROUP)
    except DownloadFailed as error:
        Console(stderr=True).print(str(error), style="yellow", markup=False, soft_wrap=True)


PLAIN = """\
You are a friendly and honest companion. You talk aloud with the user.
Answer in the language of the user, in one or two short sentences, without lists or markup.
If you do not know something, say so."""


def position(text: str) -> Position:
    """ "60.17,24.94" or "60.17,24.94,90" → Position. Raises SettingsError."""
    from omni_agent.tools.base import Position

    try:
        lat, lon, *heading = [float(part) for part in text.split(",")]
    except ValueError:
        lat = lon = float("nan")
        heading = []
    in_range = abs(lat) <= 90 and abs(lon) <= 180 and len(heading) <= 1
    if not in_range or not all(0 <= h <= 360 for h in heading):
        raise SettingsError(
            f"--at {text!r} is no position. Give latitude and longitude in degrees, and where you "
            "face if you like: --at 60.1699,24.9384,90"
        )
    return Position(lat, lon, heading[0] if heading else None)


def _memory(folder: Path | None) -> Memory:
    from omni_agent.memory import Memory
    from omni_agent.settings import load_settings

    return Memory(folder or load_settings().memory_dir)


class Progressing:
    """Shows on a console what one has to wait for: files, loading, a new agent's first prompt.

    It is the `PullProgress` of a pull. Leaving the block by ctrl-C ends a pull that is under way.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._bars: ProgressBars | None = None
        self._fetching: set[str] = set()
        self._prompt: tuple[Progress, TaskID] | None = None
        self._stopped = False

    def __enter__(self) -> Progressing:
        self._wait_for("loading the model")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._stopped = True

    def close(self) -> None:
        """Clear away what is shown."""
        self._wait_for(None)
        if self._bars is not None:
            self._bars.bars.stop()
        if self._prompt is not None:
            self._prompt[0].stop()
            self._prompt = None

    def tell(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    # --- files -------------------------------------------------------------------------------

    def plan(self, artifacts: Sequence[Artifact]) -> None:
        from omni_agent.model.progress import ProgressBars

        self._wait_for(None)
        self._fetching = {artifact.name for artifact in artifacts}
        self._bars = ProgressBars(self._console)
        self._bars.bars.start()
        self._bars.plan(artifacts)

    def advance(self, artifact: Artifact, done: int) -> None:
        if self._stopped:  # in the thread that fetches, which nothing else can reach
            raise KeyboardInterrupt
        self._shown.advance(artifact, done)

    def note(self, artifact: Artifact, text: str) -> None:
        self._shown.note(artifact, text)

    def end(self, artifact: Artifact) -> None:
        self._shown.end(artifact)
        self._fetching.discard(artifact.name)
        if not self._fetching:
            self._shown.bars.stop()
            self._wait_for("loading the model")

    @property
    def _shown(self) -> ProgressBars:
        assert self._bars is not None, "a pull begins with its plan"
        return self._bars

    # --- the prompt --------------------------------------------------------------------------

    def prefill(self, done: int, total: int) -> None:
        """Tokens of a new agent's prompt; it is kept, so this is seen once."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self._prompt is None:
            self._wait_for(None)
            columns = (TextColumn("{task.description}"), BarColumn(28), MofNCompleteColumn())
            bar = Progress(
                *columns,
                TextColumn("tokens"),
                console=self._console,
                transient=True,
                disable=not self._console.is_terminal,
            )
            title = "reading the instructions (once)"
            if not self._console.is_terminal:
                self._console.print(f"{title}: {total} tokens …")
            self._prompt = bar, bar.add_task(title, total=total)
            bar.start()
        bar, task = self._prompt
        bar.update(task, completed=done, total=total)
        if done >= total:
            bar.stop()
            self._prompt = None

    def _wait_for(self, what: str | None) -> None:
        """A spinner, on a terminal only."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if what is not None and self._console.is_terminal:
            self._status = self._console.status(f"{what} …")
            self._status.start()
