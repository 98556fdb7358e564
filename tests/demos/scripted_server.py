"""A realtime server that says what a test tells it to, in the protocol that the page speaks.

It hears speech by loudness alone, so that a loud WAV in the browser's microphone is a turn, and
keeps every event it gets. The real server has tests of its own.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

RATE = 24_000
LOUD = 0.02  # RMS
TONE = 330  # Hz, of the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One turn. `tools`: omni.tool events, as {name, arguments, result, …}. `seconds`: of sound,
    which is a tone, or a buzz in syllables where it is to look `like_speech`.
    """

    heard: str = ""
    says: str = ""
    seconds: float = 1.0
    tools: Sequence[dict[str, Any]] = ()
    memories: Sequence[dict[str, Any]] = ()
    thinks: float = 0.05
    acts: float = 0.05
    speaker: str | None = None
    latency: dict[str, Any] | None = None
    like_speech: bool = False


@dataclass
class ScriptedServer:
    """`endpoint` is for a WebSocketRoute. `got`: all events of all clients.

    Unless it `accepts`, a client is sent away, and told why it `refuses` where it asks. Unless it
    is `omni`, it speaks the protocol alone.
    """

    answers: deque[Answer] = field(default_factory=deque)
    got: list[dict[str, Any]] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    accepts: bool = True
    omni: bool = True
    refuses: tuple[str, str] | None = None  # code and message
    queries: list[dict[str, str]] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    def reset(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.got.clear()
        self.queries.clear()
        self.accepts = self.omni = True
        self.refuses = None

    def got_of(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.got if event["type"] == type]

    async def why_no_call(self, request: Request) -> JSONResponse:
        code, message = self.refuses or ("upgrade_required", "a call is a WebSocket")
        error = {"code": code, "message": message}
        return JSONResponse({"error": error}, 503 if self.refuses else 426)

    async def endpoint(self, socket: WebSocket) -> None:
        self.loop = asyncio.get_running_loop()
        if not self.accepts:
            await socket.close(1012)
            return
        self.queries.append(dict(socket.query_params))
        await socket.accept()
        call = _Call(self, socket)
        self.calls.append(call)
        try:
            await call.run()
        finally:
            self.calls.remove(call)


class _Call:
    def __init__(self, server: ScriptedServer, socket: WebSocket) -> None:
        self._server = server
        self._socket = socket
        self._ids = itertools.count(1)
        self._turn: asyncio.Task[None] | None = None
        self._loud = self._quiet = 0.0  # seconds
        self._speaking_user = False
        self._sounds_until = 0.0
        self._hold = False
        self._item = self._words = ""

    def happens(self, type: str, **fields: Any) -> None:
        """Say it, from another thread."""
        assert self._server.loop is not None
        said = self.say(type, **fields)
        asyncio.run_coroutine_threadsafe(said, self._server.loop).result(10)

    async def run(self) -> None:
        await self.say("session.created", session={"type": "realtime", "id": "sess_1"})
        with suppress(WebSocketDisconnect):
            while True:
                await self._take(json.loads(await self._socket.receive_text()))
        if self._turn is not None:
            self._turn.cancel()

    async def say(self, type: str, **fields: Any) -> None:
        if type.startswith("omni.") and not self._server.omni:
            return
        event = {"type": type, "event_id": f"event_{next(self._ids)}", **fields}
        await self._socket.send_text(json.dumps(event))

    async def close(self, code: int, reason: str = "") -> None:
        await self._socket.close(code, reason)

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] != "input_audio_buffer.append":
            self._server.got.append(event)
        match event["type"]:
            case "session.update":
                self._hold = event["session"]["audio"]["input"]["turn_detection"] is None
                await self.say("session.updated", session=event["session"])
            case "input_audio_buffer.append":
                await self._hear(base64.b64decode(event["audio"]))
            case "response.create":
                self._answer(spoken=self._hold)
            case "response.cancel":
                await self._interrupt()
            case "conversation.item.truncate":
                await self.say("conversation.item.truncated", item_id=event["item_id"])
            case "conversation.item.retrieve":
                words = " ".join(self._words.split()[:2])  # so much was heard
                part = {"type": "output_audio", "transcript": words}
                item = {"id": event["item_id"], "type": "message", "content": [part]}
                await self.say("conversation.item.retrieved", item=item)
            case "conversation.item.create":
                for part in event["item"]["content"]:
                    if part.get("detail") == "low":
                        await self.say("omni.frame", source=part["omni_source"])

    # --- listening ---------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _hear(self, pcm: bytes) -> None:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        seconds = len(samples) / RATE
        loud = float(np.sqrt(np.mean(samples**2))) > LOUD
        self._server.got.append({"type": "sound", "loud": loud, "seconds": seconds})
        if self._hold:
            return
        self._loud = self._loud + seconds if loud else 0.0
        self._quiet = 0.0 if loud else self._quiet + seconds
        if not self._speaking_user and self._loud >= 0.08:
            await self._speech_started()
        elif self._speaking_user and self._quiet >= 0.4:
            self._speaking_user = False
            await self.say("input_audio_buffer.speech_stopped", audio_end_ms=0, item_id=self._item)
            await self.say("input_audio_buffer.committed", item_id=self._item)
            self._answer(spoken=True)

    async def _speech_started(self) -> None:
        self._speaking_user = True
        self._item = f"item_{next(self._ids)}"
        if self._now < self._sounds_until or (self._turn and not self._turn.done()):
            for action in ("duck", "pause"):
                await self.say("omni.output", action=action)
                await asyncio.sleep(0.02)
            await self._interrupt()
        await self.say("omni.state", state="listening")
        await self.say("input_audio_buffer.speech_started", audio_start_ms=0, item_id=self._item)

    async def _interrupt(self) -> None:
        self._sounds_until = 0.0
        if self._turn is not None and not self._turn.done():
            self._turn.cancel()
        await self.say("omni.output", action="stop")
        await self.say("omni.state", state="idle")

    # --- answering ---------------------------------------------------------------------------

    def _answer(self, *, spoken: bool) -> None:
        if self._server.answers:
            answer = self._server.answers.popleft()
            self._turn = asyncio.create_task(self._tell(answer, spoken=spoken))

    async def _tell(self, answer: Answer, *, spoken: bool) -> None:
        await self.say("omni.state", state="thinking")
        if spoken and answer.heard:
            await self._transcribe(answer)
        await asyncio.sleep(answer.thinks)
        if answer.memories:
            await self.say("omni.memory", memories=answer.memories)
        response, item = f"resp_{next(self._ids)}", f"item_{next(self._ids)}"
        await self.say("response.created", response={"id": response, "status": "in_progress"})
        for tool in answer.tools:
            call = {"call_id": f"call_{next(self._ids)}", "arguments": {}, **tool}
            await self.say("omni.state", state="acting")
            await self.say("omni.tool", **{**call, "status": "started", "result": None})
            await asyncio.sleep(answer.acts)
            finished = {"seconds": answer.acts, "is_error": False, **call, "status": "finished"}
            await self.say("omni.tool", **finished)
        await self._speak(answer, response, item)
        if answer.latency is not None:
            await self.say("omni.latency", **answer.latency)
        left = self._sounds_until - self._now
        if left > 0:
            await asyncio.sleep(left)
        await self.say("omni.state", state="idle")

    async def _transcribe(self, answer: Answer) -> None:
        words = answer.heard
        half = words[: len(words) // 2]
        await self.say("omni.caption", text=half, language="en", speaker=None, final=False)
        await asyncio.sleep(0.02)
        kind = "conversation.item.input_audio_transcription"
        about = {"item_id": self._item or f"item_{next(self._ids)}", "content_index": 0}
        if answer.speaker:
            segment = {"text": words, "speaker": answer.speaker, "start": 0.0, "end": 1.0}
            await self.say(f"{kind}.segment", id="seg_1", **segment, **about)
        usage = {"type": "duration", "seconds": 1.0}
        await self.say(f"{kind}.completed", transcript=words, usage=usage, **about)

    async def _speak(self, answer: Answer, response: str, item: str) -> None:
        self._words = answer.says
        place = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        message = {"id": item, "type": "message", "role": "assistant", "status": "in_progress"}
        await self.say("response.output_item.added", item=message, **place)
        await self.say("omni.state", state="speaking")
        pieces = answer.says.split(" ")
        t = np.arange(round(answer.seconds * RATE)) / RATE
        sound = _buzz(t) if answer.like_speech else 0.25 * np.sin(2 * np.pi * TONE * t)
        pcm = (sound * 32767).astype("<i2")
        self._sounds_until = self._now + answer.seconds
        chunks = np.array_split(pcm, max(1, len(pieces)))
        for i, (word, chunk) in enumerate(zip(pieces, chunks, strict=False)):
            delta = word if i == 0 else f" {word}"
            await self.say("response.output_audio_transcript.delta", delta=delta, **place)
            encoded = base64.b64encode(chunk.tobytes()).decode()
            await self.say("response.output_audio.delta", delta=encoded, **place)
            await asyncio.sleep(0)
        await self.say("response.output_audio.done", **place)
        await self.say("response.output_audio_transcript.done", transcript=answer.says, **place)
        await self.say(
            "response.output_item.done", item={**message, "status": "completed"}, **place
        )
        done = {"id": response, "status": "completed", "status_details": None, "output": []}
        await self.say("response.done", response=done)


def _buzz(t: np.ndarray) -> np.ndarray:
    """Harmonics of a voice that rises and falls, four syllables a second."""
    pitch = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 0.6 * t)) / RATE
    harmonics = sum(np.sin(k * pitch) / k**0.7 for k in range(1, 34))
    return 0.12 * harmonics * (0.35 + 0.65 * np.abs(np.sin(2 * np.pi * 2 * t)))
