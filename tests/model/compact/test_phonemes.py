"""Words become the phonemes that the voices were taught, each script in its own language."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.model.compact.phonemes import Phonemizer


@pytest.fixture(scope="module")
def phonemizer() -> Phonemizer:
    return Phonemizer()


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("Sure!", "ʃˈʊɹ!"),
        ("The bread is ready now.", "ðə bɹˈɛd ɪz ɹˈɛdi nˈW."),
        ("A little bottle of water", "ə lˈɪTᵊl bˈɑTᵊl ʌv wˈɔTəɹ"),
        ("Join the judge, boy; go out", "ʤˈYn ðə ʤˈʌʤ, bˈY; ɡˌO ˈWt"),
        ("It is 18:30.", "ɪT ɪz ˈAtin θˈɜɹTi."),
    ],
)
def test_english(phonemizer, text, phonemes):
    assert phonemizer.phonemes(text, "en") == phonemes


def test_british_voices_get_british_phonemes(phonemizer):
    assert phonemizer.phonemes("Go home, it's hot.", "en", accent="en-gb") == "ɡˌQ hˈQm, ɪts hˈɒt."


def test_chinese_has_tones_and_plain_punctuation(phonemizer):
    assert phonemizer.phonemes("你好，吃饭！", "zh") == "ni↓xau↓, ꭧʰɨ→fa↘n!"


def test_a_name_inside_chinese_is_read_in_english_and_the_other_way_round(phonemizer):
    assert "ɹˌævɪntˈOlə" in phonemizer.phonemes("去 Ravintola Savoy 吃饭", "zh")
    assert phonemizer.phonemes("Try 米饭, please", "en") == "tɹˈI mi↓fa↘n, plˈiz"


def test_a_number_is_read_in_the_language_of_the_reply(phonemizer):
    assert phonemizer.phonemes("3个", "zh") == phonemizer.phonemes("三个", "zh")


@pytest.mark.parametrize("text", ["", "   ", "...", "😀", "**", "\x00", "!?"])
def test_what_cannot_be_spoken_is_no_phoneme(phonemizer, text):
    assert phonemizer.phonemes(text, "en") == ""


@pytest.mark.parametrize("text", ["Привет", "مرحبا", "こんにちは", "한국어", "Γειά", "שלום"])
def test_other_scripts_are_read_too(phonemizer, text):
    assert len(phonemizer.phonemes(text, "en")) >= 3


@given(st.text(max_size=80), st.sampled_from(["en", "zh"]))
@settings(deadline=None, max_examples=60)
def test_any_text_of_any_script_goes_through(phonemizer, text, language):
    assert isinstance(phonemizer.phonemes(text, language), str)


def test_threads_do_not_mix_their_accents(phonemizer):
    def say(accent):
        return phonemizer.phonemes("hot water at home", "en", accent=accent)

    alone = {a: say(a) for a in ("en-us", "en-gb")}
    with ThreadPoolExecutor(4) as pool:
        asked = ["en-us", "en-gb"] * 30
        assert list(pool.map(say, asked)) == [alone[a] for a in asked]
