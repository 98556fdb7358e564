"""A loaded checkpoint serves one session after the other, and lives on when one breaks down."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conversations import picture, sound
from sessions import tokens_of, turn, words_of

from omni_agent.agent import Agent
from omni_agent.cli import main
from omni_agent.errors import (
    GenerationError,
    SettingsError,
    UsageError,
)
from omni_agent.events import AudioDelta, TextDelta, UserTranscript
from omni_agent.media import Audio
from omni_agent.messages import Heard, Text
from omni_agent.model.base import ResponseOptions
from omni_agent.model.qwen import speech
from omni_agent.model.qwen.dialogue import Dialogue
from omni_agent.model.qwen.model import QwenModel
from omni_agent.model.qwen.parts import TextPiece

pytestmark = pytest.mark.usefixtures("short_speech")


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
