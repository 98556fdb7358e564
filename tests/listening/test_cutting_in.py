"""What stops the agent while it speaks, and what does not."""

import pytest
from stand_ins import Judge, heard, listener, murmur, names, sound

from omni_agent.listening import (
    Listening,
    SpeechGone,
    SpeechLikely,
    SpeechMaybe,
    SpeechSure,
    TurnOver,
)
from omni_agent.media import Audio

QUIET = ("silence", 20)
"""640 ms."""


async def test_the_reply_is_lowered_at_the_first_sign_and_silenced_soon_after():
    ear = listener()
    assert await heard(ear, sound(QUIET, ("speech", 1)), speaking=True) == [SpeechMaybe(640)]
    assert await heard(ear, sound(("speech", 4)), speaking=True) == [SpeechLikely(640)]


async def test_words_that_last_interrupt_and_are_a_turn_from_their_beginning():
    ear = listener(judge=Judge(0.99))
    heeds = await heard(ear, sound(QUIET, ("speech", 40), ("silence", 20)), speaking=True)
    assert names(heeds)[:3] == ["SpeechMaybe", "SpeechLikely", "SpeechSure"]
    assert heeds[2] == SpeechSure(640)
    assert heeds[-1] == TurnOver(1920, 256)


async def test_a_hum_lowers_the_reply_and_lets_it_go_on():
    ear = listener()
    heeds = await heard(ear, sound(QUIET), speaking=True)
    heeds += await heard(ear, murmur(12), speaking=True)
    heeds += await heard(ear, sound(("silence", 20)), speaking=True)
    assert heeds == [SpeechMaybe(640), SpeechGone(640 + 12 * 32)]


async def test_somebody_who_hums_along_does_not_keep_the_reply_low():
    ear = listener()
    await heard(ear, sound(QUIET), speaking=True)
    heeds = await heard(ear, murmur(200), speaking=True)
    assert names(heeds) == ["SpeechMaybe", "SpeechGone"]


async def test_words_after_a_long_hum_are_heard():
    ear = listener()
    await heard(ear, sound(QUIET), speaking=True)
    await heard(ear, murmur(60), speaking=True)
    heeds = await heard(ear, sound(("speech", 40)), speaking=True)
    assert names(heeds) == ["SpeechLikely", "SpeechSure"]


async def test_a_short_word_silences_the_reply_for_a_moment_only():
    ear = listener()
    heeds = await heard(ear, sound(QUIET, ("speech", 9), ("silence", 20)), speaking=True)
    assert names(heeds) == ["SpeechMaybe", "SpeechLikely", "SpeechGone"]


async def test_a_short_word_that_goes_on_interrupts():
    ear = listener()
    yes_but = sound(QUIET, ("speech", 9), ("silence", 6), ("speech", 12))
    assert names(await heard(ear, yes_but, speaking=True))[-1] == "SpeechSure"


async def test_a_short_word_as_the_agent_finishes_is_an_answer_to_it():
    ear = listener(judge=Judge(0.99))
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    heeds = await heard(ear, sound(("silence", 40)), speaking=False)
    assert names(heeds) == ["SpeechSure", "Paused", "Paused", "TurnOver"]
    assert heeds[0] == SpeechSure(640)
    assert heeds[-1].at_ms == 640 + 9 * 32


async def test_a_hum_is_an_answer_while_the_agent_is_silent():
    ear = listener(judge=Judge(0.99))
    heeds = await heard(ear, sound(QUIET))
    heeds += await heard(ear, murmur(12), asked="question")
    assert names(heeds) == ["SpeechMaybe", "SpeechSure"]


@pytest.mark.parametrize(
    "words", ["Stop.", "wait", "No, no!", "Hold on", "停！", "等一下。", "不是"]
)
async def test_stop_interrupts_as_soon_as_it_is_understood(words):
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert ear.heard_words(words) == [SpeechSure(640)]


@pytest.mark.parametrize("words", ["Stop.", "停一下"])
async def test_stop_interrupts_even_if_it_is_understood_after_the_reply_went_on(words):
    ear = listener(judge=Judge(0.99))
    await heard(ear, sound(QUIET, ("speech", 9), ("silence", 30)), speaking=True)
    assert ear.heard_words(words) == [SpeechSure(640)]
    assert isinstance((await heard(ear, sound(("silence", 20))))[-1], TurnOver)


async def test_words_of_long_ago_interrupt_nothing():
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9), ("silence", 100)), speaking=True)
    assert ear.heard_words("Stop.") == []


@pytest.mark.parametrize(
    "words", ["Yeah.", "OK, okay.", "Mm-hmm.", "Uh-huh", "嗯。", "对对。", "好的"]
)
async def test_yeah_lets_the_reply_go_on_as_soon_as_it_is_understood(words):
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert names(ear.heard_words(words)) == ["SpeechGone"]
    assert await heard(ear, sound(("silence", 30)), speaking=True) == []


async def test_what_is_never_clearly_words_does_not_silence_the_reply_for_good():
    ear = listener(Listening(interrupt_ms=1200))
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert names(ear.heard_words("Yeah")) == ["SpeechGone"]
    assert names(await heard(ear, sound(("speech", 9)), speaking=True)) == ["SpeechLikely"]
    assert names(await heard(ear, murmur(80), speaking=True)) == ["SpeechGone"]


async def test_yeah_but_interrupts_in_the_end():
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert names(ear.heard_words("Yeah")) == ["SpeechGone"]
    heeds = await heard(ear, sound(("speech", 40)), speaking=True)
    assert names(heeds) == ["SpeechLikely", "SpeechSure"]


@pytest.mark.parametrize("words", ["", "Yes, but", "Thank you.", "。"])
async def test_words_that_could_mean_either_decide_nothing(words):
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert ear.heard_words(words) == []


async def test_several_words_interrupt_whatever_they_are():
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert ear.heard_words("the one with the mushrooms") == [SpeechSure(640)]


async def test_an_agent_that_may_not_be_interrupted_hears_nothing_meanwhile():
    ear = listener(Listening(interrupt=False))
    assert await heard(ear, sound(QUIET, ("speech", 60)), speaking=True) == []
    assert names(await heard(ear, sound(("speech", 9)))) == ["SpeechMaybe", "SpeechSure"]


async def test_an_impatient_listener_is_interrupted_by_whatever_sounds_like_words():
    ear = listener(Listening(interrupt_ms=0))
    heeds = await heard(ear, sound(QUIET, ("speech", 6)), speaking=True)
    assert names(heeds) == ["SpeechMaybe", "SpeechLikely", "SpeechSure"]


async def test_commit_while_the_agent_speaks_makes_a_turn_of_what_is_being_said():
    ear = listener()
    await heard(ear, sound(QUIET, ("speech", 9)), speaking=True)
    assert ear.commit() == [SpeechSure(640), TurnOver(29 * 32, 0)]


async def test_a_muted_microphone_is_silence():
    ear = listener()
    assert await heard(ear, Audio.silence(5, 16_000), speaking=True) == []
