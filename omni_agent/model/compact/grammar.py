"""What an answer may look like, in llguidance's language."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from omni_agent.messages import ToolSpec

WORDS = r"""%llguidance {}
start: /[^{<`\[\s](.|\n)*/
"""
"""An answer in words: it does not begin like a call."""

_TIGHT_JSON = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}


def of_calls(tools: Sequence[ToolSpec]) -> str:
    """A call of one of these tools, `{"name": {arguments}}`, that fits its schema."""
    definitions: dict[str, Any] = {}
    calls = []
    for spec in tools:
        parameters = _strict(spec)
        definitions |= parameters.pop("$defs", {})
        calls.append(
            {
                "type": "object",
                "properties": {spec.name: parameters},
                "required": [spec.name],
                "additionalProperties": False,
            }
        )
    return f"%llguidance {{}}\nstart: {_json({'anyOf': calls, '$defs': definitions})}\n"


def of_arguments(spec: ToolSpec, said: str) -> str:
    """What comes after `{"name":` in a call of this tool.

    Where no number was said, none can be given that may be left out: small models make them up.
    """
    schema = _strict(spec)
    if not _NUMBER.search(said):
        required = schema.get("required", ())
        schema["properties"] = {
            name: what
            for name, what in schema["properties"].items()
            if name in required or not _is_number(what)
        }
    return f'%llguidance {{}}\nstart: " " arguments "}}"\narguments: {_json(schema)}\n'


_NUMBER = re.compile(
    r"\d|[零〇一二两三四五六七八九十百千半几双俩仨]|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve|\w+teen|\w+ty|hundred|thousand|half|quarter|third|double|twice|triple|dozen|"
    r"couple|few|pair|both|single|alone|an?|my(?:self)?|us|last|first|second|fourth|fifth)\b",
    re.IGNORECASE,
)
"""Words that a number may be taken from, such as "a quarter of an hour", "for us", "the last"."""


def _is_number(schema: dict[str, Any]) -> bool:
    kinds = {schema.get("type"), *(option.get("type") for option in schema.get("anyOf", ()))}
    return bool(kinds & {"integer", "number"}) and "string" not in kinds


def _strict(spec: ToolSpec) -> dict[str, Any]:
    return {**spec.parameters, "additionalProperties": False}


def _json(schema: dict[str, Any]) -> str:
    return f"%json {json.dumps({**schema, 'x-guidance': _TIGHT_JSON}, ensure_ascii=False)}"
