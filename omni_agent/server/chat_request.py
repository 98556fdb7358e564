"""What `POST /v1/chat/completions` was asked: read, checked, and put in the agent's terms."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omni_agent.errors import MediaError
from omni_agent.media import Audio
from omni_agent.messages import Message, Text, ToolCall, ToolResult, ToolSpec
from omni_agent.server.given import Given, arguments_of, as_parts, assistant_text, picture
from omni_agent.server.limits import Limits
from omni_agent.server.session import tool_spec
from omni_agent.server.sound_formats import PCM_RATE
from omni_agent.server.wire import BadEvent

SoundFile = Literal["wav", "mp3", "flac", "pcm16"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Function(_Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
    description: str = ""
    parameters: dict[str, Any] | None = None


class _Tool(_Part):
    type: Literal["function"]
    function: _Function


class _AudioWish(_Part):
    format: SoundFile = "wav"
    voice: str | dict[str, Any] | None = None


class _StreamOptions(_Part):
    include_usage: bool = False


class ChatRequest(_Part):
    """The body. What steers other models' sampling is not used here."""

    model: str | None = None
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]
    stream: bool = False
    stream_options: _StreamOptions | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: _AudioWish | None = None
    tools: Annotated[list[_Tool], Field(max_length=64)] = []
    tool_choice: str | dict[str, Any] = "auto"
    n: Literal[1] | None = 1

    @property
    def speaks(self) -> bool:
        return "audio" in (self.modalities or ())

    @property
    def sound(self) -> SoundFile:
        return self.audio.format if self.audio is not None else "wav"

    @property
    def voice(self) -> str | None:
        voice = self.audio.voice if self.audio is not None else None
        return voice if isinstance(voice, str) else None

    @property
    def tool_specs(self) -> tuple[ToolSpec, ...]:
        if self.tool_choice == "none":
            return ()
        functions = [tool.function for tool in self.tools]
        return tuple(tool_spec(f.name, f.description, f.parameters) for f in functions)


@dataclass(frozen=True, slots=True)
class Asked:
    """The messages: what was had before, and what is to be answered now.

    `results` are what the client's tools gave, where that ends the conversation.
    """

    instructions: str
    history: tuple[Message, ...]
    inputs: tuple[Given, ...]
    results: tuple[ToolResult, ...] = ()


def read_request(body: bytes) -> ChatRequest:
    """Raises BadEvent with what is wrong and where."""
    try:
        return ChatRequest.model_validate(json.loads(body))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        given = repr(problem.get("input"))
        raise BadEvent(f"{where} is {given[:80]}: {problem['msg']}", param=where) from error
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"the body is no JSON: {error}") from error


async def read_messages(messages: Sequence[dict[str, Any]], limits: Limits) -> Asked:
    """Raises BadEvent with what is wrong and where."""
    instructions: list[str] = []
    had: list[Message] = []
    names: dict[str, str] = {}
    for n, message in enumerate(messages):
        where = f"messages[{n}]"
        content = message.get("content")
        match message.get("role"):
            case "system" | "developer":
                instructions.append(assistant_text(content, where=f"{where}.content"))
            case "user":
                had.append(Message("user", await _user_parts(content, f"{where}.content", limits)))
            case "assistant":
                parts: list[Text | ToolCall] = []
                if text := _said(message, where):
                    parts.append(Text(text))
                parts += (calls := _calls(message, where))
                names |= {call.id: call.name for call in calls}
                had.append(Message("assistant", tuple(parts)))
            case "tool":
                id = message.get("tool_call_id")
                if id not in names:
                    raise BadEvent(
                        f"{where}.tool_call_id is {id!r}, which no call before it has",
                        param=f"{where}.tool_call_id",
                    )
                output = assistant_text(content, where=f"{where}.content")
                had.append(Message("tool", (ToolResult(id, names[id], output),)))
            case other:
                raise BadEvent(
                    f"{where}.role is {other!r}; it is one of system, user, assistant, tool",
                    param=f"{where}.role",
                )
    return _divided("\n\n".join(filter(None, instructions)), had)


def _divided(instructions: str, had: list[Message]) -> Asked:
    upto = len(had)
    while upto and had[upto - 1].role == "user":
        upto -= 1
    history, open_messages = had[:upto], had[upto:]
    inputs = [part for message in open_messages for part in message.parts]
    results: list[ToolResult] = []
    if not inputs:
        while history and history[-1].role == "tool":
            results[:0] = [p for p in history.pop().parts if isinstance(p, ToolResult)]
        if not results:
            raise BadEvent(
                "there is nothing to answer: the last message has to be a user's, or a tool's",
                param="messages",
            )
    given = tuple(part for part in inputs if isinstance(part, Given))
    return Asked(instructions, tuple(history), given, tuple(results))


def _said(message: dict[str, Any], where: str) -> str:
    content, audio = message.get("content"), message.get("audio")
    if content is None and isinstance(audio, dict):
        transcript = audio.get("transcript")
        return transcript if isinstance(transcript, str) else ""
    return "" if content is None else assistant_text(content, where=f"{where}.content")


def _calls(message: dict[str, Any], where: str) -> list[ToolCall]:
    calls = message.get("tool_calls") or []
    made = []
    for n, call in enumerate(as_parts(calls, f"{where}.tool_calls")):
        at, function = f"{where}.tool_calls[{n}]", call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadEvent(f"{at}.function has no name", param=at)
        arguments = arguments_of(function.get("arguments"), where=f"{at}.function.arguments")
        made.append(ToolCall(str(call.get("id")), function["name"], arguments))
    return made


async def _user_parts(content: Any, where: str, limits: Limits) -> tuple[Given, ...]:
    if isinstance(content, str):
        return (Text(content),) if content.strip() else ()
    parts: list[Given] = []
    for n, part in enumerate(as_parts(content, where)):
        at = f"{where}[{n}]"
        match part.get("type"):
            case "text":
                if not isinstance(part.get("text"), str):
                    raise BadEvent(f"{at}.text has to be a text", param=at)
                if part["text"].strip():
                    parts.append(Text(part["text"]))
            case "image_url":
                url = part.get("image_url")
                url = url.get("url") if isinstance(url, dict) else url
                parts.append(await picture(url, where=f"{at}.image_url.url", limits=limits))
            case "input_audio":
                parts.append(_sound(part.get("input_audio"), f"{at}.input_audio"))
            case other:
                raise BadEvent(
                    f"{at}.type is {other!r}; it is one of text, image_url, input_audio", param=at
                )
    return tuple(parts)


def _sound(given: Any, where: str) -> Audio:
    if not isinstance(given, dict) or not isinstance(given.get("data"), str):
        raise BadEvent(f"{where} needs `data`, the sound in base64, and `format`", param=where)
    try:
        data = base64.b64decode(given["data"], validate=True)
        if given.get("format") == "pcm16":
            return Audio.from_pcm16(data, PCM_RATE)
        return Audio.load(data)
    except (binascii.Error, MediaError) as error:
        raise BadEvent(f"{where}.data is no sound: {error}", param=where) from error
