"""What an answer may look like, in llguidance's language."""

from __future__ import annotations

import json
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


def of_arguments(spec: ToolSpec) -> str:
    """What comes after `{"name":` in a call of this tool."""
    return f'%llguidance {{}}\nstart: " " arguments "}}"\narguments: {_json(_strict(spec))}\n'


def _strict(spec: ToolSpec) -> dict[str, Any]:
    return {**spec.parameters, "additionalProperties": False}


def _json(schema: dict[str, Any]) -> str:
    return f"%json {json.dumps({**schema, 'x-guidance': _TIGHT_JSON}, ensure_ascii=False)}"
