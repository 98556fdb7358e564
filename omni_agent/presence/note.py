"""Who is there, in words for the model. Names and looks are data that people gave."""

from __future__ import annotations

from collections.abc import Sequence

from omni_agent.attending import SaidBy
from omni_agent.events import PersonHere
from omni_agent.tools.people_meant import side_of

_MOST = 6  # people that are told of
_LONGEST = 40  # characters of a name or a look


def note_of(present: Sequence[PersonHere], said: SaidBy) -> tuple[str, str]:
    """Who is there, and who speaks; each may be empty.

    "Present: Anna (left, glasses), perhaps Ben (right)." "Anna is speaking."
    """
    told = [_one(person, present) for person in present[:_MOST]]
    if len(present) > _MOST:
        told.append(f"{len(present) - _MOST} more")
    here = f"Present: {', '.join(told)}." if told else ""
    is_one_of = len(present) > 1 and said.name is not None
    return here, f"{_plain(said.name or '')} is speaking." if is_one_of else ""


def _one(person: PersonHere, present: Sequence[PersonHere]) -> str:
    name = "somebody unknown" if person.name is None else _plain(person.name)
    if person.name is not None and not person.sure:
        name = f"perhaps {name}"
    details = [side_of(person, present) or ""]
    details += [_look(slot, value) for slot, value in person.looks]
    known = ", ".join(_plain(d) for d in details if d)
    return f"{name} ({known})" if known else name


def _look(slot: str, value: str) -> str:
    match value.casefold():
        case "yes":
            return slot
        case "no" | "none":
            return f"no {slot}"
        case _:
            return f"{value} {slot}" if slot not in value else value


def _plain(text: str) -> str:
    """One line, without marks that could end the note or begin an order."""
    return "".join(c for c in " ".join(text.split()) if c not in '"()[]<>{}|')[:_LONGEST]
