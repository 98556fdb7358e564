"""`omni-agent memory people`: whom the agents know, and what people have a right to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omni_agent.cli.memory_folder import AsJson, Folder, chosen_folder, open_memory, print_json

if TYPE_CHECKING:
    from omni_agent.memory import Memory
    from omni_agent.memory.people import Person

app = typer.Typer(
    help="Whom the agents know: see, rename, merge, export and forget people.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Someone = Annotated[str, typer.Argument(help="A name, or an id as `list` shows it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_people(as_json: AsJson = False, folder: Folder = None) -> None:
    """Show everybody: what they agreed to, when they were last met, what is kept of them."""
    with open_memory(folder) as memory:
        rows = [
            {
                **asdict(person),
                "voice_prints": sum(p.kind == "voice" for p in prints),
                "face_prints": sum(p.kind == "face" for p in prints),
                "looks": {look.slot: look.value for look in memory.people.looks(person)},
            }
            for person in memory.people.all()
            for prints in [memory.people.prints(person)]
        ]
    if as_json:
        print_json(rows)
        return
    _print_table(
        ("id", "name", "consent", "last met", "voice", "face", "looks"),
        [
            (
                r["id"], r["name"] or "–", r["consent"], _when(r["last_seen"]),
                str(r["voice_prints"]), str(r["face_prints"]),
                ", ".join(f"{slot}: {value}" for slot, value in r["looks"].items()),
            )
            for r in rows
        ],
    )  # fmt: skip
    typer.echo(f"{len(rows)} people in {chosen_folder(folder)}")


@app.command()
def show(
    who: Someone,
    limit: Annotated[int, typer.Option(min=1, help="At most this many things said.")] = 20,
    as_json: AsJson = False,
    folder: Folder = None,
) -> None:
    """Show one person: how they looked when, what they said, what was decided about them."""
    with open_memory(folder) as memory:
        person, people = _one(memory, who), memory.people
        looks, said = people.look_history(person), people.said(person, limit=limit)
        changes, prints = people.changes(person), people.prints(person)
    if as_json:
        print_json(
            [
                {"person": asdict(person)}, *({"print": asdict(p)} for p in prints),
                *({"look": asdict(look)} for look in looks), *({"said": asdict(m)} for m in said),
                *({"change": asdict(c)} for c in changes),
            ]
        )  # fmt: skip
        return
    typer.echo(
        f"{person.name or 'a stranger'}  {person.id}  {person.consent}, "
        f"{_when(person.first_seen)} to {_when(person.last_seen)}, {len(prints)} prints"
    )
    rows = [(look.slot, look.value, _when(look.valid_from), _when(look.valid_to)) for look in looks]
    if rows:
        _print_table(("looks", "", "from", "to"), rows)
    if said:
        _print_table(("when", "said"), [(_when(m.at), m.text) for m in said])
    if changes:
        _print_table(
            ("change", "when", "what", ""),
            [
                (
                    str(c.id), _when(c.at), c.what + (" (undone)" if c.undone else ""),
                    ", ".join(f"{key}: {value}" for key, value in c.details.items()),
                )
                for c in changes
            ],
        )  # fmt: skip


@app.command()
def rename(
    who: Someone,
    name: Annotated[str, typer.Argument(help="What they are called from now on.")],
    folder: Folder = None,
) -> None:
    """Put a name right. What was said then keeps the name it was said under."""
    with open_memory(folder) as memory:
        person = memory.people.rename(_one(memory, who), name)
    typer.echo(f"{person.id} is called {person.name}")


@app.command()
def merge(
    who: Someone,
    into: Annotated[str, typer.Argument(help="Whom they turned out to be.")],
    folder: Folder = None,
) -> None:
    """Say that two are one person; `undo` takes it back."""
    with open_memory(folder) as memory:
        one, other = _one(memory, who), _one(memory, into)
        if one.id == other.id:
            raise typer.BadParameter(f"{who} and {into} are one person already")
        person = memory.people.merge(one, other)
        change = memory.people.changes(person, limit=1)[0]
    typer.echo(f"{one.id} is now {person.id}, {person.name or 'a stranger'} (change {change.id})")


@app.command()
def undo(
    change: Annotated[int, typer.Argument(help="The number of a change, as `show` tells it.")],
    folder: Folder = None,
) -> None:
    """Take a renaming, a merge, a split or a link back."""
    with open_memory(folder) as memory:
        memory.people.undo(change)
    typer.echo(f"change {change} is undone")


@app.command()
def forget(who: Someone, yes: Yes = False, folder: Folder = None) -> None:
    """Delete a person for good: no byte of them stays in the folder.

    Their prints and pictures, all they said with its turns, all facts about them, and the scenes
    they are in. In what others said their name becomes "someone".
    """
    with open_memory(folder) as memory:
        forget_one(memory, _one(memory, who), yes=yes)


@app.command()
def export(
    who: Someone,
    target: Annotated[Path, typer.Argument(help="A new folder for JSON files and pictures.")],
    folder: Folder = None,
) -> None:
    """Write everything that is kept of a person into a folder that can be given to them."""
    with open_memory(folder) as memory:
        typer.echo(memory.people.export(_one(memory, who), target))


def whom(memory: Memory, who: str) -> Person | None:
    """The one person of this id or name; None if there is nobody.

    Raises BadParameter where several share the name.
    """
    if found := memory.people.get(who):
        return found
    named = memory.people.named_like(who)
    if len(named) > 1:
        ids = ", ".join(f"{p.id} (last met {_when(p.last_seen)})" for p in named)
        raise typer.BadParameter(f"{len(named)} people are called {who}. Say which: {ids}")
    return named[0] if named else None


def forget_one(memory: Memory, person: Person, *, yes: bool) -> None:
    """Tell what will go, ask, and delete it."""
    if not yes:
        said, prints = memory.people.said(person, limit=1_000_000), memory.people.prints(person)
        typer.echo(
            f"{person.name or 'a stranger'} ({person.id}): prints {len(prints)}, portraits "
            f"{sum(p.picture is not None for p in prints)}, things said {len(said)}"
        )
        typer.confirm("Forget them for good, with all of this?", abort=True)
    gone = memory.people.forget(person)
    memory.flush()
    typer.echo(f"{person.id} is forgotten, and {len(gone)} memories")


def _one(memory: Memory, who: str) -> Person:
    if (person := whom(memory, who)) is None:
        raise typer.BadParameter(
            f"nobody has the name or id {who!r}. See: omni-agent memory people list"
        )
    return person


def _when(at: datetime | None) -> str:
    return "now" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")


def _print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # never read as markup
    Console().print(table)
