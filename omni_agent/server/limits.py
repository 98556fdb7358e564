"""How much one client may ask of the server, and how the server is reached."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from omni_agent.errors import SettingsError

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class _Checked(BaseModel):
    """Raises SettingsError, which names each value that cannot be used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError("; ".join(map(_in_words, error.errors()))) from error


class Limits(_Checked):
    """What one client gets at most. Who goes beyond is told so, and cut off where that helps."""

    calls: Count = 8
    """Live calls at a time."""
    requests: Count = 8
    """Chat completions at a time."""
    call_seconds: Seconds = 3600.0
    idle_seconds: Seconds = 300.0
    """A call in which nobody says or sends anything for so long is ended. Silence is nothing."""
    message_bytes: Count = 8 * 2**20
    """One WebSocket message, or the body of one request."""
    events_per_second: Seconds = 200.0
    event_burst: Count = 2000
    audio_ahead: Seconds = 120.0
    """Seconds of sound that may be sent faster than it would take to say it."""
    outgoing_bytes: Count = 8 * 2**20
    """What waits for a client, about two minutes of speech; who takes it too slowly is dropped."""
    stalled_seconds: Seconds = 10.0
    """A client that takes nothing at all for so long is dropped."""
    tool_seconds: Seconds = 120.0
    """How long a client may take to run one of its own tools."""
    tools: Count = 64
    items: Count = 1000
    """Conversation items that can be retrieved; older ones are forgotten, by the wire alone."""
    pixels: Count = 25_000_000


class ServerSettings(_Checked):
    """Where the server listens and whom it lets in.

    Beyond this machine it needs a `token`. `origins` are web pages of other sites that may connect
    ("https://example.org"); the server's own pages always may. `record` is a folder in which each
    call is kept in one of its own, with its voices and pictures.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    token: Annotated[str, Field(min_length=8)] | None = None
    origins: tuple[str, ...] = ()
    record: Path | None = None
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> ServerSettings:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(
                f"a server at {self.host} can be reached from other machines, and needs a token "
                f"that its clients know: --token {secrets.token_urlsafe(24)}"
            )
        return self


def _in_words(problem: Any) -> str:
    name = ".".join(map(str, problem["loc"]))
    if not name:
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{name}={problem['input']!r}: {problem['msg']}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(slots=True)
class Bucket:
    """Fills at `rate` a second up to `size`; what is taken out must be in it. `at`: seconds."""

    rate: float
    size: float
    level: float
    at: float

    @classmethod
    def full(cls, *, rate: float, size: float, at: float) -> Bucket:
        return cls(rate, size, size, at)

    def take(self, amount: float, *, at: float) -> bool:
        """False, and nothing is taken, where there is not enough."""
        self.level = min(self.size, self.level + self.rate * max(0.0, at - self.at))
        self.at = at
        if amount > self.level:
            return False
        self.level -= amount
        return True
