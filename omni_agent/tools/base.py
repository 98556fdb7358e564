"""A tool: an ordinary function that a model may call, described by its signature and docstring.

For example:

    @tool(filler="Let me look.", examples=[("any sushi near?", {"dish": "sushi"})])
    def find_dish(dish: str, ctx: ToolContext, limit: int = 3) -> list[str]:
        'Find places that serve a dish.'
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Literal, Protocol, overload

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ToolDefinitionError, ToolError
from omni_agent.events import PersonHere, RecalledMemory
from omni_agent.messages import Language, ToolExample, ToolSpec
from omni_agent.tools.fillers import FILLERS, Filler, phrases_in, varied
from omni_agent.tools.frames import Frames, FrameSource
from omni_agent.tools.schema import Signature, read_signature

logger = logging.getLogger("omni_agent.tools")

Example = str | tuple[str, Mapping[str, Any]]
"""An utterance with the arguments it means, or without."""
OnInterrupt = Literal["keep", "drop"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


home_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("home_loop")
"""The agent's event loop, for a plain function that runs in a thread and starts something."""


class Tool:
    """A function with what a model must know to call it. Made by `tool`; still callable as before.

    On a method it is a descriptor: `kitchen.next_step` is a tool that acts on that `kitchen`.
    `on_interrupt` says whether a run goes on ("keep") when the user speaks over the turn, and its
    result is told later. An async generator is a watcher (`tools/watching.py`).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        timeout: float | None = None,
        needs_approval: bool = False,
        filler: Filler | None = FILLERS,
        examples: Sequence[Example] = (),
        on_interrupt: OnInterrupt = "drop",
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        inject = (ToolContext, Frames)
        signature = read_signature(function, inject=inject, namespace=namespace)
        if Frames in signature.injected and not inspect.isasyncgenfunction(function):
            raise ToolDefinitionError(
                f"{function.__qualname__}: only a watcher, an `async def` with `yield`, takes "
                "`Frames`; another tool may open `ctx.frames`"
            )
        self.name = _valid_name(name if name is not None else function.__name__, function)
        self.timeout = _valid_timeout(timeout, function)
        self.needs_approval = needs_approval
        self.on_interrupt = _valid_on_interrupt(on_interrupt, function)
        self.function = function
        self._filler = filler
        self._signature: Signature = signature
        self.spec = ToolSpec(
            name=self.name,
            description=signature.description,
            parameters=signature.parameters,
            examples=_valid_examples(examples, signature, function),
        )
        functools.update_wrapper(self, function)

    @property
    def description(self) -> str:
        return self.spec.description

    @property
    def examples(self) -> tuple[ToolExample, ...]:
        return self.spec.examples

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    @property
    def is_watcher(self) -> bool:
        return inspect.isasyncgenfunction(self.function)

    @property
    def frames_parameter(self) -> str | None:
        """Where a watcher wants to be given the `Frames`."""
        return self._signature.injected.get(Frames)

    @property
    def is_bound(self) -> bool:
        """False for a method that was taken from its class and not from an object."""
        return not self._signature.is_method or inspect.ismethod(self.function)

    def filler_for(self, language: Language, said: Sequence[str] = ()) -> str | None:
        """What to say while the tool works; None where nothing is given in this language.

        `said`: the fillers that were said before, the newest last; another one is chosen.
        """
        return varied(phrases_in(language, self._filler), said)

    def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Callable[[], Any]:
        """The call, validated and ready to be made; what it returns is awaitable if `is_async`.

        Raises ToolError, in words for the model, where an argument is wrong, missing or unknown.
        """
        if not self.is_bound:
            raise ToolDefinitionError(
                f"{self.function.__qualname__} is a method without its object; "
                f"give the tool as `object.{self.__name__}`"
            )
        values = self._signature.parse(arguments)
        if (context_parameter := self._signature.injected.get(ToolContext)) is not None:
            values[context_parameter] = context
        return functools.partial(self.function, **values)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __get__(self, instance: object | None, owner: type | None = None) -> Tool:
        if instance is None or not self._signature.is_method:
            return self
        bound = copy.copy(self)
        bound.function = self.function.__get__(instance, owner)
        functools.update_wrapper(bound, bound.function, updated=())
        return bound

    def __repr__(self) -> str:
        return f"<Tool {self.name}{inspect.signature(self.function)}>"

    __name__: str


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    timeout: float | None = None,
    needs_approval: bool = False,
    filler: Filler | None = FILLERS,
    examples: Sequence[Example] = (),
    on_interrupt: OnInterrupt = "drop",
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function or method into a `Tool`, from its annotations and docstring.

    `timeout` is in seconds (None: the runner's). `filler` is spoken while a slow tool works: one
    text or several that take turns, for all languages or for each; None: nothing. `examples` pair
    an utterance with the arguments it should lead to, and teach small models, the first ones most;
    an utterance alone teaches only when the tool is due. Parameters annotated `ToolContext` and,
    in watchers, `Frames` are filled in by the runner.

    Raises ToolDefinitionError, naming function and parameter, where a model could not call it.
    """
    namespace = _names_in_scope(sys._getframe(1))
    if function is not None:
        return Tool(function, namespace=namespace)
    return functools.partial(Tool, namespace=namespace, **options)


@dataclass(frozen=True, slots=True)
class Say:
    """Return it from a tool to have `text` spoken word for word; `data` is what the model reads."""

    text: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Position:
    """Where someone is. Degrees, WGS 84; `heading` clockwise from north, where they face."""

    lat: float
    lon: float
    heading: float | None = None
    label: str | None = None


