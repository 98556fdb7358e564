"""What the fixtures of the command line's tests give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from omni_agent.model.scripted import ScriptedModel


@dataclass
class Outcome:
    status: int
    out: str
    err: str


Run = Callable[..., Outcome]
Use = Callable[[ScriptedModel], ScriptedModel]
