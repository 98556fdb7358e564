"""A conversation with a loaded checkpoint, from the first word that is fed to the last sound."""

from __future__ import annotations

import asyncio
import gc
import random
import re
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conversations import picture, sound
from test_talker import generated

from omni_agent.agent import Agent
from omni_agent.cli import main
from omni_agent.errors import (
    ContextFull,
    GenerationError,
    MediaError,
    SettingsError,
    UnsupportedInput,
    UsageError,
)
from omni_agent.events import AudioDelta, TextDelta, UserTranscript
from omni_agent.media import Audio, VideoFrame
from omni_agent.messages import Context, Heard, Text, ToolCall, ToolResult, ToolSpec
from omni_agent.model.base import MalformedCall, ResponseOptions
from omni_agent.model.qwen import speech
from omni_agent.model.qwen.dialogue import Dialogue
from omni_agent.model.qwen.model import QwenModel
from omni_agent.model.qwen.parts import AudioPiece, TextPiece
from omni_agent.model.qwen.token2wav import SpeechStream

TIMER = ToolSpec("set_timer", "Start a timer.", {"type": "object", "properties": {}})


@pytest.fixture(autouse=True)
def short_speech(monkeypatch):
    """A random Talker finds no end; it is cut off after 24 codes."""
    monkeypatch.setattr(speech, "RUNAWAY", 0.0)
    monkeypatch.setattr(speech, "RUNAWAY_SECONDS", 0.48)


@pytest.fixture(scope="module")
def opened(tiny):
    """The tiny checkpoint, and how it was announced."""
    plans: list[Any] = []
    model = asyncio.run(
        QwenModel.open(
            tiny, context_tokens=700, solver="euler", solver_steps=2, on_plan=plans.append
        )
    )
    yield model, plans
    asyncio.run(model.close())


@pytest.fixture
def model(opened):
    return opened[0]


async def turn(session, *parts, **options):
    """Everything that comes of a turn; `Finished` last."""
    for part in parts:
        await session.feed(part)
    wishes = ResponseOptions(**{"max_tokens": 8, "speak": False, **options})
    return [event async for event in session.respond(wishes)]


def words_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def tokens_of(session):
    context = session._dialogue.context
    return context.thinker.tokens[: context.length].tolist()


def thoughts_of(session):
    """What the session's next token hangs on: keys and values, positions, and what is to come."""
    context = session._dialogue.context
    keys = context.thinker.cache.keys[:, :, :, : context.length]
    return keys, context.thinker.positions.ids


def script(session, *replies):
    """Have the Thinker choose these texts, one token after the other, and then end."""
    dialogue = session._dialogue
    chat = dialogue._chat
    left = [[*chat.encode(text), chat.specials.turn_end] for text in replies]

    def think(reply, done, words, options):
        tokens = left.pop(0)

        class Scripted:
            def draw_noise(self):
                return None

            def choose(self, logits, noise):
                return torch.tensor(tokens.pop(0) if tokens else chat.specials.turn_end)

        return reply.think(
            done.logits,
            words,
            Scripted(),
            stops=(chat.specials.turn_end,),
            max_tokens=options.max_tokens,
        )

    dialogue._think = think


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


@pytest.mark.parametrize("where", ["thinker", "talker", "memory"])
async def test_a_breakdown_ends_the_turn_and_not_the_session(model, monkeypatch, where) -> None:
    session = await model.open_session("Be kind.")
    dialogue = session._dialogue
    modules = model._loaded.modules
    head = modules.talker.codec_head if where == "talker" else modules.thinker.lm_head
    forward, calls = head.forward, []

    def breaking(hidden):
        calls.append(1)
        if len(calls) != 4:
            return forward(hidden)
        if where == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(hidden) * torch.nan

    said = ""

    async def listen() -> None:
        nonlocal said
        async for event in session.respond(ResponseOptions(speak=True, max_tokens=8)):
            said += event.text if isinstance(event, TextDelta) else ""

    await session.feed(Text("Tell me."))
    with monkeypatch.context() as broken:
        broken.setattr(head, "forward", breaking)
        with pytest.raises(GenerationError, match="memory" if where == "memory" else "numbers"):
            await listen()
    await session.rewind(Heard(said, 0))
    held = tokens_of(session)
    assert words_of(await turn(session, Text("Again?"), speak=True))
    assert tokens_of(session)[: len(held)] == held
    fresh = model._new_context()
    fresh.prefill(TextPiece(tokens_of(session)))
    torch.testing.assert_close(
        dialogue.context.thinker.cache.keys, fresh.thinker.cache.keys, rtol=2e-4, atol=2e-4
    )
    await session.close()


async def interrupted(session, chance: random.Random) -> None:
    """A turn of any kind that is left at any moment."""
    kind = chance.randrange(5)
    parts = [Text("Hello there."), sound(1.1, chance.randrange(9)), picture(60, 60)]
    options = ResponseOptions(
        max_tokens=6, speak=chance.random() < 0.4, say="I see." if kind == 4 else None
    )
    for part in parts[: kind % 3 + 1]:
        await session.feed(part)
    said, left = "", chance.randrange(7)
    async with aclosing(session.respond(options)) as events:
        async for event in events:
            said += event.text if isinstance(event, TextDelta) else ""
            left -= 1
            if left < 0:
                break
    if chance.random() < 0.7:
        await session.rewind(Heard(said[: chance.randrange(len(said) + 1)], 0))


def tensors() -> tuple[int, int]:
    gc.collect()
    alive = [each for each in gc.get_objects() if type(each) is torch.Tensor]
    return len(alive), sum(each.nbytes for each in alive)


