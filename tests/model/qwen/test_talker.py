"""The Talker's codes are those of transformers' generate, turn after turn, and they can wait."""

from __future__ import annotations

import gc
import random
from dataclasses import dataclass
from functools import partial, wraps

import pytest
import torch
from conversations import (
    ASSISTANT,
    END,
    USER,
    AudioPiece,
    ImagePiece,
    TextPiece,
    new_context,
    picture,
    sound,
    video,
    whole,
    words,
)

from omni_agent.errors import ContextFull, GenerationError, UsageError
from omni_agent.model.qwen import talker as module
from omni_agent.model.qwen.sampling import SamplingOptions
from omni_agent.model.qwen.talker import TalkerContext, stop_codes, talker_sampling

SYSTEM = TextPiece(words(12, seed=5))
TEXT = [TextPiece([*USER, *words(20), *END, *ASSISTANT])]
AUDIO = [TextPiece(USER), AudioPiece(sound(5.3)), TextPiece([*END, *ASSISTANT])]
PICTURE = [TextPiece(USER), ImagePiece(picture(100, 60)), TextPiece([*words(5), *END, *ASSISTANT])]
SOUNDING = [TextPiece(USER), video(9, seconds=5.1), TextPiece([*words(4), *END, *ASSISTANT])]
OUTLASTING = [TextPiece(USER), video(24, seconds=10.1), TextPiece(END)]
CONVERSATIONS = {
    "text": TEXT,
    "audio": AUDIO,
    "image": PICTURE,
    "video": [TextPiece(USER), video(5), TextPiece([*words(4), *END, *ASSISTANT])],
    "video with audio": SOUNDING,
    "mixed": [*AUDIO, TextPiece([*words(3), *END]), *PICTURE, TextPiece(END), *SOUNDING],
}
BOS = {"Chelsie": 151872, "Ethan": 151870}
GREEDY = SamplingOptions(temperature=0, repetition_penalty=1.05, suppressed=(8293,))

close = partial(torch.testing.assert_close, rtol=2e-4, atol=2e-4)


class Spoken(Exception):
    """generate has come to the sound, which is not asked for here."""


@dataclass
class Generated:
    tokens: list[int]
    codes: list[int]
    states: list[tuple[torch.Tensor, torch.Tensor]]  # keys and values by layer
    prompt: torch.Tensor  # [n, d], what the Talker was given
    reply: torch.Tensor  # [m, d]


def generated(reference, pieces, *, tokens=8, codes=24, seed=None, speaker="Chelsie", eos=151643):
    """What transformers' generate makes of a conversation, its Talker called as it is meant to be.

    From 5.20 on, generate drops a mask without padding, and the Talker, which takes the mask for
    the sign of a prompt, then leaves out the marks of its beginning and counts no TMRoPE ids. Here
    it gets its mask back; `test_a_padded_batch_says_the_same` does without.
    """
    given = whole(pieces).inputs()
    start = given["input_ids"].shape[1]
    talker, thinker = reference.talker, reference.thinker
    speak, think, prepare = talker.generate, thinker.generate, talker.prepare_inputs_for_generation
    found = {}

    @wraps(prepare)
    def with_mask(input_ids, **settings):
        made = prepare(input_ids, **settings)
        return made | {"attention_mask": torch.ones_like(input_ids)}

    def thinking(**settings):
        made = think(**settings)
        found["tokens"] = made.sequences[0, start:].tolist()
        return made

    def speaking(**settings):
        if seed is not None:
            torch.manual_seed(seed)
        # generate hands on what the Talker's own then refuses.
        wanted = {name: settings[name] for name in settings if not name.startswith("pixel_values")}
        made = speak(**wanted, return_dict_in_generate=True)
        first, then = settings["inputs_embeds"][0], settings["thinker_reply_part"][0]
        found["prompt"], found["reply"] = first[:-2], torch.cat([first[-1:], then[:-2]])
        found["codes"] = made.sequences[0, start + 2 :].tolist()
        found["states"] = [(layer.keys, layer.values) for layer in made.past_key_values.layers]
        raise Spoken

    with pytest.MonkeyPatch.context() as watched:
        watched.setattr(talker, "prepare_inputs_for_generation", with_mask)
        watched.setattr(talker, "generate", speaking)
        watched.setattr(thinker, "generate", thinking)
        with pytest.raises(Spoken):
            reference.generate(
                **given,
                speaker=speaker,
                thinker_max_new_tokens=tokens,
                thinker_do_sample=False,
                thinker_eos_token_id=eos,
                thinker_pad_token_id=eos,
                talker_max_new_tokens=codes,
                talker_do_sample=seed is not None,
            )
    return Generated(**found)


