"""`omni-agent ask`: one question in text, sound or pictures, one answer in text and sound."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from omni_agent.cli.show import Show, reply_json
from omni_agent.errors import UnreadableMedia
from omni_agent.events import Reply, TurnFinished
from omni_agent.media import load_part

if TYPE_CHECKING:
    from omni_agent.conversation import Input

app = typer.Typer(rich_markup_mode="rich")

_WRITTEN = (".wav", ".flac", ".ogg", ".mp3")
_SOUND = (*_WRITTEN, ".aiff", ".aif")
_MEDIA = (*_SOUND, ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tiff")


@app.command()
def ask(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT|FILE...",
            help="Words, sound files and pictures in any mix; [b]-[/b] reads words from standard "
            "input.",
        ),
    ],
    agent: AgentOption = "kitchen",
    model: ModelOption = "auto",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where the spoken answer goes: .wav, .flac, .ogg, .mp3."),
    ] = None,
    speak: Annotated[
        bool | None,
        typer.Option(
            "--speak/--no-speak", help="Speak the answer; by default if the question is spoken."
        ),
    ] = None,
    memory: MemoryOption = None,
    no_memory: NoMemoryOption = False,
    at: PlaceOption = None,
    voice: VoiceOption = None,
    language: LanguageOption = "en",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole reply as one JSON object, no more.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Ask one question and get one answer.

    What was heard, the tools that ran, the memories that were recalled and the words of the answer
    are shown as they come. A spoken question gets a spoken answer in a WAV file.

    [b]Examples[/b]

    omni-agent ask "What can I cook with eggs and tomatoes?"

    omni-agent ask question.wav --out answer.wav

    omni-agent ask 附近哪里有咖啡馆？ --agent street-guide --at 60.1699,24.9384

    omni-agent ask "What does this label say?" label.png --agent plain

    echo "What goes into a risotto?" | omni-agent ask - --json
    """
    wishes = Wishes(
        agent=agent,
        model=model,
        memory=memory,
        no_memory=no_memory,
        at=at,
        voice=voice,
        language=language,
        quiet=quiet or as_json,
    )
    given = [as_input(text) for text in inputs]
    if out is not None:
        _check_writable(out)
    show = Show(Console(quiet=as_json), quiet=quiet)
    reply = asyncio.run(_answer(wishes, given, out is not None or speak, show))
    path = None
    if reply.audio is not None and speak is not False:
        path = reply.audio.save(out or _reply_path(inputs))
        show.entry("saved", str(path))
    if as_json:
        typer.echo(json.dumps(reply_json(reply, path), ensure_ascii=False, indent=2))


async def _answer(wishes: Wishes, given: list[Input], speak: bool | None, show: Show) -> Reply:
    async with opened(wishes, AskToApprove(Lines())) as (_, conversation):
        async with aclosing(conversation.stream(*given, speak=speak)) as events:
            async for event in events:
                show.event(event)
                if isinstance(event, TurnFinished):
                    return event.reply
    raise AssertionError("a turn ends with TurnFinished or an exception")


def as_input(text: str) -> Input:
    """A path of a file is sound or a picture, anything else words. Raises MediaError."""
    if text == "-":
        return sys.stdin.read().strip()
    if os.path.isfile(text):
        return load_part(text)
    if text.lower().endswith(_MEDIA) and not re.search(r"\s", text):
        raise UnreadableMedia(f"there is no file {text!r}")
    return text


def _reply_path(inputs: list[str]) -> Path:
    """question.wav is answered in question.reply.wav, words in reply.wav, both in this folder."""
    spoken = (Path(text).stem for text in inputs if text.lower().endswith(_SOUND))
    stem = next(spoken, None)
    return Path(f"{stem}.reply.wav" if stem else "reply.wav")


def _check_writable(out: Path) -> None:
    """Say it before the work, not after it."""
    if out.suffix.lower() not in _WRITTEN:
        raise typer.BadParameter(f"--out {out}: give a name that ends in {', '.join(_WRITTEN)}")
    if not os.access(out.absolute().parent, os.W_OK):
        raise typer.BadParameter(f"--out {out}: the folder is missing or may not be written to")
