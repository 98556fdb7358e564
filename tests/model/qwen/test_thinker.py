"""The living context: what transformers gives for the whole prompt, however it came about."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from conversations import (
    CONVERSATIONS,
    END,
    RULES,
    SHOWN,
    SILENT,
    SOUNDING,
    SPOKEN,
    SYSTEM,
    TYPED,
    USER,
    AudioPiece,
    ImagePiece,
    TextPiece,
    assert_same_context,
    close,
    new_context,
    picture,
    sound,
    video,
    whole,
    words,
)

from omni_agent.errors import (
    ContextFull,
    GenerationError,
    MediaTooLarge,
    ModelLoadError,
    UsageError,
)
from omni_agent.model.qwen.decoder import Cancelled
from omni_agent.model.qwen.thinker import ThinkerContext

EVERY = {**CONVERSATIONS, "two pictures, two sounds": [*SHOWN, *SPOKEN[:-1], *SHOWN, *SPOKEN]}
MEDIA = (151646, 151655, 151656)


def generated(reference, pieces, count):
    """transformers' tokens, and what its Talker is given for prompt and reply."""
    inputs = whole(pieces).inputs()
    with torch.no_grad():
        result = reference.thinker.generate(
            **inputs,
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=151643,
            pad_token_id=151643,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
    embeds, hidden = zip(*((step[0][0], step[-1][0]) for step in result.hidden_states), strict=True)
    placeholders = torch.isin(inputs["input_ids"][0], torch.tensor(MEDIA))
    prompt = hidden[0] + embeds[0].masked_fill(placeholders[:, None], 0)
    reply = torch.cat([h + e for h, e in zip(hidden[1:], embeds[1:], strict=True)])
    return result.sequences[0, inputs["input_ids"].shape[1] :].tolist(), prompt, reply


def reply_of(context, logits, count):
    """Greedy: (tokens, what the Talker is given for them). The last token is not forwarded."""
    tokens, steps = [int(logits.argmax())], []
    while len(tokens) < count:
        stepped = context.step(torch.tensor(tokens[-1:]))
        stepped.check()
        steps.append(stepped.talker_input.clone())
        tokens.append(int(stepped.logits.argmax()))
    return tokens, torch.stack(steps) if steps else None


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_reply_is_that_of_generate(reference, name, static):
    pieces = [SYSTEM, *EVERY[name]]
    tokens, prompt, reply = generated(reference, pieces, 8)
    context = new_context(reference, static=static)
    given = context.prefill(*pieces)
    close(given.talker_inputs, prompt)
    ours, steps = reply_of(context, given.logits, 8)
    assert ours == tokens
    close(steps, reply)


@pytest.mark.parametrize("static", [False, True])
def test_replies_of_many_turns_are_those_of_generate(reference, static):
    context = new_context(reference, static=static)
    context.prefill(SYSTEM)
    said = [SYSTEM]
    for turn in (SPOKEN, TYPED, SOUNDING, SHOWN, SPOKEN):
        said += turn
        tokens, prompt, reply = generated(reference, said, 6)
        given = context.prefill(*turn)
        close(given.talker_inputs, prompt[given.start :])
        ours, steps = reply_of(context, given.logits, 6)
        assert ours == tokens
        close(steps, reply)
        context.step(torch.tensor(tokens[-1:]))
        context.prefill(TextPiece(END))
        said += [TextPiece([*tokens, *END])]
    assert context.tokens[: context.length].tolist() == whole(said).ids
    assert torch.equal(context.positions.ids, whole(said).positions(reference.thinker)[0])


def test_fed_token_by_token_it_is_as_fed_whole(reference):
    ids = words(40)
    together, apart = new_context(reference), new_context(reference)
    given = together.prefill(TextPiece(ids))
    for token in ids:
        last = apart.prefill(TextPiece([token]))
    assert_same_context(apart, together)
    close(last.logits, given.logits)


def test_long_prompts_are_prefilled_in_chunks(reference):
    ids = words(1200)
    tokens, prompt, _ = generated(reference, [TextPiece(ids)], 3)
    context = new_context(reference)
    given = context.prefill(TextPiece(ids))
    close(given.talker_inputs, prompt)
    assert reply_of(context, given.logits, 3)[0] == tokens


def test_steps_go_on_into_larger_windows(reference):
    context = new_context(reference, 1500, static=True)
    given = context.prefill(TextPiece(words(1020)))
    tokens, _, reply = generated(reference, [TextPiece(words(1020))], 10)
    ours, steps = reply_of(context, given.logits, 10)
    assert ours == tokens
    close(steps, reply)


@pytest.mark.parametrize("seed", range(6))
def test_after_a_cut_nothing_is_left_of_what_was_cut(reference, seed):
    noise = np.random.default_rng(seed)
    static = bool(seed % 2)
    cut, never = (new_context(reference, static=static) for _ in range(2))
    for context in (cut, never):
        given = context.prefill(SYSTEM, *SPOKEN)
    prompt = never.length
    tokens, _ = reply_of(cut, given.logits, 12)
    if noise.random() < 0.5:
        cut.prefill(TextPiece(END), *SHOWN)
    heard = int(noise.integers(0, 12))
    cut.cut(prompt + heard)
    for token in tokens[:heard]:
        never.step(torch.tensor([token]))
    assert_same_context(cut, never)
    for pieces in ([TextPiece(END)], SOUNDING):
        after = [context.prefill(*pieces) for context in (cut, never)]
        assert after[0].start == after[1].start
        assert torch.equal(after[0].talker_inputs, after[1].talker_inputs)
        assert torch.equal(after[0].logits, after[1].logits)
    assert reply_of(cut, after[0].logits, 4)[0] == reply_of(never, after[1].logits, 4)[0]


def test_it_is_not_cut_inside_a_medium(reference):
    context = new_context(reference)
    context.prefill(*SHOWN)
    with pytest.raises(
        ValueError, match=r"cannot be cut at 5: tokens 3 to \d+ are one piece of im"
    ):
        context.cut(5)
    with pytest.raises(ValueError, match="cannot be cut to -1"):
        context.cut(-1)
    context.cut(3)
    assert context.length == 3


def test_full_it_says_so_and_is_as_before(reference):
    context = new_context(reference, 60)
    context.prefill(TextPiece(words(50)))
    with pytest.raises(ContextFull, match=r"11 more tokens do not fit after 50: .* ends at 60"):
        context.prefill(TextPiece(words(6)), TextPiece(words(5)))
    given = context.prefill(TextPiece(words(9)))
    assert context.room == 1
    reply_of(context, given.logits, 2)
    with pytest.raises(ContextFull):
        context.step(torch.tensor([7]))
    assert context.length == 60


@pytest.mark.parametrize("instead", [[], words(3)])
def test_dropping_media_keeps_the_words_and_what_came_last(reference, instead):
    context = new_context(reference, 700)
    pieces = [SYSTEM, *SPOKEN, *SHOWN, *SILENT]
    given = context.prefill(*pieces)
    tokens, _ = reply_of(context, given.logits, 5)
    context.prefill(TextPiece([*END, *USER]), AudioPiece(sound(2)))
    need = context.room + 100
    anew = context.drop_media(need, instead)
    without = [TextPiece(instead)] if instead else []
    left = [SYSTEM, SPOKEN[0], *without, *SPOKEN[2:], *SHOWN, *SILENT]
    left += [TextPiece([*tokens[:-1], *END, *USER]), AudioPiece(sound(2))]
    expected = new_context(reference, 700)
    if context.room < need:
        raise AssertionError("not enough was dropped")
    whole_of_it = expected.prefill(*left)
    assert_same_context(context, expected)
    assert anew.start == 12 + 3
    close(anew.logits, whole_of_it.logits)
    close(anew.talker_inputs, whole_of_it.talker_inputs[anew.start :])


def test_no_medium_is_dropped_without_need_or_in_vain(reference):
    context = new_context(reference, 400)
    context.prefill(SYSTEM, *SPOKEN, *SHOWN)
    before = context.tokens[: context.length].tolist()
    assert context.drop_media(context.room) is None
    with pytest.raises(ContextFull, match="no sounds and pictures but the last only"):
        context.drop_media(395)
    assert context.tokens[: context.length].tolist() == before


def test_a_reply_goes_on_after_media_were_dropped(reference):
    context = new_context(reference, 300)
    given = context.prefill(SYSTEM, *SPOKEN)
    tokens, _ = reply_of(context, given.logits, 5)
    anew = context.drop_media(context.room + 50)
    more, _ = reply_of(context, anew.logits, 4)
    left = [SYSTEM, SPOKEN[0], SPOKEN[2], TextPiece(tokens[:-1])]
    assert more == generated(reference, left, 4)[0]
    context.cut(context.length - 2)
    assert context.tokens[: context.length].tolist() == [*whole(left).ids, *more[:1]]


def test_positions_of_a_reply_keep_their_distance_when_media_are_dropped(reference):
    """Where a video goes on after its sound, a reply does not begin at the next id."""
    context = new_context(reference)
    clip = [TextPiece(USER), video(8, seconds=2.2), TextPiece(words(2))]
    given = context.prefill(SYSTEM, *SPOKEN, *clip)
    reply_of(context, given.logits, 4)
    before = context.positions.ids[:, -5:]
    assert before[0, 2] - before[0, 1] > 1
    context.drop_media(context.room + 50)
    after = context.positions.ids[:, -5:]
    assert torch.equal(after - after[:, :1], before - before[:, :1])


def test_a_prefill_that_is_called_off_leaves_nothing(reference):
    calls = iter([False, False, True])
    context = new_context(reference, cancelled=lambda: next(calls))
    context.prefill(SYSTEM)
    before = context.cache.keys.clone()
    with pytest.raises(Cancelled):
        context.prefill(TextPiece(words(600)))
    assert context.length == 12
    assert torch.equal(context.cache.keys, before)
    context.cancelled = lambda: False
    expected = new_context(reference).prefill(SYSTEM, *TYPED)
    close(context.prefill(*TYPED).logits, expected.logits)


@pytest.mark.parametrize("static", [False, True])
def test_numbers_that_break_down_are_told_and_leave_no_trace(reference, static):
    context = new_context(reference, static=static)
    context.prefill(SYSTEM)
    keys = reference.thinker.model.language_model.layers[1].self_attn.k_proj
    with keys.register_forward_hook(lambda *call: call[-1] * torch.nan):
        with pytest.raises(GenerationError, match="broke down after 12 tokens"):
            context.prefill(*TYPED)
        assert context.length == 12
        stepped = context.step(torch.tensor([5]))
        with pytest.raises(GenerationError, match="NaN"):
            stepped.check()
        context.cut(stepped.index)
    given = context.prefill(*TYPED)
    assert reply_of(context, given.logits, 4)[0] == generated(reference, [SYSTEM, *TYPED], 4)[0]


def test_out_of_memory_is_told_and_leaves_no_trace(reference):
    context = new_context(reference)
    given = context.prefill(SYSTEM)

    def run_out(*_):
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    with reference.thinker.lm_head.register_forward_hook(run_out):
        with pytest.raises(GenerationError, match="out of memory after 12 tokens: tried to"):
            context.prefill(*TYPED)
        with pytest.raises(GenerationError, match="out of memory after 12 tokens"):
            context.step(torch.tensor([5]))
    assert (context.length, context.positions.length) == (12, 12)
    tokens, _ = reply_of(context, given.logits, 4)
    assert tokens == generated(reference, [SYSTEM], 4)[0]


def test_pictures_that_cannot_be_seen_leave_the_context(reference):
    context = new_context(reference)
    with pytest.raises(MediaTooLarge, match="a strip"):
        context.prefill(SYSTEM, ImagePiece(picture(4000, 4)))
    assert context.length == 0


def test_in_bfloat16_it_is_as_transformers_in_bfloat16(reference):
    half = copy.deepcopy(reference.thinker).to(torch.bfloat16)
    inputs = whole([SYSTEM, *CONVERSATIONS["mixed"]]).inputs()
    with torch.no_grad():
        expected = half(**inputs).logits[0, -1].float()
    context = ThinkerContext(half, 2000, rules=RULES)
    given = context.prefill(SYSTEM, *CONVERSATIONS["mixed"])
    assert given.talker_inputs.dtype == torch.bfloat16
    assert given.logits.dtype == torch.float32
    spread = float(expected.std())
    torch.testing.assert_close(given.logits, expected, rtol=0, atol=0.15 * spread)
    assert context.step(given.logits.argmax()[None]).talker_input.dtype == torch.bfloat16


def test_what_is_no_token_is_refused(reference):
    with pytest.raises(ValueError, match="token ids go from 0 to 152063"):
        new_context(reference).prefill(TextPiece([5, 152064]))
    with pytest.raises(UsageError, match="nothing in what was to be prefilled"):
        new_context(reference).prefill(TextPiece([]))


def test_warming_up_leaves_the_context_empty(reference):
    context = new_context(reference, 1100, static=True)
    context.warm_up()
    assert context.length == 0
    assert not context.cache.keys.any()
    context.prefill(SYSTEM)
    with pytest.raises(UsageError, match="before anything is in it"):
        context.warm_up()


def test_another_geometry_is_refused(reference, monkeypatch):
    monkeypatch.setattr(reference.thinker.config, "seconds_per_chunk", 4)
    with pytest.raises(ModelLoadError, match="seconds_per_chunk is 4; only 2"):
        ThinkerContext(reference.thinker, 100)
