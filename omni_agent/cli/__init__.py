"""The command line, `omni-agent`. Each command is a module here, loaded when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from omni_agent.errors import OmniAgentError

COMMANDS = {
    "try": "omni_agent.cli.try_out",
    "ask": "omni_agent.cli.ask",
    "chat": "omni_agent.cli.chat",
    "talk": "omni_agent.cli.talk",
    "serve": "omni_agent.cli.serve",
    "replay": "omni_agent.cli.replay",
    "memory": "omni_agent.cli.memory",
    "doctor": "omni_agent.cli.doctor",
    "models": "omni_agent.cli.models",
}
"""Command → the module whose typer app, named `app`, it runs. Their imports must stay light."""


class LazyGroup(TyperGroup):
    """Imports a command's module when the command is run or its help line is shown."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(importlib.import_module(COMMANDS[cmd_name]).app)
        command.name = cmd_name
        return command


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def omni_agent() -> None:
    """Agents that see, hear, speak, act and remember, on your own machine."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit status.

    0: done. 1: it could not be done, and standard error says why. 2: the command was not
    understood. 130: stopped by ctrl-C.
    """
    try:
        typer.main.get_command(app)(
            args=None if arguments is None else list(arguments), prog_name="omni-agent"
        )
    except OmniAgentError as error:
        typer.secho(f"omni-agent: {error}", err=True, fg=typer.colors.RED)
        sys.exit(1)
