"""The nets of listening, loaded once and shared by all calls of a process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from omni_agent.model.compact.vad import Vad


class TurnJudge(Protocol):
    def over(self, samples: np.ndarray) -> float:
        """float32 [n] at 16 kHz, up to a pause → how likely the speaker has finished, 0 … 1."""
        ...


class Senses:
    """`vad` tells speech from silence; `judge` is asked in pauses, on a thread of its own."""

    def __init__(self, vad: Vad, judge: TurnJudge | None) -> None:
        self.vad = vad
        self._judge = judge
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="smart-turn")

    @property
    def can_judge(self) -> bool:
        return self._judge is not None

    def give_up_judging(self) -> None:
        """The judge broke down: from now on silence alone ends turns."""
        self._judge = None

    def ask(self, samples: np.ndarray) -> Future[float]:
        """Have the judge think about `samples`; returns at once."""
        assert self._judge is not None
        return self._worker.submit(self._judge.over, samples)

    def close(self) -> None:
        """Wait for the answer that is being found, drop the questions in the queue."""
        self._worker.shutdown(cancel_futures=True)


_shared: dict[bool, Senses] = {}
_loading = threading.Lock()


async def shared_senses(*, judging: bool) -> Senses:
    """The senses of this process, loaded at the first call; with `judging` Smart Turn among them.

    Smart Turn is fetched through the catalog where it is missing (9 MB, group "live"). Raises
    MissingExtra, CatalogError, ModelLoadError.
    """
    if judging in _shared:
        return _shared[judging]
    return await asyncio.to_thread(_load, judging)


def _load(judging: bool) -> Senses:
    from omni_agent.model.compact.vad import Vad

    with _loading:
        if judging not in _shared:
            known = _shared.get(not judging)
            judge = _smart_turn() if judging else None
            _shared[judging] = Senses(known.vad if known else Vad(), judge)
        return _shared[judging]


def _smart_turn() -> TurnJudge:
    from omni_agent.listening.smart_turn import SmartTurn
    from omni_agent.model.catalog import catalog

    return SmartTurn(catalog().ensure("smart-turn")["smart-turn"])
