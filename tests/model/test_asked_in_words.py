"""A model without a grammar is asked for JSON in words, and told once what was wrong with it."""

from __future__ import annotations

import json

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import GenerationError
from omni_agent.events import TextDelta
from omni_agent.messages import Context, Text
from omni_agent.model.base import Finished, ResponseOptions
from omni_agent.model.scripted import Draft, ScriptedModel, ScriptedSession
from omni_agent.model.structured import asked_in_words

SCHEMA = {
    "type": "object",
    "properties": {"likes": {"type": "string"}},
    "required": ["likes"],
    "additionalProperties": False,
}


async def asked(*replies: object) -> tuple[ScriptedSession, str, Finished]:
    session = await ScriptedModel(*replies).open_session("Tell what is said.")
    await session.feed(Text("I love plums."))
    options = ResponseOptions(schema=SCHEMA, speak=True)
    events = [e async for e in asked_in_words(session, options, FakeClock())]
    *texts, finished = events
    assert isinstance(finished, Finished)
    return session, "".join(e.text for e in texts if isinstance(e, TextDelta)), finished


@pytest.mark.parametrize("reply", ['{"likes": "plums"}', '```json\n{"likes": "plums"}\n```\n'])
async def test_json_that_fits_is_given_bare(reply: str) -> None:
    session, text, finished = await asked(reply)
    assert json.loads(text) == {"likes": "plums"}
    assert finished.reason == "done"
    (note,) = (p.text for p in session.answered[0] if isinstance(p, Context))
    assert json.dumps(SCHEMA) in note
    assert not session.asked[0].speak
    assert session.asked[0].tools == "none"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("Plums, I think.", "it is no JSON"),
        ('{"hates": "plums"}', "'likes' is a required property"),
        ('{"likes": 3}', "3 is not of type 'string'"),
    ],
)
async def test_what_does_not_fit_is_asked_for_once_more(reply: str, told: str) -> None:
    session, text, _ = await asked(Draft(reply), '{"likes": "plums"}')
    assert text == '{"likes": "plums"}'
    notes = [p.text for p in session.answered[1] if isinstance(p, Context)]
    assert len(notes) == 1
    assert told in notes[0]
    assert session.kept == ['{"likes": "plums"}']  # the first try is no part of the past


async def test_twice_wrong_is_an_error_that_shows_what_came() -> None:
    with pytest.raises(GenerationError, match="Still no plums"):
        await asked(Draft("No plums."), "Still no plums.")


async def test_what_broke_off_is_told_from_what_is_wrong() -> None:
    broken = ['{"likes": "pl', Finished("length", usage=None)]  # type: ignore[arg-type]
    _, text, finished = await asked(broken)
    assert text == '{"likes": "pl'
    assert finished.reason == "length"
