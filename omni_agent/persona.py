"""What one conversation changes of its agent."""

from __future__ import annotations

from dataclasses import dataclass

from omni_agent.messages import Language
from omni_agent.tools.base import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """None leaves what the agent has; `tools` come on top of the agent's own."""

    instructions: str | None = None
    tools: tuple[Tool, ...] = ()
    voice: str | None = None
    language: Language | None = None
