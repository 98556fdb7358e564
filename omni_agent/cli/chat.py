"""`omni-agent chat`: a conversation in the terminal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType

from omni_agent.cli.lines import AskToApprove, Lines
from omni_agent.cli.opening import (
    AgentOption,
    LanguageOption,
    MemoryOption,
    ModelOption,
    NoMemoryOption,
    PlaceOption,
    QuietOption,
    VoiceOption,
    Wishes,
    opened,
)
from omni_agent.cli.show import Show
from omni_agent.devices import Loudspeaker
from omni_agent.errors import DeviceError, MissingExtra, OmniAgentError
from omni_agent.events import AudioDelta, Event

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.conversation import Conversation

app = typer.Typer(rich_markup_mode="rich")

PROMPT = "you       "
HELP = """\
/help           this list
/voice on|off   hear the answers too
/tools          what the agent can do
/forget WORDS   delete every memory in which the words occur
/quit           leave (ctrl-D too)
ctrl-C          stop the answer; twice to leave"""


@app.command()
def chat(
    agent: AgentOption = "kitchen",
    model: ModelOption = "auto",
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    at: PlaceOption = None,
    voice: VoiceOption = None,
    language: LanguageOption = "en",
    quiet: QuietOption = False,
) -> None:
    """Have a conversation in the terminal.

    Type, and read the answer as it comes. Timers speak up by themselves. /help lists what else can
    be typed; ctrl-C stops an answer, ctrl-D leaves.

    [b]Examples[/b]

    omni-agent chat

    omni-agent chat --agent street-guide --at 60.1699,24.9384,90

    omni-agent chat --agent plain --no-memory
    """
    wishes = Wishes(
        agent=agent,
        model=model,
        memory=memory,
        no_memory=no_memory,
        at=at,
        voice=voice,
        language=language,
        quiet=quiet,
    )
    asyncio.run(_chat(wishes))


async def _chat(wishes: Wishes) -> None:
    lines = Lines()
    async with opened(wishes, AskToApprove(lines)) as (agent, conversation):
        async with AsyncExitStack() as devices:
            show = Show(Console(), quiet=wishes.quiet)
            await Chat(agent, conversation, lines, show, devices).run()


class Chat:
    """The loop: a line, an answer; what tools announce comes between them."""

    def __init__(
        self,
        agent: Agent,
        conversation: Conversation,
        lines: Lines,
        show: Show,
        devices: AsyncExitStack,
    ) -> None:
        self._agent = agent
        self._conversation = conversation
        self._lines = lines
        self._show = show
        self._devices = devices
        self._loudspeaker: Loudspeaker | None = None
        self._answering: asyncio.Task[None] | None = None
        self._warned = False
        self._left = asyncio.Event()

    async def run(self) -> None:
        self._show.entry("agent", f"This is the {self._agent.name}. /help lists what can be typed.")
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows: there ctrl-C leaves at once
            loop.add_signal_handler(signal.SIGINT, self._ctrl_c)
        announcing = asyncio.create_task(self._announce())
        try:
            while (line := await self._line()) is not None:
                self._warned = False
                if line.startswith("/"):
                    await self._command(line)
                elif line.strip():
                    await self._answer(line)
        finally:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
            announcing.cancel()
            await asyncio.wait([announcing])

    async def _line(self) -> str | None:
        """The next line; None when the user leaves."""
        leaving = asyncio.create_task(self._left.wait())
        asking = asyncio.create_task(self._lines.ask(PROMPT))
        await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        line = asking.result() if asking.done() else None
        asking.cancel()
        leaving.cancel()
        if line is None and self._show.console.is_terminal:
            self._show.console.print()
        return line

    def _ctrl_c(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
        elif self._warned:
            self._left.set()
        else:
            self._warned = True
            self._above("ctrl-C again to leave", "")

    # --- answers -----------------------------------------------------------------------------

    async def _answer(self, text: str) -> None:
        speak = self._loudspeaker is not None
        self._answering = asyncio.create_task(
            self._play(self._conversation.stream(text, speak=speak))
        )
        try:
            await asyncio.wait({self._answering})
            if self._answering.cancelled():
                self._show.entry("stopped", "the rest was left unsaid")
            else:
                self._answering.result()
        except OmniAgentError as error:
            self._show.entry("trouble", str(error), style="red")
        finally:
            self._answering.cancel()
            self._answering = None

    async def _play(self, events: AsyncGenerator[Event, None]) -> None:
        """Show what happens, and let it sound where a loudspeaker is on."""
        loudspeaker = self._loudspeaker
        try:
            async with aclosing(events):
                async for event in events:
                    self._show.event(event)
                    if isinstance(event, AudioDelta) and loudspeaker is not None:
                        loudspeaker.play(event.audio, None if event.filler else event.text_upto)
            if loudspeaker is not None:
                await loudspeaker.drained()
        except asyncio.CancelledError:
            if loudspeaker is not None:
                loudspeaker.interrupt()
            self._show.end()
            raise

    async def _announce(self) -> None:
        """Tell what tools have to say by themselves, such as a timer that rings."""
        async for text in self._conversation.announcements():
            loudspeaker, shown = self._loudspeaker, False
            try:
                speech = self._conversation.say(text, speak=loudspeaker is not None)
                async with aclosing(speech) as events:
                    async for event in events:
                        if not shown:  # its turn has come: no answer is being given
                            self._above(text)
                            shown = True
                        if isinstance(event, AudioDelta) and loudspeaker is not None:
                            loudspeaker.play(event.audio, event.text_upto)
                if loudspeaker is not None:
                    await loudspeaker.drained()
            except OmniAgentError as error:
                self._above(str(error), "trouble")

    def _above(self, text: str, label: str = "says") -> None:
        """Write above the line that is being typed."""
        console = self._show.console
        if console.is_terminal:
            console.control(Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 0)))
        self._show.words(text, label)
        self._show.end()
        if console.is_terminal:
            console.out(PROMPT + self._lines.typed, end="", highlight=False)

    # --- commands ----------------------------------------------------------------------------

    async def _command(self, line: str) -> None:
        name, _, rest = line.strip().partition(" ")
        match name:
            case "/help":
                typer.echo(HELP)
            case "/quit" | "/exit" | "/bye":
                self._left.set()
            case "/voice":
                await self._voice(rest.strip())
            case "/tools":
                for tool in self._agent.runner.tools.values():
                    self._show.entry("", f"{tool.name}: {tool.description.splitlines()[0]}")
            case "/forget":
                await self._forget(rest.strip())
            case _:
                typer.echo(f"There is no {name}. There is:\n{HELP}")

    async def _voice(self, choice: str) -> None:
        if choice == "off":
            self._loudspeaker = None
        elif choice != "on":
            typer.echo("/voice on, or /voice off")
        elif self._loudspeaker is None:
            model = await self._agent.open_model()
            try:
                self._loudspeaker = await self._devices.enter_async_context(
                    Loudspeaker(model.profile.output_rate)
                )
            except (DeviceError, MissingExtra) as error:
                self._show.entry("trouble", str(error), style="red")

    async def _forget(self, words: str) -> None:
        if self._agent.memory is None:
            typer.echo("This agent has no memory.")
            return
        if not words:
            typer.echo("/forget WORDS deletes every memory in which the words occur.")
            return
        answer = await self._lines.ask(f"delete all about “{words}” for good? [y/N] ")
        if answer is not None and answer.strip().lower() in ("y", "yes"):
            gone = await asyncio.to_thread(self._agent.memory.forget_matching, words)
            typer.echo(f"{len(gone)} memories deleted")
