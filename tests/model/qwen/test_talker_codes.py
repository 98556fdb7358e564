"""The Talker's codes are those of transformers' generate, turn after turn."""

from __future__ import annotations

import pytest
import torch
from conversations import (
    ASSISTANT,
    CONVERSATIONS,
    END,
    SHOWN,
    SOUNDING,
    SPOKEN,
    SYSTEM,
    TYPED,
    USER,
    TextPiece,
    new_context,
    video,
    whole,
    words,
)
from talking import (
    BOS,
    Spoken,
    assert_states,
    generated,
    ids_of,
    inputs_of,
    new_talker,
    speak,
    think,
)

from omni_agent.model.qwen.talker import talker_sampling

OUTLASTING = [TextPiece(USER), video(24, seconds=10.1), TextPiece(END)]


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_codes_are_those_of_generate(reference, name, static):
    pieces = [SYSTEM, *CONVERSATIONS[name]]
    expected = generated(reference, pieces)
    context, talker = new_context(reference), new_talker(reference, static=static)
    given = context.prefill(*pieces)
    tokens, steps = think(context, given.logits, 8)
    assert tokens == expected.tokens
    talker.extend(given.talker_inputs, given.positions)
    assert speak(talker, inputs_of(steps), 24) == expected.codes
    assert_states(talker, expected.states)


def test_a_padded_batch_says_the_same(reference):
    """generate as it is, with another prompt that is longer: then it keeps its mask."""
    ids, longer = TYPED[0].token_ids, [*USER, *words(33, seed=9), *END, *ASSISTANT]
    padding = [151643] * (len(longer) - len(ids))
    prompts = torch.tensor([[*padding, *ids], longer])
    mask = torch.ones_like(prompts)
    mask[0, : len(padding)] = 0
    original, found = reference.talker.generate, []

    def speaking(**settings):
        found.extend(original(**settings)[:, prompts.shape[1] + 2 :].tolist())
        raise Spoken

    with pytest.MonkeyPatch.context() as watched:
        watched.setattr(reference.talker, "generate", speaking)
        with pytest.raises(Spoken):
            reference.generate(
                input_ids=prompts,
                attention_mask=mask,
                thinker_max_new_tokens=8,
                thinker_do_sample=False,
                thinker_eos_token_id=151643,
                thinker_pad_token_id=151643,
                talker_max_new_tokens=24,
                talker_do_sample=False,
            )
    for prompt, expected in ((ids, found[0]), (longer, found[1])):
        context, talker = new_context(reference), new_talker(reference)
        given = context.prefill(TextPiece(prompt))
        _, steps = think(context, given.logits, 8)
        talker.extend(given.talker_inputs, given.positions)
        assert speak(talker, inputs_of(steps), 24) == expected
        assert generated(reference, [TextPiece(prompt)]).codes == expected


@pytest.mark.parametrize("name", [*CONVERSATIONS, "outlasting"])
def test_ids_are_those_that_the_talker_would_count(reference, name):
    pieces = OUTLASTING if name == "outlasting" else CONVERSATIONS[name]
    made = whole(pieces)
    context, talker = new_context(reference), new_talker(reference)
    given = context.prefill(*pieces)
    made.ids += [BOS["Chelsie"], 100]
    ids, after = made.positions(reference.talker)
    assert torch.equal(given.positions, ids[:, :-2])
    run, forwarded = talker._run, []
    talker._run = lambda inputs, ids, mask: forwarded.append(ids.clone()) or run(inputs, ids, mask)
    talker.extend(given.talker_inputs, given.positions)
    talker.begin(BOS["Chelsie"], torch.zeros(64))
    talker.close()
    talker.step()
    assert torch.equal(forwarded[-2], ids[:, -2:])
    assert forwarded[-1].flatten().tolist() == [after] * 3


