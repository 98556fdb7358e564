"""Replies in JSON: a grammar lets the Thinker spell nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from omni_agent.model.base import ResponseOptions
from omni_agent.model.compact.thinker import Completed, Sampling, Thinker

_TIGHT = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}


async def structured(
    thinker: Thinker, prompt: str, *, slot: int, options: ResponseOptions
) -> AsyncGenerator[str | Completed, None]:
    """The pieces of the JSON, then `Completed`. Raises ContextFull, GenerationError."""
    schema = json.dumps({**(options.schema or {}), "x-guidance": _TIGHT}, ensure_ascii=False)
    sampling = Sampling(
        temperature=options.temperature,
        seed=options.seed,
        grammar=f"%llguidance {{}}\nstart: %json {schema}\n",
    )
    pieces = thinker.complete(prompt, slot=slot, max_tokens=options.max_tokens, sampling=sampling)
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
