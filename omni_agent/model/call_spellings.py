"""What a piece of text means as tool calls: JSON in the shapes that models write, and near-JSON."""

from __future__ import annotations

import ast
import difflib
import json
import re
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SpeltCall:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Meant as a call, but not one; in words for the model."""

    text: str


_NAME_KEYS = ("name", "function", "tool", "tool_name", "function_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "params")
_ENVELOPE_KEYS = {*_NAME_KEYS, *_ARGUMENT_KEYS, "id", "type"}
_CALL_KEYS = {*_ENVELOPE_KEYS, "tool_call", "tool_calls", "function_call"} - {"name", "id"}

_NAMES = "|".join(_NAME_KEYS)
_SHAPE = re.compile(rf"""["']?\b({_NAMES})["']?\s*:\s*["']?([\w.-]*)""")
_ARGUMENTS = re.compile(rf"""["']?\b({"|".join(_ARGUMENT_KEYS)})["']?\s*:""")
_FIRST_KEY = re.compile(r"""\[?\s*\{+\s*["']([\w.-]*)(?:\Z|(["']))""")
_STRING = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_BARE_WORD = re.compile(rf"({_STRING})|\b(true|false|null)\b", re.DOTALL)
_BARE_KEY = re.compile(rf"({_STRING})|([{{,]\s*)([A-Za-z_]\w*)(?=\s*:)", re.DOTALL)
_PYTHON_WORDS = {"true": "True", "false": "False", "null": "None"}


def read_calls(
    raw: str, names: Collection[str], *, tagged: bool = False
) -> list[SpeltCall | Problem] | None:
    """The calls in a JSON-like object or array; None if it is no call at all.

    Between call tags everything is meant as a call, so that what is none is a Problem there.
    """
    try:
        value = _loads(raw)
    except ValueError as error:
        if tagged or looks_like_call(raw, names):
            return [Problem(f"the call is no valid JSON ({error})")]
        return None
    calls = list(_calls_in(value, names, tagged))
    if calls:
        return calls
    if tagged:
        return [Problem('a call is written {"name": …, "arguments": {…}}')]
    return None


def read_function_style(
    name: str, inside: str, names: Collection[str]
) -> list[SpeltCall | Problem]:
    """A call spelt `name(inside)`, where inside is one object or `key=value` pairs."""
    if name not in names:
        return [_unknown(name, names)]
    inside = inside.strip()
    try:
        if inside.startswith("{"):
            arguments = _loads(inside)
        else:
            call = _parsed(f"f({_in_python(inside)})")
            if not isinstance(call, ast.Call) or call.args:
                return [Problem(f"the arguments of {name} must be named")]
            arguments = _as_json({k.arg: ast.literal_eval(k.value) for k in call.keywords})
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        return [Problem(f"the arguments of {name} cannot be read ({error})")]
    return [_checked(name, arguments)]


def looks_like_call(raw: str, names: Collection[str], *, cut: bool = False) -> bool:
    """Whether broken text was meant as a call. `cut`: the text ends where the stream did."""
    if cut and (start := _FIRST_KEY.match(raw)) is not None:
        key, whole = start.groups()
        if key in names or key in _CALL_KEYS:
            return True
        if not whole and any(known.startswith(key) for known in ("name", *_CALL_KEYS, *names)):
            return True
    for shape in _SHAPE.finditer(raw):
        if shape[2] in names or (shape[2] and _ARGUMENTS.search(raw)):
            return True
        if cut and shape.end() == len(raw) and any(name.startswith(shape[2]) for name in names):
            return True
    return False


def _calls_in(value: Any, names: Collection[str], tagged: bool) -> Iterator[SpeltCall | Problem]:
    match value:
        case list():
            for item in value:
                yield from _calls_in(item, names, tagged)
        case dict():
            name = next((value[k] for k in _NAME_KEYS if isinstance(value.get(k), str)), None)
            key = next((k for k in _ARGUMENT_KEYS if k in value), None)
            if name is not None and name in names:
                rest = {k: v for k, v in value.items() if k not in _ENVELOPE_KEYS}
                yield _checked(name, value[key] if key else rest)
            elif name is not None and (key or tagged):
                yield _unknown(name, names)
            elif len(value) == 1 and (only := next(iter(value))) in names:
                yield _checked(only, value[only])
            else:
                for item in value.values():
                    yield from _calls_in(item, names, False)


def _checked(name: str, arguments: Any) -> SpeltCall | Problem:
    if isinstance(arguments, str) and arguments.strip():
        try:
            arguments = _loads(arguments)
        except ValueError as error:
            return Problem(f"the arguments of {name} are no valid JSON ({error})")
    if not arguments:
        return SpeltCall(name, {})
    if not isinstance(arguments, dict):
        return Problem(f"the arguments of {name} must be an object, not {arguments!r}")
    return SpeltCall(name, arguments)


def _unknown(name: str, names: Collection[str]) -> Problem:
    near = difflib.get_close_matches(name, names, n=3) or sorted(names)[:8]
    return Problem(f'there is no tool "{name}"; there is: {", ".join(near) or "none at all"}')


def _loads(raw: str) -> Any:
    """The value of JSON or of what small models take for it. Raises ValueError."""
    attempts = [raw]
    if raw.startswith("{{"):
        attempts += [raw[1:-1], raw.replace("{{", "{").replace("}}", "}")]
    first_error: ValueError | None = None
    for text in attempts:
        try:
            return json.loads(text, strict=False)
        except ValueError as error:
            first_error = first_error or error
        except RecursionError:
            raise ValueError("nested too deep") from None
        try:
            return _as_json(ast.literal_eval(_parsed(_in_python(text))))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue  # the next attempt may fit; the first error is the one to tell
    raise first_error or ValueError("empty")


def _parsed(text: str) -> ast.expr:
    with warnings.catch_warnings(action="ignore"):  # a model's escapes are not Python's
        return ast.parse(text.strip(), mode="eval").body


def _in_python(text: str) -> str:
    text = _BARE_WORD.sub(lambda m: m[1] or _PYTHON_WORDS[m[2]], text)
    return _BARE_KEY.sub(lambda m: m[1] or f'{m[2]}"{m[3]}"', text)


def _as_json(value: Any) -> Any:
    """Tuples to lists, keys to texts; TypeError for what JSON does not have."""
    return json.loads(json.dumps(value))
