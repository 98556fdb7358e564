"""`omni-agent talk`: speak and listen, with Enter as the talk button."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import typer
from rich.console import Console

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
from omni_agent.devices import Loudspeaker, Microphone, default_device
from omni_agent.errors import DeviceError, OmniAgentError
from omni_agent.events import AudioDelta, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from omni_agent.conversation import Conversation
    from omni_agent.events import Event

app = typer.Typer(rich_markup_mode="rich")


@app.command()
def talk(
    agent: AgentOption = "kitchen",
    model: ModelOption = "auto",
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    at: PlaceOption = None,
    voice: VoiceOption = None,
    language: LanguageOption = "en",
    quiet: QuietOption = False,
) -> None:
    """Talk with an agent through the microphone and the loudspeaker.

    Press Enter and speak; press Enter when you are done. The agent listens while you speak and
    answers at once. Enter interrupts the answer. ctrl-D or ctrl-C leaves.

    It needs [b]pip install "omni-agent[audio]"[/b]; what else is missing is said.

    [b]Examples[/b]

    omni-agent talk

    omni-agent talk --agent street-guide --at 60.1699,24.9384,90

    omni-agent talk --voice am_michael
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
    default_device("input")  # say what is missing before the model is loaded
    default_device("output")
    asyncio.run(_talk(wishes))


async def _talk(wishes: Wishes) -> None:
    lines = Lines()
    show = Show(Console(), quiet=wishes.quiet)
    async with opened(wishes, AskToApprove(lines)) as (agent, conversation):
        profile = (await agent.open_model()).profile
        async with Loudspeaker(profile.output_rate) as loudspeaker:
            talk = Talk(conversation, lines, show, loudspeaker, rate=profile.input_rate)
            await talk.run()


class Talk:
    """Push to talk: Enter, speech, Enter, answer; `rate` is what the model hears, in Hz."""

    def __init__(
        self,
        conversation: Conversation,
        lines: Lines,
        show: Show,
        loudspeaker: Loudspeaker,
        *,
        rate: int,
    ) -> None:
        self._conversation = conversation
        self._lines = lines
        self._show = show
        self._loudspeaker = loudspeaker
        self._rate = rate

    async def run(self) -> None:
        announcing = asyncio.create_task(self._announce())
        prompt = "Enter to speak … "
        try:
            while True:
                if prompt and await self._lines.ask(prompt) is None:
                    return
                seconds = await self._listen()
                if seconds is None:
                    return
                if seconds < 0.2:
                    prompt = "Nothing was said. Enter to speak … "
                    continue
                prompt = "" if await self._answer() else "Enter to speak … "
        finally:
            announcing.cancel()
            await asyncio.wait([announcing])

    async def _listen(self) -> float | None:
        """Feed what is said until Enter is pressed; its seconds, or None when the user leaves."""
        seconds = 0.0
        async with Microphone(self._rate) as microphone:
            enter = asyncio.create_task(self._lines.ask("listening, Enter when you are done … "))
            try:
                while not enter.done():
                    chunk = asyncio.ensure_future(anext(microphone))
                    await asyncio.wait({chunk, enter}, return_when=asyncio.FIRST_COMPLETED)
                    if chunk.done():
                        await self._conversation.feed(chunk.result())
                        seconds += chunk.result().seconds
                    else:
                        chunk.cancel()
                return None if enter.result() is None else seconds
            finally:
                enter.cancel()

    async def _answer(self) -> bool:
        """Answer aloud; True when Enter interrupted it, because the user wants to speak."""
        playing = asyncio.create_task(self._play(self._conversation.stream(speak=True)))
        enter = asyncio.create_task(self._lines.ask())
        try:
            await asyncio.wait({playing, enter}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                await asyncio.wait({playing})
                heard = self._loudspeaker.interrupt()
                self._show.entry("stopped", f"after {heard.ms / 1000:.1f} s of the answer")
                return True
            playing.result()
        except DeviceError:
            raise
        except OmniAgentError as error:
            self._show.entry("trouble", str(error), style="red")
        finally:
            playing.cancel()
            enter.cancel()
        return False

    async def _play(self, events: AsyncGenerator[Event, None]) -> None:
        async with aclosing(events) as running:
            async for event in running:
                self._show.event(event)
                if isinstance(event, AudioDelta):
                    self._loudspeaker.play(event.audio, None if event.filler else event.text_upto)
        await self._loudspeaker.drained()

    async def _announce(self) -> None:
        async for text in self._conversation.announcements():
            async with aclosing(self._conversation.say(text)) as events:
                async for event in events:
                    match event:
                        case TextDelta():
                            self._show.words(event.text)
                        case AudioDelta():
                            self._loudspeaker.play(event.audio, event.text_upto)
            self._show.end()
            await self._loudspeaker.drained()
