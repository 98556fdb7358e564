"""What a call and its turns want to know of the people who are there; see `presence`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from omni_agent.clock import Clock
from omni_agent.events import LiveEvent, PersonHere
from omni_agent.media import Audio, VideoFrame

if TYPE_CHECKING:
    from omni_agent.speaking import Emit


@dataclass(frozen=True, slots=True)
class SaidBy:
    """Whose words they were. `person`: their id in `Memory.people`; None where that is not sure.

    `name`: theirs, where it is known for sure. `number`: of the words, for who asked.
    """

    person: str | None = None
    name: str | None = None
    number: int = -1


NOBODY = SaidBy()


class Attending(Protocol):
    """All in the call's event loop; what is given returns at once."""

    def hear(self, sound: Audio, *, own: bool) -> None:
        """The microphone's sound, all of it. `own`: while only the agent speaks."""
        ...

    def see(self, frame: VideoFrame, source: str) -> None: ...

    def speech_begins(self, at_ms: int) -> None:
        """The user's turn began at this moment of the microphone's sound."""
        ...

    def speech_ends(self, at_ms: int | None) -> None:
        """Its last syllable, as far as it has come; None: it goes on."""
        ...

    def went(self, event: LiveEvent) -> None:
        """What the call gave out."""
        ...

    @property
    def present(self) -> tuple[PersonHere, ...]:
        """Who is in view or in earshot, from left to right."""
        ...

    @property
    def speaking(self) -> str | None:
        """The name of who speaks at this moment."""
        ...

    async def who(self, text: str) -> SaidBy:
        """Whose words these are, of the turn that is open. Changes nothing."""
        ...

    async def heard(self, text: str) -> SaidBy:
        """The turn is certain, and these are its words: takes in what they tell of names."""
        ...

    def kept(self, memory: str) -> None:
        """What was `heard` last is kept under this id."""
        ...

    def note(self, said: SaidBy) -> str | None:
        """What to lay before the model: who speaks, and who is there if that has changed."""
        ...

    async def close(self) -> None: ...


async def attendance_of(memory: object, *, call: str, clock: Clock, emit: Emit) -> Attending | None:
    """None where there is no memory, it keeps nobody, or nobody can be told apart."""
    if memory is None:
        return None
    from omni_agent.presence.attendance import Attendance

    return await Attendance.of(memory, call=call, clock=clock, emit=emit)


def with_names(names: Sequence[str], attending: Attending | None) -> tuple[str, ...]:
    """These names and those of all who are surely there, each once."""
    there = () if attending is None else attending.present
    return tuple(dict.fromkeys([*names, *(p.name for p in there if p.name and p.sure)]))
