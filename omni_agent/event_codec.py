"""Events and other values as JSON and back, exactly; sound, pictures and files as references.

A dataclass becomes an object with the name of its class under "type". `keep` says what becomes of
media; by itself it is only described, by length and checksum, and read back as silence and black.
What a value was is told by the annotations of its class, so that no name from a file is looked up
anywhere but in the class that is expected.
"""

from __future__ import annotations

import types
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import (
    Any,
    Literal,
    Protocol,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from omni_agent.errors import RecordingError
from omni_agent.events import LiveEvent
from omni_agent.media import Audio, Image

Media = Audio | Image | bytes | Path
Reference = dict[str, Any]
"""What stands for media in JSON: {"type": "Audio" | "Image" | "File", …}."""

VERSION = 1
"""Of how values are written; raised when what is written could no longer be read by older code."""


class Keep(Protocol):
    def __call__(self, media: Media, /) -> Reference:
        """Put it somewhere; what to write in its place."""
        ...


class Load(Protocol):
    def __call__(self, reference: Reference, /) -> Audio | Image | bytes:
        """What was put there."""
        ...


def described(media: Media, /) -> Reference:
    """Nothing is kept but what it was like; two sounds with one description are the same sound."""
    match media:
        case Audio(samples, rate):
            check = zlib.crc32(np.ascontiguousarray(samples, "<f4").tobytes())
            return {"type": "Audio", "rate": rate, "samples": len(samples), "crc32": check}
        case Image():
            width, height = media.size
            return {"type": "Image", "width": width, "height": height}
        case bytes():
            return {"type": "File", "bytes": len(media), "crc32": zlib.crc32(media)}
        case Path():
            return {"type": "File", "name": media.name}


def blank(reference: Reference, /) -> Audio | Image | bytes:
    """Silence as long as the sound was, black as large as the picture was, no bytes."""
    match reference["type"]:
        case "Audio":
            return Audio(np.zeros(reference["samples"], np.float32), reference["rate"])
        case "Image":
            return Image(np.zeros((reference["height"], reference["width"], 3), np.uint8))
        case _:
            return b""


# --- events ---------------------------------------------------------------------------------

_EVENTS: dict[str, type] = {kind.__name__: kind for kind in get_args(LiveEvent)}


def to_json(event: LiveEvent, keep: Keep = described) -> dict[str, Any]:
    """What `json.dumps` takes. Raises RecordingError for a value that is none of JSON's."""
    return cast("dict[str, Any]", encoded(event, keep))


def from_json(data: Mapping[str, Any], load: Load = blank) -> LiveEvent:
    """The reverse of `to_json`. Raises RecordingError, naming what is wrong."""
    kind = _EVENTS.get(str(data.get("type")))
    if kind is None:
        raise RecordingError(f"there is no event {data.get('type')!r} in this version")
    return cast("LiveEvent", decoded(data, kind, load))


# --- any value ------------------------------------------------------------------------------


def encoded(value: object, keep: Keep = described) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Audio() | Image() | bytes() | Path():
            return keep(value)
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return [encoded(part, keep) for part in value]
        case frozenset():
            return sorted(encoded(part, keep) for part in value)
        case Mapping():
            return {str(name): encoded(part, keep) for name, part in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            names = (field.name for field in fields(value))
            parts = {name: encoded(getattr(value, name), keep) for name in names}
            return {"type": type(value).__name__, **parts}
        case _:
            raise RecordingError(f"{value!r:.100} is a {type(value).__name__}, which is not JSON")


def decoded(data: Any, kind: Any, load: Load = blank, where: str = "") -> Any:
    """A value of the type `kind`, as an annotation says it. Raises RecordingError."""
    if kind is Any or kind is object:
        return data
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return decoded(data, _member(data, of, where), load, where)
    if origin is Literal:
        return _checked(data, data in of, f"one of {', '.join(map(repr, of))}", where)
    if origin is tuple and not (len(of) == 2 and of[1] is Ellipsis):
        parts = _checked(data, isinstance(data, list) and len(data) == len(of), "a list", where)
        return tuple(decoded(p, k, load, where) for p, k in zip(parts, of, strict=True))
    if origin in (tuple, list, frozenset):
        parts = _checked(data, isinstance(data, list), "a list", where)
        return origin(decoded(part, of[0], load, f"{where}[{i}]") for i, part in enumerate(parts))
    if origin in (dict, Mapping):
        parts = _checked(data, isinstance(data, dict), "an object", where)
        return {name: decoded(p, of[1], load, f"{where}.{name}") for name, p in parts.items()}
    if kind in _BY_REFERENCE:
        return load(_checked(data, _is_reference(data, kind), f"a {_BY_REFERENCE[kind]}", where))
    if is_dataclass(kind):
        return _dataclass(data, kind, load, where)
    if kind is datetime:
        try:
            return datetime.fromisoformat(data)
        except (TypeError, ValueError) as error:
            raise RecordingError(f"{where} is {data!r:.100}, and no time: {error}") from error
    if kind is float:
        return float(_checked(data, type(data) in (int, float), "a number", where))
    return _checked(data, type(data) is kind, _WORDS.get(kind, f"a {kind.__name__}"), where)


_WORDS: dict[type, str] = {int: "a whole number", str: "a text", bool: "true or false"}
_BY_REFERENCE: dict[type, str] = {Audio: "Audio", Image: "Image", bytes: "File", Path: "File"}


def _is_reference(data: Any, kind: type) -> bool:
    return isinstance(data, dict) and data.get("type") == _BY_REFERENCE[kind]


def _member(data: Any, of: tuple[Any, ...], where: str) -> Any:
    """Which of several types the value has."""
    if data is None and types.NoneType in of:
        return types.NoneType
    if isinstance(data, dict) and "type" in data:
        for kind in of:
            if data["type"] == _BY_REFERENCE.get(kind, getattr(kind, "__name__", "")):
                return kind
    for kind in of:
        if type(data) is kind or (kind is float and type(data) is int and int not in of):
            return kind
        if isinstance(data, list) and get_origin(kind) in (tuple, list, frozenset):
            return kind
        if get_origin(kind) is Literal and data in get_args(kind):
            return kind
    names = ", ".join(getattr(kind, "__name__", str(kind)) for kind in of)
    raise RecordingError(f"{where} is {data!r:.100}, and none of {names}")


def _dataclass(data: Any, kind: Any, load: Load, where: str) -> Any:
    name = kind.__name__
    good = isinstance(data, dict) and data.get("type") == name
    given = dict(_checked(data, good, f"a {name}", where or name))
    del given["type"]
    values = {}
    for field, hint in _fields(kind).items():
        if field in given:
            values[field] = decoded(given.pop(field), hint, load, f"{name}.{field}")
        elif field not in _optional(kind):
            raise RecordingError(f"{name} lacks {field!r}")
    if given:
        raise RecordingError(f"{name} has no {', '.join(map(repr, given))} in this version")
    return kind(**values)


@lru_cache
def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


@lru_cache
def _optional(kind: Any) -> frozenset[str]:
    """Fields that came later have a default, so that older recordings can be read."""
    return frozenset(
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    )


def _checked(data: Any, good: bool, wanted: str, where: str) -> Any:
    if not good:
        raise RecordingError(f"{where or 'the value'} is {data!r:.100}, and not {wanted}")
    return data
