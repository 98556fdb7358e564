"""The real voice: what it says is understood, it starts at once, and it stops when told to."""

import threading
import time

import numpy as np
import pytest

from omni_agent.errors import ModelLoadError, SettingsError
from omni_agent.model.catalog import catalog
from omni_agent.model.compact.voice import CancelSpeech, SpeechCancelled, Voice, VoiceInfo

LONG = "Slice the two onions, fry them in oil, then add the rice and the broth and stir it well. "


@pytest.fixture(scope="module")
def voice() -> Voice:
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    return Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])


@pytest.mark.weights
def test_a_clause_is_sound_that_begins_and_ends_without_dead_air(voice):
    said = voice.speak("The bread is ready now.")
    assert said.rate == 24_000
    assert 0.8 < said.seconds < 2.5
    loud = np.flatnonzero(np.abs(said.samples) > 0.01)
    assert loud[0] / said.rate < 0.15
    assert said.seconds - loud[-1] / said.rate < 0.5


@pytest.mark.weights
@pytest.mark.parametrize(("text", "language"), [(LONG, "en"), ("让面团发酵，使面团更松软。", "zh")])
def test_sound_comes_in_stretches_long_before_the_last_one(voice, text, language):
    voice.warm_up(language)
    began, came = time.perf_counter(), []
    for spoken in voice.stream(text, None, language):
        came.append((time.perf_counter() - began, spoken))
    assert len(came) >= 3
    assert came[0][0] < came[-1][0] / 2
    shares = [spoken.share for _, spoken in came]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert shares[-1] == 1


@pytest.mark.weights
def test_no_seam_is_heard_where_stretches_join(voice):
    """The jump from one sample to the next is no larger at the joins than elsewhere."""
    parts = [spoken.samples for spoken in voice.stream(LONG)]
    steps = np.abs(np.diff(np.concatenate(parts)))
    joins = np.cumsum([len(part) for part in parts])[:-1] - 1
    for join in joins:
        assert steps[join - 240 : join + 240].max() <= np.percentile(steps, 99.9)


@pytest.mark.weights
def test_a_cache_that_cannot_be_written_to_is_no_hindrance(voice, tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    model = tmp_path / "model.onnx"
    model.symlink_to(at["kokoro"])
    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    again = Voice(model, at["kokoro-vocab"], at["kokoro-voices"])
    assert again.speak("Sure!").seconds == voice.speak("Sure!").seconds
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.weights
def test_clauses_join_without_a_click(voice):
    said = voice.speak("Sure!").samples
    assert said[0] == said[-1] == 0.0


@pytest.mark.weights
@pytest.mark.parametrize(
    ("text", "language"),
    [("去 Ravintola Savoy 吃饭。", "zh"), ("Try 糖醋里脊, please.", "en"), ("Привет!", "en")],
)
def test_mixed_text_is_spoken_in_one_go(voice, text, language):
    assert voice.speak(text, None, language).seconds > 0.4


@pytest.mark.weights
def test_speed_shortens(voice):
    words = "The bread is ready now."
    assert voice.speak(words, speed=1.5).seconds < 0.8 * voice.speak(words).seconds


@pytest.mark.weights
def test_a_text_too_long_for_one_stretch_is_spoken_whole(voice):
    once, many = voice.speak(LONG).seconds, voice.speak(LONG * 3).seconds
    assert 2.5 * once < many < 3.5 * once


@pytest.mark.weights
def test_what_cannot_be_spoken_is_empty_sound(voice):
    assert len(voice.speak("🙂 ...").samples) == 0


@pytest.mark.weights
def test_another_thread_cancels_within_a_moment(voice):
    cancel, at = CancelSpeech(), []

    def stop() -> None:
        time.sleep(0.3)
        at.append(time.monotonic())
        cancel.set()

    threading.Thread(target=stop).start()
    with pytest.raises(SpeechCancelled):
        voice.speak(LONG * 6, cancel=cancel)
    assert time.monotonic() - at[0] < 0.25
    assert voice.speak("Sure!").seconds > 0.3


@pytest.mark.weights
def test_cancelling_before_it_begins_speaks_nothing(voice):
    cancel = CancelSpeech()
    cancel.set()
    with pytest.raises(SpeechCancelled):
        voice.speak("Sure!", cancel=cancel)


@pytest.mark.weights
def test_voices_tell_their_language_and_gender(voice):
    infos = voice.voices()
    assert len(infos) == 54
    assert VoiceInfo("zm_yunxi", "zh", "male") in infos
    assert VoiceInfo("bf_emma", "en", "female") in infos


@pytest.mark.weights
def test_an_unknown_voice_language_or_speed_is_named(voice):
    with pytest.raises(SettingsError, match=r"'af_nobody'.*af_heart"):
        voice.speak("Hello", "af_nobody")
    with pytest.raises(SettingsError, match=r"'fi'.*en, zh"):
        voice.speak("Moi", None, "fi")
    with pytest.raises(SettingsError, match=r"9\.0"):
        voice.speak("Hello", speed=9.0)


def test_missing_and_wrong_files_are_named(tmp_path):
    vocab, model = tmp_path / "vocab.json", tmp_path / "model.onnx"
    with pytest.raises(ModelLoadError, match=r"vocab\.json"):
        Voice(model, vocab, tmp_path)
    vocab.write_text('{"vocab": {"a": 1}}')
    with pytest.raises(ModelLoadError, match="no voice tables"):
        Voice(model, vocab, tmp_path)
    (tmp_path / "af_heart.bin").write_bytes(b"")
    model.write_bytes(b"not a model")
    with pytest.raises(ModelLoadError, match=r"model\.onnx"):
        Voice(model, vocab, tmp_path)
