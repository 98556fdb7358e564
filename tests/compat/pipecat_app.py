"""A pipecat application, run by pipecat's own interpreter: it does what its stdin tells it.

Each line in is a JSON object {"url": …, "says": text, "steps": [[verb, value], …]}, with code that
makes `llm` as "service" if it is to be another one; the line out tells what its user has seen:
{"messages", "played", "interrupted", "errors", "tools"}. A step ["pause", …] answers {} and waits
for one more line.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from loguru import logger
from PIL import Image
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    InputAudioRawFrame,
    InputImageRawFrame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

RATE = 24_000
CHUNK = RATE // 25 * 2  # bytes in 40 ms


class Loudspeaker(BaseOutputTransport):
    """Plays at the speed of sound."""

    def __init__(self) -> None:
        super().__init__(
            TransportParams(
                audio_out_enabled=True, audio_out_sample_rate=RATE, audio_out_end_silence_secs=0
            )
        )
        self.seconds = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        seconds = len(frame.audio) / 2 / RATE
        self.seconds += seconds if any(frame.audio) else 0.0
        await asyncio.sleep(seconds)
        return True


class Witness(BaseObserver):
    """Sees what passes, once each."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        self.errors: dict[int, str] = {}

    async def on_push_frame(self, data: FramePushed) -> None:
        if isinstance(data.frame, InterruptionFrame):
            self.interrupted = True
        elif isinstance(data.frame, ErrorFrame):
            self.errors[data.frame.id] = str(data.frame.error)


def service_at(url: str) -> OpenAIRealtimeLLMService:
    heard = events.AudioInput(
        transcription=events.InputAudioTranscription(),
        turn_detection=events.TurnDetection(silence_duration_ms=400),
    )
    return OpenAIRealtimeLLMService(
        api_key="-",
        base_url=url,
        video_frame_detail="low",
        settings=OpenAIRealtimeLLMService.Settings(
            model="kitchen",
            system_instruction="Rhyme.",
            session_properties=events.SessionProperties(
                audio=events.AudioConfiguration(input=heard)
            ),
        ),
    )


def service_of(source: str) -> OpenAIRealtimeLLMService:
    names: dict[str, Any] = {}
    exec(source, names)
    return names["llm"]


class App:
    """One call of an application whose user types `says` first."""

    def __init__(self, llm: OpenAIRealtimeLLMService, says: str) -> None:
        self.llm = llm
        self.tools: list[dict[str, Any]] = []
        called = self.tools

        async def get_weather(params: FunctionCallParams, city: str) -> None:
            """Tell the weather.

            Args:
                city: Where.
            """
            called.append({"city": city})
            await params.result_callback({"weather": f"It snows in {city}."})

        self.context = LLMContext([{"role": "user", "content": says}], tools=[get_weather])
        aggregators = LLMContextAggregatorPair(self.context)
        self.speaker = Loudspeaker()
        self.witness = Witness()
        self.worker = PipelineWorker(
            Pipeline([aggregators.user(), self.llm, self.speaker, aggregators.assistant()]),
            params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
            observers=[self.witness],
            cancel_on_idle_timeout=False,
        )

    async def run(self, steps: list[list[Any]]) -> dict[str, Any]:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        started = asyncio.Event()

        @self.worker.event_handler("on_pipeline_started")
        async def _(worker: Any, frame: Any) -> None:
            started.set()

        running = asyncio.create_task(runner.run())
        await started.wait()
        await self.worker.queue_frame(LLMRunFrame())
        missed = None
        for verb, value in steps:
            if not await self._do(verb, value):
                missed = f"{verb} {value}"
                break
        await self.worker.queue_frame(EndFrame())
        await running
        return {
            "messages": self.told(),
            "played": self.speaker.seconds,
            "interrupted": self.witness.interrupted,
            "errors": [*self.witness.errors.values()],
            "tools": self.tools,
            "missed": missed,
        }

    async def _do(self, verb: str, value: Any) -> bool:
        """False where what is waited for does not come."""
        match verb:
            case "hears":  # the agent's words, as they are in the context
                return await self._until(lambda: ["assistant", value] in self.told())
            case "answers":  # so many times, whatever the words
                return await self._until(
                    lambda: [who for who, _ in self.told()].count("assistant") >= value, within=120
                )
            case "plays":
                return await self._until(lambda: self.speaker.seconds >= value)
            case "types":
                message = {"role": "user", "content": value}
                append = LLMMessagesAppendFrame([message], run_llm=True)
                await self.llm.queue_frame(append)  # the user's aggregator would keep it to itself
            case "says":
                with open(value, "rb") as file:
                    pcm = file.read()
                for at in range(0, len(pcm), CHUNK):
                    frame = InputAudioRawFrame(pcm[at : at + CHUNK], RATE, 1)
                    await self.worker.queue_frame(frame)
                    await asyncio.sleep(CHUNK / 2 / RATE)
            case "shows":
                with Image.open(value) as image:
                    await self.worker.queue_frame(
                        InputImageRawFrame(image.tobytes(), image.size, image.mode)
                    )
            case "pause":
                _say({})
                await asyncio.to_thread(sys.stdin.readline)
            case "reconnects":
                await self.llm.reset_conversation()
                await self.llm._create_response()  # as pipecat's own examples do
            case _:
                raise ValueError(verb)
        return True

    async def _until(self, is_so: Any, *, within: float = 10) -> bool:
        try:
            async with asyncio.timeout(within):
                while not is_so():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return False
        return True

    def told(self) -> list[list[str]]:
        return [
            [message["role"], message["content"]]
            for message in self.context.get_messages()
            if isinstance(message.get("content"), str)
        ]


def _say(value: dict[str, Any]) -> None:
    out.write(json.dumps(value) + "\n")
    out.flush()


async def main() -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        source = command.get("service")
        llm = service_of(source) if source else service_at(command["url"])
        app = App(llm, command["says"])
        _say(await app.run(command["steps"]))


out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else is printed is no answer
logger.remove()
logger.add(sys.stderr, level=os.environ.get("LOG", "ERROR"))
asyncio.run(main())
