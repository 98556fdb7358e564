"""Pure values of the memory: a turn as it was, and a memory as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from omni_agent.messages import Language

LearnedBy = Literal["rules", "model"]
"""Who learned from what was said: rules, which are certain, or a model, for the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One finished turn of a conversation.

    `tools`, `place`: anything JSON can hold. `at`: timezone-aware; None means now.
    `speaker`: who said `user`; a person's name where it is known. `person`: their id in
    `Memory.people`. `reply` is what was heard of it; `unheard` the rest, where the user cut in
    after `interrupted_at_ms` of its sound.
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
    person: str | None = None
    unheard: str = ""
    interrupted_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMemory:
    """One row of the ledger.

    A fact has two times: `valid_from`–`valid_to` in the world (`valid_to` None: still so), and
    `recorded_at` – when it was learned – with `superseded_by` naming the fact that ended it.
    `person`: who said it; `about`: whom a fact is about; both are ids in `Memory.people`.
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
    person: str | None = None
    about: str | None = None

    @property
    def at(self) -> datetime:
        """When it happened, or since when it is so."""
        return self.valid_from or self.recorded_at


# --- people -----------------------------------------------------------------------------------

Consent = Literal["session", "asked", "named", "agreed"]
"""What somebody agreed to. `session`, `asked` (no answer yet): they live only while their call is
open. `named`: they told their name. `agreed`: they said that they may be remembered."""
Keeping = Literal["ask", "session", "off"]
"""Of whom a memory keeps voices and faces. `ask`: who told their name or agreed; all others only
for the call. `session`: nobody new beyond their call. `off`: nobody's, at any time."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with all that merges and links say is theirs. `name` is as they gave it: data."""

    id: str
    name: str | None
    consent: Consent
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Who:
    """Whose voice or face it is. `person`: also where it is unsure ("Is that Ben?"); None if new.

    `runner_up`: who came second, however far behind.
    """

    person: Person | None
    verdict: Literal["known", "unsure", "new"]
    score: float
    runner_up: Person | None = None


@dataclass(frozen=True, slots=True)
class KeptPrint:
    """What is told of a print that is kept; its vector stays inside.

    `quality`: 0 … 1. `seconds`: of the speech that a voice's was made of. `picture`: the id of the
    portrait that a face's was made of.
    """

    id: str
    person: str
    kind: Literal["voice", "face"]
    model: str
    quality: float
    seconds: float
    at: datetime
    call: str | None
    picture: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looked: `slot` "glasses", `value` "yes"; from when until when (None: still)."""

    id: str
    person: Person
    slot: str
    value: str
    confidence: float
    valid_from: datetime
    valid_to: datetime | None = None
    superseded_by: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was decided about people. `details`: ids, names before and after."""

    id: int
    at: datetime
    what: str
    details: Mapping[str, Any]
    undone: bool = False
