"""The Talker reads along and waits for its words; whatever goes wrong, its prompt stays."""

from __future__ import annotations

import gc
import random

import pytest
import torch
from talking import (
    BOS,
    assert_same_prompt,
    new_talker,
    speak,
)

from omni_agent.errors import ContextFull, GenerationError, UsageError
from omni_agent.model.qwen import talker as module
from omni_agent.model.qwen.talker import stop_codes, talker_sampling


def test_what_the_penalty_has_seen(reference, material):
    """What generate puts before the codes: a mask for every token of the prompt, pad, start."""
    inputs, ids, reply = material
    talker = new_talker(reference)
    for before in ((), (8296,)):
        talker.begin(BOS["Chelsie"], reply[0])
        seen = talker._sampler.seen.nonzero().flatten().tolist()
        assert seen == sorted({talker.take(), 8292, 8293, *before})
        talker.cut_to_prompt()
        talker.extend(inputs, ids)


@pytest.fixture(scope="module")
def material(reference):
    """What a Talker reads of a conversation [60, d], [3, 60], and of a reply [12, d]."""
    noise = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 64, generator=noise)
    ids = torch.arange(60).expand(3, -1)
    return inputs, ids, torch.randn(12, 64, generator=noise)


def test_read_in_pieces_is_read_whole(reference, material, monkeypatch):
    inputs, ids, reply = material
    together, apart, chunked = (new_talker(reference) for _ in range(3))
    together.extend(inputs, ids)
    for start, end in ((0, 1), (1, 2), (2, 30), (30, 30), (30, 60)):
        apart.extend(inputs[start:end], ids[:, start:end])
    monkeypatch.setattr(module, "CHUNK", 7)
    chunked.extend(inputs, ids)
    assert_same_prompt(apart, together)
    assert_same_prompt(chunked, together)
    expected = speak(together, reply, 30)
    assert speak(apart, reply, 30) == speak(chunked, reply, 30) == expected


def test_what_was_void_is_read_anew(reference, material):
    inputs, ids, _ = material
    right, mended = new_talker(reference), new_talker(reference)
    right.extend(inputs, ids)
    mended.extend(inputs[:40].flip(0), ids[:, :40] + 3)
    mended.extend(inputs, ids, start=0)
    assert_same_prompt(mended, right)
    mended.extend(inputs[:9].flip(0), ids[:, :9], start=20)
    mended.extend(inputs[20:], ids[:, 20:], start=20)
    assert_same_prompt(mended, right)


@pytest.mark.parametrize("seed", range(6))
def test_after_a_cut_nothing_is_left_of_what_was_cut(reference, material, seed):
    inputs, ids, reply = material
    chance = random.Random(seed)
    cut, never = (new_talker(reference, static=bool(seed % 2)) for _ in range(2))
    kept, end = sorted(chance.sample(range(61), 2))
    for talker in (cut, never):
        talker.extend(inputs[:kept], ids[:, :kept])
    cut.extend(inputs[:end].flip(0), ids[:, :end] + 99)
    cut.begin(BOS["Ethan"], reply[3])
    for token in reply[4 : chance.randint(4, 8)]:
        cut.push(token)
        cut.step()
    if chance.random() < 0.5:
        cut.close()
    cut.cut(kept)
    for talker in (cut, never):
        talker.extend(inputs[kept:], ids[:, kept:])
    assert_same_prompt(cut, never)
    assert speak(cut, reply, 20) == speak(never, reply, 20)


@pytest.mark.parametrize("static", [False, True])
def test_it_waits_for_the_thinker_and_says_the_same(reference, material, static):
    inputs, ids, reply = material
    talker = new_talker(reference, static=static)
    talker.extend(inputs, ids)
    expected = speak(talker, reply, 30)
    for ahead in (1, 2, 5):
        talker.cut_to_prompt()
        assert speak(talker, reply, 30, ahead=ahead) == expected
    talker.cut_to_prompt()
    talker.begin(BOS["Chelsie"], reply[0])
    assert talker.take() == expected[0]
    for token, code in zip(reply[1:], expected[1:], strict=False):
        assert not talker.ready()
        with pytest.raises(UsageError, match="ready"):
            talker.step()
        talker.push(token)
        assert talker.ready()
        talker.step()
        assert talker.take() == code


