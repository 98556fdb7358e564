"""What is told everything that happens in a call."""

from __future__ import annotations

from typing import Any, Protocol

from omni_agent.events import LiveEvent


class CallTap(Protocol):
    """Told everything that goes into a call and comes out of it, for recording."""

    def came(self, verb: str, /, *values: Any) -> None: ...
    def went(self, event: LiveEvent, /) -> None: ...
    def close(self) -> None: ...
