"""The real nets and the project's own voice: turns, pauses in them, interruptions."""

import numpy as np
import pytest
from stand_ins import heard, names

from omni_agent.listening import Listening, SpeechSure, TurnListener, TurnOver
from omni_agent.media import Audio
from omni_agent.model.catalog import catalog
from omni_agent.model.compact.voice import Voice

pytestmark = pytest.mark.weights
RATE = 16_000


@pytest.fixture(scope="module")
def voice() -> Voice:
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    return Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])


def room(*parts: Audio | float) -> Audio:
    """Speech and seconds of silence, in a room that is never quite silent."""
    sounds = [
        np.zeros(int(part * RATE), np.float32)
        if isinstance(part, float)
        else words(part.resampled(RATE).samples)
        for part in parts
    ]
    whole = np.concatenate(sounds)
    noise = np.random.default_rng(0).normal(0, 0.0006, len(whole))
    return Audio((whole + noise).astype(np.float32), RATE)


def words(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples) > 0.005)
    return samples[loud[0] : loud[-1] + 1]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What time does the museum open tomorrow morning?", "en"),
        ("街角有一家面包店，现在还开着吗？", "zh"),
    ],
)
async def test_a_finished_question_is_a_turn_within_a_third_of_a_second(voice, text, language):
    spoken = room(0.5, voice.speak(text, None, language), 2.0)
    heeds = await heard(TurnListener(), spoken)
    last_syllable = len(spoken.samples) / RATE - 2.0
    assert names(heeds).count("TurnOver") == 1
    assert isinstance(heeds[-1], TurnOver)
    assert (heeds[-1].at_ms + heeds[-1].waited_ms) / 1000 - last_syllable < 0.36


@pytest.mark.parametrize(
    ("begun", "gone_on", "language"),
    [
        ("Could you tell me where the nearest, um,", "pharmacy is?", "en"),
        ("你能不能帮我找一家，那个，", "晚上十点以后还开门的店？", "zh"),
    ],
)
async def test_somebody_who_thinks_for_a_second_is_not_cut_off(voice, begun, gone_on, language):
    first, second = (voice.speak(text, None, language) for text in (begun, gone_on))
    heeds = await heard(TurnListener(), room(0.5, first, 1.0, second, 2.5))
    assert names(heeds).count("TurnOver") == 1
    assert "WentOn" in names(heeds)


async def test_an_interruption_silences_the_agent_at_once_and_is_sure_soon(voice):
    spoken = voice.speak("No, I meant the other restaurant.")
    ear = TurnListener()
    await heard(ear, room(1.0), speaking=True)
    silenced = None
    for begin in range(0, 16_000, 320):
        chunk = room(spoken).samples[begin : begin + 320]
        heeds = await ear.hear(Audio(chunk, RATE), speaking=True)
        if silenced is None and "SpeechLikely" in names(heeds):
            silenced = begin + 320
        if any(isinstance(heed, SpeechSure) for heed in heeds):
            break
    else:
        pytest.fail("it never became sure")
    assert silenced is not None
    assert silenced / RATE < 0.25


async def test_noise_is_nobody():
    noise = np.random.default_rng(1).normal(0, 0.1, 20 * RATE).astype(np.float32)
    assert await heard(TurnListener(), Audio(noise, RATE)) == []


async def test_the_same_call_heard_twice_gives_the_same(voice):
    call = room(0.3, voice.speak("I'd like a table for,"), 0.6, voice.speak("four people."), 2.0)
    first = await heard(TurnListener(), call, chunk=320)
    assert await heard(TurnListener(), call, chunk=1999) == first


async def test_silence_as_the_judge_needs_no_smart_turn(voice):
    settings = Listening(judge="silence", silence_ms=500)
    heeds = await heard(TurnListener(settings), room(0.3, voice.speak("Yes."), 1.0))
    assert isinstance(heeds[-1], TurnOver)
    assert 500 <= heeds[-1].waited_ms < 540
