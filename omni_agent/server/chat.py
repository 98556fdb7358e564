"""`POST /v1/chat/completions`: one turn of a conversation that the client keeps."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from omni_agent.errors import MediaError, OmniAgentError, SettingsError
from omni_agent.events import AudioDelta, Event, TextDelta, Usage
from omni_agent.media import Audio
from omni_agent.messages import Text
from omni_agent.persona import Persona
from omni_agent.server.chat_request import (
    Asked,
    ChatRequest,
    SoundFile,
    read_messages,
    read_request,
)
from omni_agent.server.chat_turn import ChatTurn
from omni_agent.server.client_tools import HandedOver, client_tools
from omni_agent.server.gate import refused
from omni_agent.server.limits import Limits
from omni_agent.server.sound_formats import PCM_RATE, SoundOut
from omni_agent.server.wire import BadEvent, new_id

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.server.metrics import Metrics

logger = logging.getLogger("omni_agent.server")

TOO_LARGE = "too_large"
_MOST_WAITING = 64  # turns whose clients run tools


class FindAgent(Protocol):
    def __call__(self, model: str | None, /) -> tuple[str, Agent] | None: ...


class Chat:
    """Answers requests, so many at a time; keeps turns that wait for a client's tools."""

    def __init__(self, find: FindAgent, limits: Limits, metrics: Metrics) -> None:
        self._find = find
        self._limits = limits
        self._metrics = metrics
        self._answering: set[ChatTurn] = set()
        self._waiting: dict[str, tuple[ChatTurn, asyncio.TimerHandle]] = {}  # by one of its calls
        self._closing: set[asyncio.Task[None]] = set()

    async def complete(self, request: Request) -> Response:
        if len(self._answering) >= self._limits.requests:
            self._metrics.refused("429")
            message = f"{self._limits.requests} requests are being answered; try again later"
            return refused(429, message, "rate_limit_exceeded")
        try:
            asked = read_request(await self._body(request))
            messages = await read_messages(asked.messages, self._limits)
            if asked.speaks and asked.stream and asked.sound != "pcm16":
                raise BadEvent(
                    f"audio.format is {asked.sound!r}; a stream has pcm16", param="audio.format"
                )
            found = self._find(asked.model)
            if found is None:
                message = f"there is no agent {asked.model!r} here; GET /v1/models lists them"
                return refused(404, message, "model_not_found")
            name, agent = found
            turn = self._resumed(messages) or await self._begun(agent, asked, messages)
        except BadEvent as error:
            return _bad(error.message, error.param, 413 if error.code == TOO_LARGE else 400)
        except (SettingsError, MediaError) as error:
            return _bad(str(error), None)
        except OmniAgentError as error:
            logger.exception("a request could not be answered")
            return refused(500, str(error), type(error).__name__)
        self._answering.add(turn)
        answer = _Answer(asked, name, turn)
        if asked.stream:
            headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            body = self._streamed(answer, agent, request)
            return StreamingResponse(body, media_type="text/event-stream", headers=headers)
        return await self._whole(answer, agent, request)

    async def stop(self) -> None:
        """Cancel what is under way and what waits."""
        waiting = {turn for turn, _ in self._waiting.values()}
        for turn in waiting:
            self._forget(turn)
        await asyncio.gather(*self._closing, *(turn.close() for turn in self._answering))

    # --- turns ---------------------------------------------------------------------------------

    async def _begun(self, agent: Agent, asked: ChatRequest, messages: Asked) -> ChatTurn:
        if taken := [s.name for s in asked.tool_specs if s.name in agent.runner.tools]:
            raise BadEvent(
                f"the agent has a tool {taken[0]!r} already; give yours another name", param="tools"
            )
        handed_over = HandedOver()
        instructions = None
        if messages.instructions:
            instructions = f"{agent.instructions}\n\n{messages.instructions}".strip()
        profile = (await agent.open_model()).profile
        persona = Persona(
            instructions=instructions,
            tools=client_tools(
                asked.tool_specs, handed_over, timeout=self._limits.tool_seconds + 5
            ),
            voice=asked.voice if asked.voice in profile.voices else None,
        )
        conversation = agent.conversation(persona=persona, history=messages.history)
        inputs = messages.inputs or tuple(
            Text(f"({result.name} gave: {result.content})") for result in messages.results
        )
        events = conversation.stream(*inputs, speak=asked.speaks)
        return ChatTurn(conversation, events, handed_over)

    def _resumed(self, messages: Asked) -> ChatTurn | None:
        """The turn that waits for these results, if it still does."""
        for result in messages.results:
            if (waiting := self._waiting.get(result.call_id)) is not None:
                turn, timer = waiting
                timer.cancel()
                for call_id in turn.calls:
                    self._waiting.pop(call_id, None)
                turn.go_on(messages.results)
                return turn
        return None

    async def _leave(self, turn: ChatTurn, *, gone: bool) -> None:
        """The request is answered: keep a turn that waits for the client's tools."""
        self._answering.discard(turn)
        if gone or not turn.calls or turn.reply is not None:
            await turn.close()
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._limits.tool_seconds, self._forget, turn)
        self._waiting |= dict.fromkeys(turn.calls, (turn, timer))
        if len(self._waiting) > _MOST_WAITING:
            self._forget(next(iter(self._waiting.values()))[0])

    def _forget(self, turn: ChatTurn) -> None:
        """Nobody came back with what the tools gave."""
        for call_id in turn.calls:
            _, timer = self._waiting.pop(call_id)
            timer.cancel()
        closing = asyncio.create_task(turn.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    # --- answers -------------------------------------------------------------------------------

    async def _whole(self, answer: _Answer, agent: Agent, request: Request) -> Response:
        gone = True
        try:
            reading = asyncio.create_task(self._read(answer, agent))
            left = asyncio.create_task(_until_gone(request))
            await asyncio.wait({reading, left}, return_when=asyncio.FIRST_COMPLETED)
            left.cancel()
            if not reading.done():
                reading.cancel()
                self._metrics.request(answer.name, "gone")
                return Response(status_code=499)
            reading.result()
            gone = False
            self._metrics.request(answer.name, "answered")
            return JSONResponse(await asyncio.to_thread(answer.as_wire))
        except (SettingsError, MediaError) as error:
            self._metrics.request(answer.name, "refused")
            return _bad(str(error), None)
        except Exception as error:
            logger.exception("a turn broke down")
            self._metrics.request(answer.name, "failed")
            return refused(500, _in_words(error), type(error).__name__)
        finally:
            await self._leave(answer.turn, gone=gone)

    async def _read(self, answer: _Answer, agent: Agent) -> None:
        async for event in answer.turn.upto_client():
            self._metrics.see(answer.name, event, own_tools=agent.runner.tools)
            answer.take(event)

    async def _streamed(
        self, answer: _Answer, agent: Agent, request: Request
    ) -> AsyncIterator[str]:
        gone, outcome = True, "gone"
        left = asyncio.create_task(_until_gone(request))
        left.add_done_callback(lambda left: None if left.cancelled() else answer.turn.cancel())
        try:
            yield _line(answer.chunk({"role": "assistant", "content": ""}))
            async for event in answer.turn.upto_client():
                self._metrics.see(answer.name, event, own_tools=agent.runner.tools)
                for delta in answer.take(event):
                    yield _line(answer.chunk(delta))
            for delta in answer.rest():
                yield _line(answer.chunk(delta))
            yield _line(answer.chunk({}, finish=answer.finish_reason))
            options = answer.asked.stream_options
            if options is not None and options.include_usage:
                yield _line({**answer.chunk({}), "choices": [], "usage": answer.usage})
            yield "data: [DONE]\n\n"
            gone, outcome = False, "answered"
        except Exception as error:
            logger.exception("a turn broke down")
            outcome = "failed"
            told = {"message": _in_words(error), "type": "server_error", "param": None}
            yield _line({"error": {**told, "code": type(error).__name__}})
        finally:
            left.cancel()
            self._metrics.request(answer.name, outcome)
            await asyncio.shield(self._leave(answer.turn, gone=gone))

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._limits.message_bytes:
                most = self._limits.message_bytes
                raise BadEvent(f"the body has more than {most} bytes", code=TOO_LARGE)
        return bytes(body)


@dataclass(slots=True)
class _Answer:
    """What was said in this request, as OpenAI writes it down."""

    asked: ChatRequest
    name: str
    turn: ChatTurn
    id: str = field(default_factory=lambda: new_id("chatcmpl"))
    audio_id: str = field(default_factory=lambda: new_id("audio"))
    created: int = field(default_factory=lambda: int(time.time()))
    text: str = ""
    sound: list[Audio] = field(default_factory=list)
    _out: SoundOut = field(default_factory=lambda: SoundOut("audio/pcm"))

    def take(self, event: Event) -> list[dict[str, Any]]:
        """What of an event goes into the stream. A filler bridges a wait, and is no answer."""
        match event:
            case TextDelta(filler=False):
                self.text += event.text
                if self.asked.speaks:
                    return [{"audio": {"id": self.audio_id, "transcript": event.text}}]
                return [{"content": event.text}]
            case AudioDelta(filler=False) if self.asked.speaks:
                self.sound.append(event.audio)
                if self.asked.stream and (data := self._out.push(event.audio)):
                    return [{"audio": {"id": self.audio_id, "data": data}}]
        return []

    def rest(self) -> list[dict[str, Any]]:
        """What ends the stream: the last of the sound, and the client's calls."""
        deltas: list[dict[str, Any]] = []
        if self.asked.speaks and (data := self._out.flush()):
            deltas.append({"audio": {"id": self.audio_id, "data": data}})
        if self.asked.speaks and self.sound:
            deltas.append({"audio": {"id": self.audio_id, "expires_at": self.created + 3600}})
        if calls := self._calls():
            indexed = [{"index": n, **call} for n, call in enumerate(calls)]
            deltas.append({"tool_calls": indexed})
        return deltas

    @property
    def finish_reason(self) -> str:
        if self.turn.calls and self.turn.reply is None:
            return "tool_calls"
        return "length" if self.turn.reply and self.turn.reply.stopped == "length" else "stop"

    @property
    def usage(self) -> dict[str, Any]:
        used = self.turn.reply.usage if self.turn.reply is not None else Usage()
        return {
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "total_tokens": used.prompt_tokens + used.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": used.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    def chunk(self, delta: dict[str, Any], *, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def as_wire(self) -> dict[str, Any]:
        text = self.text.strip()
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
        if self.asked.speaks and self.sound:
            message["content"] = None
            message["audio"] = {
                "id": self.audio_id,
                "data": _encoded(Audio.join(self.sound), self.asked.sound),
                "expires_at": self.created + 3600,
                "transcript": text,
            }
        if calls := self._calls():
            message["tool_calls"] = calls
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self.finish_reason,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.name}

    def _calls(self) -> list[dict[str, Any]]:
        if self.turn.reply is not None:
            return []
        return [
            {
                "id": id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": json.dumps(call.arguments, ensure_ascii=False),
                },
            }
            for id, call in self.turn.calls.items()
        ]


def _encoded(audio: Audio, form: SoundFile) -> str:
    match form:
        case "wav":
            data = audio.to_wav()
        case "pcm16":
            data = audio.resampled(PCM_RATE).pcm16()
        case "mp3" | "flac":
            from omni_agent.media_files import write_audio

            into = io.BytesIO()
            write_audio(into, f".{form}", audio.samples, audio.rate, name="the answer")
            data = into.getvalue()
    return base64.b64encode(data).decode("ascii")


def _line(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _bad(message: str, param: str | None, status: int = 400) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return JSONResponse({"error": error}, status)


def _in_words(error: Exception) -> str:
    """What a client may know of it; the rest is in the log."""
    return str(error) if isinstance(error, OmniAgentError) else "the server broke down"


async def _until_gone(request: Request) -> None:
    """Returns when the client has left before its answer was there."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
