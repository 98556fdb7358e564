"""Who speaks when, with voices of tones and a printer that hears which tone it is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from omni_agent.errors import MediaError, SettingsError
from omni_agent.memory.diarize import FRAME, RATE, Diarizer, SpeakerSegment
from omni_agent.memory.embed.pooling import unit
from omni_agent.memory.embed.voice import VoiceCalibration, VoicePrint

PITCH = {"anna": 400, "ben": 900, "carl": 1700, "agent": 2900}


class Tones:
    """A real printer of a small world: the spectrum in 16 bands, and some noise of its own."""

    name, dim, rate, window, min_seconds = "tones", 16, RATE, 19_456, 1.0
    calibration = VoiceCalibration(
        mean=np.zeros(16, np.float32),
        noise_seconds=0.2,
        same=0.75,
        different=0.6,
        margin=0.05,
        even=0.7,
        slope=20.0,
        merge_at=0.75,
        merge_noise_seconds=0.2,
    )

    def prints(self, stretches: np.ndarray) -> np.ndarray:
        frames = stretches.reshape(len(stretches), -1, FRAME) * np.hanning(FRAME)
        power = (np.abs(np.fft.rfft(frames, axis=2)[:, :, :128]) ** 2).sum(axis=1)
        bands = power.reshape(len(power), 16, -1).sum(axis=2)
        return unit(bands + 0.02 * bands.sum(axis=1, keepdims=True))


class Call:
    """Sound and verdicts, put together word for word."""

    def __init__(self) -> None:
        self.sound = np.zeros(0, np.float32)
        self.speech = np.zeros(0, bool)
        self.truth: list[tuple[str, int, int]] = []

    def says(self, who: str, seconds: float) -> Call:
        frames = round(seconds * RATE / FRAME)
        t = np.arange(frames * FRAME) / RATE
        tone = 0.2 * np.sin(2 * np.pi * PITCH[who] * t)
        self.truth.append((who, len(self.sound), len(self.sound) + len(t)))
        return self._more(tone, True)

    def silence(self, seconds: float) -> Call:
        return self._more(np.zeros(round(seconds * RATE / FRAME) * FRAME), False)

    def _more(self, samples: np.ndarray, speech: bool) -> Call:
        noise = np.random.default_rng(len(self.sound)).normal(0, 0.002, len(samples))
        self.sound = np.concatenate([self.sound, (samples + noise).astype(np.float32)])
        self.speech = np.append(self.speech, np.full(len(samples) // FRAME, speech))
        return self

    def heard_by(self, diarizer: Diarizer, frames: int = 16) -> Diarizer:
        for i in range(0, len(self.speech), frames):
            diarizer.hear(self.sound[i * FRAME : (i + frames) * FRAME], self.speech[i : i + frames])
        return diarizer


def spoken(segments: tuple[SpeakerSegment, ...]) -> list[str | None]:
    return [s.guess for s in segments]


def print_of(who: str) -> VoicePrint:
    call = Call().says(who, 1.3)
    return VoicePrint(Tones().prints(call.sound[None, : Tones.window])[0], 10.0)


def test_two_voices_are_told_apart_and_keep_their_names() -> None:
    call = Call()
    for who, seconds in (("anna", 3), ("ben", 2.5), ("anna", 2), ("ben", 4), ("anna", 1.5)):
        call.says(who, seconds).silence(0.6)
    segments = call.heard_by(Diarizer(Tones())).segments()
    assert spoken(segments) == ["voice1", "voice2", "voice1", "voice2", "voice1"]
    assert [s.speaker for s in segments] == spoken(segments)
    for segment, (_, start, end) in zip(segments, call.truth, strict=True):
        assert abs(segment.start - start) <= 2 * FRAME
        assert abs(segment.end - end) <= 2 * FRAME
        assert segment.confidence > 0.9


def test_a_change_of_speaker_without_a_pause_is_found() -> None:
    call = Call().says("anna", 3).says("ben", 3).says("carl", 2.5).says("anna", 2)
    segments = call.heard_by(Diarizer(Tones())).segments()
    assert spoken(segments) == ["voice1", "voice2", "voice3", "voice1"]
    for segment, (_, start, _) in zip(segments[1:], call.truth[1:], strict=True):
        assert abs(segment.start - start) < 0.35 * RATE


def test_known_people_go_by_their_names_and_strangers_do_not() -> None:
    diarizer = Diarizer(Tones())
    diarizer.enrol("anna", print_of("anna"))
    diarizer.enrol("carl", print_of("carl"))
    call = Call().says("ben", 3).silence(0.5).says("anna", 3)
    segments = call.heard_by(diarizer).segments()
    assert spoken(segments) == ["voice1", "anna"]
    assert diarizer.speakers["anna"].person == "anna"
    assert diarizer.speakers["voice1"].person is None
    assert "carl" not in diarizer.speakers, "he has not said a word"


def test_a_voice_that_is_named_late_is_named_from_its_first_word_on() -> None:
    diarizer = Diarizer(Tones())
    Call().says("anna", 3).silence(0.5).says("ben", 3).heard_by(diarizer)
    assert spoken(diarizer.segments()) == ["voice1", "voice2"]
    diarizer.enrol("anna", print_of("anna"))
    assert spoken(diarizer.segments()) == ["anna", "voice2"]
    assert diarizer.resolve("voice1") == "anna"


def test_a_word_of_less_than_a_second_is_only_guessed_at() -> None:
    call = Call().says("anna", 3).silence(0.5).says("ben", 3).silence(0.5).says("anna", 0.7)
    last = call.heard_by(Diarizer(Tones())).segments()[-1]
    assert last.short
    assert last.speaker is None
    assert last.guess == "voice1"


def test_the_agents_own_voice_is_marked() -> None:
    diarizer = Diarizer(Tones())
    diarizer.enrol("the agent", print_of("agent"), own=True)
    segments = Call().says("agent", 2).silence(0.5).says("anna", 2).heard_by(diarizer).segments()
    assert [s.own for s in segments] == [True, False]


def test_who_speaks_now_is_told_while_they_speak() -> None:
    diarizer = Diarizer(Tones())
    diarizer.enrol("anna", print_of("anna"))
    assert diarizer.now is None
    call = Call().says("anna", 3)
    call.heard_by(diarizer)
    assert diarizer.now is not None
    assert diarizer.now.guess == "anna"
    diarizer.hear(np.zeros(FRAME * 16, np.float32), np.zeros(16, bool))
    assert diarizer.now is None


def test_the_same_sound_gives_the_same_answer_in_chunks_of_any_length() -> None:
    call = Call().says("anna", 2.2).says("ben", 1.7).silence(0.4).says("carl", 3).says("anna", 2)
    whole = call.heard_by(Diarizer(Tones()), frames=10_000).segments()
    for frames in (1, 7, 50):
        assert call.heard_by(Diarizer(Tones()), frames).segments() == whole


def test_a_part_of_the_call_can_be_asked_for() -> None:
    call = Call().says("anna", 2).silence(0.5).says("ben", 2)
    diarizer = call.heard_by(Diarizer(Tones()))
    _, start, end = call.truth[1]
    assert spoken(diarizer.segments(start, end)) == ["voice2"]


def test_an_hour_needs_no_more_than_its_last_minutes() -> None:
    diarizer, call = Diarizer(Tones()), Call()
    for _ in range(6):
        call.says("anna", 2).silence(0.5).says("ben", 2).silence(0.5)
    for _ in range(14):  # seven minutes
        call.heard_by(diarizer, frames=200)
    assert len(diarizer._windows) < 1000
    assert len(diarizer._sound) < 4 * Tones.window
    assert len(diarizer._speakers._free) <= 240
    segments = diarizer.segments()
    assert spoken(segments) == ["voice1", "voice2"] * 84
    assert set(diarizer.speakers) == {"voice1", "voice2"}
    assert all(a.end <= b.start for a, b in itertools.pairwise(segments))


def test_an_hour_without_a_pause_is_kept_in_bounds_too() -> None:
    diarizer, call = Diarizer(Tones()), Call().says("anna", 10)
    for _ in range(40):
        call.heard_by(diarizer, frames=312)
    assert len(diarizer._windows) < 2500
    assert {s.guess for s in diarizer.segments()} == {"voice1"}
    assert sum(s.seconds for s in diarizer.segments()) == pytest.approx(400, abs=3)


def test_speaking_at_once_is_marked() -> None:
    call = Call().says("anna", 3).says("ben", 3)
    both = Call().says("anna", 4).sound[: len(call.sound) // 6 * 4]
    later = Call().silence(3).says("ben", 3)
    later.sound[: len(both)] += both
    later.speech[:] = True
    a, b = later.heard_by(Diarizer(Tones())).segments()
    assert (a.overlap, a.other, b.overlap, b.other) == (True, b.guess, True, a.guess)
    assert b.start < a.end
    assert not any(
        s.overlap
        for s in Call()
        .says("anna", 3)
        .silence(0.3)
        .says("ben", 3)
        .heard_by(Diarizer(Tones()))
        .segments()
    )


def test_silence_and_nothing_are_no_speaker() -> None:
    diarizer = Diarizer(Tones())
    assert diarizer.segments() == ()
    diarizer.hear(np.zeros(0, np.float32), np.zeros(0, bool))
    Call().silence(3).heard_by(diarizer)
    assert diarizer.segments() == ()
    diarizer.hear(np.zeros(FRAME * 64, np.float32), np.ones(64, bool))  # a detector gone mad
    assert all(s.speaker is None or s.confidence <= 1 for s in diarizer.segments())


def test_sound_that_does_not_fit_its_verdicts_is_refused() -> None:
    with pytest.raises(MediaError, match="100 samples"):
        Diarizer(Tones()).hear(np.zeros(100, np.float32), [True])

    class Wide(Tones):
        rate = 48_000

    with pytest.raises(SettingsError, match="48000"):
        Diarizer(Wide())
