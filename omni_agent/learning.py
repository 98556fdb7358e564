"""Learns lasting facts from what people said, while nobody talks with the agent.

Rules read what is certain, as soon as a turn is over (memory/statements.py). For the rest the model
is asked to fill a form, one utterance at a time, once it has been quiet for a while; whatever words
that are certain do not bear out is dropped. What was learned from is marked in the memory, so that
it goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from omni_agent.clock import Clock
from omni_agent.errors import MemoryStoreError, ModelError
from omni_agent.events import TextDelta
from omni_agent.learning_form import EXAMPLES, FORM, INSTRUCTIONS
from omni_agent.messages import Text
from omni_agent.model.base import OmniModel, ResponseOptions
from omni_agent.virtual_clock import working

if TYPE_CHECKING:
    from omni_agent.memory.facts import Statement
    from omni_agent.memory.memory import Memory
    from omni_agent.memory.records import LearnedBy, StoredMemory

logger = logging.getLogger("omni_agent.learning")

QUIET = 10.0
"""Seconds without a turn or a call before the model is asked."""
AT_CLOSE = 2.0
"""Seconds that closing the agent may take longer, so as to learn the last it can."""
_BATCH = 50


class Learning:
    """`model`: the agent's, or None while it is not loaded. All calls come from the event loop."""

    def __init__(
        self,
        memory: Memory,
        model: Callable[[], OmniModel | None],
        *,
        clock: Clock,
        quiet: float = QUIET,
    ) -> None:
        self._memory, self._model = memory, model
        self._clock, self._quiet = clock, quiet
        self._working = 0
        self._until = math.inf  # by the real clock; from then on it is closing time
        self._reading: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """To be inside while there is a turn or a call: the model is left alone meanwhile."""
        self._working += 1
        self._call_off()
        try:
            yield
        finally:
            self._working -= 1
            self.turn_over()

    def turn_over(self) -> None:
        """Something was said and recorded."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a turn that was dropped, and its loop with it
            return
        if not _is_running(self._reading):
            self._reading = loop.create_task(self._logged(self.by_rules))
        if not self._working:
            self._call_off()
            self._waiting = loop.create_task(self._logged(self._when_quiet))

    async def by_rules(self) -> None:
        """Read everything that was not read yet; takes milliseconds."""
        with working(self._clock):
            await asyncio.to_thread(self._read)

    async def by_model(self) -> None:
        """Have the model read what it has not; nothing is read by one that fills no forms."""
        model = self._model()
        if model is None or not model.profile.structured:
            return
        with working(self._clock):
            while episodes := await asyncio.to_thread(self._memory.to_learn, "model", limit=_BATCH):
                for episode in episodes:
                    statements = await learned_from(episode, model)
                    await asyncio.to_thread(self._keep, episode, statements, "model")

    async def close(self, within: float = AT_CLOSE) -> None:
        """Learn what can be learned in so many seconds, and stop."""
        self._working += 1
        self._until = time.monotonic() + within
        self._call_off()
        if tasks := [t for t in (self._reading, self._waiting) if t and _is_running(t)]:
            await asyncio.wait(tasks)
        await self._logged(self.by_rules)
        learning = asyncio.create_task(self._logged(self.by_model))
        await asyncio.wait([learning], timeout=max(0.0, self._until - time.monotonic()))
        if not learning.done():
            learning.cancel()
            await asyncio.wait([learning])

    # --- inside ------------------------------------------------------------------------------

    def _call_off(self) -> None:
        if self._waiting is not None and _is_running(self._waiting):
            self._waiting.cancel()

    async def _when_quiet(self) -> None:
        await self._clock.sleep(self._quiet)
        await self.by_rules()
        await self.by_model()

    async def _logged(self, work: Callable[[], Awaitable[None]]) -> None:
        """Nobody waits for it, so that an error would be lost."""
        try:
            await work()
        except MemoryStoreError as error:
            logger.warning("nothing is learned any more: %s", error)
        except Exception:
            logger.exception("learning from what was said failed")

    def _read(self) -> None:
        from omni_agent.memory.statements import statements_in

        while time.monotonic() < self._until:
            if not (episodes := self._memory.to_learn("rules", limit=_BATCH)):
                return
            idle = []
            for episode in episodes:
                if statements := statements_in(episode.text):
                    self._keep(episode, statements, "rules")
                else:
                    idle.append(episode.id)
            self._memory.learned_nothing(idle, "rules")

    def _keep(self, episode: StoredMemory, statements: Sequence[Statement], by: LearnedBy) -> None:
        if not statements:
            self._memory.learned_nothing([episode.id], by)
        elif facts := self._memory.learn(episode, statements, by):
            logger.info("learned by %s from %s: %s", by, episode.id, ", ".join(facts))


async def learned_from(episode: StoredMemory, model: OmniModel) -> list[Statement]:
    """What a model reads in something somebody said, as far as the words bear it out."""
    from omni_agent.memory.facts import SPEAKER, Statement, same_thing
    from omni_agent.memory.statements import is_certain, may_state, statements_in

    if not may_state(episode.text):
        return []
    known = {(s.subject, same_thing(s.object)) for s in statements_in(episode.text)}
    found = []
    for fact in await _form(episode, model):
        subject = SPEAKER if fact["who"].casefold() in ("speaker", "user", "i") else fact["who"]
        one = Statement(subject=subject, predicate=fact["what"], object=fact["value"].strip(" .。"))
        if is_certain(one, episode.text) and (subject, same_thing(one.object)) not in known:
            found.append(one)
    return found


async def _form(episode: StoredMemory, model: OmniModel) -> list[dict[str, str]]:
    """The form as the model filled it; empty where it could not."""
    session = await model.open_session(INSTRUCTIONS, examples=EXAMPLES)
    try:
        await session.feed(Text(episode.text))
        options = ResponseOptions(speak=False, tools="none", schema=FORM, max_tokens=200)
        told = [e.text async for e in session.respond(options) if isinstance(e, TextDelta)]
        facts: list[dict[str, str]] = json.loads("".join(told))["facts"]
        return facts
    except ModelError as error:
        logger.warning("the model could not read %s: %s", episode.id, error)
    except json.JSONDecodeError:  # it broke off
        logger.info("the model came to no end with %s", episode.id)
    finally:
        await session.close()
    return []


def _is_running(task: asyncio.Task[None] | None) -> bool:
    """Not so, too, where the loop that it was to run in is gone."""
    return task is not None and not task.done() and not task.get_loop().is_closed()
