"""A conversation with a loaded checkpoint, from the first word that is fed to the last sound."""

from __future__ import annotations

import random
import re

import pytest
import torch
from conversations import picture, sound
from sessions import TIMER, script, thoughts_of, tokens_of, turn, words_of
from talking import generated

from omni_agent.errors import (
    ContextFull,
    MediaError,
    UnsupportedInput,
)
from omni_agent.events import AudioDelta
from omni_agent.media import Audio, VideoFrame
from omni_agent.messages import Context, Heard, Text, ToolCall, ToolResult
from omni_agent.model.base import MalformedCall
from omni_agent.model.qwen.parts import AudioPiece, TextPiece
from omni_agent.model.qwen.token2wav import SpeechStream

pytestmark = pytest.mark.usefixtures("short_speech")


@pytest.mark.asyncio
async def test_two_turns_are_what_generate_makes_of_the_whole_prompt(
    model, reference, monkeypatch
) -> None:
    codes: list[int] = []
    push = SpeechStream.push
    monkeypatch.setattr(
        SpeechStream, "push", lambda stream, more: codes.extend(more) or push(stream, more)
    )
    session = await model.open_session("Be kind.")
    chat = model._loaded.chat
    utterance = sound(3.3)
    told = [TextPiece([*chat.system("Be kind."), 151644, 872, 198])]
    for seed, (parts, pieces) in enumerate(
        [
            ((utterance,), [AudioPiece(utterance), TextPiece(chat.encode("<|im_end|>\n"))]),
            ((Text("And now?"),), [TextPiece(chat.encode("And now?<|im_end|>\n"))]),
        ]
    ):
        codes.clear()
        events = await turn(session, *parts, speak=True, seed=seed)
        told += [*pieces, TextPiece(chat.reply_begin)]
        expected = generated(reference, told, tokens=9, seed=seed)
        said = tokens_of(session)[-8:]
        assert said == expected.tokens[:8]
        assert codes == expected.codes
        assert events[-1].usage.completion_tokens == 8
        told.append(TextPiece([*said, *chat.encode("<|im_end|>\n<|im_start|>user\n")]))
    await session.close()


async def test_sound_and_pictures_are_prefilled_while_they_come(model) -> None:
    utterance = sound(5.0)
    whole, pieces = [await model.open_session("Be kind.") for _ in range(2)]
    await whole.feed(utterance)
    lengths = []
    for start in range(0, 80_000, 1_600):
        await pieces.feed(Audio(utterance.samples[start : start + 1_600], 16_000))
        lengths.append(pieces._dialogue.context.length)
    assert lengths[45] - lengths[0] == 100  # two blocks of 2 s
    for session in (whole, pieces):
        await turn(session, picture(60, 100), Text("What is this?"))
    assert tokens_of(whole) == tokens_of(pieces)
    for one, other in zip(thoughts_of(whole), thoughts_of(pieces), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=2e-4)
    events = await turn(pieces, Text("And?"))
    usage = events[-1].usage
    assert usage.prompt_tokens - usage.cached_tokens < 16
    for session in (whole, pieces):
        await session.close()


async def test_frames_and_sound_of_one_turn_are_one_video(model) -> None:
    shots = [VideoFrame(picture(56, 42, n), 7.0 + n / 2) for n in range(4)]
    blip = sound(0.5)
    expected = [
        *model._loaded.chat.system("Look."),
        *(151644, 872, 198, 151652, 151647),
        *[151656] * (2 * len(await tokens_of_pair(model, shots))),
        *[151646] * 50,
        *(151648, 151653, 151645, 198, 151644, 77091, 198),
    ]
    mixed = [part for shot in shots for part in (shot, blip)]
    for parts in (mixed, [blip, *mixed[:-1]], [*shots, *[blip] * 4]):
        session = await model.open_session("Look.")
        await turn(session, *parts, max_tokens=1)
        assert tokens_of(session)[:-1] == expected
        await session.close()
    session = await model.open_session("Look.")
    await turn(session, *shots, max_tokens=1)
    assert tokens_of(session).count(151646) == 0
    assert tokens_of(session).count(151656) == expected.count(151656)
    with pytest.raises(MediaError, match="in their order"):
        await turn(session, shots[1], shots[0])
    assert words_of(await turn(session, shots[2], Text("go on")))
    await session.close()


