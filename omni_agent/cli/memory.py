"""`omni-agent memory`: see, search, forget and repair what the agents remember."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_agent.cli import people
from omni_agent.cli.memory_folder import AsJson, Folder, chosen_folder, open_memory, print_json

app = typer.Typer(
    help="See, search, forget and repair what the agents remember.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(people.app, name="people")

Kind = Annotated[
    str | None, typer.Option(help="Only this kind: [b]episode[/b] (said), [b]fact[/b] …")
]


@app.command("list")
def list_memories(
    kind: Kind = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 30,
    offset: Annotated[int, typer.Option(min=0, help="Leave out this many of the newest.")] = 0,
    as_json: AsJson = False,
    folder: Folder = None,
) -> None:
    """Show memories, newest first; a fact that no longer holds says until when it did."""
    with open_memory(folder) as memory:
        rows = [asdict(m) for m in memory.list(kind, limit, offset)]
        total = memory.count(kind)
    if as_json:
        print_json(rows)
        return
    _print_table(rows, ("id", "kind", "when", "who", "text"))
    shown = f"{offset + 1}–{offset + len(rows)} of {total}" if rows else f"none of {total}"
    typer.echo(f"{shown} in {chosen_folder(folder)}")


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What to look for, in any language.")],
    kind: Kind = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 5,
    min_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How sure a hit must be; the agents' own by default."),
    ] = None,
    as_json: AsJson = False,
    folder: Folder = None,
) -> None:
    """Ask the memory as an agent would, by words and by meaning."""
    from omni_agent.memory.recall import MIN_SCORE

    with open_memory(folder) as memory:
        memory.flush()
        found = memory.recall(
            question,
            limit=limit,
            kinds=[kind] if kind else None,
            min_score=MIN_SCORE if min_score is None else min_score,
        )
        notes = memory.notes
    rows = [{**asdict(m), "recorded_at": m.at} for m in found]
    if as_json:
        print_json(rows)
    elif rows:
        _print_table(rows, ("score", "id", "kind", "when", "who", "text"))
    else:
        typer.echo("Nothing that is remembered bears on this.")
    for note in notes:
        typer.secho(note, err=True, fg=typer.colors.YELLOW)


@app.command()
def forget(
    what: Annotated[
        list[str],
        typer.Argument(
            help="Ids, as `list` shows them; the name of a person; or words, with --matching."
        ),
    ],
    matching: Annotated[
        bool,
        typer.Option("--matching", help="Forget everything in which these words occur."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    folder: Folder = None,
) -> None:
    """Delete memories for good: no byte of them stays in the folder.

    Something said takes its whole turn with it, and the facts that were drawn from it. A person
    takes all of theirs along: see `omni-agent memory people forget`.
    """
    with open_memory(folder) as memory:
        if not matching and (someone := people.whom(memory, " ".join(what))):
            people.forget_one(memory, someone, yes=yes)
            return
        if matching:
            doomed = memory.find(" ".join(what))
        else:
            doomed = tuple(memory.get(*what).values())
            if unknown := [i for i in what if i not in {m.id for m in doomed}]:
                raise typer.BadParameter(
                    f"no memory has the id {', '.join(unknown)}, and nobody this name. "
                    "See: omni-agent memory list, omni-agent memory people list"
                )
        if not doomed and not matching:
            return
        if not yes:
            _print_table([asdict(m) for m in doomed], ("id", "kind", "when", "who", "text"))
            typer.confirm("Forget this for good, with the turns it is part of?", abort=True)
        gone = memory.forget_matching(" ".join(what)) if matching else memory.forget(*what)
        memory.flush()
    typer.echo(f"{len(gone)} forgotten")


@app.command()
def rebuild(folder: Folder = None) -> None:
    """Make the search index again from the ledger; nothing that is remembered is touched."""
    from rich.console import Console
    from rich.progress import Progress

    with open_memory(folder) as memory, Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task("memories", total=None)
        memory.rebuild(lambda done, total: bars.update(task, completed=done, total=total))
        count, notes = memory.count(), memory.notes
    for note in notes:
        typer.secho(note, err=True, fg=typer.colors.YELLOW)
    typer.echo(f"{count} memories in the index")


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="A new file; JSON Lines is written.")],
    folder: Folder = None,
) -> None:
    """Write everything that is remembered into one readable file."""
    with open_memory(folder) as memory:
        typer.echo(memory.export(path))


@app.command()
def where(folder: Folder = None) -> None:
    """Print the memory folder."""
    typer.echo(chosen_folder(folder))


def _print_table(rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=column != "text", overflow="fold")
    for row in rows:
        ended = row.get("valid_to")
        text = row["text"] if len(row["text"]) <= 300 else row["text"][:300] + " …"
        cells = {
            "id": row["id"],
            "kind": row["kind"],
            "when": row["recorded_at"].astimezone().strftime("%Y-%m-%d %H:%M"),
            "who": row.get("speaker") or "",
            "text": f"{text} (until {ended.astimezone():%Y-%m-%d %H:%M})" if ended else text,
            "score": f"{row.get('score', 0):.2f}",
        }
        style = "dim" if ended else ""
        table.add_row(*(Text(cells[c], style=style) for c in columns))  # never read as markup
    Console().print(table)
