"""What a call was opened with, as a value that can be written down."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from omni_agent.errors import SettingsError
from omni_agent.listening import Listening
from omni_agent.messages import Language, Message
from omni_agent.persona import Persona
from omni_agent.seeing import Seeing
from omni_agent.tools.base import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class WornPersona:
    """A `Persona` of whose tools only the names are known."""

    instructions: str | None = None
    tools: tuple[str, ...] = ()
    voice: str | None = None
    language: Language | None = None

    @classmethod
    def of(cls, persona: Persona) -> WornPersona:
        return cls(
            instructions=persona.instructions,
            tools=tuple(tool.name for tool in persona.tools),
            voice=persona.voice,
            language=persona.language,
        )

    @property
    def without_tools(self) -> Persona:
        return Persona(instructions=self.instructions, voice=self.voice, language=self.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """The arguments of `Agent.live`, but for who records the call.

    Raises SettingsError for limits that make no sense.
    """

    listening: Listening = field(default_factory=Listening)
    seeing: Seeing = field(default_factory=Seeing)
    player: Literal["own", "remote"] = "own"
    persona: WornPersona = WornPersona()
    place: Position | None = None
    history: tuple[Message, ...] = ()
    speak: bool = True
    answers: bool = True
    draft: bool = True
    prepare: bool = True
    max_seconds: float = 3600.0
    idle_seconds: float | None = None
    stall_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("max_seconds", "idle_seconds", "stall_seconds"):
            limit = getattr(self, name)
            if limit is not None and not limit > 0:
                raise SettingsError(f"{name}={limit!r}: give seconds above 0")

    def options(self, persona: Persona | None = None) -> dict[str, Any]:
        """For `Agent.live` again. `persona`: one that has its tools."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**options, "persona": persona or self.persona.without_tools}
