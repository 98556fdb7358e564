"""The compact model fills a form: a grammar lets it spell nothing else."""

from __future__ import annotations

import json

import pytest
import pytest_asyncio

from omni_agent.events import TextDelta
from omni_agent.messages import Exchange, Text
from omni_agent.model.base import Finished, ResponseOptions
from omni_agent.model.compact.model import CompactModel
from omni_agent.model.select import open_model

pytestmark = [pytest.mark.weights, pytest.mark.asyncio(loop_scope="module")]

FORM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "arguments": {"type": "array", "items": {"enum": ["likes", "dislikes"]}, "maxItems": 2},
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> CompactModel:
    opened = await open_model("compact")
    assert isinstance(opened, CompactModel)
    return opened


async def test_the_reply_is_json_that_fits_and_no_call(model: CompactModel) -> None:
    session = await model.open_session(
        "Write down who it is about.",
        examples=[Exchange("Tom loves tea.", '{"name": "Tom", "arguments": ["likes"]}')],
    )
    try:
        for said in ("Anna hates fog.", "Hello!"):
            await session.feed(Text(said))
            options = ResponseOptions(schema=FORM, max_tokens=80)
            events = [e async for e in session.respond(options)]
            assert all(isinstance(e, TextDelta | Finished) for e in events)
            told = json.loads("".join(e.text for e in events if isinstance(e, TextDelta)))
            assert set(told) == {"name", "arguments"}
            assert set(told["arguments"]) <= {"likes", "dislikes"}
            assert events[-1].reason == "done"
    finally:
        await session.close()
