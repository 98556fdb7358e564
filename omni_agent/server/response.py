"""One response on the wire, from `response.created` to `response.done`, in the order that every
client needs: some wait for one event of a tool call or a message, some for another."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from omni_agent.events import Usage
from omni_agent.media import Audio
from omni_agent.server.items import (
    Item,
    Items,
    Spoken,
    Status,
    function_call,
    message,
    new_item,
    said,
)
from omni_agent.server.sound_formats import SoundFormat, SoundOut
from omni_agent.server.wire import Outbox, new_id

Outcome = Literal["completed", "cancelled", "incomplete", "failed"]
Cause = Literal["turn_detected", "client_cancelled", "max_output_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How a response is to be given. `metadata` is the client's and comes back as it is."""

    speaks: bool = True
    sound: SoundFormat = "audio/pcm"
    voice: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(slots=True)
class Said:
    """How far the reply of one turn has come, over all its responses."""

    turn: int
    chars: int = 0
    ms: float = 0.0


@dataclass(slots=True)
class _Message:
    """The message that is being said."""

    item: Item
    index: int
    sound: SoundOut
    text: str = ""


@dataclass(slots=True)
class Response:
    """Items of a response are also the conversation's; with `items` None they are not."""

    outbox: Outbox
    items: Items | None
    wanted: Wanted
    reply: Said
    id: str = field(default_factory=lambda: new_id("resp"))
    output: list[Item] = field(default_factory=list)
    _open: _Message | None = None

    def begin(self) -> None:
        self.outbox.say("response.created", response=self._as_wire("in_progress"))

    def words(self, text: str, *, filler: bool = False) -> None:
        """More words of the reply; those of a filler are a message of their own."""
        if not filler:
            self.reply.chars += len(text)
        if self._open is None or self._filler != filler:
            stripped = text.lstrip()
            if not stripped:
                return
            text = stripped
            self._open_message(filler, starts_char=self.reply.chars - len(text))
        message = self._message
        message.text += text
        said(message.item)[self._words_key] = message.text
        kind = "output_audio_transcript" if self.wanted.speaks else "output_text"
        self.outbox.say(f"response.{kind}.delta", delta=text, **self._place())

    def sound(self, audio: Audio, *, filler: bool = False) -> None:
        """More sound of the reply; left out where words alone are wanted."""
        ms = audio.seconds * 1000
        if not filler:
            self.reply.ms += ms
        if not self.wanted.speaks or not len(audio.samples):
            return
        if self._open is None or self._filler != filler:
            self._open_message(filler, starts_char=self.reply.chars)
            if not filler:
                self._spoken.starts_ms -= round(ms)
        self._spoken.ms += ms
        self._send_sound(self._message.sound.push(audio))

    def call(self, call_id: str, name: str, arguments: dict[str, Any]) -> None:
        """A tool of the client's is to be run."""
        self._close_message("completed")
        written = json.dumps(arguments, ensure_ascii=False)
        item = self._add(new_item(function_call(call_id, name, ""), status="in_progress"))
        item.body["arguments"] = written
        place = {"item_id": item.id, "output_index": len(self.output) - 1, "response_id": self.id}
        about = {**place, "call_id": call_id}
        self.outbox.say("response.function_call_arguments.delta", delta=written, **about)
        self.outbox.say(
            "response.function_call_arguments.done", name=name, arguments=written, **about
        )
        self._done(item, len(self.output) - 1, "completed")

    def finish(
        self,
        outcome: Outcome = "completed",
        cause: Cause | None = None,
        *,
        usage: Usage | None = None,
        error: str | None = None,
    ) -> None:
        """What is open is closed, then the response is done."""
        self._close_message("completed" if outcome == "completed" else "incomplete")
        details: dict[str, Any] | None = None
        if outcome != "completed":
            details = {"type": outcome}
            if cause is not None:
                details["reason"] = cause
            if error is not None:
                details["error"] = {"type": "server_error", "code": None, "message": error}
        response = {**self._as_wire(outcome), "status_details": details}
        self.outbox.say("response.done", response={**response, "usage": usage_as_wire(usage)})

    # --- inside ------------------------------------------------------------------------------

    @property
    def _message(self) -> _Message:
        assert self._open is not None
        return self._open

    @property
    def _spoken(self) -> Spoken:
        spoken = self._message.item.spoken
        assert spoken is not None
        return spoken

    @property
    def _filler(self) -> bool:
        return self._spoken.filler

    def _open_message(self, filler: bool, *, starts_char: int) -> None:
        self._close_message("completed")
        part = {"type": "output_audio" if self.wanted.speaks else "output_text"}
        item = new_item(message("assistant", []), status="in_progress")
        item.spoken = Spoken(self.reply.turn, round(self.reply.ms), starts_char, filler=filler)
        self._open = _Message(item, len(self.output), SoundOut(self.wanted.sound))
        self._add(item)
        item.body["content"] = [{**part, self._words_key: ""}]
        self.outbox.say("response.content_part.added", part=self._part(), **self._place())

    def _close_message(self, status: Status) -> None:
        if self._open is None:
            return
        message = self._open
        if self.wanted.speaks:
            self._send_sound(message.sound.flush())
            self.outbox.say("response.output_audio.done", **self._place())
            self.outbox.say(
                "response.output_audio_transcript.done", transcript=message.text, **self._place()
            )
        else:
            self.outbox.say("response.output_text.done", text=message.text, **self._place())
        self.outbox.say("response.content_part.done", part=self._part(), **self._place())
        self._open = None
        self._done(message.item, message.index, status)

    def _send_sound(self, encoded: str) -> None:
        if encoded:
            self.outbox.say("response.output_audio.delta", delta=encoded, **self._place())

    def _add(self, item: Item) -> Item:
        index = len(self.output)
        self.output.append(item)
        self.outbox.say(
            "response.output_item.added",
            item=item.as_wire(),
            output_index=index,
            response_id=self.id,
        )
        if self.items is not None:
            before = self.items.add(item)
            self.outbox.say("conversation.item.added", item=item.as_wire(), previous_item_id=before)
        return item

    def _done(self, item: Item, index: int, status: Status) -> None:
        item.status = status
        self.outbox.say(
            "response.output_item.done",
            item=item.as_wire(),
            output_index=index,
            response_id=self.id,
        )
        if self.items is not None:
            before = self.items.before(item.id)
            self.outbox.say("conversation.item.done", item=item.as_wire(), previous_item_id=before)

    @property
    def _words_key(self) -> str:
        return "transcript" if self.wanted.speaks else "text"

    def _part(self) -> dict[str, Any]:
        kind = "audio" if self.wanted.speaks else "text"
        return {"type": kind, self._words_key: self._message.text}

    def _place(self) -> dict[str, Any]:
        message = self._message
        return {
            "response_id": self.id,
            "item_id": message.item.id,
            "output_index": message.index,
            "content_index": 0,
        }

    def _as_wire(self, status: str) -> dict[str, Any]:
        wanted = self.wanted
        form = {"type": wanted.sound}
        if wanted.sound == "audio/pcm":
            form["rate"] = 24_000  # type: ignore[assignment]
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": None,
            "output": [item.as_wire() for item in self.output],
            "conversation_id": None,
            "output_modalities": ["audio" if wanted.speaks else "text"],
            "max_output_tokens": "inf",
            "audio": {"output": {"format": form, "voice": wanted.voice}},
            "metadata": wanted.metadata,
            "usage": None,
        }


def usage_as_wire(usage: Usage | None) -> dict[str, Any]:
    """Always whole: some clients read its details without looking whether they are there."""
    used = usage or Usage()
    return {
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "input_tokens": used.prompt_tokens,
        "output_tokens": used.completion_tokens,
        "input_token_details": {
            "text_tokens": used.prompt_tokens,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": used.cached_tokens,
            "cached_tokens_details": {
                "text_tokens": used.cached_tokens,
                "audio_tokens": 0,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": used.completion_tokens, "audio_tokens": 0},
    }
