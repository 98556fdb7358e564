"""JSON from a model that no grammar binds: asked for in words, checked, asked for once more."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from omni_agent.clock import Clock
from omni_agent.errors import GenerationError
from omni_agent.events import TextDelta
from omni_agent.messages import Context
from omni_agent.model.base import Finished, MalformedCall, ModelEvent, ModelSession, ResponseOptions

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_TRIES = 2


async def asked_in_words(
    session: ModelSession, options: ResponseOptions, clock: Clock
) -> AsyncGenerator[ModelEvent, None]:
    """What `respond` yields for `options` with a schema: all of the JSON at once, then `Finished`.

    Raises GenerationError where the second try does not fit either.
    """
    schema = options.schema or {}
    wanted = f"Answer with JSON that fits this schema, and nothing else: {json.dumps(schema)}"
    plain = replace(options, schema=None, speak=False, tools="none")
    problem = ""
    for attempt in range(_TRIES):
        if attempt:
            await session.reopen()
        await session.feed(Context(f"{wanted}{problem}"))
        text, finished = "", None
        async with aclosing(session.respond(plain)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        text += event.text
                    case MalformedCall():
                        text += event.raw
                    case Finished():
                        finished = event
        assert finished is not None, "a reply ends with Finished"
        fenced = _FENCED.fullmatch(text)
        text = fenced[1] if fenced else text.strip()
        wrong = what_is_wrong(text, schema)
        if wrong is None or finished.reason == "length":
            yield TextDelta(text, clock.monotonic())
            yield finished
            return
        problem = f"\nYou wrote {text!r:.400}, which does not: {wrong}"
    raise GenerationError(f"the model gave no JSON that fits the schema:{problem}")


def what_is_wrong(text: str, schema: Mapping[str, Any]) -> str | None:
    """Why a text is no JSON that fits; None if it is."""
    import jsonschema

    try:
        jsonschema.validate(json.loads(text), schema)
    except json.JSONDecodeError as error:
        return f"it is no JSON ({error})"
    except jsonschema.ValidationError as error:
        return error.message
    return None