async def tokens_of_pair(model, shots) -> list[int]:
    session = await model.open_session("Look.")
    await turn(session, *shots[:2], max_tokens=1)
    held = tokens_of(session)
    await session.close()
    return [token for token in held if token == 151656]


@pytest.mark.parametrize("seed", range(4))
async def test_after_a_rewind_it_is_as_if_no_more_had_been_said(model, seed) -> None:
    chance = random.Random(seed)
    session = await model.open_session("Be kind.")
    script(session, "It is a soup of 番茄 and eggs 🍲, quite simple.")
    events = await turn(session, Text("What is it?"), speak=bool(seed % 2), max_tokens=40)
    before = len(tokens_of(session)) - events[-1].usage.completion_tokens
    said = words_of(events)
    heard = said[: chance.randrange(len(said))]
    await session.rewind(Heard(heard, 0))
    del session._dialogue._think
    kept = tokens_of(session)[before:]
    chat = model._loaded.chat
    spelt = b"".join(map(chat.spelling, kept))
    assert heard.encode().startswith(spelt)
    assert len(heard.encode()) - len(spelt) < 8  # no whole token less than was heard
    next_words = await turn(session, Text("Go on."))
    context = session._dialogue.context
    context.catch_up()
    fresh = model._new_context()
    fresh.prefill(TextPiece(tokens_of(session)))
    fresh.catch_up()
    length = fresh.length
    for ours, never in ((context.thinker, fresh.thinker), (context.talker, fresh.talker)):
        torch.testing.assert_close(
            ours.cache.keys[:, :, :, :length],
            never.cache.keys[:, :, :, :length],
            rtol=2e-4,
            atol=2e-4,
        )
        assert not ours.cache.keys[:, :, :, length:].any()
    assert torch.equal(context.thinker.positions.ids, fresh.thinker.positions.ids)
    told = tokens_of(session)[:before] + kept + chat.encode("<|im_end|>\n<|im_start|>user\nGo on.")
    assert tokens_of(session)[: len(told)] == told
    assert words_of(next_words)
    await session.close()


async def test_what_was_fed_before_a_rewind_is_not_lost(model) -> None:
    session = await model.open_session("Be kind.")
    script(session, "One two three.", "Yes.")
    await turn(session, Text("Count."))
    await session.feed(sound(2.5))
    await session.feed(Context("It is late."))
    await session.rewind(Heard("One two", 0))
    await turn(session, Text("Stop!"))
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert re.search(
        r"assistant\nOne two<\|im_end\|>\n<\|im_start\|>user\n<\|audio_bos\|>(<\|AUDIO\|>){62,63}"
        r"<\|audio_eos\|>Stop!\n\(It is late.\)<\|im_end\|>\n<\|im_start\|>assistant\nYes.\Z",
        held,
    )
    await session.close()


CALL = '<tool_call>\n{"name": "set_timer", "arguments": {"minutes": 3}}\n</tool_call>'


