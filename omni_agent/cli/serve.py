"""`omni-agent serve`: agents behind OpenAI's protocols, for any client."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.console import Console

from omni_agent.cli.opening import (
    AgentName,
    LanguageOption,
    MemoryOption,
    ModelOption,
    NoMemoryOption,
    PlaceOption,
    Progressing,
    QuietOption,
    VoiceOption,
    Wishes,
    make_agent,
    position,
)
from omni_agent.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.server import ServerSettings

app = typer.Typer(rich_markup_mode="rich")


@app.command()
def serve(
    agent: Annotated[
        list[str] | None,
        typer.Option(
            "--agent",
            "-a",
            metavar="NAME",
            help="Whom to serve: [b]kitchen[/b], [b]street-guide[/b] or [b]plain[/b]. May be given "
            "several times; clients choose by name, and the first is the default.",
        ),
    ] = None,
    model: ModelOption = "auto",
    host: Annotated[
        str,
        typer.Option(help="Where to listen; 0.0.0.0 is everywhere, and needs a --token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="OMNI_AGENT_TOKEN",
            help="What clients have to send as API key; needed to listen beyond this machine.",
        ),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A web page of another site that may connect, such as https://example.org. May "
            "be given several times.",
        ),
    ] = None,
    max_calls: Annotated[int, typer.Option(help="Live calls at a time.")] = 8,
    max_minutes: Annotated[float, typer.Option(help="How long a call may last.")] = 60.0,
    idle_minutes: Annotated[
        float, typer.Option(help="A call in which nothing happens for so long is ended.")
    ] = 5.0,
    record: Annotated[
        Path | None,
        typer.Option(help="A folder to keep every call in, with its voices and pictures."),
    ] = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    at: PlaceOption = None,
    voice: VoiceOption = None,
    language: LanguageOption = "en",
    quiet: QuietOption = False,
) -> None:
    """Let other programs talk with an agent, over OpenAI's protocols.

    [b]/v1/realtime[/b] is a live call over a WebSocket: speech in, speech out, pictures, tools of
    the client's. [b]/v1/chat/completions[/b] answers text, pictures and sound. [b]/metrics[/b] is
    for Prometheus. It listens on this machine alone unless told otherwise. Ctrl-C ends it.

    [b]Examples[/b]

    omni-agent serve

    omni-agent serve --agent kitchen --agent street-guide --port 9000

    OMNI_AGENT_TOKEN=a-long-secret omni-agent serve --host 0.0.0.0 --max-calls 2
    """
    names = _names(agent or ["kitchen"])
    wishes = Wishes(
        model=model,
        memory=memory,
        no_memory=no_memory,
        at=at,
        voice=voice,
        language=language,
        quiet=quiet,
    )
    try:
        from omni_agent.server import Limits, ServerSettings
    except ImportError as error:
        package = error.name or "starlette"
        raise MissingExtra(package, "server", needed_for="omni-agent serve") from error
    settings = ServerSettings(
        host=host,
        port=port,
        token=token,
        origins=tuple(origin or ()),
        record=record,
        limits=Limits(
            calls=max_calls, call_seconds=max_minutes * 60, idle_seconds=idle_minutes * 60
        ),
    )
    asyncio.run(_serve(names, wishes, settings))


def _names(given: Sequence[str]) -> tuple[AgentName, ...]:
    known = get_args(AgentName)
    if strange := [name for name in given if name not in known]:
        raise typer.BadParameter(f"--agent {strange[0]}: there is {', '.join(known)}")
    return cast("tuple[AgentName, ...]", tuple(dict.fromkeys(given)))


async def _serve(names: Sequence[AgentName], wishes: Wishes, settings: ServerSettings) -> None:
    from omni_agent.server import create_app, server_of

    with listening(settings) as door:
        async with agents(names, wishes) as served:
            port = door.getsockname()[1]
            Console(quiet=wishes.quiet).print(
                banner(list(served), settings, port), markup=False, highlight=False, soft_wrap=True
            )
            await server_of(create_app(served, settings), settings).serve(sockets=[door])


@asynccontextmanager
async def agents(names: Sequence[AgentName], wishes: Wishes) -> AsyncIterator[dict[str, Agent]]:
    """Agents that share a model and a memory, ready to answer; progress on standard error."""
    from omni_agent.memory import Memory
    from omni_agent.model import select
    from omni_agent.settings import load_settings

    async with AsyncExitStack() as stack:
        options: dict[str, Any] = {"language": wishes.language}
        if wishes.at is not None:
            options["place"] = position(wishes.at)
        if wishes.voice is not None:
            options["voice"] = wishes.voice
        if not wishes.no_memory:
            folder = wishes.memory or load_settings().memory_dir
            options["memory"] = stack.enter_context(Memory(folder))
        watch = stack.enter_context(Progressing(Console(stderr=True, quiet=wishes.quiet)))
        options["model"] = await select.open_model(
            wishes.model, progress=watch, on_prefill=watch.prefill, on_plan=watch.tell
        )
        stack.push_async_callback(select.close_models)
        served: dict[str, Agent] = {}
        stack.push_async_callback(close_agents, served)
        for name in names:
            served[name] = agent = await asyncio.to_thread(make_agent, name, **options)
            conversation = agent.conversation()
            await conversation.prepare()
            await conversation.close()
        watch.close()
        yield served


async def close_agents(agents: Mapping[str, Agent]) -> None:
    """They share a memory, and so the time that closing may take to learn from it."""
    from omni_agent.learning import AT_CLOSE

    until = time.monotonic() + AT_CLOSE

    async def close(agent: Agent) -> None:
        await agent.close(learn_for=max(0.0, until - time.monotonic()))

    async with AsyncExitStack() as stack:  # one that fails keeps none of the others open
        for agent in agents.values():
            stack.push_async_callback(close, agent)


def listening(settings: ServerSettings) -> socket.socket:
    """The socket that the server is to listen on. Raises SettingsError where it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        door.close()
        raise SettingsError(
            f"cannot listen at {settings.host}, port {settings.port}: {error.strerror}. "
            "Choose another --port, or 0 for any that is free"
        ) from error
    return door


def banner(names: Sequence[str], settings: ServerSettings, port: int) -> str:
    """What runs where, and how a client connects."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    key = '"-"' if settings.token is None else 'os.environ["OMNI_AGENT_TOKEN"]'
    served = ", ".join(names)
    return f"""
Serving {served}. Ctrl-C ends it.

  live calls   ws://{place}/v1/realtime?model={names[0]}
  chat         http://{place}/v1/chat/completions
  metrics      http://{place}/metrics

  from openai import AsyncOpenAI
  client = AsyncOpenAI(base_url="http://{place}/v1", api_key={key})
  async with client.realtime.connect(model="{names[0]}") as call:
      ...
"""
