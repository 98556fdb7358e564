"""Sound on its way in: the same features as the whole sound gives, however it comes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor
from transformers.models.qwen2_5_omni.processing_qwen2_5_omni import (
    _get_feat_extract_output_lengths as reference_token_count,
)

from omni_agent.model.qwen.audio_in import LogMel, SoundBlocks, encode_blocks, token_count

EXTRACTOR = WhisperFeatureExtractor(feature_size=128, chunk_length=30, return_attention_mask=True)
"""Of 30 s instead of 300, because it works through all of its padding."""


def whole(samples, extractor=EXTRACTOR):
    """The extractor's features of the sound itself, [128, frames]."""
    given = extractor(samples, sampling_rate=16000, return_attention_mask=True, return_tensors="pt")
    return given["input_features"][0][:, : int(given["attention_mask"].sum())]


def streamed(samples, sizes):
    """(features by the last word on each block, how often each block was given out)."""
    blocks, times, at = SoundBlocks(), [], 0
    for size in [*sizes, len(samples)]:
        changed = blocks.push(samples[at : at + size])
        times += changed
        at += size
    times += blocks.close()
    features = [blocks.features(i) for i in range(len(blocks))]
    return torch.cat([torch.zeros(128, 0), *features], dim=1), times


def speech_like(seconds, seed=0):
    """Noise whose loudness changes by the syllable."""
    noise = np.random.default_rng(seed)
    samples = noise.standard_normal(round(seconds * 16000))
    syllables = noise.uniform(0.0001, 0.05, len(samples) // 3200 + 1)
    samples *= np.repeat(syllables, 3200)[: len(samples)]
    return samples.clip(-1, 1).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 16000 * 9),
    st.lists(st.integers(1, 40000), max_size=8),
    st.integers(0, 3),
)
def test_in_pieces_it_is_what_it_is_whole(length, sizes, seed):
    samples = speech_like(9, seed)[:length]
    got, _ = streamed(samples, sizes)
    expected = whole(samples)
    # Less than 3 frames at the end of the last block are no token, and never leave.
    assert token_count(got.shape[1]) == token_count(expected.shape[1])
    torch.testing.assert_close(got, expected[:, : got.shape[1]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 159, 160, 161, 199, 200, 201, 360, 480, 481, 32000])
def test_the_shortest_sounds_are_clipped_by_frames_nobody_sees(length):
    samples = np.zeros(length, np.float32)
    samples[-1] = 1.0  # a click at the end is loudest in a frame behind the end
    mel = LogMel()
    frames = torch.cat([mel.push(samples), mel.close()], dim=1)
    clipped = (frames.clamp(min=mel.peak - 8.0) + 4.0) / 4.0
    torch.testing.assert_close(clipped, whole(samples), rtol=1e-5, atol=1e-5)


def test_a_louder_moment_gives_earlier_blocks_out_again():
    samples = 0.01 * np.sin(np.arange(16000 * 8) * 0.2).astype(np.float32)
    samples[:16000] = 0  # lower than any floor
    samples[16000 * 5 : 16000 * 5 + 800] *= 100
    got, times = streamed(samples, [16000] * 8)
    assert times == [0, 1, 0, 1, 2, 3]
    torch.testing.assert_close(got, whole(samples), rtol=1e-5, atol=1e-5)


def test_an_even_sound_is_given_out_once():
    samples = np.sin(np.arange(16000 * 6) * 0.2).astype(np.float32)
    _, times = streamed(samples, [1600] * 60)
    assert times == [0, 1, 2]


def test_silence():
    got, times = streamed(np.zeros(16000 * 5, np.float32), [8000] * 10)
    torch.testing.assert_close(got, whole(np.zeros(16000 * 5, np.float32)))
    assert times == [0, 1, 2]


@pytest.mark.parametrize("seconds", [30, 600])
def test_long_sounds_have_the_processors_count(seconds):
    samples = np.tile(speech_like(10), seconds // 10)
    blocks = SoundBlocks()
    for start in range(0, len(samples), 16000):
        blocks.push(samples[start : start + 16000])
    blocks.close()
    assert blocks.tokens == reference_token_count(seconds * 100) == seconds * 25


def test_nothing_at_all():
    blocks = SoundBlocks()
    assert blocks.push(np.zeros(0, np.float32)) == []
    assert blocks.close() == []
    assert blocks.tokens == 0


@given(st.integers(1, 30000))
def test_token_counts_are_the_processors(frames):
    assert token_count(frames) == reference_token_count(frames)


@torch.no_grad()
@pytest.mark.parametrize("frames", [3, 150, 200, 201, 203, 555, 800])
def test_blocks_alone_are_encoded_as_the_whole_is(reference, frames):
    tower = reference.thinker.model.audio_tower
    mel = torch.randn(128, frames, generator=torch.Generator().manual_seed(frames))
    expected = tower(mel, feature_lens=torch.tensor([frames])).last_hidden_state
    blocks = [block for block in mel.split(200, dim=1) if token_count(block.shape[1])]
    alone = torch.cat([encode_blocks(tower, [block])[0] for block in blocks])
    together = encode_blocks(tower, blocks)
    assert [len(part) for part in together] == [token_count(b.shape[1]) for b in blocks]
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.cat(together), expected, rtol=1e-4, atol=1e-4)