class MemoryView(Protocol):
    """What a tool may do with the agent's memory. Called from any thread."""

    def remember(
        self,
        text: str,
        *,
        kind: str = "fact",
        subject: str | None = None,
        predicate: str | None = None,
        object: str | None = None,
    ) -> str:
        """Keep a memory; gives its id."""
        ...

    def recall(self, query: str, *, limit: int = 5) -> Sequence[RecalledMemory]:
        """The memories nearest to the query, best first."""
        ...

    def load_state(self, name: str) -> dict[str, Any] | None:
        """What was last saved under this name, also before a restart."""
        ...

    def save_state(self, name: str, state: dict[str, Any]) -> None:
        """Replace what is kept under this name; `state` is JSON."""
        ...


class Announce(Protocol):
    def __call__(self, text: str, /) -> None:
        """Have `text` spoken as soon as nobody speaks; may be called long after the tool ended."""
        ...


class TransientMemory:
    """A memory that ends with the process: keeps states, recalls by shared words."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._memories: list[RecalledMemory] = []
        self._states: dict[str, dict[str, Any]] = {}

    def remember(self, text: str, **details: Any) -> str:
        id = f"m{len(self._memories) + 1}"
        kind = str(details.get("kind", "fact"))
        now, speaker = self._clock.now(), details.get("speaker")
        self._memories.append(RecalledMemory(id, text, kind, now, score=0.0, speaker=speaker))
        return id

    def recall(self, query: str, *, limit: int = 5) -> list[RecalledMemory]:
        words = set(re.findall(r"\w+", query.casefold()))

        def score(memory: RecalledMemory) -> float:
            return len(words & set(re.findall(r"\w+", memory.text.casefold()))) / (len(words) or 1)

        scored = [replace(m, score=score(m)) for m in reversed(self._memories) if score(m)]
        return sorted(scored, key=lambda m: -m.score)[:limit]

    def load_state(self, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self._states.get(name))

    def save_state(self, name: str, state: dict[str, Any]) -> None:
        self._states[name] = copy.deepcopy(state)


def _announce_to_nobody(text: str, /) -> None:
    logger.warning("a tool spoke up, but nobody listens: %s", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """The situation a tool is called in. `heard`: what the user said or wrote in this turn, and
    `language` its language.

    `agent` is the name under which the agent's own words are remembered. `people`: names of those
    who are there; `present`: in a call, all who are in view or in earshot, from left to right.
    `speaker`: the id of whose words are answered, where that is known. `frames` is what the user
    shows; None where there are no eyes.
    """

    agent: str = "agent"
    clock: Clock = SYSTEM_CLOCK
    language: Language = "en"
    heard: str = ""
    conversation: str = ""
    memory: MemoryView = field(default_factory=TransientMemory)
    place: Position | None = None
    people: tuple[str, ...] = ()
    present: tuple[PersonHere, ...] = ()
    speaker: str | None = None
    announce: Announce = _announce_to_nobody
    frames: FrameSource | None = None


def _names_in_scope(frame: FrameType) -> dict[str, Any]:
    """The local names where a tool is defined, so that annotations may use local types."""
    names = dict(frame.f_locals)
    while not frame.f_code.co_flags & inspect.CO_OPTIMIZED and frame.f_back is not None:
        if frame.f_code.co_name == "<module>":
            break
        frame = frame.f_back  # a class body: the scope around it counts too
        names = {**frame.f_locals, **names}
    return names


def _valid_name(name: str, function: Callable[..., Any]) -> str:
    if not _NAME.fullmatch(name):
        raise ToolDefinitionError(
            f"{function.__qualname__}: {name!r} cannot be a tool's name; use up to 64 letters, "
            "digits, _ and -, a letter or _ first"
        )
    return name


def _valid_timeout(timeout: float | None, function: Callable[..., Any]) -> float | None:
    if timeout is not None and not timeout > 0:
        raise ToolDefinitionError(
            f"{function.__qualname__}: timeout is {timeout!r}; give seconds above 0, or None"
        )
    return timeout


def _valid_on_interrupt(choice: OnInterrupt, function: Callable[..., Any]) -> OnInterrupt:
    if choice not in ("keep", "drop"):
        raise ToolDefinitionError(
            f'{function.__qualname__}: on_interrupt is {choice!r}; it is "keep" or "drop"'
        )
    return choice


def _valid_examples(
    examples: Sequence[Example],
    signature: Signature,
    function: Callable[..., Any],
) -> tuple[ToolExample, ...]:
    valid: list[ToolExample] = []
    for example in examples:
        match example:
            case (str(utterance), Mapping() as arguments):
                pass
            case str(utterance):
                known: dict[str, Any] | None = (
                    None if signature.parameters.get("properties") else {}
                )
                valid.append(ToolExample(utterance, known))
                continue
            case _:
                raise ToolDefinitionError(
                    f"{function.__qualname__}: the example {example!r} is neither an utterance "
                    "nor a pair of one and a dict of arguments"
                )
        try:
            signature.check(arguments)
        except ToolError as error:
            raise ToolDefinitionError(
                f"{function.__qualname__}: the example {utterance!r} is wrong: {error}"
            ) from error
        valid.append(ToolExample(utterance, dict(arguments)))
    return tuple(valid)
