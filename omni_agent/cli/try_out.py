"""`omni-agent try`: a spoken conversation with both agents in two languages, checked on the way."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from omni_agent.cli.opening import ModelOption, Progressing, make_agent
from omni_agent.cli.show import Show
from omni_agent.cli.try_steps import STEPS, Checked, Step, check
from omni_agent.errors import OmniAgentError
from omni_agent.events import Reply, TurnFinished
from omni_agent.media import Audio

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.conversation import Conversation
    from omni_agent.memory import Memory
    from omni_agent.model.base import OmniModel
    from omni_agent.model.compact.voice import Voice

app = typer.Typer(rich_markup_mode="rich")

_LANGUAGES = {"en": "English", "zh": "Chinese"}
_CHUNK = 0.1  # seconds of speech fed at a time with --live


@app.command()
def try_out(
    out: Annotated[Path, typer.Option(help="The folder that questions and answers go to.")] = Path(
        "out/try"
    ),
    model: ModelOption = "auto",
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Feed each question as fast as it is spoken; latencies are then those "
            "of a real conversation.",
        ),
    ] = False,
) -> None:
    """Hear it work: spoken questions to both agents, in English and in Chinese.

    A synthetic voice asks the kitchen agent for a recipe and for the next step, tells it something
    and asks for it later, and asks the street guide for a place nearby. Shown are what was heard,
    which tools ran, what was remembered and recalled, what was said and how long it took; questions
    and answers are kept as WAV files. The exit status is 1 if any step went wrong.

    [b]Examples[/b]

    omni-agent try

    omni-agent try --live --model compact-small
    """
    failed = asyncio.run(_run(out, model, live=live))
    if failed:
        raise typer.Exit(1)


async def _run(out: Path, model_name: str, *, live: bool) -> int:
    """How many steps went wrong."""
    from omni_agent.memory import Memory
    from omni_agent.model import select

    console = Console()
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        watch = stack.enter_context(Progressing(Console(stderr=True)))
        model = await select.open_model(model_name, progress=watch, on_prefill=watch.prefill)
        stack.push_async_callback(select.close_models)
        asker = await asyncio.to_thread(_open_asker)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="omni-agent-try-"))
        memory = stack.enter_context(Memory(folder))
        talks = _Talks(stack, model=model, memory=memory)
        await talks.of(STEPS[0])
        watch.close()
        console.print(f"ready after {time.monotonic() - began:.1f} s", highlight=False)
        failed = 0
        for number, step in enumerate(STEPS, 1):
            console.print()
            title = (
                f"{number} of {len(STEPS)}: {step.agent}, {_LANGUAGES[step.language]}, {step.about}"
            )
            console.print(Text(title, style="bold"))
            question = await asyncio.to_thread(asker.speak, step.say, step.voice, step.language)
            conversation = await talks.of(step)
            watch.close()
            path = out / f"{number}-{step.agent}-{step.language}"
            show = Show(console)
            show.entry("asked", step.say, str(question.save(f"{path}-question.wav")))
            try:
                reply = await _ask(conversation, question, show, live=live)
            except OmniAgentError as error:
                show.entry("✗", str(error), style="red")
                failed += 1
                continue
            if reply.audio is not None:
                show.entry("saved", str(reply.audio.save(f"{path}-answer.wav")))
            checks = list(check(step, reply))
            for checked in checks:
                _show_check(show, checked)
            failed += any(checked.problem for checked in checks)
        console.print()
        seconds = time.monotonic() - began
        style = "red" if failed else "green"
        console.print(
            Text(f"{len(STEPS) - failed} of {len(STEPS)} steps went right", style=style)
            + Text(f" in {seconds:.0f} s; the sound is in {out}/", style="")
        )
    return failed


class _Talks:
    """The conversations of the steps, one open at a time. One agent serves several."""

    def __init__(self, stack: AsyncExitStack, *, model: OmniModel, memory: Memory) -> None:
        self._stack = stack
        self._options = {"model": model, "memory": memory}
        self._agents: dict[str, Agent] = {}
        self._open: tuple[str, Conversation] | None = None

    async def of(self, step: Step) -> Conversation:
        if self._open is not None:
            name, conversation = self._open
            if name == step.conversation:
                return conversation
            await conversation.close()
        if step.agent not in self._agents:
            agent = await asyncio.to_thread(make_agent, step.agent, **self._options)
            self._agents[step.agent] = await self._stack.enter_async_context(agent)
        conversation = self._agents[step.agent].conversation()
        await conversation.feed()
        self._open = step.conversation, conversation
        return conversation


async def _ask(conversation: Conversation, question: Audio, show: Show, *, live: bool) -> Reply:
    """The question as sound, the whole reply; its latencies count from the question's end."""
    size = round(_CHUNK * question.rate)
    for start in range(0, len(question.samples), size):
        if live:
            await asyncio.sleep(_CHUNK)
        await conversation.feed(Audio(question.samples[start : start + size], question.rate))
    async with aclosing(conversation.stream()) as events:
        async for event in events:
            show.event(event)
            if isinstance(event, TurnFinished):
                return event.reply
    raise AssertionError("a turn ends with TurnFinished or an exception")


def _open_asker() -> Voice:
    """The voice engine once more, to ask with a voice that is not the agents'."""
    from omni_agent.model.catalog import catalog
    from omni_agent.model.compact.voice import Voice

    files = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    return Voice(files["kokoro"], files["kokoro-vocab"], files["kokoro-voices"])


def _show_check(show: Show, checked: Checked) -> None:
    if checked.problem is None:
        show.entry("✓", checked.what, style="green")
    else:
        show.entry("✗", f"{checked.what}: {checked.problem}", style="red")