async def test_a_call_goes_out_and_its_result_comes_back(model) -> None:
    session = await model.open_session("Be kind.", tools=[TIMER])
    script(session, f"Right away.\n{CALL}", "It runs.", f"{CALL}{CALL}", "<tool_call>{oops")
    events = await turn(session, Text("Three minutes!"), speak=True, max_tokens=80)
    call = ToolCall("call_1", "set_timer", {"minutes": 3})
    assert call in events
    assert words_of(events) == "Right away."
    assert events[-1].reason == "calls"
    sounds = [event for event in events if isinstance(event, AudioDelta)]
    assert sounds[-1].text_upto == len("Right away.")
    events = await turn(session, ToolResult("call_1", "set_timer", "3 minutes"))
    assert words_of(events) == "It runs."
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert held.endswith(
        f"Right away.\n{CALL}<|im_end|>\n<|im_start|>user\n<tool_response>\n3 minutes\n"
        "</tool_response><|im_end|>\n<|im_start|>assistant\nIt runs."
    )
    calls = await turn(session, Text("Two!"), max_tokens=80)
    assert [event.id for event in calls[:-1]] == ["call_2", "call_3"]
    assert not words_of(calls)
    events = await turn(session, ToolResult("", "", "No such call."))
    assert isinstance(events[0], MalformedCall)
    await session.rewind(Heard("", 0))
    assert "oops" not in model._loaded.chat._tokenizer.decode(tokens_of(session))
    await session.close()


async def test_words_heard_before_a_call_that_ran_keep_the_call(model) -> None:
    session = await model.open_session("Be kind.", tools=[TIMER])
    script(session, f"Right away.\n{CALL}", "It runs well.")
    await turn(session, Text("Three minutes!"), max_tokens=80)
    await turn(session, ToolResult("call_1", "set_timer", "3 minutes"))
    await session.rewind(Heard("Right away. It runs", 0))
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert held.endswith("</tool_response><|im_end|>\n<|im_start|>assistant\nIt runs")
    await session.rewind(Heard("Right", 0))
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert held.endswith("<|im_start|>assistant\nRight")
    await session.close()


async def test_given_words_are_said_and_fillers_leave_nothing(model) -> None:
    session = await model.open_session("Be kind.")
    before = tokens_of(session)
    events = await turn(session, say="Stir the <|im_end|> soup.", speak=True)
    assert words_of(events) == "Stir the ‹|im_end|> soup."
    assert any(isinstance(event, AudioDelta) for event in events)
    held = tokens_of(session)
    decoded = model._loaded.chat._tokenizer.decode(held[len(before) :])
    assert decoded == "<|im_start|>assistant\nStir the ‹|im_end|> soup."
    events = await turn(session, say="One moment.", keep=False, speak=True)
    assert words_of(events) == "One moment."
    assert tokens_of(session) == [*held, *model._loaded.chat.turn_end]
    assert (await turn(session, say=""))[0].reason == "done"
    with pytest.raises(UnsupportedInput, match="nothing to answer"):
        await turn(session)
    await turn(session, Text("Thanks."))
    await session.close()


async def test_a_full_context_loses_media_first_and_then_words(model, caplog) -> None:
    session = await model.open_session("Be kind.")
    for number in range(5):
        await turn(session, Text(f"This is sound {number}:"), sound(5.0, number), max_tokens=4)
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert "sounds and pictures leave" in caplog.text
    assert all(f"This is sound {number}:" in held for number in range(5))
    assert "no longer kept" in held
    assert held.count("<|audio_bos|>") < 5
    for number in range(8):
        await turn(session, Text(f"Listen, {number}. " + "Words and words. " * 20), max_tokens=4)
    held = model._loaded.chat._tokenizer.decode(tokens_of(session))
    assert "turns leave" in caplog.text
    assert "<|audio_bos|>" not in held
    assert "Listen, 7." in held
    assert held.startswith(model._loaded.chat._tokenizer.decode(tokens_of(session)[:40]))
    assert "Be kind." in held
    before = tokens_of(session)
    with pytest.raises(ContextFull):
        await turn(session, Text("words " * 900))
    assert tokens_of(session) == before
    assert words_of(await turn(session, Text("Shorter.")))
    with pytest.raises(ContextFull):
        await turn(session, sound(30.0), Text("What was that?"))
    assert words_of(await turn(session, Text("Never mind.")))
    await session.close()