def new_talker(reference, limit=4096, sampling=GREEDY, **settings):
    embeddings = reference.thinker.get_input_embeddings()
    return TalkerContext(reference.talker, embeddings, limit, sampling=sampling, **settings)


def think(context, logits, count, eos=151643):
    """Greedy: (tokens, what forwarding them gave). The last one is not forwarded."""
    tokens, steps = [int(logits.argmax())], []
    while len(tokens) < count and tokens[-1] != eos:
        steps.append(context.step(torch.tensor(tokens[-1:])))
        tokens.append(int(steps[-1].logits.argmax()))
    return tokens, steps


def inputs_of(steps):
    return torch.stack([step.talker_input for step in steps])


def ids_of(steps):
    return torch.tensor([step.position for step in steps]).expand(3, -1)


def speak(talker, inputs, count, *, bos=BOS["Chelsie"], seed=None, ahead=None):
    """Codes up to a stop; the Thinker is up to `ahead` tokens ahead of what is read."""
    talker.begin(bos, inputs[0], seed=seed)
    left, codes = list(inputs[1:]), []
    while len(codes) < count:
        while left and not (talker.ready() and ahead and talker._queue.ahead >= ahead):
            talker.push(left.pop(0))
            if ahead:
                break
        if not left and not talker._queue.closed:
            talker.close()
        if talker._made < count:
            talker.step()
        while talker.pending > (talker._made < count):
            codes.append(talker.take())
            if codes[-1] in talker.stops:
                return codes
    return codes


def assert_same_prompt(ours, theirs):
    assert ours.prompt_length == theirs.prompt_length
    end = ours.prompt_length
    close(ours.cache.keys[:, :, :, :end], theirs.cache.keys[:, :, :, :end])
    close(ours.cache.values[:, :, :, :end], theirs.cache.values[:, :, :, :end])


def assert_states(talker, states):
    """The last code is forwarded by neither."""
    for layer, (keys, values) in enumerate(states):
        length = keys.shape[2]
        close(talker.cache.keys[layer, :, :, :length], keys)
        close(talker.cache.values[layer, :, :, :length], values)


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
    ids, longer = TEXT[0].token_ids, [*USER, *words(33, seed=9), *END, *ASSISTANT]
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
    pieces = [SYSTEM, *TEXT]
    codes = generated(reference, pieces, seed=seed, speaker=speaker, codes=60).codes
    context = new_context(reference)
    talker = new_talker(reference, sampling=talker_sampling(reference.talker.config))
    given = context.prefill(*pieces)
    _, steps = think(context, given.logits, 8)
    talker.extend(given.talker_inputs, given.positions)
    for _ in range(2):
        assert speak(talker, inputs_of(steps), 60, bos=BOS[speaker], seed=seed) == codes
        talker.cut_to_prompt()


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


def test_the_words_end_where_generate_ends_them(reference):
    pieces = [SYSTEM, *TEXT]
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
    pieces, head = [SYSTEM, *TEXT], reference.talker.codec_head
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
    for turn in (AUDIO, TEXT, SOUNDING, PICTURE):
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
