"""How much time the loop itself takes: one turn with a tool call, the model scripted.

The same turn – a question, a call of an async tool, an answer in words – with omni_agent, with
openai-agents and with pydantic-ai, each with a model that answers at once. Rounds alternate, so
that what else the machine does falls on all alike. Whole: the answer is awaited; streamed: every
event is taken as it comes. The dearer model double of openai-agents (its ScriptedModel keeps
snapshots of every call) and a bare one are both measured.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from report import report

from omni_agent.agent import Agent
from omni_agent.memory.memory import Memory
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import ScriptedModel
from omni_agent.tools.base import tool

try:
    import agents
    import pydantic_ai
    from agents import ModelResponse, RunConfig, Runner, Usage, function_tool
    from agents.models.interface import Model
    from agents.testing import ScriptedModel as OpenAIScripted
    from openai.types.responses import (
        Response,
        ResponseCompletedEvent,
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
        ResponseTextDeltaEvent,
        ResponseUsage,
    )
    from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
    from pydantic_ai import Agent as PydanticAgent
    from pydantic_ai.messages import (
        ModelMessage,
        TextPart,
        ToolCallPart,
    )
    from pydantic_ai.messages import (
        ModelResponse as PydanticResponse,
    )
    from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
except ImportError as error:
    sys.exit(
        f"{error.name} is not installed; this benchmark compares with openai-agents and "
        'pydantic-ai. Install both with: pip install "omni-agent[bench]"'
    )

QUESTION = "What is the weather in Turku?"
INSTRUCTIONS = "Be brief and kind."
ARGUMENTS = {"city": "Turku"}
FOUND = "sunny, 21 degrees"
ANSWER = "It is sunny in Turku."
WORDS = ["It ", "is ", "sunny ", "in ", "Turku."]

Run = Callable[[], Awaitable[object]]


async def weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: Where.
    """
    return FOUND


class Alike:
    """An embedding that costs nothing: the model's is measured elsewhere."""

    name = "alike"
    dim = 4

    def query(self, texts: Sequence[str]) -> np.ndarray:
        return np.full((len(texts), self.dim), 0.5, np.float32)

    passage = query


# --- ours --------------------------------------------------------------------------------------


def ours(memory: Memory | None = None) -> tuple[Run, Run]:
    model = ScriptedModel()
    agent = Agent(INSTRUCTIONS, tools=[tool(weather)], model=model, memory=memory)

    async def prepared() -> Any:
        model.add(ToolCall("call_1", "weather", ARGUMENTS), ANSWER)
        return agent.conversation()

    async def whole() -> object:
        conversation = await prepared()
        reply = await conversation.ask(QUESTION)
        await conversation.close()
        assert reply.text == ANSWER
        assert reply.tools[0].result.content == FOUND
        return reply

    async def streamed() -> object:
        conversation = await prepared()
        async for event in conversation.stream(QUESTION):
            last = event
        await conversation.close()
        assert last.reply.text == ANSWER
        return last

    return whole, streamed


# --- openai-agents -----------------------------------------------------------------------------

CALL = ResponseFunctionToolCall(
    type="function_call", name="weather", arguments='{"city": "Turku"}', call_id="call_1", id="fc_1"
)
MESSAGE = ResponseOutputMessage(
    id="msg_1",
    type="message",
    role="assistant",
    status="completed",
    content=[ResponseOutputText(text=ANSWER, type="output_text", annotations=[])],
)


class BareModel(Model):
    """Calls first, answers then, and does nothing else."""

    async def get_response(
        self, system_instructions: Any, input: Any, *_: Any, **__: Any
    ) -> ModelResponse:
        return ModelResponse(output=[_output(input)], usage=Usage(), response_id=None)

    async def stream_response(
        self, system_instructions: Any, input: Any, *_: Any, **__: Any
    ) -> AsyncIterator[Any]:
        output = _output(input)
        number = 0
        for number, word in enumerate(WORDS if output is MESSAGE else []):
            yield ResponseTextDeltaEvent(
                type="response.output_text.delta",
                content_index=0,
                delta=word,
                item_id="msg_1",
                logprobs=[],
                output_index=0,
                sequence_number=number,
            )
        yield ResponseCompletedEvent(
            type="response.completed",
            response=Response(
                id="r",
                created_at=0,
                model="bare",
                object="response",
                output=[output],
                tool_choice="auto",
                tools=[],
                parallel_tool_calls=True,
                usage=ResponseUsage(
                    input_tokens=0,
                    output_tokens=0,
                    total_tokens=0,
                    input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
                    output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
                ),
            ),
            sequence_number=number + 1,
        )


