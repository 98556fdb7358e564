"""Pictures and frames on their way in: transformers' numbers, without torchvision."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from omni_agent.errors import MediaTooLarge, ModelLoadError
from omni_agent.media import Image
from omni_agent.model.qwen.picture_in import (
    PictureRules,
    encode_patches,
    pair_patches,
    picture_patches,
    scaled_size,
)


def noise(width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image(pixels)


def processor(rules):
    return Qwen2VLImageProcessorPil(min_pixels=rules.min_pixels, max_pixels=rules.max_pixels)


def assert_as_transformers(image, rules):
    expected = processor(rules)(
        image.pixels, return_tensors="pt", input_data_format="channels_last"
    )
    got = picture_patches(image, rules)
    assert torch.equal(got.grid, expected["image_grid_thw"])
    assert torch.equal(got.values, expected["pixel_values"])
    assert got.tokens == expected["image_grid_thw"].prod() // 4


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 400), st.integers(4, 400), st.sampled_from([4, 20, 100, 16384]))
def test_a_picture_becomes_what_transformers_makes_of_it(width, height, tokens):
    assert_as_transformers(noise(width, height), PictureRules().at_most(tokens))


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (2, 1), (1, 200), (200, 1), (3, 3), (13, 2600), (1920, 1080)]
)
def test_strange_sizes(width, height):
    assert_as_transformers(noise(width, height), PictureRules().at_most(1280))


def test_one_pixel_is_scaled_up_to_four_tokens():
    assert picture_patches(noise(1, 1), PictureRules()).tokens == 4


def test_a_strip_is_refused():
    with pytest.raises(MediaTooLarge, match="2010 × 10 pixels is a strip 201 times as long"):
        picture_patches(noise(2010, 10), PictureRules())


def test_a_hundred_megapixels_are_refused_before_any_work():
    huge = Image(np.broadcast_to(np.zeros(3, np.uint8), (10_000, 10_000, 3)))
    with pytest.raises(MediaTooLarge, match="10000 × 10000 pixels is over the limit"):
        picture_patches(huge, PictureRules())


def test_frames_have_128_to_768_tokens():
    rules = PictureRules().for_video()
    for width, height in ((40, 30), (640, 480), (1920, 1080)):
        high, wide = scaled_size(noise(width, height), rules)
        assert 128 <= high * wide // 28**2 <= 768


def test_a_pair_of_one_frame_is_a_picture():
    rules = PictureRules().for_video()
    frame = noise(320, 240)
    pair = pair_patches(frame, frame, scaled_size(frame, rules), rules)
    assert torch.equal(pair.values, picture_patches(frame, rules).values)


def test_a_pair_has_the_first_frame_before_the_second():
    rules = PictureRules().at_most(64)
    frames = noise(224, 224, 1), noise(224, 224, 2)
    pair = pair_patches(*frames, scaled_size(frames[0], rules), rules)
    by_frame = pair.values.reshape(-1, 3, 2, 14 * 14)
    for index, frame in enumerate(frames):
        alone = picture_patches(frame, rules).values.reshape(-1, 3, 2, 14 * 14)
        assert torch.equal(by_frame[:, :, index], alone[:, :, 0])


@torch.no_grad()
def test_pictures_encoded_together_are_encoded_as_alone(reference):
    model = reference.thinker.model
    rules = PictureRules().at_most(30)
    pictures = [picture_patches(noise(*size), rules) for size in ((300, 100), (90, 90))]
    together = encode_patches(model.visual, pictures)
    for patches, features in zip(pictures, together, strict=True):
        expected = model.get_image_features(patches.values, patches.grid).pooler_output[0]
        torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)


def test_the_rules_of_a_checkpoint(tiny):
    config = json.loads((tiny / "preprocessor_config.json").read_text())
    assert PictureRules.of(config) == PictureRules()
    newer = {"size": {"shortest_edge": 3136, "longest_edge": 1003520}, "image_mean": [0, 0, 0]}
    rules = PictureRules.of(newer)
    assert (rules.max_pixels, rules.mean) == (1003520, (0, 0, 0))
    with pytest.raises(ModelLoadError, match="patch_size 16"):
        PictureRules.of({"patch_size": 16})
