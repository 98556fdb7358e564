"""An agent: instructions, tools and a memory around a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.conversation import Conversation
from omni_agent.errors import SettingsError
from omni_agent.events import Event, Reply
from omni_agent.messages import Exchange, Language
from omni_agent.model.base import ModelSession, OmniModel
from omni_agent.tools.base import Position, Tool, TransientMemory
from omni_agent.tools.runner import Approver, ToolRunner

if TYPE_CHECKING:
    from omni_agent.conversation import Input
    from omni_agent.memory.memory import Memory

T = TypeVar("T")


class Agent:
    """An agent you can ask, in text, sound and pictures, and that answers in text and speech.

        agent = Agent("Be brief and kind.", tools=[find_dish], memory="./memory")
        reply = agent.ask_sync("Where can I get sushi?")

    `model` is an opened model or a name for `open_model`; agents with the same name share one
    loaded model. `memory` is a `Memory`, or a folder to keep one in; None remembers nothing
    beyond the conversation. `examples` show a small model how to answer without a tool.
    `prepare` is awaited once before the first turn, for tools that load something.
    `ask` and `stream` go on with the agent's own conversation; `conversation()` opens others.
    """

    def __init__(
        self,
        instructions: str,
        *,
        name: str = "agent",
        tools: Sequence[Tool] = (),
        examples: Sequence[Exchange] = (),
        model: OmniModel | str = "auto",
        memory: Memory | str | Path | None = None,
        voice: str | None = None,
        language: Language = "en",
        place: Position | None = None,
        people: Sequence[str] = (),
        approve: Approver | None = None,
        max_steps: int = 4,
        tool_timeout: float = 30.0,
        recall_limit: int = 3,
        prepare: Callable[[], Awaitable[None]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if max_steps < 1:
            raise SettingsError(f"max_steps={max_steps}: an agent needs at least one step")
        self.instructions = instructions
        self.name = name
        self.examples = tuple(examples)
        self.voice = voice
        self.language = language
        self.people = tuple(people)
        self.max_steps = max_steps
        self.recall_limit = recall_limit
        self.clock = clock
        self.runner = ToolRunner(tools, approve=approve, clock=clock, default_timeout=tool_timeout)
        self.memory = _opened(memory, clock)
        self.transient_memory = TransientMemory(clock)  # what tools keep where there is no memory
        self._owns_memory = self.memory is not memory
        self._model = model
        self._place = place
        self._prepare = prepare
        self._conversations: list[Conversation] = []
        self._own: Conversation | None = None
        self._loop: _LoopThread | None = None

    # --- asking ------------------------------------------------------------------------------

    async def ask(self, *inputs: Input, speak: bool | None = None) -> Reply:
        """Ask with text, sound and pictures in any mix, and wait for the whole answer.

        Strings are text; paths and bytes are read as sound or a picture. `speak` None means:
        aloud if the user spoke. Raises MediaError for input that cannot be read, ModelError
        where the model cannot go on.
        """
        return await self._own_conversation().ask(*inputs, speak=speak)

    async def stream(
        self, *inputs: Input, speak: bool | None = None
    ) -> AsyncGenerator[Event, None]:
        """The same as events, while they happen. Closing the iterator cancels the turn."""
        async with aclosing(self._own_conversation().stream(*inputs, speak=speak)) as events:
            async for event in events:
                yield event

    def ask_sync(self, *inputs: Input, speak: bool | None = None) -> Reply:
        """`ask` for programs without an event loop."""
        return self._thread().run(self.ask(*inputs, speak=speak))

    def stream_sync(self, *inputs: Input, speak: bool | None = None) -> Iterator[Event]:
        """`stream` for programs without an event loop."""
        thread = self._thread()
        events = self.stream(*inputs, speak=speak)
        try:
            while True:
                try:
                    yield thread.run(anext(events))
                except StopAsyncIteration:
                    return
        finally:
            thread.run(events.aclose())

    def conversation(self, id: str | None = None, *, place: Position | None = None) -> Conversation:
        """Open another conversation with this agent, with a context of its own."""
        conversation = Conversation(self, id, place or self._place)
        self._conversations.append(conversation)
        return conversation

    # --- life --------------------------------------------------------------------------------

    async def open_session(self) -> ModelSession:
        """A session of the agent's model, with its instructions and tools in it."""
        model = await self.open_model()
        if self._prepare is not None:
            prepare, self._prepare = self._prepare, None
            await prepare()
        return await model.open_session(
            self.instructions, self.runner.specs, self.voice, self.examples
        )

    async def open_model(self) -> OmniModel:
        """The agent's model, loaded now if it was not yet."""
        if isinstance(self._model, str):
            from omni_agent.model.select import open_model

            self._model = await open_model(self._model)
        return self._model

    async def close(self) -> None:
        """End all conversations and flush the memory. A shared model stays loaded."""
        for conversation in self._conversations:
            await conversation.close()
        self._conversations.clear()
        self._own = None
        if self.memory is not None and self._owns_memory:
            await asyncio.to_thread(self.memory.close)

    def close_sync(self) -> None:
        thread, self._loop = self._thread(), None
        thread.run(self.close())
        thread.stop()

    async def __aenter__(self) -> Agent:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_sync()

    def _own_conversation(self) -> Conversation:
        if self._own is None:
            self._own = self.conversation()
        return self._own

    def _thread(self) -> _LoopThread:
        if self._loop is None:
            self._loop = _LoopThread()
        return self._loop


class _LoopThread:
    """An event loop in a thread of its own, for the sync twins."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="agent")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a sync twin was called from async code; await the async one")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # ctrl-C too: the turn must not go on unseen
            future.cancel()
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _opened(memory: Memory | str | Path | None, clock: Clock) -> Memory | None:
    if not isinstance(memory, str | Path):
        return memory
    from omni_agent.memory.memory import Memory

    return Memory(memory, clock=clock)
