"""The agent does not take its own voice, coming back through the microphone, for the user's."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from room import heard_in, response, speech_in, through
from synthetic_speech import spoken

from omni_agent.errors import MissingExtra
from omni_agent.media import Audio
from omni_agent.model.compact.vad import Vad
from omni_agent.transports import echo
from omni_agent.transports.echo import RATE, HalfDuplex, Headphones, Reference, echo_canceller

REPLY = (
    "Put the water on, and while it heats, cut the onion into small cubes. Then take the largest "
    "pan that you have, pour in two spoons of oil, and wait until it is hot. When the onion is "
    "golden, add the tomatoes and the salt, and let it all simmer for a quarter of an hour."
)


@pytest.fixture(scope="module")
def vad() -> Vad:
    pytest.importorskip("onnxruntime")
    return Vad()


@pytest.fixture(scope="module")
def reply() -> Audio:
    silence = Audio.silence(1.0, RATE)
    return Audio.join([silence, spoken(REPLY), silence])


def canceller() -> echo.WebRtcCanceller:
    pytest.importorskip("livekit")
    return echo.WebRtcCanceller()


def after(seconds: float, sound: Audio) -> Audio:
    return Audio(sound.samples[round(seconds * RATE) :], RATE)


def level(sound: Audio) -> float:
    return 10 * float(np.log10(np.mean(sound.samples**2) + 1e-12))


def test_without_a_canceller_the_agent_would_hear_itself(vad: Vad, reply: Audio) -> None:
    microphone = heard_in(response(delay=0.08), reply)
    heard = through(Headphones(), reply, microphone)
    assert speech_in(heard, vad).mean() > 0.5


@pytest.mark.parametrize("delay", [0.03, 0.08, 0.15, 0.3])
def test_the_canceller_leaves_nothing_of_the_agents_voice(
    vad: Vad, reply: Audio, delay: float
) -> None:
    microphone = heard_in(response(delay=delay), reply)
    cleaned = through(canceller(), reply, microphone)
    assert not speech_in(cleaned, vad).any()
    assert level(after(4, cleaned)) < level(after(4, microphone)) - 25


def test_the_user_is_heard_over_the_agent(vad: Vad, reply: Audio) -> None:
    words = spoken("Wait a moment, how much salt was it?", voice="en-us+f3")
    begins = 6.0
    user = Audio.join([Audio.silence(begins, RATE), words])
    cleaned = through(canceller(), reply, heard_in(response(delay=0.08), reply, user))
    speaks = speech_in(cleaned, vad)
    during = speaks[int(begins * RATE / 512) :][: int(words.seconds * RATE / 512)]
    assert not speaks[: int(begins * RATE / 512)].any()
    assert during.mean() > 0.5
    assert np.flatnonzero(during)[0] * 512 / RATE < 0.4


def test_a_busy_process_and_odd_blocks_change_nothing(vad: Vad, reply: Audio) -> None:
    rng = np.random.default_rng(3)

    def late() -> Iterator[float]:
        while True:
            yield float(rng.choice([0, 0.01, 0.04, 0.15], p=[0.8, 0.1, 0.08, 0.02]))

    microphone = heard_in(response(delay=0.1), reply)
    cleaned = through(
        canceller(),
        reply,
        microphone,
        card_block=1024,
        chunk=512,
        stalls=late(),
        card_stalls=late(),
    )
    assert not speech_in(cleaned, vad).any()
    assert level(after(4, cleaned)) < level(after(4, microphone)) - 25


def test_a_second_reply_needs_no_learning(vad: Vad, reply: Audio) -> None:
    one = canceller()
    room = response(delay=0.08)
    through(one, reply, heard_in(room, reply))
    words = spoken("Stop there, please.", voice="en-us+f3")
    user = Audio.join([Audio.silence(1.5, RATE), words])
    cleaned = through(one, reply, heard_in(room, reply, user))
    assert speech_in(cleaned, vad)[int(1.5 * RATE / 512) :][: int(words.seconds * 20)].any()


def test_half_duplex_is_silent_while_the_agent_speaks_and_open_else(vad: Vad) -> None:
    words = spoken("The soup is ready.")
    agent = Audio.join([Audio.silence(2, RATE), words, Audio.silence(4, RATE)])
    user = Audio.join([spoken("And the bread?"), Audio.silence(4 + words.seconds, RATE)])
    user = Audio.join([user, spoken("And the bread?")])
    microphone = heard_in(response(delay=0.2), agent, user)
    heard = through(HalfDuplex(), agent, microphone)
    assert len(heard.samples) == len(microphone.samples) // 320 * 320
    closed = heard.samples[round(2.1 * RATE) : round((2.2 + words.seconds) * RATE)]
    assert not closed.any()
    assert np.array_equal(
        heard.samples[: round(1.9 * RATE)], microphone.samples[: round(1.9 * RATE)]
    )
    again = round((2 + words.seconds + 0.7) * RATE)
    assert np.array_equal(heard.samples[again:], microphone.samples[again : len(heard.samples)])


def test_the_best_that_is_installed_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    if echo.importlib.util.find_spec("livekit"):  # type: ignore[attr-defined]
        assert isinstance(echo_canceller(), echo.WebRtcCanceller)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(echo_canceller(), HalfDuplex)
    assert isinstance(echo_canceller("none"), Headphones)
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(MissingExtra, match=r"omni-agent\[aec\]"):
        echo_canceller("cancel")


# --- the reference --------------------------------------------------------------------------


def ramp(begin: int, end: int) -> Audio:
    return Audio(np.arange(begin, end, dtype=np.float32) / RATE, RATE)


def test_frame_for_frame_belongs_together_however_late_they_come() -> None:
    reference = Reference()
    assert reference.frame(patient=True) is None
    reference.push(ramp(0, 500))
    frames = [reference.frame(patient=True) for _ in range(3)]
    assert np.array_equal(np.concatenate(frames), ramp(0, 480).samples)  # type: ignore[arg-type]
    assert reference.frame(patient=True) is None
    reference.push(ramp(500, 640))
    assert np.array_equal(reference.frame(patient=True), ramp(480, 640).samples)  # type: ignore[arg-type]


def test_a_loudspeaker_that_gives_nothing_for_long_is_silent() -> None:
    reference = Reference()
    silence = reference.frame(patient=False)
    assert silence is not None
    assert not silence.any()


def test_what_was_played_before_the_microphone_opened_is_forgotten() -> None:
    reference = Reference()
    reference.push(ramp(0, 8000))
    assert reference.frame(patient=True) is None


def test_a_loudspeaker_whose_clock_runs_fast_does_not_get_ahead() -> None:
    reference = Reference()
    reference.frame(patient=True)
    for _ in range(20_000):
        reference.push(Audio(np.ones(161, np.float32), RATE))
        reference.frame(patient=True)
    assert len(reference.all()) < 0.2 * RATE


def test_a_loudspeaker_without_a_microphone_fills_no_memory() -> None:
    reference = Reference()
    for _ in range(200):
        reference.push(Audio(np.ones(24_000, np.float32), 24_000))
    assert len(reference.all()) <= 10 * RATE


def test_the_microphone_is_held_back_for_an_eighth_of_a_second_at_most() -> None:
    one = canceller()
    given = sum(one.cleaned(Audio.silence(0.02, RATE)).seconds for _ in range(100))
    assert 2.0 - given == pytest.approx(0.12, abs=0.02)
