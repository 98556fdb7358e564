"""The real ears: they understand the project's own voice, and hear nothing where nobody speaks."""

import asyncio
import re

import numpy as np
import pytest

from omni_agent.errors import MediaError, MediaTooLarge, ModelError, SettingsError
from omni_agent.media import Audio
from omni_agent.model.catalog import catalog
from omni_agent.model.compact.ears import Ears
from omni_agent.model.compact.voice import Voice
from omni_agent.model.compact.whisper import _unlooped

pytestmark = pytest.mark.weights
RATE = 16_000
SENTENCES = [
    "Thank you for coming to the kitchen this evening.",
    "We will cook a soup with carrots, onions and a little ginger.",
    "First wash the carrots and cut them into thin slices.",
    "Then fry the onions in butter until they are golden.",
    "Add the water and let everything simmer for twenty minutes.",
    "At the end, stir in the cream and serve it with fresh bread.",
    "My sister does not eat cream, so keep one bowl without it.",
    "She will arrive at seven and leave again before nine.",
]
TWELVE = SENTENCES + SENTENCES[:4]


@pytest.fixture(scope="module")
def ears():
    ears = Ears(catalog().ensure("whisper-base")["whisper-base"])
    yield ears
    ears.close()


@pytest.fixture(scope="module")
def voice() -> Voice:
    at = catalog().ensure("kokoro", "kokoro-vocab", "kokoro-voices")
    return Voice(at["kokoro"], at["kokoro-vocab"], at["kokoro-voices"])


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def silence(seconds: float, rate: int = RATE) -> Audio:
    return Audio(np.zeros(int(seconds * rate), np.float32), rate)


async def heard(ears, *sounds, **options):
    listener = ears.open(**options)
    for sound in sounds:
        listener.feed(sound)
    return await listener.finish()


async def test_english_is_understood_with_punctuation(ears, voice):
    result = await heard(ears, voice.speak("What is the capital of France?"))
    assert (result.text, result.language) == ("What is the capital of France?", "en")


async def test_chinese_comes_in_simplified_characters(ears, voice):
    result = await heard(ears, voice.speak("今天晚上哪里可以吃拉面？", None, "zh"))
    assert (result.text, result.language) == ("今天晚上哪里可以吃拉面？", "zh")


async def test_hints_make_rare_names_understood(ears, voice):
    asked = voice.speak("附近有没有川菜馆？", None, "zh")
    assert "川菜馆" in (await heard(ears, asked, hints=["Sichuan", "川菜馆"])).text


async def test_words_are_told_while_the_speech_goes_on(ears, voice):
    told = []
    listener = ears.open(on_partial=told.append)
    listener.feed(voice.speak("What is the capital of France?"))
    listener.feed(silence(0.5, 24_000))
    async with asyncio.timeout(120):
        while not told:
            await asyncio.sleep(0.01)
    assert told == ["What is the capital of France?"]
    assert listener.partial.settled
    assert (await listener.finish()).text == told[0]


async def test_speech_longer_than_the_window_loses_no_words(ears, voice):
    """Longer than the encoder's 30 s, with and without pauses."""
    sounds = [voice.speak(sentence) for sentence in TWELVE]
    result = await heard(ears, *sounds)
    said, got = words(" ".join(TWELVE)), words(result.text)
    assert sum(sound.seconds for sound in sounds) > 32
    assert len(set(said) - set(got)) <= 3
    assert abs(len(said) - len(got)) <= 0.05 * len(said)


def _noise() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, 5 * RATE)


def _music() -> np.ndarray:
    t = np.arange(5 * RATE) / RATE
    notes = 220 * 2 ** (np.array([0, 4, 7, 12, 7, 4, 0, 5])[(t * 2).astype(int) % 8] / 12)
    return 0.2 * sum(np.sin(2 * np.pi * k * notes * t) / k for k in (1, 2, 3)) * (1 - t * 2 % 1)


def _clicks() -> np.ndarray:
    sound = np.zeros(5 * RATE)
    sound[:: RATE // 2] = 1.0
    return sound


@pytest.mark.parametrize(
    "sound",
    [np.zeros(0), np.zeros(5 * RATE), _noise(), _music(), _clicks(), np.sign(_noise())],
    ids=["nothing", "silence", "noise", "music", "clicks", "clipped noise"],
)
async def test_where_nobody_speaks_nothing_is_heard(ears, sound):
    assert (await heard(ears, Audio(sound.astype(np.float32), RATE))).text == ""


async def test_clipped_speech_is_understood(ears, voice):
    loud = voice.speak("What is the capital of France?")
    result = await heard(ears, Audio(loud.samples * 8, loud.rate))
    assert result.text == "What is the capital of France?"


async def test_two_people_can_speak_at_once(ears, voice):
    one = voice.speak("Go back to the previous step.")
    other = voice.speak("你可以再说一遍吗？", None, "zh")
    results = await asyncio.gather(heard(ears, one), heard(ears, other))
    assert [r.text for r in results] == ["Go back to the previous step.", "你可以再说一遍吗？"]


async def test_after_cancel_nothing_is_told(ears, voice):
    told = []
    listener = ears.open(on_partial=told.append)
    listener.feed(voice.speak("What is the capital of France?"))
    listener.feed(silence(0.5, 24_000))
    listener.cancel()
    await heard(ears, silence(0.1))  # the worker is through with it
    listener.feed(silence(0.5, 24_000))
    assert told == []
    with pytest.raises(asyncio.CancelledError):
        await listener.finish()


async def test_the_language_can_be_fixed(ears, voice):
    assert (await heard(ears, voice.speak("Okay!"), languages=["zh"])).language == "zh"


async def test_what_cannot_be_heard_is_refused(ears):
    listener = ears.open()
    with pytest.raises(MediaError, match="mono"):
        listener.feed(Audio(np.zeros((10, 2), np.float32), RATE))
    with pytest.raises(MediaError, match="finite"):
        listener.feed(Audio(np.full(10, np.nan, np.float32), RATE))
    with pytest.raises(MediaTooLarge, match="10 minutes"):
        listener.feed(silence(601))
    with pytest.raises(SettingsError, match="klingon"):
        ears.open(languages=["klingon"])
    await listener.finish()
    with pytest.raises(ModelError, match="finished"):
        listener.feed(silence(0.1))


def test_what_a_decoder_says_over_and_over_is_said_once():
    assert _unlooped([1, 2, 5, 6, 7, 5, 6, 7, 5, 6, 7, 5, 6, 7, 5]) == (1, 2, 5, 6, 7)
    assert _unlooped([1, 2, 1, 2]) == (1, 2, 1, 2)
    assert _unlooped([1, 2, 3, 4, 1, 2, 3, 4], twice=True) == (1, 2, 3, 4)
