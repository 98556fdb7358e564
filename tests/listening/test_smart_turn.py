"""What Smart Turn is given is what it was trained on: the features of Whisper's own extractor."""

import numpy as np
import pytest

from omni_agent.errors import ModelLoadError
from omni_agent.listening.smart_turn import SmartTurn, features

RATE = 16_000


@pytest.mark.parametrize("seconds", [0.5, 3.0, 8.0, 11.0])
def test_its_features_are_those_of_transformers(seconds):
    extractors = pytest.importorskip("transformers.models.whisper.feature_extraction_whisper")
    rng = np.random.default_rng(3)
    t = np.arange(int(seconds * RATE)) / RATE
    voice = np.sign(np.sin(2 * np.pi * (140 + 30 * np.sin(4 * t)) * t)) * (np.sin(9 * t) > -0.3)
    sound = (0.2 * voice + rng.normal(0, 0.003, len(t)) + 0.01).astype(np.float32)
    last = sound[-8 * RATE :]
    padded = np.pad(last, (8 * RATE - len(last), 0))
    expected = extractors.WhisperFeatureExtractor(chunk_length=8)(
        padded, sampling_rate=RATE, do_normalize=True, return_tensors="np"
    ).input_features
    found = features(sound)
    assert found.shape == expected.shape == (1, 80, 800)
    assert np.abs(found - expected).max() < 0.005


def test_silence_has_features_too():
    assert np.isfinite(features(np.zeros(RATE, np.float32))).all()


def test_a_file_that_is_no_net_is_refused_by_name(tmp_path):
    pytest.importorskip("onnxruntime")
    wrong = tmp_path / "smart-turn.onnx"
    wrong.write_bytes(b"not a net")
    with pytest.raises(ModelLoadError, match=r"smart-turn\.onnx"):
        SmartTurn(wrong)
