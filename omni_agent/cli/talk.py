"""`omni-agent talk`: a live call in the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from omni_agent.cli.call_view import CallView
from omni_agent.cli.keys import ENTER, Keys, single_keys
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
    loaded,
)
from omni_agent.cli.show import call_text, clean
from omni_agent.devices import default_device
from omni_agent.errors import CatalogError, SettingsError

if TYPE_CHECKING:
    from omni_agent.listening import Listening
    from omni_agent.live import LiveCall
    from omni_agent.messages import ToolCall
    from omni_agent.transports.echo import EchoMode
    from omni_agent.transports.local import LocalDevices

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
    camera: Annotated[
        bool, typer.Option("--camera", help="Show the agent what the camera sees.")
    ] = False,
    camera_device: Annotated[
        str, typer.Option("--camera-device", help="Which camera: a number, or what OpenCV opens.")
    ] = "0",
    push_to_talk: Annotated[
        bool, typer.Option("--push-to-talk", help="Enter, speak, Enter: nothing is heard else.")
    ] = False,
    echo_cancelling: Annotated[
        bool, typer.Option("--echo-cancelling", help="Take the agent's voice out of what is heard.")
    ] = False,
    half_duplex: Annotated[
        bool, typer.Option("--half-duplex", help="Close the microphone while the agent speaks.")
    ] = False,
    headphones: Annotated[
        bool, typer.Option("--headphones", help="Nothing of the agent's voice comes back.")
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(help="A new folder to keep the call in: voices, pictures, events."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Talk with an agent through the microphone and the loudspeaker.

    Just speak. The agent answers when you have finished, and stops when you talk over it. Enter
    stops the answer too, m mutes the microphone, q or ctrl-C leaves. With --push-to-talk, Enter
    begins and ends what you say.

    It needs [b]pip install "omni-agent\\[audio]"[/b], better with [b]aec[/b] and [b]camera[/b] too,
    and access to the microphone:

    [b]macOS[/b] asks when the microphone or the camera is used first; later it is under System
    Settings, Privacy & Security, Microphone or Camera, where the terminal must be allowed.

    [b]Windows[/b]: Settings, Privacy & security, Microphone or Camera, Let desktop apps access it.

    [b]Linux[/b]: PortAudio comes with sudo apt install libportaudio2; you must be in the groups
    audio and video.

    Without the extra aec, the agent would hear itself from a loudspeaker, so the microphone is
    closed while it speaks. Headphones help: --headphones.

    [b]Examples[/b]

    omni-agent talk

    omni-agent talk --camera --agent street-guide --at 60.1699,24.9384,90

    omni-agent talk --push-to-talk --voice am_michael
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
    mode = _echo_mode(
        cancel=echo_cancelling, half_duplex=half_duplex, none=headphones or push_to_talk
    )
    default_device("input")  # say what is missing before the model is loaded
    default_device("output")
    device = int(camera_device) if camera_device.isdecimal() else camera_device
    asyncio.run(
        Talk(
            wishes,
            camera=device if camera else None,
            push_to_talk=push_to_talk,
            echo=mode,
            record=record,
        ).run()
    )


def _echo_mode(*, cancel: bool, half_duplex: bool, none: bool) -> EchoMode | None:
    if cancel and half_duplex:
        raise SettingsError("--echo-cancelling and --half-duplex: choose one of them")
    if cancel:
        return "cancel"
    if half_duplex:
        return "half-duplex"
    return "none" if none else None


class Talk:
    """One call, from opening the agent to hanging up."""

    def __init__(
        self,
        wishes: Wishes,
        *,
        camera: int | str | None = None,
        push_to_talk: bool = False,
        echo: EchoMode | None = None,
        record: Path | None = None,
    ) -> None:
        self._wishes = wishes
        self._record = record
        self._camera = camera
        self._push_to_talk = push_to_talk
        self._echo = echo
        self._keys = Keys()
        self._view: CallView
        self._by_silence: CatalogError | None = None  # why only silence tells the end of a turn
        self._question: asyncio.Future[bool] | None = None  # may a tool run?

    async def run(self) -> None:
        """Until the user leaves, the call ends, or a device is gone: then DeviceError."""
        from omni_agent.transports.camera import Camera
        from omni_agent.transports.echo import HalfDuplex, echo_canceller
        from omni_agent.transports.local import LocalDevices

        echo = echo_canceller(self._echo)
        camera = Camera(self._camera) if self._camera is not None else None
        async with loaded(self._wishes, self._approve) as (agent, watch):
            listening = await self._listening()
            async with agent.live(listening=listening, record=self._record) as call:
                await call.send(respond=False)  # a new agent's prompt is read now
                watch.close()
                devices = LocalDevices(
                    call,
                    camera=camera,
                    echo=echo,
                    is_listening=not self._push_to_talk,
                    tell=self._says,
                )
                self._view = CallView(
                    Console(),
                    name=agent.name,
                    keys=_PUSH if self._push_to_talk else _FREE,
                    level=lambda: devices.level_dbfs,
                    sounded=lambda: call.output.played.chars,
                    quiet=self._wishes.quiet,
                )
                with single_keys(), self._view:
                    async with devices:
                        if isinstance(echo, HalfDuplex):
                            self._view.says(_HALF_DUPLEX, style="dim")
                        if self._by_silence is not None:
                            self._view.says(_BY_SILENCE.format(self._by_silence), style="dim")
                        await self._until_over(call, devices)

    async def _listening(self) -> Listening:
        """With the ears loaded; what tells the end of a turn by its sound may not be had."""
        from omni_agent.listening import Listening, shared_senses

        if self._push_to_talk:
            return Listening(turns="push-to-talk", judge="silence")
        try:
            await shared_senses(judging=True)
        except CatalogError as why:
            self._by_silence = why
            return Listening(judge="silence")
        return Listening()

    async def _until_over(self, call: LiveCall, devices: LocalDevices) -> None:
        tasks = [
            asyncio.create_task(self._show(call)),
            asyncio.create_task(self._obey(call, devices)),
            asyncio.create_task(devices.lost()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _says(self, words: str) -> None:
        self._view.says(words)

    async def _show(self, call: LiveCall) -> None:
        async for event in call:
            self._view.event(event)

    async def _obey(self, call: LiveCall, devices: LocalDevices) -> None:
        """Do what the keys say, until one says to leave."""
        async for key in self._keys:
            if self._question is not None and not self._question.done():
                self._question.set_result(key in "yY是好")
            elif key in ("m", "M") and not self._push_to_talk:
                devices.is_listening = not devices.is_listening
                self._view.muted(not devices.is_listening)
            elif key == ENTER and self._push_to_talk:
                await self._talk_button(call, devices)
            elif key == ENTER:
                await call.interrupt()

    async def _talk_button(self, call: LiveCall, devices: LocalDevices) -> None:
        if devices.is_listening:
            devices.is_listening = False
            call.commit()
        else:
            await call.interrupt()
            devices.is_listening = True
        self._view.keys(_PUSHED if devices.is_listening else _PUSH)

    async def _approve(self, call: ToolCall) -> bool:
        """An `Approver`: the user says so with a key; without a terminal nobody does."""
        if not self._keys.are_from_a_terminal:
            self._view.says(f"not allowed without a terminal to ask: {clean(call_text(call))}")
            return False
        self._view.says(f"allow {clean(call_text(call))}? Press y, or any other key for no.")
        self._question = asyncio.get_running_loop().create_future()
        return await self._question


_FREE = "Enter stops the answer · m mutes · q leaves"
_PUSH = "Enter to speak · q leaves"
_PUSHED = "Enter when you are done · q leaves"
_HALF_DUPLEX = (
    "The microphone is closed while the agent speaks, and Enter stops it. To talk over it: "
    'pip install "omni-agent[aec]", or use headphones and --headphones.'
)
_BY_SILENCE = "A pause of 0.7 s ends what you say, for Smart Turn cannot be had: {}"
