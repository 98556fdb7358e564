"""When the user's turn begins and ends, told from sound whose loudness is its speech."""

import numpy as np
import pytest
from stand_ins import RATE, WINDOW, BrokenJudge, Judge, heard, listener, names, sound

from omni_agent.errors import GenerationError, MediaError, SettingsError
from omni_agent.listening import (
    Listening,
    Patience,
    Paused,
    SpeechGone,
    SpeechMaybe,
    SpeechSure,
    TurnOver,
    WentOn,
)
from omni_agent.media import Audio

SENTENCE = (("silence", 10), ("speech", 30))
"""320 ms of silence, then speech up to 1280 ms."""


async def test_a_turn_begins_where_its_first_sound_was_and_ends_where_its_last_was():
    ear = listener(judge=Judge(0.99))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 40)))
    assert heeds[:2] == [SpeechMaybe(320), SpeechSure(320)]
    assert isinstance(heeds[-1], TurnOver)
    assert heeds[-1].at_ms == 1280


async def test_a_turn_that_sounds_finished_is_over_within_the_least_patience():
    ear = listener(judge=Judge(0.99))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 40)))
    assert heeds[-1] == TurnOver(1280, Listening().patience.least_ms)


async def test_a_draft_may_start_long_before_the_turn_is_over():
    ear = listener(judge=Judge(0.9))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 4)))
    assert names(heeds)[-1] == "Paused"
    assert heeds[-1] == Paused(1280, pytest.approx(0.9))


async def test_a_pause_that_sounds_unfinished_is_waited_out():
    ear = listener(judge=Judge(0.02))
    unfinished = sound(*SENTENCE, ("silence", 35), ("speech", 20))
    heeds = await heard(ear, unfinished)
    assert names(heeds) == ["SpeechMaybe", "SpeechSure", "Paused", "Paused", "WentOn"]
    assert heeds[-1] == WentOn(75 * 32)


async def test_patience_runs_out():
    ear = listener(Listening(patience=Patience(least_ms=200, most_ms=800)), judge=Judge(0.02))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 40)))
    assert heeds[-1] == TurnOver(1280, 800)


@pytest.mark.parametrize(
    ("asked", "over", "waited"),
    [
        ("question", 0.99, 224),  # "yes" to a question
        ("question", 0.01, 2016),  # "uhm" to a question
        ("statement", 0.99, 256),
        ("time", 0.99, 512),  # "take your time"
        ("time", 0.01, 4000),
    ],
)
async def test_patience_depends_on_what_the_agent_said(asked, over, waited):
    ear = listener(judge=Judge(over))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 130)), asked=asked)
    assert heeds[-1] == TurnOver(1280, waited)


async def test_the_two_opinions_of_one_pause_count_together():
    ear = listener(judge=Judge(0.9, 0.1))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 8)))
    opinions = [heed.over for heed in heeds if isinstance(heed, Paused)]
    assert opinions == [pytest.approx(0.9), pytest.approx(0.5)]


async def test_a_click_in_a_pause_is_no_going_on():
    ear = listener(judge=Judge(0.02))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 9), ("maybe", 1), ("silence", 9)))
    assert "WentOn" not in names(heeds)


async def test_a_click_while_nobody_speaks_begins_no_turn():
    ear = listener(judge=Judge(0.99))
    heeds = await heard(ear, sound(("silence", 9), ("speech", 2), ("silence", 9)))
    assert heeds == [SpeechMaybe(288), SpeechGone(352)]


async def test_the_judge_hears_the_turn_and_what_came_right_before_it():
    judge = Judge(0.99)
    ear = listener(Listening(preroll_ms=64), judge=judge)
    await heard(ear, sound(("silence", 100), ("speech", 30), ("silence", 20)))
    assert len(judge.heard[0]) == (2 + 30 + 2) * WINDOW


async def test_the_judge_gets_no_more_than_eight_seconds():
    judge = Judge(0.99)
    await heard(listener(judge=judge), sound(("speech", 600), ("silence", 20)))
    assert len(judge.heard[0]) == 8 * RATE


async def test_the_same_sound_gives_the_same_heeds_in_chunks_of_any_length():
    parts = (*SENTENCE, ("silence", 12), ("speech", 15), ("silence", 30), ("speech", 9))
    told = []
    for chunk in (1, 37, 320, 512, 4096, 10**6):
        ear = listener(judge=Judge(0.02, 0.03, 0.99, 0.99))
        whole = sound(*parts, ("silence", 20)) if chunk > 1 else sound(*parts)
        whole = Audio(whole.samples[: len(sound(*parts).samples)], RATE)
        told.append(await heard(ear, whole, chunk=chunk))
    assert all(heeds == told[0] for heeds in told)
    assert TurnOver(1280 + 12 * 32 + 15 * 32, 256) in told[0]


async def test_a_slow_judge_changes_nothing_but_the_time_it_takes():
    import asyncio

    judge = Judge(0.99)
    judge.may_answer.clear()
    ear = listener(judge=judge)
    listening = asyncio.create_task(heard(ear, sound(*SENTENCE, ("silence", 40))))
    await asyncio.sleep(0.05)
    assert not listening.done()  # and the loop is free meanwhile
    judge.may_answer.set()
    assert (await listening)[-1] == TurnOver(1280, 256)


