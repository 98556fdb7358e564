"""The demo: a page for calls, chat and memory, beside the realtime server it speaks to.

python demos/app.py            # opens http://127.0.0.1:7860
python demos/app.py --help
"""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console

from omni_agent.cli.opening import (
    AgentName,
    LanguageOption,
    MemoryOption,
    NoMemoryOption,
    PlaceOption,
    VoiceOption,
    Wishes,
    make_agent,
    position,
)
from omni_agent.cli.serve import agents, close_agents, listening
from omni_agent.errors import MissingExtra, OmniAgentError

if TYPE_CHECKING:
    from composed.three_people import Speak
    from page.offer import FindStreets

    from omni_agent.agent import Agent
    from omni_agent.tools.base import Position

AGENTS: tuple[AgentName, ...] = get_args(AgentName)


def main(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="As for omni-agent talk. May be given several times: the first is loaded now, "
            "the others can be chosen on the page and are loaded then."
        ),
    ] = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    record: Annotated[
        Path | None, typer.Option(help="A folder to keep calls in; the page can play them.")
    ] = None,
    at: PlaceOption = None,
    voice: VoiceOption = None,
    language: LanguageOption = "en",
    port: Annotated[int, typer.Option(help="0 takes any that is free.")] = 7860,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Talk with an agent in the browser: it hears, sees, speaks, acts and remembers.

    The page is served to this machine alone, which is also what browsers want before they give a
    page the microphone. Ctrl-C ends it; what was remembered is kept.
    """
    models = model or ["auto"]
    wishes = Wishes(
        model=models[0], memory=memory, no_memory=no_memory, at=at, voice=voice, language=language
    )
    console = Console(stderr=True)
    try:
        asyncio.run(_serve(wishes, models[1:], record, port, open_browser))
    except KeyboardInterrupt:
        console.print("Bye.")
    except OmniAgentError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error


async def _serve(
    wishes: Wishes, more_models: Sequence[str], record: Path | None, port: int, open_browser: bool
) -> None:
    try:
        from page.blocks import blocks
        from page.chat import Chat
        from page.example import ThreePeople
        from page.memory import MemoryPanel
        from page.offer import Offer
        from page.recordings import RecordingsPanel
        from page.serving import mount_page

        from omni_agent.model.catalog import catalog
        from omni_agent.server import ServerSettings, create_app, server_of
    except ImportError as error:
        raise MissingExtra(error.name or "gradio", "demo", needed_for="the demo") from error

    settings = ServerSettings(port=port, record=record)
    with listening(settings) as door:
        async with (
            agents(AGENTS, wishes) as served,
            _also(served, more_models) as everyone,
        ):
            first = served[AGENTS[0]]
            profile = (await first.open_model()).profile
            streets = await asyncio.to_thread(_streets)
            example = ThreePeople(catalog().settings.cache_dir / "examples", _voice)
            offer = Offer(
                agents={name: _place(name, wishes) for name in AGENTS},
                voices=profile.voices,
                models=more_models,
                languages=profile.languages,
                find_streets=streets,
                find_example=example.example,
            )
            recordings = RecordingsPanel(record)
            app = create_app(everyone, settings, routes=[*recordings.routes, *example.routes])
            panels = (Chat(served), MemoryPanel(first.memory), recordings)
            mount_page(app, blocks(offer, *(panel.build for panel in panels)))
            url = f"http://127.0.0.1:{door.getsockname()[1]}"
            Console().print(f"\nThe page is at {url}   Ctrl-C ends it.\n", highlight=False)
            if open_browser:
                asyncio.get_running_loop().call_later(1.0, webbrowser.open, url)
            await server_of(app, settings).serve(sockets=[door])


@asynccontextmanager
async def _also(served: dict[str, Agent], models: Sequence[str]) -> AsyncIterator[dict[str, Agent]]:
    """The agents, and each with each further model as "kitchen@compact-small"."""
    more: dict[str, Agent] = {}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(close_agents, more)
        for model in models:
            for name in AGENTS:
                options = {"model": model, "memory": served[name].memory, "voice": None}
                more[f"{name}@{model}"] = await asyncio.to_thread(make_agent, name, **options)
        yield served | more


def _place(agent: AgentName, wishes: Wishes) -> Position | None:
    """Where the agent believes its user to stand."""
    from omni_agent.agents.street_guide import HELSINKI

    if wishes.at is not None:
        return position(wishes.at)
    return HELSINKI if agent == "street-guide" else None


def _streets() -> FindStreets:
    from page.streets import Streets

    from omni_agent.model.catalog import catalog

    return Streets(catalog().ensure("helsinki")["helsinki"]).around


def _voice() -> Speak:
    """For the example; Kokoro, whatever model is talked with."""
    from omni_agent.model.catalog import catalog
    from omni_agent.model.compact.voice import Voice

    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    return Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"]).speak


if __name__ == "__main__":
    typer.run(main)
