"""JSON from a checkpoint: asked in words, and what did not fit is no part of the past."""

from __future__ import annotations

import json

import pytest
from sessions import script, tokens_of, turn, words_of

from omni_agent.messages import Text

pytestmark = pytest.mark.usefixtures("short_speech")

SCHEMA = {"type": "object", "required": ["likes"], "properties": {"likes": {"type": "string"}}}


async def test_a_second_try_leaves_no_trace_of_the_first(model) -> None:
    session = await model.open_session("Tell what is said.")
    script(session, "Plums, I think.", '{"likes": "plums"}')
    events = await turn(session, Text("I love plums."), schema=SCHEMA, speak=True, max_tokens=40)
    assert json.loads(words_of(events)) == {"likes": "plums"}
    kept = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert kept.count("I love plums.") == 1
    assert kept.rstrip().endswith('{"likes": "plums"}')
    assert "<|im_start|>assistant\nPlums" not in kept
    await session.close()
