"""Pure values of the memory: a turn as it was, and a memory as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from omni_agent.messages import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One finished turn of a conversation.

    `tools`, `place`: anything JSON can hold. `at`: timezone-aware; None means now.
    `speaker`: who said `user`; a person's name where it is known. `reply` is what was heard of it;
    `unheard` the rest, where the user cut in after `interrupted_at_ms` of its sound.
    """

    conversation: str
    agent: str
    turn: int
    user: str
    reply: str
    tools: tuple[Mapping[str, Any], ...] = ()
    language: Language = "en"
    at: datetime | None = None
    place: Any = None
    stopped: str = "done"
    speaker: str = "user"
    unheard: str = ""
    interrupted_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMemory:
    """One row of the ledger.

    A fact has two times: `valid_from`–`valid_to` in the world (`valid_to` None: still so), and
    `recorded_at` – when it was learned – with `superseded_by` naming the fact that ended it.
    """

    id: str
    kind: str
    text: str
    recorded_at: datetime
    speaker: str | None = None
    conversation: str | None = None
    language: Language | None = None
    subject: str | None = None
    predicate: str | None = None
    object: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    superseded_by: str | None = None
    source: str | None = None

    @property
    def at(self) -> datetime:
        """When it happened, or since when it is so."""
        return self.valid_from or self.recorded_at