async def test_many_turns_with_interruptions_leave_memory_flat(model) -> None:
    chance = random.Random(1)
    counts = []
    session = await model.open_session("Be kind.")
    for _ in range(3):
        for _ in range(20):
            await interrupted(session, chance)
        await session.close()
        session = await model.open_session("Be kind.")
        counts.append(tensors())
    assert counts[1] == counts[2]
    assert session._dialogue.context.length == len(model._loaded.chat.system("Be kind."))
    await session.close()


async def test_who_leaves_early_frees_the_worker_at_once(model, monkeypatch) -> None:
    session = await model.open_session("Be kind.")
    talker = session._dialogue.context.talker
    monkeypatch.setattr(speech, "RUNAWAY_SECONDS", 60.0)
    made, step = [], talker.step
    task: asyncio.Task[None]
    loop = asyncio.get_running_loop()

    def cancelling():
        made.append(1)
        if len(made) == 30:
            asyncio.run_coroutine_threadsafe(cancel(), loop).result()
        step()

    async def cancel():
        task.cancel()
        await asyncio.sleep(0.05)  # it has arrived

    monkeypatch.setattr(talker, "step", cancelling)

    async def run():
        await turn(session, Text("Talk."), speak=True)

    task = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await task
    await session._run(lambda: None)
    assert len(made) <= 31
    assert not talker.ready()
    assert words_of(await turn(session, Text("Hello?")))
    await session.close()


async def test_sessions_take_turns_on_one_worker_and_share_no_context(model) -> None:
    async def alone(name):
        session = await model.open_session(f"You are {name}.")
        said = [words_of(await turn(session, Text(f"I am {name}. {n}"))) for n in range(3)]
        await session.close()
        return said

    apart = [await alone("Anna"), await alone("Ben")]
    together = await asyncio.gather(alone("Anna"), alone("Ben"))
    assert together == apart


async def test_a_session_that_is_closed_hands_its_context_on(model) -> None:
    first = await model.open_session("Be kind.")
    context = first._dialogue.context
    await turn(first, Text("Hello"))
    await first.close()
    await first.close()
    with pytest.raises(UsageError, match="closed"):
        await first.feed(Text("Hello?"))
    second = await model.open_session("Be kind.")
    assert second._dialogue.context is context
    assert tokens_of(second) == model._loaded.chat.system("Be kind.")
    await second.close()


def test_the_model_says_what_it_is_and_what_it_needs(opened) -> None:
    model, plans = opened
    assert plans == [model.plan]
    assert "needs" in str(plans[0])
    profile = model.profile
    assert profile.voices == ("Chelsie", "Ethan")
    assert profile.takes == {"text", "audio", "image", "video"}
    assert profile.gives == {"text", "audio"}
    assert (profile.sight, profile.context_tokens) == ("full", 700)


async def test_a_voice_that_is_not_there_is_refused(model, tiny) -> None:
    with pytest.raises(SettingsError, match="Chelsie, Ethan"):
        await model.open_session("Be kind.", voice="Cherry")
    with pytest.raises(SettingsError, match="12 or 24"):
        await QwenModel.open(tiny, first_codes=13)  # type: ignore[arg-type]


async def test_voices_differ_and_seeds_repeat(model) -> None:
    heard = {}
    for voice, seed in (("ethan", 1), ("ethan", 1), ("Chelsie", 1), ("ethan", 2)):
        session = await model.open_session("Be kind.", voice=voice)
        events = await turn(session, Text("Hello"), speak=True, seed=seed, temperature=1.0)
        samples = [event.audio.samples for event in events if isinstance(event, AudioDelta)]
        key = (voice, seed)
        sound_made = np.concatenate(samples)
        if key in heard:
            assert np.array_equal(heard[key], sound_made)
        heard[key] = sound_made
        await session.close()
    assert len({samples.tobytes() for samples in heard.values()}) == 3


@pytest.fixture
def brief(monkeypatch):
    """A random Thinker finds no end either."""
    think = Dialogue._think
    monkeypatch.setattr(
        Dialogue,
        "_think",
        lambda self, reply, done, words, options: think(
            self, reply, done, words, replace(options, max_tokens=8)
        ),
    )


@pytest.mark.usefixtures("brief")
async def test_a_spoken_question_is_answered_and_remembered_in_words(model, tmp_path) -> None:
    async with Agent("Be kind.", model=model, memory=tmp_path / "memory") as agent:
        events = [event async for event in agent.stream(sound(2.0))]
        reply = events[-1].reply
        transcripts = [event for event in events if isinstance(event, UserTranscript)]
        assert reply.text
        assert reply.audio is not None
        assert [transcript.text for transcript in transcripts] == [reply.heard]
        assert reply.heard
        session = agent._own._session
        assert "Write down" not in model._loaded.chat._tokenizer.decode(tokens_of(session))
    async with Agent("Be kind.", model=model) as agent:
        reply = await agent.ask(sound(2.0))
        assert reply.heard == ""
        assert reply.text


@pytest.mark.usefixtures("brief")
def test_the_command_line_speaks_with_a_folder(tiny: Path, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    monkeypatch.setenv("OMNI_AGENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    sound(1.5).save("question.wav")
    for agent in ("plain", "kitchen"):
        with pytest.raises(SystemExit) as left:
            main(["ask", "--model", str(tiny), "--agent", agent, "--no-memory", "question.wav"])
        shown = capsys.readouterr()
        assert not left.value.code, shown.err
        assert "needs" in shown.err
        assert "says" in shown.out
        assert "saved     question.reply.wav" in shown.out
        assert Audio.load("question.reply.wav").seconds > 0.4