def _output(input: Any) -> Any:
    return MESSAGE if isinstance(input, list) and len(input) > 1 else CALL


def openai(*, scripted: bool) -> tuple[Run, Run]:
    config = RunConfig(tracing_disabled=True)
    look = function_tool(weather)

    def agent() -> Any:
        model = OpenAIScripted([[CALL], [MESSAGE]]) if scripted else BareModel()
        return agents.Agent(name="a", instructions=INSTRUCTIONS, tools=[look], model=model)

    bare = agent()

    async def whole() -> object:
        result = await Runner.run(agent() if scripted else bare, QUESTION, run_config=config)
        assert result.final_output == ANSWER
        return result

    async def streamed() -> object:
        running = Runner.run_streamed(agent() if scripted else bare, QUESTION, run_config=config)
        async for _ in running.stream_events():
            pass
        assert running.final_output == ANSWER
        return running

    return whole, streamed


# --- pydantic-ai -------------------------------------------------------------------------------


def pydantic() -> tuple[Run, Run]:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> PydanticResponse:
        if len(messages) == 1:
            return PydanticResponse(parts=[ToolCallPart("weather", ARGUMENTS, "call_1")])
        return PydanticResponse(parts=[TextPart(ANSWER)])

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        if len(messages) == 1:
            yield {0: DeltaToolCall("weather", '{"city": "Turku"}', tool_call_id="call_1")}
            return
        for word in WORDS:
            yield word

    agent = PydanticAgent(
        FunctionModel(answer, stream_function=stream), instructions=INSTRUCTIONS, tools=[weather]
    )

    async def whole() -> object:
        result = await agent.run(QUESTION)
        assert result.output == ANSWER
        return result

    async def streamed() -> object:
        async with agent.run_stream_events(QUESTION) as events:
            async for event in events:
                last = event
        assert last.result.output == ANSWER
        return last

    return whole, streamed


# --- the run -----------------------------------------------------------------------------------


async def measure(
    runs: Sequence[Run], rounds: int, between: Callable[[], object] = lambda: None
) -> list[list[float]]:
    """Microseconds of each run in each round; what is done between them is not counted."""
    for _ in range(max(3, rounds // 10)):
        for run in runs:
            await run()
    times: list[list[float]] = [[] for _ in runs]
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        for i in range(len(runs)):
            between()
            which = (i + number) % len(runs)  # nobody always comes after the same one
            began = time.perf_counter()
            await runs[which]()
            times[which].append((time.perf_counter() - began) * 1e6)
    return times


def row_of(mode: int, name: str, micros: Sequence[float], ours_median: float) -> dict[str, Any]:
    median = statistics.median(micros)
    return {
        "turn": "streamed" if mode else "whole",
        "loop": name,
        "median µs": round(median),
        "p95 µs": round(statistics.quantiles(micros, n=20)[-1]),
        "times ours": round(median / ours_median, 2),
    }


async def main(rounds: int) -> None:
    openai_agents = f"openai-agents {agents.version.__version__}"
    contenders = {
        "omni_agent": ours(),
        f"{openai_agents}, bare model": openai(scripted=False),
        f"{openai_agents}, its double": openai(scripted=True),
        f"pydantic-ai {pydantic_ai.__version__}, its double": pydantic(),
    }
    rows: list[dict[str, Any]] = []
    for mode in (0, 1):
        times = await measure([runs[mode] for runs in contenders.values()], rounds)
        ours_median = statistics.median(times[0])
        rows += [
            row_of(mode, name, micros, ours_median)
            for name, micros in zip(contenders, times, strict=True)
        ]
        # By itself: the index works on in the background, which must burden nobody else.
        with tempfile.TemporaryDirectory() as folder, Memory(folder, embedder=Alike()) as memory:
            [micros] = await measure([ours(memory)[mode]], rounds, memory.flush)
        rows.append(row_of(mode, "omni_agent, memory on disk", micros, ours_median))
    report(
        "overhead",
        rows,
        notes=[
            f"{rounds} rounds, all loops in turn; a question, one call of an async tool, an answer",
            "ours also opens and closes a conversation in each round; tracing is off",
            "memory on disk: recall before the answer, the turn in SQLite after it, without the "
            "time of an embedding model",
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=400)
    asyncio.run(main(parser.parse_args().rounds))