async def test_without_a_judge_silence_alone_ends_a_turn():
    ear = listener(Listening(judge="silence", silence_ms=640))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 30)))
    assert names(heeds) == ["SpeechMaybe", "SpeechSure", "Paused", "TurnOver"]
    assert heeds[-1] == TurnOver(1280, 640)


async def test_a_judge_that_breaks_down_is_told_once_and_silence_decides_from_then_on():
    ear = listener(judge=BrokenJudge())
    whole = sound(*SENTENCE, ("silence", 40))
    with pytest.raises(GenerationError, match="the net has a hole"):
        await ear.hear(whole)
    heeds = await ear.hear(whole)
    once = ["SpeechMaybe", "SpeechSure", "Paused", "TurnOver"]
    assert names(heeds) == 2 * once
    assert heeds[3] == TurnOver(1280, 704)


async def test_words_that_trail_off_make_it_patient():
    ear = listener(judge=Judge(0.99))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 3)))
    assert ear.heard_words("I would like a soup with") == []
    heeds = await heard(ear, sound(("silence", 40)))
    assert "TurnOver" not in names(heeds)


async def test_a_turn_ends_at_its_greatest_length():
    ear = listener(Listening(longest_s=2), judge=Judge(0.99))
    heeds = await heard(ear, sound(("speech", 70)))
    assert names(heeds)[:3] == ["SpeechMaybe", "SpeechSure", "TurnOver"]
    assert heeds[2] == TurnOver(2016, 0)


async def test_push_to_talk_ends_a_turn_only_when_told():
    ear = listener(Listening(turns="push-to-talk"), judge=Judge(0.99))
    heeds = await heard(ear, sound(*SENTENCE, ("silence", 300)))
    assert heeds == [SpeechMaybe(320), SpeechSure(320)]
    assert ear.commit() == [TurnOver(1280, 9600)]
    assert ear.commit() == []


async def test_push_to_talk_takes_what_was_too_soft_for_speech():
    ear = listener(Listening(turns="push-to-talk"))
    await heard(ear, sound(("silence", 10)))
    assert ear.commit() == [SpeechSure(0), TurnOver(320, 0)]


async def test_commit_ends_a_turn_at_once():
    ear = listener(judge=Judge(0.02))
    await heard(ear, sound(*SENTENCE))
    assert ear.commit() == [TurnOver(1280, 0)]
    assert await heard(ear, sound(("silence", 100))) == []


async def test_commit_where_nobody_spoke_is_no_turn():
    ear = listener()
    await heard(ear, sound(("silence", 10)))
    assert ear.commit() == []


async def test_clear_forgets_a_turn_that_has_begun():
    ear = listener(judge=Judge(0.99))
    await heard(ear, sound(*SENTENCE))
    ear.clear()
    assert await heard(ear, sound(("silence", 100))) == []


async def test_any_rate_is_taken_and_it_may_change_in_the_middle():
    ear = listener(judge=Judge(0.99))
    spoken = sound(*SENTENCE)
    heeds = await heard(ear, spoken.resampled(48_000), chunk=960)
    heeds += await heard(ear, sound(("speech", 10)))
    heeds += await heard(ear, sound(("silence", 40)).resampled(8_000), chunk=160)
    assert names(heeds)[:2] == ["SpeechMaybe", "SpeechSure"]
    assert abs(heeds[-1].at_ms - 1600) <= 64


async def test_empty_and_clipped_sound_is_taken():
    ear = listener(judge=Judge(0.99))
    assert await ear.hear(Audio(np.zeros(0, np.float32), 48_000)) == []
    loud = Audio(np.full(WINDOW * 10, 7.0, np.float32), RATE)
    assert names(await ear.hear(loud)) == ["SpeechMaybe", "SpeechSure"]


def test_sound_that_is_not_a_number_never_gets_here():
    with pytest.raises(MediaError):
        Audio(np.full(WINDOW, np.nan, np.float32), RATE)


async def test_an_hour_of_silence_leaves_no_more_than_eight_seconds_behind():
    ear = listener()
    minute = Audio(np.random.default_rng(0).normal(0, 0.001, 60 * RATE).astype(np.float32), RATE)
    for _ in range(60):
        assert await ear.hear(minute) == []
    assert ear.now_ms == 3_600_000
    assert sum(frame.nbytes for frame in ear._heard) <= 8 * RATE * 4
    assert not ear._ahead


@pytest.mark.parametrize(
    "wrong",
    [
        {"turns": "manual"},
        {"judge": "whim"},
        {"silence_ms": 20},
        {"longest_s": float("nan")},
        {"interrupt_ms": "500"},
        {"silence_below": 0.9},
        {"patience": 300},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_value(wrong):
    (name,) = wrong
    with pytest.raises(SettingsError, match=name):
        Listening(**wrong)


def test_patience_has_its_least_first():
    with pytest.raises(SettingsError, match="900 to 800"):
        Patience(least_ms=900, most_ms=800)


async def test_an_unknown_thing_asked_is_refused():
    with pytest.raises(SettingsError, match="riddle"):
        await listener().hear(sound(("silence", 1)), asked="riddle")  # type: ignore[arg-type]
