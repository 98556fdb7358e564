"""Small conversions at the edge of the ledger: ids, times, JSON."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from omni_agent.errors import SettingsError

Vectors = npt.NDArray[np.float32]
"""[n, dim] float32, each row of length 1."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: an id can be read out and typed


def new_id(prefix: str, at: datetime) -> str:
    """An id that sorts by time and tells nothing else: prefix, 45 bits of ms, 35 random bits."""
    number = (int(at.timestamp() * 1000) & (1 << 45) - 1) << 35 | secrets.randbits(35)
    return f"{prefix}_" + "".join(_DIGITS[number >> 5 * i & 31] for i in reversed(range(16)))


def to_seconds(at: datetime) -> float:
    if at.tzinfo is None:
        raise SettingsError(
            f"The time {at.isoformat()} has no timezone. Give one, e.g. tzinfo=datetime.UTC."
        )
    return at.timestamp()


def to_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def dump(name: str, value: Any) -> str:
    """JSON as stored. Raises SettingsError for what JSON cannot hold."""
    try:
        return clean(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsError(f"{name} cannot be kept as JSON ({error}): {value!r:.200}") from error


def load(text: str) -> Any:
    return json.loads(text)


def clean(text: str) -> str:
    """The text with lone surrogates, which no file can hold, as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def strings(value: Any) -> Iterator[str]:
    """Every string inside a JSON value, keys too."""
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield str(key)
                yield from strings(inner)
        case list() | tuple():
            for inner in value:
                yield from strings(inner)
        case _:
            yield json.dumps(value)