@pytest.mark.parametrize("static", [False, True])
def test_codes_after_a_video_that_outlasts_its_audio(reference, static):
    """The highest id is then not the last, and codes are counted on from the highest."""
    expected = generated(reference, OUTLASTING)
    made = whole(OUTLASTING)
    made.ids += [BOS["Chelsie"], expected.tokens[0]]
    ids, after = made.positions(reference.talker)
    assert after > int(ids[:, -1].max()) + 1
    talker = new_talker(reference, static=static)
    talker.extend(expected.prompt, ids[:, :-2])
    assert speak(talker, expected.reply, 24) == expected.codes
    assert_states(talker, expected.states)


@pytest.mark.parametrize("speaker", BOS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_the_codes_that_it_gives_in_generate(reference, seed, speaker):
    pieces = [SYSTEM, *TYPED]
    codes = generated(reference, pieces, seed=seed, speaker=speaker, codes=60).codes
    context = new_context(reference)
    talker = new_talker(reference, sampling=talker_sampling(reference.talker.config))
    given = context.prefill(*pieces)
    _, steps = think(context, given.logits, 8)
    talker.extend(given.talker_inputs, given.positions)
    for _ in range(2):
        assert speak(talker, inputs_of(steps), 60, bos=BOS[speaker], seed=seed) == codes
        talker.cut_to_prompt()


def test_the_words_end_where_generate_ends_them(reference):
    pieces = [SYSTEM, *TYPED]
    tokens = generated(reference, pieces).tokens
    eos = tokens[4]
    assert eos not in tokens[:4]
    expected = generated(reference, pieces, eos=eos)
    assert expected.tokens == tokens[:5]
    context, talker = new_context(reference), new_talker(reference)
    given = context.prefill(*pieces)
    _, steps = think(context, given.logits, 8, eos)
    assert len(steps) == 4
    talker.extend(given.talker_inputs, given.positions)
    assert speak(talker, inputs_of(steps), 24) == expected.codes


@pytest.mark.parametrize("stop", [8292, 8294])
def test_a_speech_ends_where_generate_ends_it(reference, stop):
    """A head that finds the stop as good as the code that comes tenth."""
    pieces, head = [SYSTEM, *TYPED], reference.talker.codec_head
    tenth = generated(reference, pieces).codes[9]
    weight = head.weight.detach().clone()
    try:
        with torch.no_grad():
            head.weight[stop] = 1.2 * head.weight[tenth]
        expected = generated(reference, pieces)
        context, talker = new_context(reference), new_talker(reference)
        given = context.prefill(*pieces)
        _, steps = think(context, given.logits, 8)
        talker.extend(given.talker_inputs, given.positions)
        assert speak(talker, inputs_of(steps), 24) == expected.codes
    finally:
        with torch.no_grad():
            head.weight.copy_(weight)
    assert len(expected.codes) <= 10
    assert expected.codes[-1] == stop


@pytest.mark.parametrize("static", [False, True])
def test_codes_of_many_turns_are_those_of_generate(reference, static):
    context, talker = new_context(reference), new_talker(reference, static=static)
    given = context.prefill(SYSTEM)
    talker.extend(given.talker_inputs, given.positions)
    said = [SYSTEM]
    for turn in (SPOKEN, TYPED, SOUNDING, SHOWN):
        said += turn
        expected = generated(reference, said, tokens=6, codes=12)
        given = context.prefill(*turn)
        talker.extend(given.talker_inputs, given.positions, start=given.start)
        tokens, steps = think(context, given.logits, 6)
        assert tokens == expected.tokens
        assert speak(talker, inputs_of(steps), 12) == expected.codes
        assert_states(talker, expected.states)
        talker.cut_to_prompt()
        steps.append(context.step(torch.tensor(tokens[-1:])))
        talker.extend(inputs_of(steps), ids_of(steps))
        given = context.prefill(TextPiece(END))
        talker.extend(given.talker_inputs, given.positions)
        said += [TextPiece([*tokens, *END])]
    assert talker.prompt_length == context.length == len(whole(said).ids)
