"""What a turn has to do with the past: recalled before it, recorded after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from textwrap import shorten
from typing import TYPE_CHECKING, Protocol

from omni_agent.attending import NOBODY, SaidBy
from omni_agent.errors import MemoryStoreError
from omni_agent.events import RecalledMemory, ToolRun
from omni_agent.messages import Context, Heard, Language
from omni_agent.tools.base import ToolContext
from omni_agent.virtual_clock import working

if TYPE_CHECKING:
    from omni_agent.memory.records import TurnRecord

logger = logging.getLogger("omni_agent.turn")

LONGEST_NOTE = 240
"""Characters of one memory that are laid before the model, ordered best memory first."""


class TurnMemory(Protocol):
    """What a turn wants of the memory; its calls may block and are made in a worker thread."""

    def recall(
        self, query: str, *, limit: int, exclude_conversation: str, people: Sequence[str] = ()
    ) -> Sequence[RecalledMemory]: ...

    def record_turn(self, turn: TurnRecord) -> tuple[str, ...]: ...


async def recall(
    memory: TurnMemory, words: str, context: ToolContext, *, agent: str, limit: int
) -> tuple[RecalledMemory, ...]:
    """The memories that bear on `words`, best first; where recalling fails, none, and the log says.

    Raises MemoryStoreError where the memory cannot be used at all.
    """
    find = partial(memory.recall, words, limit=4 * limit, exclude_conversation=context.conversation)
    if there := [person.id for person in context.present]:
        find = partial(find, people=there)
    try:
        with working(context.clock):
            found = await asyncio.to_thread(find)
        # What somebody told is worth recalling; earlier requests and the agent's own answers
        # would only be taken for today's.
        told = (m for m in found if m.kind != "request" and m.speaker != agent)
        return tuple(islice(told, limit))
    except MemoryStoreError:
        raise
    except Exception:
        logger.exception("nothing could be recalled; the turn goes on without")
        return ()


def note_of(recalled: Sequence[RecalledMemory]) -> Context:
    """The note that lays memories before the model."""
    notes = "\n".join(shorten(m.text, LONGEST_NOTE, placeholder="…") for m in recalled)
    return Context(f"What you remember:\n{notes}")


async def record(
    memory: TurnMemory,
    context: ToolContext,
    *,
    agent: str,
    turn: int,
    user: str,
    reply: str,
    cut: Heard | None,
    runs: Sequence[ToolRun],
    language: Language,
    stopped: str,
    said_by: SaidBy = NOBODY,
) -> tuple[str, ...]:
    """Write a turn down; `cut` is what was heard of a reply that the user cut into."""
    from omni_agent.memory.records import TurnRecord

    written = TurnRecord(
        conversation=context.conversation,
        agent=agent,
        turn=turn,
        user=user,
        reply=(reply if cut is None else cut.text).strip(),
        unheard="" if cut is None else reply[len(cut.text) :].strip(),
        interrupted_at_ms=None if cut is None else cut.played_ms,
        tools=tuple(
            {
                "name": run.call.name,
                "arguments": run.call.arguments,
                "result": run.result.content,
                "is_error": run.result.is_error,
            }
            for run in runs
        ),
        language=language,
        at=context.clock.now(),
        place=asdict(context.place) if context.place else None,
        stopped=stopped,
        person=said_by.person,
        speaker=said_by.name or "user",
    )
    loop = asyncio.get_running_loop()
    writing = loop.run_in_executor(None, memory.record_turn, written)
    with working(context.clock):
        return await asyncio.shield(writing)  # a turn that is cancelled now is still written