def test_the_thinker_may_be_far_ahead_but_not_too_far(reference, material):
    reply = material[2]
    talker = new_talker(reference)
    expected = speak(talker, reply, 30)
    small = new_talker(reference)
    small._queue = type(small._queue)(64, dtype=torch.float32, device="cpu", capacity=4)
    assert speak(small, reply, 30, ahead=3) == expected
    small.cut_to_prompt()
    small.begin(BOS["Chelsie"], reply[0])
    for token in reply[1:5]:
        small.push(token)
    with pytest.raises(UsageError, match="4 tokens ahead of its voice"):
        small.push(reply[5])
    small.step()
    small.push(reply[5])
    codes = [small.take() for _ in range(2)]
    assert codes == expected[:2]


def test_a_reply_of_one_word_and_no_prompt_is_spoken(reference, material):
    talker = new_talker(reference)
    codes = speak(talker, material[2][:1], 10)
    assert len(codes) == 10
    assert len(set(codes)) > 1


@pytest.mark.parametrize("flat", [False, True])
def test_only_codes_with_a_sound_are_said(reference, material, monkeypatch, flat):
    config = reference.talker.config
    options = talker_sampling(config, temperature=5.0, top_k=0, top_p=1.0)
    talker = new_talker(reference, sampling=options)
    if flat:
        head = reference.talker.codec_head
        monkeypatch.setattr(head, "forward", lambda hidden: torch.zeros(*hidden.shape[:-1], 8448))
    stops = stop_codes(config)
    assert stops == {8292, 8294}
    said = set()
    for seed in range(8):
        said.update(speak(talker, material[2], 60, seed=seed))
        talker.cut_to_prompt()
    assert {code for code in said if code > 8193} <= stops
    assert len(said) > 200


def test_numbers_that_break_down_are_told_and_the_talker_lives(reference, material, monkeypatch):
    inputs, ids, reply = material
    talker = new_talker(reference)
    talker.extend(inputs, ids)
    expected = speak(talker, reply, 8)
    talker.cut_to_prompt()
    with monkeypatch.context() as broken:
        forward, calls = reference.talker.codec_head.forward, []

        def third_is_nan(hidden):
            calls.append(hidden)
            return forward(hidden) * (torch.nan if len(calls) == 3 else 1)

        broken.setattr(reference.talker.codec_head, "forward", third_is_nan)
        talker.begin(BOS["Chelsie"], reply[0])
        for token in reply[1:]:
            talker.push(token)
        for _ in range(3):
            talker.step()
        assert [talker.take(), talker.take()] == expected[:2]
        with pytest.raises(GenerationError, match=r"no numbers \(code 2 of the reply\)"):
            talker.take()
    talker.cut_to_prompt()
    assert speak(talker, reply, 8) == expected


def test_a_speech_is_not_endless(reference, material, monkeypatch):
    monkeypatch.setattr(module, "MAX_CODES", 5)
    talker = new_talker(reference)
    talker.begin(BOS["Chelsie"], material[2][0])
    talker.close()
    for _ in range(4):
        assert talker.ready()
        talker.step()
    assert not talker.ready()
    with pytest.raises(UsageError):
        talker.step()
    assert talker.pending == 5


@pytest.mark.parametrize("static", [False, True])
def test_a_full_context_is_told_and_the_prompt_stays(reference, material, static):
    inputs, ids, reply = material
    talker = new_talker(reference, limit=64, static=static)
    talker.extend(inputs, ids)
    with pytest.raises(ContextFull):
        talker.extend(inputs[:5], ids[:, :5])
    assert talker.prompt_length == 60
    talker.begin(BOS["Chelsie"], reply[0])
    talker.close()
    talker.step()
    talker.step()
    with pytest.raises(ContextFull, match="1 more tokens do not fit after 64"):
        talker.step()
    talker.cut_to_prompt()
    talker.extend(inputs[:3], ids[:, :3])
    with pytest.raises(ContextFull):
        talker.begin(BOS["Chelsie"], reply[0])
    talker.cut(60)
    assert len(speak(talker, reply[:1], 3)) == 3


