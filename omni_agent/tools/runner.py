"""The only place that runs a tool: validation, approval, timeout, parallelism, errors in words."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import json
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from pydantic_core import PydanticSerializationError, to_jsonable_python

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ToolDefinitionError, ToolError
from omni_agent.events import ApprovalRequested, ToolFinished, ToolStarted
from omni_agent.messages import Context, ToolCall, ToolResult, ToolSpec
from omni_agent.tools.base import Say, Tool, ToolContext, home_loop
from omni_agent.tools.fillers import FillersSaid
from omni_agent.tools.time_limit import time_limit
from omni_agent.tools.watching import Watching
from omni_agent.tools.worker_threads import WORKER_THREADS
from omni_agent.virtual_clock import working

logger = logging.getLogger("omni_agent.tools")

RunnerEvent = ToolStarted | ApprovalRequested | ToolFinished

_CANCEL_GRACE = 0.05  # seconds that a cancelled tool has to clean up before it is left behind


class Approver(Protocol):
    async def __call__(self, call: ToolCall) -> bool:
        """Ask the user; True lets the tool run."""
        ...


class Late(Protocol):
    def __call__(self, finished: ToolFinished, /) -> None:
        """A tool that was kept is done, but the turn it was called in was interrupted."""
        ...


class ToolRunner:
    """Runs calls side by side and gives each a result, whatever happens.

    A plain function runs in a thread and never blocks the loop; past its timeout it is left
    behind, because a thread cannot be stopped. Plain methods of one object run one after another.
    Without `approve`, a tool that needs approval is denied. Watchers are started and go on by
    themselves until `end`; with the first of them comes the tool `stop_watching`. Raises
    ToolDefinitionError where two tools share a name.
    """

    def __init__(
        self,
        tools: Sequence[Tool] = (),
        *,
        approve: Approver | None = None,
        clock: Clock = SYSTEM_CLOCK,
        default_timeout: float = 30.0,
        max_result_chars: int = 6000,
        watching: Watching | None = None,
    ) -> None:
        self.tools: dict[str, Tool] = {}
        self._given = tuple(tools)
        self._watching = watching if watching is not None else Watching(clock)
        stop = self._watching.stop_watching
        if any(isinstance(tool, Tool) and tool.is_watcher for tool in tools):
            tools = [*tools, stop]
        for tool in tools:
            if not isinstance(tool, Tool):
                raise ToolDefinitionError(f"{tool!r} is no tool; put @tool above its definition")
            if not tool.is_bound:
                raise ToolDefinitionError(
                    f"{tool.function.__qualname__} is a method without its object; "
                    f"give the tool as `object.{tool.name}`"
                )
            if tool.name in self.tools:
                raise ToolDefinitionError(f"two tools are called {tool.name!r}; rename one")
            self.tools[tool.name] = tool
        self._approve = approve
        self._clock = clock
        self._default_timeout = default_timeout
        self._max_result_chars = max_result_chars
        self._left_running: set[asyncio.Task[None]] = set()
        self._fillers = FillersSaid()

    def with_tools(self, tools: Sequence[Tool]) -> ToolRunner:
        """A runner that has these tools too; this one itself where there are none."""
        if not tools:
            return self
        return ToolRunner(
            [*self._given, *tools],
            approve=self._approve,
            clock=self._clock,
            default_timeout=self._default_timeout,
            max_result_chars=self._max_result_chars,
            watching=self._watching,
        )

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self.tools.values())

    async def run(
        self, calls: Sequence[ToolCall], context: ToolContext, *, late: Late | None = None
    ) -> AsyncGenerator[RunnerEvent, None]:
        """Run the calls in parallel and tell what happens while it happens.

        Each call ends with one `ToolFinished`; `ToolStarted` comes before it if the tool ran.
        Closing the iterator cancels async tools and drops the results, but for tools with
        `on_interrupt="keep"`: what they give from then on goes to `late`, once for each call.
        """
        events: asyncio.Queue[RunnerEvent] = asyncio.Queue()
        turns: dict[int, asyncio.Lock] = {}  # one per object whose plain methods are called
        home_loop.set(asyncio.get_running_loop())
        is_read = True

        def emit(event: RunnerEvent) -> None:
            if is_read:
                events.put_nowait(event)
            elif isinstance(event, ToolFinished):
                self._tell_late(event, late)

        tasks = {
            asyncio.create_task(self._run_one(call, context, turns, emit)): call for call in calls
        }
        unfinished = len(tasks)
        try:
            while unfinished:
                event = await events.get()
                unfinished -= isinstance(event, ToolFinished)
                yield event
        finally:
            is_read = False
            while not events.empty():
                emit(events.get_nowait())
            await self._stop(tasks)

    def filler(self, calls: Sequence[ToolCall], context: ToolContext) -> str | None:
        """What to say while these run; another phrase than the ones this conversation heard last.

        None where the tools want nothing said.
        """
        said = self._fillers.of(context.conversation)
        tools = (self.tools.get(call.name) for call in calls)
        words = next((w for t in tools if t and (w := t.filler_for(context.language, said))), None)
        if words is not None:
            said.append(words)
        return words

    async def end(self, conversation: str | None = None) -> None:
        """A conversation is over, or all are: stop what is watched in it."""
        await self._watching.end(conversation)

    def _tell_late(self, finished: ToolFinished, late: Late | None) -> None:
        tool = self.tools.get(finished.call.name)
        if tool is None or tool.on_interrupt == "drop":
            logger.info("%s: its result is dropped, the turn was interrupted", finished.call.name)
        elif late is None:
            logger.warning("%s is done, but nobody wants its late result", finished.call.name)
        else:
            late(finished)

    async def _stop(self, tasks: dict[asyncio.Task[None], ToolCall]) -> None:
        stopped = set()
        for task, call in tasks.items():
            if task.done():
                continue
            tool = self.tools.get(call.name)
            if tool is not None and tool.on_interrupt == "keep":
                self._left_running.add(task)
                task.add_done_callback(self._left_running.discard)
                continue
            task.cancel()
            stopped.add(task)
        if stopped:
            _, stubborn = await asyncio.wait(stopped, timeout=_CANCEL_GRACE)
            for task in stubborn:
                logger.warning("the tool %s does not let itself be cancelled", tasks[task].name)

    async def _run_one(
        self,
        call: ToolCall,
        context: ToolContext,
        turns: dict[int, asyncio.Lock],
        emit: Callable[[RunnerEvent], None],
    ) -> None:
        began = self._clock.monotonic()
        try:
            tool = self._tool(call.name)
            run = tool.prepare(call.arguments, context)
            if tool.needs_approval:
                emit(ApprovalRequested(call, self._clock.monotonic()))
                await self._ask(call)
            async with _turn_of(tool, turns):
                began = self._clock.monotonic()
                emit(ToolStarted(call, began))
                if tool.is_watcher:
                    value = self._watching.start(tool, call, run, context)
                else:
                    value = await self._within_timeout(tool, run)
            content, say = self._in_words(tool, value)
            result = ToolResult(call.id, call.name, content, say=say)
        except ToolError as error:
            logger.info("%s: %s", call.name, error)
            result = self._failed(call, str(error) or f"{call.name} failed")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            logger.exception("the tool %s was cancelled from inside", call.name)
            result = self._failed(call, f"{call.name} was cancelled")
        except (Exception, SystemExit) as error:
            logger.exception("the tool %s failed", call.name)
            result = self._failed(call, f"{call.name} failed: {type(error).__name__}: {error}")
        now = self._clock.monotonic()
        emit(ToolFinished(call, result, now - began, now))

    def _tool(self, name: str) -> Tool:
        if (tool := self.tools.get(name)) is not None:
            return tool
        near = difflib.get_close_matches(name, self.tools, n=3) or list(self.tools)[:8]
        raise ToolError(f'there is no tool "{name}"; there is: {", ".join(near) or "none at all"}')

    async def _ask(self, call: ToolCall) -> None:
        """Raises ToolError unless the user agrees."""
        if self._approve is None:
            raise ToolError(
                f"{call.name} needs the user's approval, and there is no way to ask; it did not run"
            )
        if not await self._approve(call):
            raise ToolError(f"the user did not approve of {call.name}; it did not run")

    async def _within_timeout(self, tool: Tool, run: Callable[[], Any]) -> Any:
        seconds = tool.timeout if tool.timeout is not None else self._default_timeout
        work: Awaitable[Any] = run() if tool.is_async else WORKER_THREADS.call(run)
        try:
            async with time_limit(self._clock, seconds) as limit:
                with working(self._clock):
                    value = await work
                    return await value if inspect.isawaitable(value) else value
        except TimeoutError:
            if not limit.expired():
                raise  # the tool's own
            logger.warning("the tool %s took more than %g s", tool.name, seconds)
            raise ToolError(f"{tool.name} did not answer within {seconds:g} seconds") from None

    def _in_words(self, tool: Tool, value: Any) -> tuple[str, str | None]:
        """What the model reads, and what is spoken word for word. Raises ToolError."""
        if isinstance(value, Say):
            said = value.text
            content = said if value.data is None else self._in_words(tool, value.data)[0]
            return self._cut(content), said
        match value:
            case None:
                return "done", None
            case str():
                content = value or "(an empty text)"
            case _:
                try:
                    content = json.dumps(to_jsonable_python(value), ensure_ascii=False)
                except (PydanticSerializationError, ValueError, RecursionError) as error:
                    logger.exception("the tool %s returned what is no JSON", tool.name)
                    raise ToolError(
                        f"{tool.name} ran, but returned a {type(value).__name__} that cannot "
                        f"be written as JSON: {error}"
                    ) from error
        return self._cut(_defused(content)), None

    def _cut(self, content: str) -> str:
        limit = self._max_result_chars
        if len(content) <= limit:
            return content
        return f"{content[:limit]}… [cut: the first {limit} of {len(content)} characters]"

    def _failed(self, call: ToolCall, words: str) -> ToolResult:
        return ToolResult(call.id, call.name, self._cut(_defused(words)), is_error=True)


def late_note(finished: ToolFinished) -> Context:
    """A late result as data for the model: its call may have been forgotten with the turn."""
    call, result = finished.call, finished.result
    asked = json.dumps(call.arguments, ensure_ascii=False)
    came = "failed" if result.is_error else "came back"
    return Context(f"{call.name} {asked}, called before the user cut in, {came}: {result.content}")


class _NoTurn:
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *exc: object) -> None: ...


def _turn_of(tool: Tool, turns: dict[int, asyncio.Lock]) -> asyncio.Lock | _NoTurn:
    owner = getattr(tool.function, "__self__", None)
    if owner is None or tool.is_async:
        return _NoTurn()
    return turns.setdefault(id(owner), asyncio.Lock())


_CALL_MARK = re.compile(r"<(?=\||/?(?:tool_|tools>|function_call))", re.IGNORECASE)


def _defused(content: str) -> str:
    """The text with what could end a message or begin a call in the model's prompt broken up."""
    return _CALL_MARK.sub("< ", content)
