"""What was heard is known to the millisecond, whatever the sound card had taken in advance."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import MediaError
from omni_agent.media import Audio
from omni_agent.messages import Heard
from omni_agent.playback import PlaybackBuffer, Played, RemotePlayback

RATE = 24_000
TEXT = "Chop the onions finely. Then fry them."


def sound(seconds: float, level: float = 0.5) -> Audio:
    return Audio(np.full(round(seconds * RATE), level, np.float32), RATE)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def buffer(clock: FakeClock) -> PlaybackBuffer:
    return PlaybackBuffer(RATE, clock=clock)


async def play(buffer: PlaybackBuffer, clock: FakeClock, seconds: float) -> None:
    """Let the sound card take 20 ms at a time and sound them at once."""
    for _ in range(round(seconds / 0.02)):
        buffer.fill(RATE // 50)
        await clock.advance(0.02)


async def test_what_is_added_comes_out_in_order_and_then_silence(buffer: PlaybackBuffer) -> None:
    buffer.add(sound(0.01, 0.25), 5)
    buffer.add(sound(0.01, 0.75), 9)
    out = buffer.fill(720)
    assert out.dtype == np.float32
    assert (out[:240] == 0.25).all()
    assert (out[240:480] == 0.75).all()
    assert not out[480:].any()


async def test_heard_is_what_has_sounded_and_not_what_was_made(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(2.0), 23)
    buffer.add(sound(1.0), len(TEXT))
    assert buffer.played == Played(0, 0)
    await play(buffer, clock, 1.0)
    assert buffer.played == Played(1000, 11)
    await play(buffer, clock, 1.0)
    assert buffer.played == Played(2000, 23)
    assert buffer.seconds_left == pytest.approx(1.0)
    await play(buffer, clock, 5.0)
    assert buffer.played == Played(3000, len(TEXT))
    assert buffer.seconds_left == 0


async def test_between_two_takes_of_the_sound_card_time_still_counts(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(1.0), 10)
    buffer.fill(RATE)
    await clock.advance(0.123)
    assert buffer.played.ms == 123


async def test_sound_that_waits_in_the_sound_card_is_not_heard_yet(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(1.0), 10)
    buffer.fill(RATE // 2, ahead=0.2)
    await clock.advance(0.1)
    assert buffer.played.ms == 0
    assert buffer.seconds_left == pytest.approx(1.1)
    await clock.advance(0.25)
    assert buffer.played.ms == 150


async def test_an_interruption_drops_the_rest_and_tells_what_was_heard(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(2.0), 23)
    await play(buffer, clock, 1.0)
    assert buffer.interrupt().of(TEXT) == Heard("Chop the", 1000)
    assert not buffer.fill(480).any()
    assert buffer.played == Played(0, 0)
    assert buffer.seconds_left == 0


async def test_the_next_reply_is_counted_from_its_own_beginning(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(1.0), 23)
    await play(buffer, clock, 1.0)
    assert buffer.interrupt() == Played(1000, 23)
    buffer.add(sound(0.5), 8)
    await play(buffer, clock, 0.5)
    assert buffer.played == Played(500, 8)


async def test_a_filler_is_played_and_not_counted(buffer: PlaybackBuffer, clock: FakeClock) -> None:
    buffer.add(sound(0.5), None)
    buffer.add(sound(1.0), 10)
    await play(buffer, clock, 0.5)
    assert buffer.played == Played(0, 0)
    await play(buffer, clock, 0.5)
    assert buffer.played == Played(500, 5)


async def test_a_gap_in_the_supply_is_not_counted(buffer: PlaybackBuffer, clock: FakeClock) -> None:
    buffer.add(sound(0.5), 10)
    await play(buffer, clock, 3.0)
    buffer.add(sound(0.5), 20)
    await play(buffer, clock, 0.1)
    assert buffer.played == Played(600, 12)


@pytest.mark.parametrize(
    ("text", "chars", "heard"),
    [
        ("Chop the onions.", 0, ""),
        ("Chop the onions.", 3, ""),
        ("Chop the onions.", 4, "Chop"),
        ("Chop the onions.", 6, "Chop"),
        ("Chop the onions.", 16, "Chop the onions."),
        ("Chop the onions.", 99, "Chop the onions."),
        ("先把洋葱切碎，再炒。", 4, "先把洋葱"),
        ("打开 YouTube 看看", 6, "打开"),
    ],
)
def test_heard_words_are_whole(text: str, chars: int, heard: str) -> None:
    assert Played(100, chars).of(text) == Heard(heard, 100)


def test_sound_at_another_rate_is_refused(buffer: PlaybackBuffer) -> None:
    with pytest.raises(MediaError, match=r"24000 Hz and got 16000 Hz"):
        buffer.add(Audio.silence(0.1, 16_000), 3)


def test_empty_sound_changes_nothing(buffer: PlaybackBuffer) -> None:
    buffer.add(Audio.silence(0, RATE), 3)
    assert not buffer.fill(10).any()
    assert buffer.played == Played(0, 0)


def test_one_thread_may_add_while_another_takes() -> None:
    buffer = PlaybackBuffer(RATE)
    taken: list[np.ndarray] = []
    done = threading.Event()

    def take() -> None:
        all_added = False
        while not all_added or taken[-1].any():
            all_added = done.is_set()
            taken.append(buffer.fill(64))

    thread = threading.Thread(target=take)
    thread.start()
    for i in range(200):
        buffer.add(Audio(np.full(50, i + 1, np.float32) / 200, RATE), i + 1)
    done.set()
    thread.join(timeout=10)
    heard = np.concatenate(taken)
    heard = heard[heard > 0]
    assert len(heard) == 200 * 50
    assert (np.diff(heard) >= 0).all()


def test_what_is_taken_out_can_be_listened_to(buffer: PlaybackBuffer, clock: FakeClock) -> None:
    heard: list[tuple[np.ndarray, float, float]] = []

    def tap(samples: np.ndarray, /, *, at: float, ahead: float) -> None:
        heard.append((samples.copy(), at, ahead))

    buffer.tap = tap
    buffer.add(sound(0.1), 3)
    taken = [buffer.fill(100), buffer.fill(RATE, ahead=0.02)]
    buffer.interrupt()
    assert [(len(samples), at, ahead) for samples, at, ahead in heard] == [
        (100, 0.0, 0.0),
        (RATE, 0.0, 0.02),
    ]
    assert all(np.array_equal(a, b) for (a, *_), b in zip(heard, taken, strict=True))


async def test_ducked_speech_is_softer_and_loses_nothing(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(1.0), len(TEXT))
    buffer.duck(-12)
    out = buffer.fill(RATE // 10)
    assert out[0] == pytest.approx(0.5, abs=0.01)
    assert out[-1] == pytest.approx(0.5 * 10 ** (-12 / 20), abs=0.001)
    buffer.resume()
    assert buffer.fill(RATE // 10)[-1] == pytest.approx(0.5)
    await play(buffer, clock, 1.0)
    assert buffer.played == Played(1000, len(TEXT))


async def test_paused_speech_is_silent_within_10_ms_and_goes_on_where_it_stopped(
    buffer: PlaybackBuffer, clock: FakeClock
) -> None:
    buffer.add(sound(1.0), len(TEXT))
    await play(buffer, clock, 0.2)
    buffer.pause()
    out = buffer.fill(RATE // 10)
    assert out[: RATE // 200].any()
    assert not out[RATE // 100 :].any()
    await play(buffer, clock, 3.0)
    assert buffer.played.ms == 210
    assert buffer.seconds_left == pytest.approx(0.79)
    buffer.resume()
    await play(buffer, clock, 1.0)
    assert buffer.played == Played(1000, len(TEXT))


@pytest.mark.parametrize("ms", [0, 1, 999, 1000, 1001, 2500, 3000, 9999])
async def test_what_was_heard_after_any_time_is_known_later_too(
    buffer: PlaybackBuffer, clock: FakeClock, ms: int
) -> None:
    buffer.add(sound(1.0), 23)
    buffer.add(sound(0.5), None)  # a filler
    buffer.add(sound(2.0), len(TEXT))
    spoken = buffer.spoken
    buffer.interrupt()
    again = PlaybackBuffer(RATE, clock=clock)
    again.add(sound(1.0), 23)
    again.add(sound(2.0), len(TEXT))
    again.fill(RATE * 3)
    await clock.advance(ms / 1000)
    assert spoken.at(ms) == again.played


async def test_a_distant_player_is_taken_to_play_as_fast_as_sound_is(clock: FakeClock) -> None:
    remote = RemotePlayback(RATE, clock=clock)
    await clock.advance(5.0)
    remote.add(sound(1.0), 23)
    remote.add(sound(1.0), len(TEXT))
    await clock.advance(0.5)
    assert remote.played == Played(500, 11)
    remote.pause()
    await clock.advance(2.0)
    assert remote.played == Played(500, 11)
    remote.resume()
    await clock.advance(1.0)
    assert remote.played.ms == 1500
    assert remote.seconds_left == pytest.approx(0.5)
    await clock.advance(5.0)
    remote.add(sound(1.0), len(TEXT))  # after a gap
    await clock.advance(0.25)
    assert remote.interrupt().ms == 2250
    assert remote.seconds_left == 0
