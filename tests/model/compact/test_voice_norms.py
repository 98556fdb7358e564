"""How a voice normalises: like sentences of the same length, learned once and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omni_agent.model.catalog import catalog
from omni_agent.model.compact import kokoro
from omni_agent.model.compact.voice import Voice
from omni_agent.model.compact.voice_norms import VoiceNorms, saved

NORMS = VoiceNorms(np.array([5, 20, 80]), np.array([[1, 0], [2, 0], [3, 9]], np.float32))


@pytest.mark.parametrize(("phonemes", "like"), [(1, 1), (5, 1), (20, 2), (80, 3), (500, 3)])
def test_a_sentence_is_treated_like_those_of_its_length(phonemes: int, like: float) -> None:
    of = NORMS.of(phonemes)
    assert of.shape == (1, 2, 1)
    assert of.dtype == np.float32
    assert of[0, 0, 0] == pytest.approx(like, abs=0.05)


def test_between_two_lengths_it_is_between_them() -> None:
    middle = NORMS.of(10)[0, 0, 0]
    assert 1.2 < middle < 1.8


def test_what_was_learned_is_kept_and_what_is_damaged_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "voice.npz"
    assert saved(file) is None
    NORMS.save(file)
    again = saved(file)
    assert again is not None
    assert np.array_equal(again.of(30), NORMS.of(30))
    file.write_bytes(file.read_bytes()[:50])
    assert saved(file) is None


@pytest.mark.weights
def test_a_voice_is_learned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    model = tmp_path / "model.onnx"
    model.symlink_to(at["kokoro"])
    first = Voice(model, at["kokoro-vocab"], at["kokoro-voices"])
    first.prepare("bf_emma")
    said = first.speak("Good morning.", "bf_emma").samples
    monkeypatch.setattr(kokoro.Kokoro, "norms", lambda *_: pytest.fail("it is learned anew"))
    again = Voice(model, at["kokoro-vocab"], at["kokoro-voices"])
    assert np.array_equal(again.speak("Good morning.", "bf_emma").samples, said)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("text", "language"),
    [("You're welcome!", "en"), ("Pasta comes from Italy.", "en"), ("可以，但最好先放凉。", "zh")],
)
def test_it_is_as_loud_as_the_whole_made_at_once(text: str, language: str) -> None:
    """The net by itself normalises over the whole sentence: the norms measured on it are exact."""
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    voice = Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])
    told = voice.speak(text, language=language).samples
    info = voice.info(voice.default_voice(language))
    ids = voice._ids(text, language)
    exact = voice._net.norms([(ids, voice._style(info.name, len(ids)))])
    voice._norms[info.name] = VoiceNorms(np.array([len(ids)]), exact)
    whole = voice.speak(text, language=language).samples
    assert abs(_level(told) - _level(whole)) < 2.5, "decibels"


def _level(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt((samples**2).mean())))
