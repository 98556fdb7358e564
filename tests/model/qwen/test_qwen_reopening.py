"""The user goes on after the answer was begun: in the end it is as if it had never been begun."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import numpy as np
import pytest
import torch
from conversations import picture, sound
from sessions import TIMER, script, tokens_of, turn

from omni_agent.errors import UnsupportedInput
from omni_agent.events import TextDelta
from omni_agent.media import Audio, VideoFrame
from omni_agent.messages import Context, Heard, Text, ToolCall, ToolResult
from omni_agent.model.base import ResponseOptions

pytestmark = pytest.mark.usefixtures("short_speech")

CALL = '<tool_call>\n{"name": "set_timer", "arguments": {}}\n</tool_call>'


def cut(audio: Audio, chance: random.Random, longest: float = 2.5) -> list[Audio]:
    """In pieces of any length."""
    left, made = audio.samples, []
    while len(left):
        size = chance.randrange(1, round(longest * audio.rate))
        made.append(Audio(left[:size], audio.rate))
        left = left[size:]
    return made


async def drafted(session, chance: random.Random) -> None:
    """An answer that is begun in any way and left at any moment."""
    if chance.random() < 0.5:
        await session.feed(Context("It is late."))
    said, left = "", chance.randrange(6)
    say = "I see." if chance.random() < 0.2 else None
    options = ResponseOptions(max_tokens=4, speak=chance.random() < 0.2, say=say)
    async with aclosing(session.respond(options)) as events:
        async for event in events:
            said += event.text if isinstance(event, TextDelta) else ""
            left -= 1
            if left < 0:
                break
    match chance.randrange(4):
        case 0:
            await session.rewind(Heard(said[: chance.randrange(len(said) + 1)], 0))
        case 1:
            await session.feed(ToolResult("call_1", "set_timer", "3 minutes"))
            await turn(session, max_tokens=3)
        case 2:
            await session.transcript()
    await session.reopen()


async def assert_same(session, other) -> None:
    """Of what was heard and read, of what comes next, and of what the voice was given."""
    assert tokens_of(session) == tokens_of(other)
    one, two = session._dialogue.context, other._dialogue.context
    for context in (one, two):
        context.catch_up()
    assert torch.equal(one.thinker.positions.ids, two.thinker.positions.ids)
    length = one.length
    assert one.talker.prompt_length == two.talker.prompt_length == length
    for mine, others in (
        (one.thinker.cache, two.thinker.cache),
        (one.talker.cache, two.talker.cache),
    ):
        torch.testing.assert_close(
            mine.keys[:, :, :, :length], others.keys[:, :, :, :length], rtol=2e-4, atol=2e-4
        )
        assert not mine.keys[:, :, :, length:].any()


SHOTS = [VideoFrame(picture(56, 42, n), n / 2) for n in range(3)]


def heard_and_seen(chance: random.Random) -> list[Audio | VideoFrame]:
    """A frame in every half second of sound."""
    noise = sound(1.6, chance.randrange(9))
    pieces = [Audio(part, 16_000) for part in np.array_split(noise.samples, 3)]
    return [each for pair in zip(SHOTS, pieces, strict=True) for each in pair]


TURNS = {
    "words": lambda chance: [Text("What"), Text(" is "), Text("it?")],
    "sound": lambda chance: cut(sound(4.6, chance.randrange(99)), chance),
    "sound of 48 kHz": lambda chance: cut(Audio(sound(9.0).samples, 48_000), chance, 0.5),
    "quiet, then loud": lambda chance: cut(
        Audio(np.concatenate([sound(3.1).samples * 1e-3, sound(1.5, 3).samples]), 16_000), chance
    ),
    "pictures and words": lambda chance: [Text("This: "), picture(60, 90), Text(" And?")],
    "words, sound, picture": lambda chance: [
        *[Text("Listen:"), *cut(sound(2.4), chance)],
        *[picture(60, 60), *cut(sound(1.1, 4), chance), Text("So?")],
    ],
    "frames": lambda chance: [*SHOTS],
    "frames with sound": heard_and_seen,
    "sound, then frames too": lambda chance: [sound(0.7), *heard_and_seen(chance)],
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", TURNS)
async def test_a_turn_that_was_opened_again_is_as_one_that_was_fed_whole(model, kind, seed) -> None:
    chance = random.Random(seed)
    parts = TURNS[kind](chance)
    whole, session = [await model.open_session("Be kind.", [TIMER]) for _ in range(2)]
    for each in (whole, session):
        if seed % 2:
            await turn(each, Text("Hello."), sound(1.3))
    for part in parts:
        await session.feed(part)
        for _ in range(chance.randrange(3)):
            await drafted(session, chance)
    for part in parts:
        await whole.feed(part)
    for each in (whole, session):
        await turn(each, Context("Noon."), max_tokens=4)
    await assert_same(session, whole)
    for each in (whole, session):
        await turn(each, Text("Thanks."), max_tokens=2)
    await assert_same(session, whole)
    for each in (whole, session):
        await each.close()


async def test_what_was_encoded_is_not_encoded_again(model, monkeypatch) -> None:
    session = await model.open_session("Be kind.")
    context = session._dialogue.context.thinker
    blocks, senses = [], context.senses
    encode = senses.blocks
    monkeypatch.setattr(
        senses, "blocks", lambda due, first: blocks.extend(due) or encode(due, first)
    )
    tone = np.sin(np.arange(104_000) * 0.3).astype(np.float32)  # of one loudness
    await session.feed(Audio(tone[:80_000], 16_000))
    await turn(session, max_tokens=2)
    assert len(blocks) == 3  # 2 s, 2 s, 1 s
    before = context.length
    await session.reopen()
    assert before - context.length == 25 + 1 + 2 + 3 + 2  # the block of 1 s, marks, and the reply
    await session.feed(Audio(tone[80_000:], 16_000))
    assert len(blocks) == 4
    await turn(session, max_tokens=2)
    assert len(blocks) == 5
    await session.close()


async def test_a_call_that_is_taken_back_gives_its_number_back(model) -> None:
    session = await model.open_session("Be kind.", tools=[TIMER])
    script(session, "Hello.", CALL, "It runs.", CALL)
    await turn(session, Text("Hi."))
    held = tokens_of(session)
    calls = await turn(session, Text("Three minutes"), max_tokens=80)
    await turn(session, ToolResult("call_1", "set_timer", "3 minutes"))
    await session.reopen()
    assert tokens_of(session)[: len(held)] == held
    again = await turn(session, Text("and a half."), max_tokens=80)
    assert calls[0] == again[0] == ToolCall("call_1", "set_timer", {})
    assert "Three minutesand a half." in model._loaded.chat._tokenizer.decode(tokens_of(session))
    await session.close()


async def test_after_it_was_opened_again_the_reply_before_is_the_last(model) -> None:
    session = await model.open_session("Be kind.")
    script(session, "One two three.", "Never heard.", "Yes.")
    await turn(session, Text("Count."))
    await session.feed(sound(2.5))
    await turn(session)
    await session.reopen()
    await session.rewind(Heard("One two", 0))
    await turn(session, Text("Stop!"))
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert "assistant\nOne two<|im_end|>\n<|im_start|>user\n<|audio_bos|>" in held
    assert "heard" not in held
    assert held.count("<|audio_bos|>") == 1
    await session.close()


async def test_a_reply_is_taken_as_given_once_more_is_fed(model) -> None:
    session = await model.open_session("Be kind.")
    empty = tokens_of(session)
    await session.reopen()
    script(session, "One.", "Two.")
    await turn(session, Text("1?"))
    held = tokens_of(session)
    await session.feed(Text("2?"))
    await session.feed(Context("A note."))
    await session.reopen()  # before it was answered
    await turn(session)
    assert tokens_of(session)[: len(held)] == held
    assert "note" not in model._loaded.chat._tokenizer.decode(tokens_of(session))
    await session.reopen()
    await session.discard()  # nothing but the marks stays
    assert tokens_of(session)[: len(held)] == held
    with pytest.raises(UnsupportedInput, match="nothing to answer"):
        await turn(session)
    assert len(tokens_of(session)) <= len(held) + 2
    assert tokens_of(session)[: len(empty)] == empty
    await session.close()


@pytest.mark.parametrize("parts", [[Text("Hello.")], [sound(2.3), Text("Well?")], [sound(3.0)]])
async def test_what_is_discarded_was_never_fed(model, parts) -> None:
    session, other = [await model.open_session("Be kind.") for _ in range(2)]
    for each in (session, other):
        await turn(each, Text("Hi."))
    for part in parts:
        await session.feed(part)
    await session.feed(Context("A note."))
    await session.discard()
    for each in (session, other):
        await turn(each, Text("Bye."))
    await assert_same(session, other)
    for each in (session, other):
        await each.close()


async def test_who_goes_on_while_the_last_block_is_still_read_loses_nothing(
    model, monkeypatch
) -> None:
    session, other = [await model.open_session("Be kind.") for _ in range(2)]
    first, rest = sound(2.9), sound(1.2, 5)
    await session.feed(first)
    thinker = session._dialogue.context.thinker
    prefill, loop = thinker._decoder.prefill, asyncio.get_running_loop()
    drafting = asyncio.create_task(turn(session))

    def called_off(*given):
        loop.call_soon_threadsafe(drafting.cancel)
        session._dialogue.cancel()
        return prefill(*given)

    with monkeypatch.context() as slow:
        slow.setattr(thinker._decoder, "prefill", called_off)
        with pytest.raises(asyncio.CancelledError):
            await drafting
        await session._run(lambda: None)
    await session.reopen()
    await turn(session, rest)
    await turn(other, first, rest)
    await assert_same(session, other)
    for each in (session, other):
        await each.close()


async def test_what_left_the_full_context_during_a_draft_comes_back(model) -> None:
    """The tool's long answer takes the room of the sound that was asked with."""
    session = await model.open_session("Be kind.", tools=[TIMER])
    script(session, CALL, "So long.", "Yes.")
    await turn(session, sound(9.0), max_tokens=80)
    assert "<|audio_bos|>" in model._loaded.chat._tokenizer.decode(tokens_of(session))
    await turn(session, ToolResult("call_1", "set_timer", "word " * 300))
    assert "<|audio_bos|>" not in model._loaded.chat._tokenizer.decode(tokens_of(session))
    await session.reopen()
    await session.feed(sound(1.0))
    await turn(session)
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert held.count("<|AUDIO|>") == 250
    assert "word" not in held
    await session.close()
