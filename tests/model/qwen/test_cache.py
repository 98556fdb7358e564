"""The KV cache: as good as transformers' own growing one, cut or not, in fixed shapes or not."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from omni_agent.errors import ContextFull
from omni_agent.model.qwen.cache import KVCache

LIMIT = 48


@pytest.fixture(params=["thinker", "talker"])
def decoder(request, reference):
    if request.param == "thinker":
        return reference.thinker.model.language_model
    return reference.talker.model


def embeddings(decoder, count, seed=0):
    width = decoder.config.hidden_size
    return torch.randn(1, count, width, generator=torch.Generator().manual_seed(seed))


def positions(first, count):
    return torch.arange(first, first + count).view(1, 1, -1).expand(3, 1, -1)


def new_cache(decoder, limit=LIMIT):
    return KVCache.of(decoder.config, limit, dtype=torch.float32, device="cpu")


@torch.no_grad()
def forward(decoder, cache, embeds, first, mask=None):
    return decoder(
        inputs_embeds=embeds,
        position_ids=positions(first, embeds.shape[1]),
        past_key_values=cache,
        attention_mask=mask,
        use_cache=True,
    ).last_hidden_state


def own_mask(cache, count):
    return {"full_attention": cache.mask(count)}


def assert_same(cache, dynamic):
    for layer, theirs in enumerate(dynamic.layers):
        ours = cache.keys[layer, :, :, : cache.length], cache.values[layer, :, :, : cache.length]
        assert torch.equal(ours[0], theirs.keys)
        assert torch.equal(ours[1], theirs.values)


@pytest.mark.parametrize("masks", ["ours", "theirs"])
def test_it_holds_what_the_growing_cache_holds(decoder, masks):
    embeds = embeddings(decoder, 20)
    cache, dynamic = new_cache(decoder), DynamicCache()
    start = 0
    for count in (7, 1, 5, 1, 1, 5):
        piece = embeds[:, start : start + count]
        mask = own_mask(cache, count) if masks == "ours" else None
        ours = forward(decoder, cache, piece, start, mask)
        assert torch.equal(ours, forward(decoder, dynamic, piece, start))
        start += count
    assert cache.length == cache.get_seq_length() == 20
    assert_same(cache, dynamic)


def test_fixed_shapes_give_what_growing_ones_give(decoder):
    embeds = embeddings(decoder, 12)
    grown, fixed = new_cache(decoder), new_cache(decoder)
    for cache in (grown, fixed):
        forward(decoder, cache, embeds[:, :8], 0, own_mask(cache, 8))
    index = torch.empty(1, dtype=torch.long)
    for at, window in ((8, LIMIT), (9, LIMIT), (10, 16), (11, 12)):
        token = embeds[:, at : at + 1]
        expected = forward(decoder, grown, token, at, own_mask(grown, 1))
        index.fill_(at)
        with fixed.static(index, window):
            mask = {"full_attention": fixed.static_mask(index, window)}
            got = forward(decoder, fixed, token, at, mask)
        assert fixed.length == at
        fixed.advance(1)
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(fixed.keys, grown.keys, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(fixed.values, grown.values, rtol=1e-5, atol=1e-5)


def test_after_a_cut_nothing_is_left_of_what_was_cut(decoder):
    embeds, others = embeddings(decoder, 20), embeddings(decoder, 20, seed=1)
    never, cut = new_cache(decoder), new_cache(decoder)
    forward(decoder, never, embeds[:, :9], 0, own_mask(never, 9))
    forward(decoder, cut, embeds[:, :9], 0, own_mask(cut, 9))
    forward(decoder, cut, others, 9, own_mask(cut, 20))
    cut.cut(9)
    assert torch.equal(cut.keys, never.keys)
    assert torch.equal(cut.values, never.values)
    for start, end in ((9, 15), (15, 16)):
        piece = embeds[:, start:end]
        went_on = forward(decoder, cut, piece, start, own_mask(cut, end - start))
        expected = forward(decoder, never, piece, start, own_mask(never, end - start))
        assert torch.equal(went_on, expected)


def test_it_says_when_it_is_full_and_keeps_what_it_has(decoder):
    cache = new_cache(decoder, limit=10)
    forward(decoder, cache, embeddings(decoder, 8), 0)
    with pytest.raises(ContextFull, match=r"3 more tokens do not fit after 8: .* at 10"):
        forward(decoder, cache, embeddings(decoder, 3), 8)
    assert cache.length == 8
    forward(decoder, cache, embeddings(decoder, 2), 8)
    with pytest.raises(ContextFull):
        cache.advance(1)


def test_it_is_not_cut_to_more_than_it_has(decoder):
    with pytest.raises(ValueError, match="cache of 0 tokens cannot be cut to 1"):
        new_cache(decoder).cut(1)


def test_a_forward_that_breaks_off_leaves_the_length(decoder):
    cache = new_cache(decoder)
    forward(decoder, cache, embeddings(decoder, 4), 0)
    keys = torch.ones(1, *cache.keys.shape[2:3], 2, cache.keys.shape[-1])
    cache.write(0, keys, keys)
    assert cache.length == 4
    cache.cut(4)
    with cache.static(torch.tensor([4])):
        cache.write(0, keys[:, :, :1], keys[:, :, :1])
    cache.cut(4)
    assert not cache.keys[:, :, :, 4:].any()


def test_generate_of_transformers_takes_it(reference):
    prompt = torch.tensor([[151644, 872, 198, 9707, 151645, 198]])
    thinker = reference.thinker
    cache = KVCache.of(thinker.config.text_config, 32, dtype=torch.float32, device="cpu")
    settings = {"max_new_tokens": 6, "do_sample": False}
    expected = thinker.generate(prompt, attention_mask=torch.ones_like(prompt), **settings)
    got = thinker.generate(
        prompt, attention_mask=torch.ones_like(prompt), past_key_values=cache, **settings
    )
    assert torch.equal(got, expected)
    assert cache.length == got.shape[1] - 1
