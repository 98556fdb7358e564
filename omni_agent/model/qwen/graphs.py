"""Recording a function's kernels once and replaying them: one launch instead of thousands."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from omni_agent.errors import UsageError

Result = TypeVar("Result")

SWITCH = "OMNI_AGENT_NO_CUDA_GRAPH"
"""Set to 1, this environment variable has every function called as it is."""

WARM_UP = 2
"""Calls that run as they are before one is recorded: libraries choose their kernels in these."""


class _Recorded(threading.local):
    """What this thread has recorded and still holds."""

    def __init__(self) -> None:
        self.functions: weakref.WeakSet[CUDAGraphed[Any]] = weakref.WeakSet()

    def pool(self) -> Any:
        """The memory that a thread's graphs work in, one after another; None before the first.

        Each would else keep its own, with tens of megabytes of cuBLAS's. What lies in it is good
        only until the next replay of any of them.
        """
        return next((function.pool for function in self.functions), None)


def records_graphs(device: torch.device | str) -> bool:
    """Whether functions on this device are recorded at all."""
    return torch.device(device).type == "cuda" and os.environ.get(SWITCH, "") in ("", "0")


class CUDAGraphed(Generic[Result]):
    """`function`, recorded as a CUDA graph at its third call and replayed from then on.

    The function gets tensors only, always of the same shapes and types (else UsageError), reads
    nothing back from the device, and may change tensors of its own in place: every call takes
    effect exactly once, recorded or not. Arguments are copied into the graph's memory, and what is
    returned, a tensor or a tuple of them, is copied out of it. Where graphs are not recorded (no
    CUDA, or the switch is set) the function is called as it is.
    """

    def __init__(self, function: Callable[..., Result], device: torch.device | str) -> None:
        self._function = function
        self._recording = records_graphs(device)
        self._calls_to_warm = WARM_UP
        self._signature: list[tuple[torch.Size, torch.dtype, torch.device]] | None = None
        self._graph: Any = None  # torch.cuda.CUDAGraph
        self._arguments: list[Tensor] = []
        self._result: Result

    @property
    def is_recorded(self) -> bool:
        return self._graph is not None

    @property
    def pool(self) -> Any:
        return self._graph.pool()

    def __call__(self, *arguments: Tensor) -> Result:
        self._check(arguments)
        if not self._recording:
            return self._function(*arguments)
        if self._calls_to_warm > 0:
            self._calls_to_warm -= 1
            return self._function(*arguments)
        if self._graph is None:
            self._record(arguments)
        for kept, given in zip(self._arguments, arguments, strict=True):
            kept.copy_(given, non_blocking=True)
        self._graph.replay()
        return _copied(self._result)

    def _record(self, arguments: tuple[Tensor, ...]) -> None:
        # Recording runs no kernel: the call that asked for it takes effect by the replay.
        self._arguments = [argument.clone() for argument in arguments]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=_recorded.pool(), capture_error_mode="thread_local"):
            self._result = self._function(*self._arguments)
        self._graph = graph
        _recorded.functions.add(self)

    def _check(self, arguments: tuple[Tensor, ...]) -> None:
        signature = [(given.shape, given.dtype, given.device) for given in arguments]
        if self._signature is None:
            self._signature = signature
        elif signature != self._signature:
            name = getattr(self._function, "__qualname__", repr(self._function))
            raise UsageError(
                f"{name} was first called with {self._signature} and is recorded for these only; "
                f"now it was called with {signature}."
            )


_recorded = _Recorded()


def _copied(result: Any) -> Any:
    if isinstance(result, Tensor):
        return result.clone()
    copies = (_copied(part) for part in result)
    return type(result)(*copies) if hasattr(result, "_fields") else tuple(copies)