def test_a_reading_that_breaks_off_leaves_the_prompt(reference, material, monkeypatch):
    inputs, ids, _ = material
    talker, never = new_talker(reference), new_talker(reference)
    for each in (talker, never):
        each.extend(inputs[:20], ids[:, :20])
    monkeypatch.setattr(module, "CHUNK", 10)
    run, calls = talker._run, []

    def fail(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(*args)

    with monkeypatch.context() as failing:
        failing.setattr(talker, "_run", fail)
        with pytest.raises(KeyboardInterrupt):
            talker.extend(inputs[20:], ids[:, 20:])
    talker.extend(inputs[20:], ids[:, 20:])
    never.extend(inputs[20:], ids[:, 20:])
    assert_same_prompt(talker, never)


def test_words_come_between_begin_and_close(reference, material):
    inputs, ids, reply = material
    talker = new_talker(reference)
    for wrong in (lambda: talker.push(reply[0]), talker.close):
        with pytest.raises(UsageError, match="no reply"):
            wrong()
    with pytest.raises(UsageError, match="No code"):
        talker.take()
    assert not talker.ready()
    talker.begin(BOS["Chelsie"], reply[0])
    for wrong in (
        lambda: talker.begin(BOS["Chelsie"], reply[0]),
        lambda: talker.extend(inputs, ids),
    ):
        with pytest.raises(UsageError, match="in a reply"):
            wrong()
    talker.close()
    with pytest.raises(UsageError, match="closed"):
        talker.push(reply[1])
    with pytest.raises(ValueError, match="prompt of 0 tokens cannot be cut to 1"):
        talker.cut(1)


def test_a_warm_talker_says_what_a_cold_one_says(reference, material):
    inputs, ids, reply = material
    warm, cold = (new_talker(reference, limit=1500, static=True) for _ in range(2))
    warm.warm_up()
    for talker in (warm, cold):
        talker.extend(inputs, ids)
    assert speak(warm, reply, 20) == speak(cold, reply, 20)
    warm.cut_to_prompt()
    with pytest.raises(UsageError, match="before it has a prompt"):
        warm.warm_up()


def test_codes_go_on_into_larger_windows(reference, material):
    inputs = torch.randn(1015, 64, generator=torch.Generator().manual_seed(4))
    ids = torch.arange(1015).expand(3, -1)
    fixed = new_talker(reference, limit=1300, static=True)
    grown = new_talker(reference, limit=1300, static=False)
    for talker in (fixed, grown):
        talker.extend(inputs, ids)
    assert speak(fixed, material[2], 20) == speak(grown, material[2], 20)
    assert {window for _, window in fixed._graphs} == {1024, 1300}


def test_replies_leave_nothing_behind(reference, material):
    inputs, ids, reply = material
    talker = new_talker(reference, limit=128)
    talker.extend(inputs, ids)
    chance = random.Random(0)

    def interrupted():
        talker.begin(BOS["Chelsie"], reply[0], seed=chance.randrange(1000))
        for token in reply[1 : chance.randint(1, 12)]:
            talker.push(token)
        while talker.ready() and chance.random() < 0.8:
            talker.step()
        talker.cut_to_prompt()

    def tensors():
        gc.collect()
        alive = [each for each in gc.get_objects() if type(each) is torch.Tensor]
        return len(alive), sum(each.nbytes for each in alive)

    interrupted()
    places = [
        talker.cache.keys.data_ptr(),
        talker._code.data_ptr(),
        talker._sampler.seen.data_ptr(),
    ]
    before = tensors()
    for _ in range(100):
        interrupted()
    assert tensors() == before
    assert places == [
        talker.cache.keys.data_ptr(),
        talker._code.data_ptr(),
        talker._sampler.seen.data_ptr(),
    ]
