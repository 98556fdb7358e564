"""An agent: instructions, tools and a memory around a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from os import PathLike
from typing import TYPE_CHECKING, Literal, Protocol

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.conversation import PLAIN, Conversation
from omni_agent.errors import SettingsError, UsageError
from omni_agent.events import Event, Reply
from omni_agent.learning import AT_CLOSE, Learning
from omni_agent.loop_thread import LoopThread, refuse_in_a_loop
from omni_agent.messages import Exchange, Language, Message, ToolSpec
from omni_agent.model.base import ModelSession, OmniModel
from omni_agent.persona import Persona
from omni_agent.tools.base import Position, Tool, ToolContext, TransientMemory, home_loop
from omni_agent.tools.runner import Approver, ToolRunner

if TYPE_CHECKING:
    from omni_agent.call_tap import CallTap
    from omni_agent.conversation import Input
    from omni_agent.listening import Listening
    from omni_agent.live import LiveCall
    from omni_agent.memory.memory import Memory
    from omni_agent.seeing import Seeing


class Lasting(Protocol):
    """Something behind tools that outlives a turn and a process, such as timers."""

    def restore(self, context: ToolContext) -> None:
        """Take up what an earlier process left; called in a worker thread before the first turn.

        `context` is that of the first conversation.
        """
        ...

    def close(self) -> None:
        """Called in the event loop when the agent is closed."""
        ...


class Agent:
    """An agent you can ask, in text, sound and pictures, and that answers in text and speech.

        agent = Agent("Be brief and kind.", tools=[find_dish], memory="./memory")
        reply = agent.ask_sync("Where can I get sushi?")

    `model` is an opened model or a name for `open_model`; agents with the same name share one
    loaded model. `memory` is a `Memory`, or a folder to keep one in; None remembers nothing
    beyond the conversation. `learn`: draw lasting facts from what was said ("Ben is allergic to
    nuts") while nobody talks, and keep them there. `examples` show a small model how to answer
    without a tool.
    `prepare` is awaited once before the first turn, for tools that load something; what is
    `lasting` is restored then, and closed with the agent.
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
        memory: Memory | str | PathLike[str] | None = None,
        learn: bool = True,
        voice: str | None = None,
        language: Language = "en",
        place: Position | None = None,
        people: Sequence[str] = (),
        approve: Approver | None = None,
        max_steps: int = 4,
        tool_timeout: float = 30.0,
        recall_limit: int = 3,
        prepare: Callable[[], Awaitable[None]] | None = None,
        lasting: Sequence[Lasting] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if isinstance(people, str):
            raise SettingsError(f"people={people!r} is one text; give a list of names")
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
        self._learning: Learning | None = None
        if learn and self.memory is not None:
            self._learning = Learning(self.memory, self._loaded_model, clock=clock)
        self._model = model
        self._place = place
        self._prepare = prepare
        self._lasting = tuple(lasting)
        self._starting = asyncio.Lock()
        self._prepared = self._restored = self._closed = False
        self._conversations: list[Conversation] = []
        self._own: Conversation | None = None
        self._loop: LoopThread | None = None
        self._making_thread = threading.Lock()

    # --- asking ------------------------------------------------------------------------------

    async def ask(self, *inputs: Input, speak: bool | None = None) -> Reply:
        """Ask with text, sound and pictures in any mix, and wait for the whole answer.

        Strings are text; paths and bytes are read as sound or a picture. `speak` None means:
        aloud if the user spoke. Raises MediaError for input that cannot be read, ModelError
        where the model cannot go on.
        """
        return await self._own_conversation().ask(*inputs, speak=speak)

    def stream(self, *inputs: Input, speak: bool | None = None) -> AsyncGenerator[Event, None]:
        """The same as events, while they happen. Closing the iterator cancels the turn."""
        return self._own_conversation().stream(*inputs, speak=speak)

    def ask_sync(self, *inputs: Input, speak: bool | None = None) -> Reply:
        """`ask` for programs without an event loop, from any thread; ctrl-C cancels the turn."""
        refuse_in_a_loop("ask_sync", use="await ask")
        return self._thread().run(self.ask(*inputs, speak=speak))

    def stream_sync(self, *inputs: Input, speak: bool | None = None) -> Iterator[Event]:
        """`stream` for programs without an event loop. The turn runs ahead of who reads it."""
        refuse_in_a_loop("stream_sync", use="async for … in stream")
        return self._thread().iterate(self.stream(*inputs, speak=speak))

    def conversation(
        self,
        id: str | None = None,
        *,
        place: Position | None = None,
        persona: Persona = PLAIN,
        history: Sequence[Message] = (),
    ) -> Conversation:
        """Open another conversation with this agent, with a context of its own.

        `history` is what was said in it before, which somebody else has kept.
        """
        if self._closed:
            raise UsageError(f"the agent {self.name!r} is closed; make a new one")
        conversation = Conversation(self, id, place or self._place, persona, history)
        self._conversations.append(conversation)
        return conversation

    def live(
        self,
        *,
        listening: Listening | None = None,
        seeing: Seeing | None = None,
        player: Literal["own", "remote"] = "own",
        persona: Persona = PLAIN,
        place: Position | None = None,
        history: Sequence[Message] = (),
        speak: bool = True,
        answers: bool = True,
        draft: bool = True,
        prepare: bool = True,
        max_seconds: float = 3600.0,
        idle_seconds: float | None = None,
        stall_seconds: float = 60.0,
        tap: CallTap | None = None,
        record: str | PathLike[str] | None = None,
    ) -> LiveCall:
        """A live call: talk with the agent, show it things, cut in.

        `listening`: when the user's turn is over, and what cuts in. `seeing`: how much of a camera
        the model is shown. `player`: who plays the speech, see `LiveCall.output`. `history`: what
        was said before. `speak=False` answers in writing, `answers=False` only when `respond` asks
        for it. `draft`: begin answers before it is certain that the user has finished. `prepare`:
        open the model's session at once, not with the first turn. The call ends after
        `max_seconds`, or `idle_seconds` in which nobody spoke; a model that gives nothing for
        `stall_seconds` is stopped. `record`: a new folder to keep the call in, with its voices
        and pictures (docs/recording.md); `tap` is told everything instead.
        """
        from pathlib import Path

        from omni_agent.call_settings import CallSettings, WornPersona
        from omni_agent.listening import Listening
        from omni_agent.live import LiveCall
        from omni_agent.seeing import Seeing

        settings = CallSettings(
            listening=listening or Listening(),
            seeing=seeing or Seeing(),
            player=player,
            persona=WornPersona.of(persona),
            place=place,
            history=tuple(history),
            speak=speak,
            answers=answers,
            draft=draft,
            prepare=prepare,
            max_seconds=max_seconds,
            idle_seconds=idle_seconds,
            stall_seconds=stall_seconds,
        )
        folder = None if record is None else Path(record)
        return LiveCall(self, settings, persona=persona, tap=tap, record=folder)

    # --- life --------------------------------------------------------------------------------

    async def open_session(
        self,
        context: ToolContext | None = None,
        persona: Persona = PLAIN,
        tools: Sequence[ToolSpec] | None = None,
        history: Sequence[Message] = (),
    ) -> ModelSession:
        """A session of the agent's model, with its instructions and tools in it.

        The first one prepares the agent, and restores with `context` what lasts.
        """
        model = await self.open_model()
        async with self._starting:
            if not self._prepared and self._prepare is not None:
                await self._prepare()
            self._prepared = True
            if not self._restored and context is not None:
                home_loop.set(asyncio.get_running_loop())
                for lasting in self._lasting:
                    await asyncio.to_thread(lasting.restore, context)
                self._restored = True
        return await model.open_session(
            self.instructions if persona.instructions is None else persona.instructions,
            self.runner.specs if tools is None else tools,
            persona.voice or self.voice,
            self.examples,
            **({"history": history} if history else {}),
        )

    async def open_model(self) -> OmniModel:
        """The agent's model, loaded now if it was not yet."""
        if isinstance(self._model, str):
            from omni_agent.model.select import open_model

            self._model = await open_model(self._model)
        return self._model

    def at_work(self) -> AbstractContextManager[None]:
        """To be inside during a turn or a call: the model is then not asked to learn."""
        return nullcontext() if self._learning is None else self._learning.at_work()

    async def close(self, *, learn_for: float = AT_CLOSE) -> None:
        """End all conversations and what lasts, flush the memory. A shared model stays loaded.

        Takes up to `learn_for` seconds where there is something to learn yet. May be called twice.
        """
        self._closed = True
        self._own = None
        async with AsyncExitStack() as stack:  # one that fails keeps none of the others open
            if self.memory is not None and self._owns_memory:
                stack.push_async_callback(asyncio.to_thread, self.memory.close)
            if self._learning is not None:
                stack.push_async_callback(self._learning.close, learn_for)
            for lasting in self._lasting if self._restored else ():
                stack.callback(lasting.close)
            self._restored = False
            while self._conversations:
                stack.push_async_callback(self._conversations.pop().close)

    def close_sync(self) -> None:
        refuse_in_a_loop("close_sync", use="await close")
        thread = self._thread()
        try:
            thread.run(self.close())
        finally:
            self._loop = None
            thread.stop()

    async def __aenter__(self) -> Agent:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_sync()

    def ended(self, conversation: Conversation) -> None:
        """Called by a conversation that is closed."""
        if conversation in self._conversations:
            self._conversations.remove(conversation)

    def _own_conversation(self) -> Conversation:
        if self._own is None:
            self._own = self.conversation()
        return self._own

    def _loaded_model(self) -> OmniModel | None:
        return None if isinstance(self._model, str) else self._model

    def _thread(self) -> LoopThread:
        with self._making_thread:
            if self._loop is None:
                self._loop = LoopThread()
            return self._loop


def _opened(memory: Memory | str | PathLike[str] | None, clock: Clock) -> Memory | None:
    if not isinstance(memory, str | PathLike):
        return memory
    if not str(memory).strip():
        raise SettingsError(f"memory={memory!r} names no folder; give one, or None for no memory")
    from omni_agent.memory.memory import Memory

    return Memory(memory, clock=clock)
