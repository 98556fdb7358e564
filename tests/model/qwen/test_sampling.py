"""Choosing ids: the distribution, the draw and the order are those of transformers' generate."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")

from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from omni_agent.errors import SettingsError
from omni_agent.model.qwen.sampling import Sampler, SamplingOptions, is_sound

VOCAB = 300
TALKER = SamplingOptions(0.9, 40, 0.8, 1.05, suppressed=(293,))


def processors(options):
    """What generate builds for these options, in its order."""
    made = LogitsProcessorList()
    if options.repetition_penalty != 1:
        made.append(RepetitionPenaltyLogitsProcessor(options.repetition_penalty))
    if options.suppressed:
        made.append(SuppressTokensLogitsProcessor(options.suppressed))
    if not options.greedy:
        if options.temperature != 1:
            made.append(TemperatureLogitsWarper(options.temperature))
        if options.top_k:
            made.append(TopKLogitsWarper(options.top_k))
        if options.top_p < 1:
            made.append(TopPLogitsWarper(options.top_p))
    return made


def random_logits(kind, seed):
    noise = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(VOCAB, generator=noise)
    return {"smooth": logits, "tied": logits.round(), "flat": torch.zeros(VOCAB)}[kind]


@pytest.mark.parametrize("kind", ["smooth", "tied", "flat"])
@pytest.mark.parametrize(
    "options",
    [
        TALKER,
        SamplingOptions(),
        SamplingOptions(temperature=0.3),
        SamplingOptions(top_k=5),
        SamplingOptions(top_k=1000),
        SamplingOptions(top_p=0.5),
        SamplingOptions(top_p=1e-6),
        SamplingOptions(temperature=2.0, top_k=7, top_p=0.9),
        SamplingOptions(temperature=0, repetition_penalty=1.3, suppressed=(1, 2, 299)),
    ],
)
def test_the_scores_are_those_of_transformers(options, kind):
    history = (3, 17, 17, 250)
    sampler = Sampler(VOCAB, options, "cpu")
    for seed in range(5):
        logits = random_logits(kind, seed)
        sampler.begin(seen=history)
        expected = processors(options)(torch.tensor([history]), logits[None].clone())[0]
        assert torch.equal(sampler.scores(logits), expected)


@pytest.mark.parametrize("options", [TALKER, SamplingOptions(top_p=0.9), SamplingOptions(0)])
def test_a_seed_draws_what_it_draws_in_transformers(options):
    sampler = Sampler(VOCAB, options, "cpu")
    sampler.begin(seed=11, seen=(4,))
    torch.manual_seed(11)
    history = [4]
    for step in range(50):
        logits = random_logits("smooth", step % 3)
        scores = processors(options)(torch.tensor([history]), logits[None].clone())
        if options.greedy:
            expected = int(scores.argmax())
        else:
            expected = int(torch.multinomial(scores.softmax(-1), 1))
        assert int(sampler.choose(logits, sampler.draw_noise())) == expected
        history.append(expected)
    assert sampler.seen.nonzero().flatten().tolist() == sorted(set(history))


def test_a_seed_repeats_and_no_seed_does_not():
    sampler = Sampler(VOCAB, SamplingOptions(), "cpu")
    logits = torch.zeros(VOCAB)

    def draws(seed):
        sampler.begin(seed)
        return [int(sampler.choose(logits, sampler.draw_noise())) for _ in range(20)]

    assert draws(1) == draws(1) != draws(2)
    assert draws(None) != draws(None)


def test_draws_follow_the_distribution():
    sampler = Sampler(3, SamplingOptions(), "cpu")
    sampler.begin(seed=0)
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    drawn = torch.stack([sampler.choose(logits, sampler.draw_noise()) for _ in range(4000)])
    shares = torch.bincount(drawn, minlength=3) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.03, rtol=0)


def test_a_sequence_begins_without_the_last_ones_history():
    sampler = Sampler(VOCAB, TALKER, "cpu")
    sampler.begin(seed=0, seen=(1, 2))
    sampler.choose(torch.randn(VOCAB), sampler.draw_noise())
    sampler.begin(seed=0, seen=(7,))
    assert sampler.seen.nonzero().flatten().tolist() == [7]


def test_its_tensors_stay_where_they_are():
    sampler = Sampler(VOCAB, TALKER, "cpu")
    places = sampler.seen.data_ptr(), sampler.noise.data_ptr()
    for seed in range(3):
        sampler.begin(seed)
        sampler.choose(torch.randn(VOCAB), sampler.draw_noise())
    assert (sampler.seen.data_ptr(), sampler.noise.data_ptr()) == places


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_told(value):
    logits = torch.randn(VOCAB)
    assert bool(is_sound(logits))
    assert bool(is_sound(logits.index_fill(0, torch.tensor([3]), -torch.inf)))
    assert not bool(is_sound(logits.index_fill(0, torch.tensor([7]), value)))
    assert not bool(is_sound(torch.full((VOCAB,), -torch.inf)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"temperature": -0.1}, "temperature must be 0"),
        ({"temperature": float("nan")}, "temperature must be 0"),
        ({"top_k": -1}, "top_k must be 0"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "top_p must be above 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(wrong, said):
    with pytest.raises(SettingsError, match=said):
        SamplingOptions(**wrong)
