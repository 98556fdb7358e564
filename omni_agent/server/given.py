"""What a client gives in messages: words, sound and pictures, as the agent takes them in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from omni_agent.errors import MediaError
from omni_agent.media import Audio, Image
from omni_agent.messages import Message, Text, ToolCall, ToolResult
from omni_agent.server.items import Item
from omni_agent.server.limits import Limits
from omni_agent.server.sound_formats import SoundFormat, SoundIn
from omni_agent.server.wire import BadEvent

Given = Text | Audio | Image


async def user_part(
    part: dict[str, Any], *, where: str, sound: SoundFormat, limits: Limits
) -> Given | None:
    """One part of a user's or system's message; None for words that are empty. Raises BadEvent."""
    match part.get("type"):
        case "input_text" | "text":
            text = _text(part.get("text"), f"{where}.text")
            return Text(text) if text.strip() else None
        case "input_audio":
            audio = part.get("audio")
            if not isinstance(audio, str):
                if isinstance(transcript := part.get("transcript"), str) and transcript.strip():
                    return Text(transcript)
                raise _wrong(f"{where}.audio", "is missing; give the sound in base64")
            return SoundIn(sound).take(audio)
        case "input_image":
            return await picture(part.get("image_url"), where=f"{where}.image_url", limits=limits)
        case other:
            raise _wrong(
                f"{where}.type",
                f"is {other!r}; it is one of input_text, input_audio, input_image",
            )


async def picture(url: Any, *, where: str, limits: Limits) -> Image:
    """The picture in a data: URL. Others are not fetched: they could lead the server anywhere."""
    if not isinstance(url, str) or not url.startswith("data:"):
        raise _wrong(where, "has to be a data: URL with the picture in it")
    head, comma, encoded = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise _wrong(where, "has to be in base64: data:image/jpeg;base64,…")
    try:
        data = base64.b64decode(encoded, validate=True)
        return await asyncio.to_thread(Image.load, data, max_pixels=limits.pixels)
    except (binascii.Error, MediaError) as error:
        raise _wrong(where, f"is no picture: {error}") from error


def assistant_text(content: Any, *, where: str) -> str:
    """What the assistant is told to have said: written, or the transcript of what was spoken."""
    if isinstance(content, str):
        return content
    words = [part.get("text") or part.get("transcript") or "" for part in as_parts(content, where)]
    if not all(isinstance(word, str) for word in words):
        raise _wrong(where, "has words that are no text")
    return " ".join(filter(None, words))


def as_parts(content: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise _wrong(where, "has to be a list of parts")
    return content


def arguments_of(written: Any, *, where: str) -> dict[str, Any]:
    """The arguments of a tool call, which stand in the wire's JSON as JSON once more."""
    try:
        arguments = json.loads(written or "{}")
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong(where, f"is no JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise _wrong(where, "has to be a JSON object")
    return arguments


def as_history(items: Sequence[tuple[Item, Sequence[Given]]]) -> tuple[Message, ...]:
    """Items that a client began with as the conversation that was had before.

    A result without its call, or a call that was never answered, cannot have been, and is left out.
    """
    calls = {item.body["call_id"]: item.body for item, _ in items if item.type == "function_call"}
    answered = {i.body["call_id"] for i, _ in items if i.type == "function_call_output"}
    history: list[Message] = []
    for item, parts in items:
        match item.type, item.role:
            case "message", "assistant":
                if item.text:
                    history.append(Message("assistant", (Text(item.text),)))
            case "message", _:
                if parts:
                    history.append(Message("user", tuple(parts)))
            case "function_call", _:
                call = item.body
                if call["call_id"] in answered:
                    arguments = arguments_of(call["arguments"], where="arguments")
                    made = ToolCall(call["call_id"], call["name"], arguments)
                    history.append(Message("assistant", (made,)))
            case "function_call_output", _:
                id = item.body["call_id"]
                if id in calls:
                    result = ToolResult(id, calls[id]["name"], item.body["output"])
                    history.append(Message("tool", (result,)))
    return tuple(history)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "has to be a text")
    return value


def _wrong(where: str, what: str) -> BadEvent:
    return BadEvent(f"{where} {what}", code="invalid_value", param=where)
