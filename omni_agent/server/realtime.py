"""The events of a Realtime client, done in a live call with the agent."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from omni_agent.errors import UsageError
from omni_agent.media import Image, VideoFrame
from omni_agent.messages import Text
from omni_agent.server.aside import Aside
from omni_agent.server.given import Given, arguments_of, as_parts, assistant_text, user_part
from omni_agent.server.items import Item, Items, function_call, message, new_item
from omni_agent.server.line import Line
from omni_agent.server.narrator import Narrator
from omni_agent.server.response import Wanted
from omni_agent.server.sound_formats import SoundIn
from omni_agent.server.wire import BadEvent, Outbox

logger = logging.getLogger("omni_agent.server")

SHORTEST_COMMIT = 100.0  # ms of sound

MOST_AHEAD = 4.0
"""Seconds of sound that a call is given at once; it drops what it is too busy for."""

ANOTHER_SELF = frozenset({"instructions", "tools", "voice", "language"})
"""Wishes of a session that the turn under way cannot go on with."""

BEGIN = "(The user is there and waits. Greet them in a few words.)"
"""Asks for a first word, where a client wants a response before anybody has said anything."""


class Realtime:
    """One client's conversation. `obey` does one event; events are to be done one by one."""

    def __init__(self, line: Line, outbox: Outbox) -> None:
        limits = line.terms.limits
        self._line = line
        self._outbox = outbox
        self._limits = limits
        self._items = Items(limits.items)
        self.narrator = Narrator(
            outbox, self._items, line.session, line.handed_over, omni=line.terms.omni
        )
        self._aside = Aside(line.agent, outbox, self._items)
        self._sound = SoundIn(line.session.sound_in)
        self._buffered_ms = 0.0  # sound since the last turn
        self._ahead = 0.0  # seconds of sound that may not have been listened to
        self._committed = False  # sound that waits for a response to be asked for
        self._given_up: set[str] = set()  # calls whose turn ended when the session was changed
        self._began = time.monotonic()

    async def obey(self, event: dict[str, Any]) -> None:
        """Raises BadEvent where the event cannot be obeyed; the call goes on then."""
        match event.get("type"):
            case "input_audio_buffer.append":
                await self._append(event)
            case "input_audio_buffer.commit":
                await self._commit()
            case "input_audio_buffer.clear":
                await self._clear()
            case "session.update":
                await self._update(event)
            case "conversation.item.create":
                await self._create_item(event)
            case "conversation.item.retrieve":
                item = self._items.get(_id_in(event), code="item_retrieve_invalid_item_id")
                self._outbox.say("conversation.item.retrieved", item=item.as_wire())
            case "conversation.item.truncate":
                await self._truncate(event)
            case "conversation.item.delete":
                self._items.remove(id := _id_in(event))
                self._outbox.say("conversation.item.deleted", item_id=id)
            case "response.create":
                await self._create_response(event)
            case "response.cancel":
                await self._cancel(event)
            case "output_audio_buffer.clear":
                if self._line.call is not None:
                    await self._line.call.interrupt()
            case "omni.played":
                self._played(event)
            case "omni.hide":
                if self._line.call is not None:
                    self._line.call.hide(_text_in(event, "source"))
            case str(other):
                raise BadEvent(f"there is no event {other!r}", code="unknown_event", param="type")
            case other:
                raise BadEvent(
                    f"an event has a type; this one's is {other!r}", code="invalid_event"
                )

    async def close(self, reason: str) -> None:
        """End the call; what was said is kept."""
        await self._aside.close()
        await self._line.close(reason)

    # --- sound -------------------------------------------------------------------------------

    async def _append(self, event: dict[str, Any]) -> None:
        encoded = event.get("audio")
        if not isinstance(encoded, str):
            raise BadEvent("`audio` is missing; it is sound in base64", param="audio")
        audio = self._sound.take(encoded)
        if not self._line.terms.sound.take(audio.seconds, at=time.monotonic()):
            raise BadEvent(
                f"sound came more than {self._limits.audio_ahead:g} s faster than it can be said; "
                "this piece was dropped",
                code="rate_limit_exceeded",
                param="audio",
            )
        self._buffered_ms += audio.seconds * 1000
        if not len(audio.samples):
            return
        call = await self._line.opened()
        call.hear(audio)
        self._ahead += audio.seconds
        if self._ahead >= MOST_AHEAD:
            self._ahead = 0.0
            await call.send(respond=False)  # until all of it was listened to

    async def _commit(self) -> None:
        if self._buffered_ms < SHORTEST_COMMIT:
            raise BadEvent(
                f"there are {self._buffered_ms:.0f} ms of sound in the buffer; "
                f"a turn has {SHORTEST_COMMIT:.0f} ms at least",
                code="input_audio_buffer_commit_empty",
            )
        self._buffered_ms = 0.0
        self._sound.clear()
        self.narrator.user.committed()
        if self._line.session.push_to_talk:
            self._committed = True  # answered when a response is asked for
        else:
            (await self._line.opened()).commit()

    async def _clear(self) -> None:
        self._buffered_ms = 0.0
        self._sound.clear()
        if self._line.call is not None and not self._committed:
            self._line.call.clear()
        self._outbox.say("input_audio_buffer.cleared")

    async def _update(self, event: dict[str, Any]) -> None:
        changes = event.get("session")
        if not isinstance(changes, dict):
            raise BadEvent("`session` is missing; it has what is to change", param="session")
        changed = self._line.change(changes)
        calls = self.narrator.give_up_calls() if changed & ANOTHER_SELF else ()
        outputs = self._line.handed_over.known_of(calls)
        await self._line.apply(changed, drop_calls=bool(calls))
        self._given_up.update(calls)
        for name, output in outputs.values():
            if output is not None:
                await self._tell_output(name, output)
        session = self._line.session
        if self._sound.form != session.sound_in:
            self._sound = SoundIn(session.sound_in)
        self._outbox.say("session.updated", session=session.as_wire())

    # --- items -------------------------------------------------------------------------------

    async def _create_item(self, event: dict[str, Any]) -> None:
        given = event.get("item")
        if not isinstance(given, dict):
            raise BadEvent("`item` is missing", param="item")
        id, after = given.get("id"), event.get("previous_item_id") or None
        if not isinstance(id, str | None) or not isinstance(after, str | None):
            raise BadEvent("ids are texts", param="item.id")
        match given.get("type"):
            case "message":
                await self._create_message(given, id, after)
            case "function_call":
                arguments = given.get("arguments")
                arguments_of(arguments, where="item.arguments")
                body = function_call(
                    _text_in(given, "call_id"), _text_in(given, "name"), arguments or "{}"
                )
                self._add(new_item(body, id=id), (), after)
            case "function_call_output":
                await self._take_output(given, id, after)
            case other:
                raise BadEvent(
                    f"item.type is {other!r}; it is one of message, function_call, "
                    "function_call_output",
                    code="invalid_value",
                    param="item.type",
                )

    async def _create_message(
        self, given: dict[str, Any], id: str | None, after: str | None
    ) -> None:
        content, role = given.get("content"), given.get("role")
        if role == "assistant":
            words = assistant_text(content, where="item.content")
            item = new_item(message(role, [{"type": "output_text", "text": words}]), id=id)
            self._add(item, (), after)
            if words:
                await self._line.give(Text(f"(You have said: {words})"))
            return
        if role not in ("user", "system"):
            raise BadEvent(
                f"item.role is {role!r}; it is one of user, assistant, system",
                code="invalid_value",
                param="item.role",
            )
        parts = as_parts(content, "item.content")
        taken = [
            await user_part(
                part,
                where=f"item.content[{n}]",
                sound=self._line.session.sound_in,
                limits=self._limits,
            )
            for n, part in enumerate(parts)
        ]
        inputs = [part for part in taken if part is not None]
        shown = [{k: v for k, v in p.items() if k not in ("audio", "image_url")} for p in parts]
        self._add(new_item(message(role, shown), id=id), inputs, after)
        match parts, inputs:
            case [{"type": "input_image", "detail": "low", **part}], [Image() as image]:
                call = await self._line.opened()
                seen = VideoFrame(image, time.monotonic() - self._began)
                call.see(seen, str(part.get("omni_source", "camera")))
            case _ if inputs:
                self.narrator.given = True
                await self._line.give(*inputs)

    async def _take_output(self, given: dict[str, Any], id: str | None, after: str | None) -> None:
        call_id = _text_in(given, "call_id")
        output = given.get("output") or ""
        if not isinstance(output, str):
            raise BadEvent("item.output is no text", code="invalid_value", param="item.output")
        called = [i.body for i in self._items if i.body.get("call_id") == call_id]
        if not called:
            raise BadEvent(
                f"no call has the id {call_id!r}", code="invalid_value", param="item.call_id"
            )
        body = {"type": "function_call_output", "call_id": call_id, "output": output}
        self._add(new_item(body, id=id), (), after)
        if self._line.handed_over.answer(call_id, output):
            return
        name = str(called[0].get("name"))
        if call_id in self._given_up:
            self._given_up.discard(call_id)
            await self._tell_output(name, output)
        else:
            await self._line.give(Text(f"(Too late, {name} gave: {output})"))

    async def _tell_output(self, name: str, output: str) -> None:
        """The turn that called for it is over, and the client wants another to answer it."""
        self.narrator.given = True
        await self._line.give(Text(f"({name} gave: {output})"))

    def _add(self, item: Item, inputs: Sequence[Given], after: str | None) -> None:
        before = self._items.add(item, after=after)
        self._line.tell(item, inputs)
        for happening in ("added", "done"):
            self._outbox.say(
                f"conversation.item.{happening}", item=item.as_wire(), previous_item_id=before
            )

    async def _truncate(self, event: dict[str, Any]) -> None:
        item = self._items.get(_id_in(event), code="item_truncate_invalid_item_id")
        call = self._line.call
        if item.spoken is None or call is None:
            raise BadEvent(
                "only what the agent said can be truncated", code="invalid_value", param="item_id"
            )
        asked = event.get("audio_end_ms")
        if not isinstance(asked, int | float):
            raise BadEvent("`audio_end_ms` is no number", param="audio_end_ms")
        ms = round(min(max(0, asked), item.spoken.ms))
        if not item.spoken.filler:
            try:
                heard = await call.truncate(item.spoken.turn, item.spoken.starts_ms + ms)
                self.narrator.heard_only(heard)
            except UsageError as error:  # of a turn long ago, or that had no sound
                logger.info("nothing to truncate: %s", error)
        self._outbox.say(
            "conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=ms
        )

    # --- responses ---------------------------------------------------------------------------

    async def _create_response(self, event: dict[str, Any]) -> None:
        params = event.get("response") or {}
        if not isinstance(params, dict):
            raise BadEvent("`response` has to be an object", param="response")
        wanted = self._wanted(params)
        if params.get("conversation") == "none":
            self._aside.begin(params, wanted)
            return
        self.narrator.end_calls()
        if self.narrator.busy:
            raise BadEvent(
                "a response is under way; wait for its response.done, or send response.cancel",
                code="conversation_already_has_active_response",
            )
        if self.narrator.waits_for_client:
            self.narrator.ask(wanted)
            self._line.handed_over.release()
            return
        call = await self._line.opened()
        if isinstance(instructions := params.get("instructions"), str) and instructions.strip():
            await call.send(Text(f"({instructions.strip()})"), respond=False)
            self.narrator.given = True
        if not (self._committed or self.narrator.given or self.narrator.answered):
            await call.send(Text(BEGIN), respond=False)
            self.narrator.given = True
        committed, given = self._committed, self.narrator.given
        self._committed = self.narrator.given = False
        self.narrator.ask(wanted)
        if committed:
            call.commit()
        elif given:
            await call.respond(speak=wanted.speaks)
        else:
            self.narrator.answer_nothing()

    def _wanted(self, params: dict[str, Any]) -> Wanted:
        metadata = params.get("metadata")
        if not isinstance(metadata, dict | None):
            raise BadEvent("response.metadata has to be an object", param="response.metadata")
        modalities = params.get("output_modalities")
        speaks = self._line.session.wishes.speak
        if isinstance(modalities, list) and modalities:
            speaks = speaks and "audio" in modalities
        return self.narrator.wanted(metadata=metadata, speaks=speaks)

    async def _cancel(self, event: dict[str, Any]) -> None:
        id, call = event.get("response_id"), self._line.call
        if not self.narrator.busy or (id and id != self.narrator.response_id) or call is None:
            raise BadEvent("no response is under way", code="response_cancel_not_active")
        self.narrator.cancelled_by_client = True
        if await call.interrupt() is None:
            self.narrator.nothing_to_cancel()

    def _played(self, event: dict[str, Any]) -> None:
        """Our own clients report how far they have played."""
        item = self._items.get(_id_in(event), code="item_retrieve_invalid_item_id")
        ms = event.get("audio_ms")
        if item.spoken is None or not isinstance(ms, int | float):
            raise BadEvent("`audio_ms` is how much of an agent's item was played", param="audio_ms")
        if not item.spoken.filler and self._line.call is not None:
            self._line.call.played(item.spoken.turn, item.spoken.starts_ms + round(ms))


def _id_in(event: dict[str, Any]) -> str:
    return _text_in(event, "item_id")


def _text_in(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise BadEvent(f"`{key}` is missing, or no text", code="invalid_value", param=key)
    return value
