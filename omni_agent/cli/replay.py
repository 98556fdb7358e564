"""`omni-agent replay`: a recorded call as a time line, heard again, or had again with a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omni_agent.cli.opening import AgentName, Progressing, make_agent
from omni_agent.cli.replay_view import report_lines, show_moment
from omni_agent.cli.show import clean

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.recorded_call import RecordedCall
    from omni_agent.replay_report import ReplayReport

app = typer.Typer(rich_markup_mode="rich")


@app.command()
def replay(
    folder: Annotated[
        Path, typer.Argument(help="The folder of a call, or a folder of such folders: a list.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Have the call again with this model; names as for [b]talk[/b]."),
    ] = None,
    agent: Annotated[
        AgentName | None,
        typer.Option("--agent", "-a", help="Who answers then; by default who answered."),
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="With --model: show what differs, and nothing else.")
    ] = False,
    play: Annotated[
        bool, typer.Option("--play", help="Hear both sides while the time line goes along.")
    ] = False,
    free: Annotated[
        bool,
        typer.Option(
            "--free",
            help="With --model: whatever is worked takes no time on the call's clock, so that the "
            "same comes of it on any machine. Else it takes as long as it takes here.",
        ),
    ] = False,
) -> None:
    """Show a recorded call: who said what when, what was done, and what was never heard.

    With --model, what the user said and showed goes in again, each thing at its time, and what
    comes out is set beside what came then: heard, tools, replies, interruptions, latencies. The
    agent's tools really run; nothing is remembered. The silence in between is skipped, so that it
    takes less time than the call did.

    A recording holds voices, pictures and words. Delete its folder to forget it.

    [b]Examples[/b]

    omni-agent replay calls

    omni-agent replay calls/monday --play

    omni-agent replay calls/monday --model compact-small --diff
    """
    from omni_agent.recorded_call import RecordedCall

    console = Console()
    if not (folder / "call.json").exists() and any(folder.glob("*/call.json")):
        _list(folder, console)
        return
    recording = RecordedCall.open(folder)
    if not diff:
        asyncio.run(_tell(recording, console, aloud=play))
    if model is not None:
        report = asyncio.run(_again(recording, model, agent, free=free))
        if not diff:
            console.print()
        for line in report_lines(report, recording):
            console.print(line, soft_wrap=not console.is_terminal)
    elif diff:
        raise typer.BadParameter("--diff compares with a replay: name a --model for it")


def _list(folder: Path, console: Console) -> None:
    from omni_agent.recorded_call import recordings

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("folder", "when", "length", "agent", "model", "title"):
        table.add_column(column, no_wrap=column != "title", overflow="fold")
    for call in recordings(folder):
        table.add_row(
            Text(clean(call.folder.name)),
            f"{call.began_at.astimezone():%Y-%m-%d %H:%M}",
            f"{int(call.seconds) // 60}:{int(call.seconds) % 60:02}",
            Text(clean(call.agent)),
            Text(clean(call.model)),
            Text(clean(call.title)),
        )
    console.print(table)


async def _tell(recording: RecordedCall, console: Console, *, aloud: bool) -> None:
    from omni_agent.timeline import timeline

    moments = timeline(recording)
    when = f"{recording.began_at.astimezone():%Y-%m-%d %H:%M}"
    who = f"{recording.agent}, {recording.model}"
    console.print(Text(clean(f"{when}  {who}  {recording.folder}"), style="dim"))
    if not aloud:
        for moment in moments:
            show_moment(console, moment, agent=recording.agent)
    else:
        from omni_agent.cli.replay_sound import heard_again

        coming = iter([*moments, None])
        next_one = next(coming)
        async for seconds in heard_again(recording):
            while next_one is not None and next_one.t <= seconds:
                show_moment(console, next_one, agent=recording.agent)
                next_one = next(coming)
    if recording.reason is None:
        console.print(Text("The recording breaks off here.", style="yellow"))


async def _again(
    recording: RecordedCall, model: str, agent: AgentName | None, *, free: bool
) -> ReplayReport:
    from omni_agent.replay import replay_and_compare

    async with _agent_for(recording, model, agent, work="free" if free else "timed") as answering:
        return await replay_and_compare(recording, answering)


@asynccontextmanager
async def _agent_for(
    recording: RecordedCall, model: str, name: AgentName | None, *, work: Literal["free", "timed"]
) -> AsyncIterator[Agent]:
    """An agent without a memory, on a clock that skips what nobody works in."""
    from omni_agent.model import select
    from omni_agent.model.on_clock import OnClock
    from omni_agent.virtual_clock import VirtualClock

    known = recording.agent.replace(" ", "-")
    chosen: AgentName = next((n for n in get_args(AgentName) if n == known), "plain")
    if name is None and chosen != known:
        typer.secho(
            f"the call was had with {clean(recording.agent)!r}, which is not known here; "
            "a plain agent answers. See --agent",
            err=True,
            fg=typer.colors.YELLOW,
        )
    if recording.settings.persona.tools:
        typer.secho(
            f"tools of the caller are not there: {', '.join(recording.settings.persona.tools)}",
            err=True,
            fg=typer.colors.YELLOW,
        )
    clock = VirtualClock(work=work)
    async with AsyncExitStack() as stack:
        watch = stack.enter_context(Progressing(Console(stderr=True)))
        opened = await select.open_model(
            model, progress=watch, on_prefill=watch.prefill, on_plan=watch.tell
        )
        stack.push_async_callback(select.close_models)
        answering = await asyncio.to_thread(
            make_agent, name or chosen, model=OnClock(opened, clock), clock=clock
        )
        yield await stack.enter_async_context(answering)
