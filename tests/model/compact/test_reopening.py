"""The user goes on after the answer was begun: whole words, and no trace of the draft."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing

import numpy as np
import pytest
import pytest_asyncio

from omni_agent.errors import SettingsError
from omni_agent.events import AudioDelta, TextDelta
from omni_agent.media import Audio
from omni_agent.messages import (
    Context,
    Exchange,
    Heard,
    Message,
    Text,
    ToolCall,
    ToolExample,
    ToolResult,
    ToolSpec,
)
from omni_agent.model.base import Finished, ModelEvent, ResponseOptions
from omni_agent.model.compact.model import CompactModel
from omni_agent.model.compact.session import CompactSession
from omni_agent.model.select import open_model

pytestmark = [pytest.mark.weights, pytest.mark.asyncio(loop_scope="module")]

TIMER = ToolSpec(
    "set_timer",
    "Start a timer.",
    {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]},
    (ToolExample("Three minutes, please.", {"minutes": 3}),),
)
TALK = (Exchange("Hello!", "Hello! What can I do for you?"),)
SPLIT = {
    "en": ("I would like to cook something", "with tofu and mushrooms for four people."),
    "zh": ("我想做一道菜，", "用豆腐和蘑菇，四个人吃。"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> CompactModel:
    opened = await open_model("compact")
    assert isinstance(opened, CompactModel)
    return opened


async def spoken(model: CompactModel, text: str, language: str = "en") -> Audio:
    """As a microphone gives it: 16 kHz, and a little silence behind it."""
    voice = {"en": "am_michael", "zh": "zm_yunxi"}[language]
    sound = (await model.speak(text, voice=voice, language=language)).resampled(16_000)
    return Audio(np.append(sound.samples, np.zeros(4_800, np.float32)), 16_000)


async def fed(session: CompactSession, sound: Audio) -> None:
    for start in range(0, len(sound.samples), 3_200):
        await session.feed(Audio(sound.samples[start : start + 3_200], sound.rate))
        await asyncio.sleep(0.01)


async def answer(session: CompactSession, **options: object) -> list[ModelEvent]:
    given = ResponseOptions(**{"speak": False, "max_tokens": 40, **options})  # type: ignore[arg-type]
    return [event async for event in session.respond(given)]


def words(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def prompt(session: CompactSession) -> str:
    turns = [*session._past, *([session._turn] if session._turn else [])]
    return session._prompt.render(turns)[len(session._prompt.fixed) :]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_who_goes_on_is_heard_whole(model: CompactModel, language: str) -> None:
    first, rest = [await spoken(model, part, language) for part in SPLIT[language]]
    together = await model.open_session("You are brief.")
    await together.feed(Audio.join([first, rest]))
    whole = await together.transcript()
    assert whole is not None
    session = await model.open_session("You are brief.")
    await fed(session, first)
    heard = await session.transcript()
    assert heard is not None
    await session.feed(Context("It is late."))
    async with aclosing(session.respond(ResponseOptions())) as events:
        async for event in events:
            if isinstance(event, AudioDelta):
                break
    await session.reopen()
    assert await session.transcript() == heard
    assert session.caption == heard
    assert prompt(session) == ""
    await fed(session, rest)
    assert await session.transcript() == whole
    answered = await answer(session)
    assert words(answered)
    assert "late" not in prompt(session)
    assert prompt(session).count("<|im_start|>") == 2
    assert prompt(session).startswith(f"<|im_start|>user\n{whole.text}<|im_end|>")
    for each in (session, together):
        await each.close()


async def caught_up(session: CompactSession, word: str) -> None:
    """The ears have heard the last word, and the Thinker has read it."""
    async with asyncio.timeout(120):
        while session.caption is None or word not in session.caption.text:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)  # the ears' news are on their way
        while session._prefilling is not None and not session._prefilling.done():
            await asyncio.sleep(0.02)


async def test_the_words_that_follow_a_draft_are_read_while_they_come(
    model: CompactModel,
) -> None:
    session = await model.open_session("You are brief.")
    await session.feed(await spoken(model, "I would like to cook something"))
    await answer(session, max_tokens=4)
    await session.reopen()
    await session.feed(
        await spoken(model, "with tofu and mushrooms for four people, and without any cream")
    )
    await caught_up(session, "cream")
    answered = await answer(session, max_tokens=4)
    assert isinstance(answered[-1], Finished)
    usage = answered[-1].usage
    assert usage.prompt_tokens - usage.cached_tokens < 12  # of thirty or so
    await session.close()


async def test_calls_of_a_draft_never_were_whether_they_ran_or_not(model: CompactModel) -> None:
    session = await model.open_session("You set timers.", [TIMER], examples=TALK)
    await session.feed(Text("Hello!"))
    await answer(session)
    before = prompt(session)
    for ran in (False, True):
        await session.feed(Text("Set a timer for five minutes"))
        calls = [event for event in await answer(session) if isinstance(event, ToolCall)]
        assert [call.id for call in calls] == ["call_1"]
        if ran:
            await session.feed(ToolResult("call_1", "set_timer", "5 minutes"))
            assert words(await answer(session))
        await session.reopen()
        assert prompt(session) == before
        await session.feed(Text("and say goodbye."))
        await answer(session, say="Goodbye.")
        assert prompt(session) == (
            before + "<|im_start|>user\nSet a timer for five minutes and say goodbye.<|im_end|>\n"
            "<|im_start|>assistant\nGoodbye.<|im_end|>\n"
        )
        await session.reopen()
        await session.discard()
        assert prompt(session) == before
    await session.close()


async def test_a_reply_is_taken_as_given_once_more_is_fed(model: CompactModel) -> None:
    session = await model.open_session("You are brief.")
    await session.reopen()
    await session.feed(Text("Hello."))
    await answer(session, say="Hello to you.")
    await session.rewind(Heard("Hello", 300))
    await session.feed(await spoken(model, "What is the time?"))
    await session.transcript()
    await session.reopen()  # before it was answered
    await session.feed(await spoken(model, "Is it late?"))
    heard = await session.transcript()
    assert heard is not None
    assert re.search("time.*late", heard.text)
    assert prompt(session).endswith("<|im_start|>assistant\nHello<|im_end|>\n")
    await answer(session, say="Late.")
    assert prompt(session).endswith("<|im_start|>assistant\nLate.<|im_end|>\n")
    await session.close()


async def test_who_goes_on_while_the_ears_are_still_at_work_is_heard_whole(
    model: CompactModel,
) -> None:
    session = await model.open_session("You are brief.")
    first, rest = [await spoken(model, part) for part in SPLIT["en"]]
    await session.feed(first)
    drafting = asyncio.create_task(answer(session))
    await asyncio.sleep(0.02)
    drafting.cancel()
    await asyncio.wait([drafting])
    await session.reopen()
    await session.feed(rest)
    heard = await session.transcript()
    assert heard is not None
    assert {"cook", "something", "tofu", "mushrooms"} <= set(re.findall(r"\w+", heard.text))
    assert not model._organs.ears.hurried
    await session.close()


async def test_what_was_fed_and_not_answered_can_be_discarded(model: CompactModel) -> None:
    session = await model.open_session("You are brief.")
    await session.feed(Text("Hello."))
    await session.feed(await spoken(model, "What is the time?"))
    await session.feed(Context("It is late."))
    await session.discard()
    assert session.caption is None
    assert await session.transcript() is None
    await session.feed(Text("Bye."))
    await answer(session, say="Bye.")
    assert prompt(session).startswith("<|im_start|>user\nBye.<|im_end|>")
    await session.close()


async def test_a_conversation_goes_on_where_an_earlier_one_ended(model: CompactModel) -> None:
    history = [
        Message("assistant", (Text("Hello!"),)),
        Message("user", (await spoken(model, "My lucky number is seventeen."),)),
        Message("assistant", (Text("I will <|im_end|> remember it."),)),
        Message("user", (Text("Three minutes, please."),)),
        Message("assistant", (ToolCall("call_4", "set_timer", {"minutes": 3}),)),
        Message("tool", (ToolResult("call_4", "set_timer", "It runs."),)),
        Message("assistant", (Text("Three minutes from now."),)),
    ]
    session = await model.open_session("You are brief.", [TIMER], examples=TALK, history=history)
    assert re.fullmatch(
        r"<\|im_start\|>assistant\nHello!<\|im_end\|>\n"
        r"<\|im_start\|>user\nMy lucky number is (17|seventeen)\.<\|im_end\|>\n"
        r"<\|im_start\|>assistant\nI will ‹\|im_end\|> remember it.<\|im_end\|>\n"
        r"<\|im_start\|>user\nThree minutes, please.<\|im_end\|>\n"
        r'<\|im_start\|>assistant\n{"set_timer": {"minutes": 3}}<\|im_end\|>\n'
        r"<\|im_start\|>user\n<tool_response>\nIt runs.\n</tool_response><\|im_end\|>\n"
        r"<\|im_start\|>assistant\nThree minutes from now.<\|im_end\|>\n",
        prompt(session),
    )
    assert session._prefilling is not None
    await session._prefilling
    await session.feed(Text("What is my lucky number?"))
    events = await answer(session)
    assert re.search("17|seventeen", words(events))
    assert isinstance(events[-1], Finished)
    assert events[-1].usage.prompt_tokens - events[-1].usage.cached_tokens < 20
    await session.feed(Text("Set a timer for five minutes."))
    assert "call_5" in [event.id for event in await answer(session) if isinstance(event, ToolCall)]
    await session.close()


async def test_an_earlier_conversation_may_end_in_what_wants_an_answer(
    model: CompactModel,
) -> None:
    asked = Message("user", (Text("Three minutes, please."),))
    called = Message("assistant", (ToolCall("a", "set_timer", {"minutes": 3}),))
    came_back = ToolResult("a", "set_timer", "It runs.")
    for history in ([asked], [asked, called], [asked, called, Message("tool", (came_back,))]):
        session = await model.open_session("You set timers.", [TIMER], history=history)
        if len(history) == 2:
            await session.feed(came_back)
        assert words(await answer(session, say="It runs.")) == "It runs."
        assert prompt(session).startswith("<|im_start|>user\nThree minutes, please.<|im_end|>\n")
        assert ("<tool_response>" in prompt(session)) == (len(history) > 1)
        await session.close()
    with pytest.raises(SettingsError, match=r"history\[0\]"):
        await model.open_session("", history=[Message("tool", (came_back,))])


async def test_of_a_history_that_is_too_long_the_end_is_known(model: CompactModel) -> None:
    long = [
        Message("user", (Text(f"Number {n}. " + "Words and words. " * 100),)) for n in range(200)
    ]
    history = [m for asked in long for m in (asked, Message("assistant", (Text("I see."),)))]
    history += [Message("user", (Text("I live in Turku."),)), Message("assistant", (Text("Ok."),))]
    session = await model.open_session("You are brief.", history=history)
    assert prompt(session).endswith(
        "I live in Turku.<|im_end|>\n<|im_start|>assistant\nOk.<|im_end|>\n"
    )
    assert 5 < prompt(session).count("I see.") < 20
    await session.close()
