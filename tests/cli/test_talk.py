"""`omni-agent talk`: Enter, speech, Enter, an answer that sounds; what is missing is said first."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from command_line import Run, Use
from stand_in_sounddevice import SoundCards

from omni_agent.media import Audio
from omni_agent.model.scripted import Pause, ScriptedModel

Keys = Callable[..., None]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """Press Enter after each of these conditions holds, then ctrl-D."""
    read, write = os.pipe()
    monkeypatch.setattr("sys.stdin", os.fdopen(read))
    threads = []

    def keys(*conditions: Callable[[], bool]) -> None:
        def press() -> None:
            try:
                for condition in conditions:
                    deadline = time.monotonic() + 30
                    while not condition():
                        assert time.monotonic() < deadline, f"waited in vain for {condition}"
                        time.sleep(0.01)
                    os.write(write, b"\n")
            finally:
                os.close(write)

        threads.append(threading.Thread(target=press))
        threads[0].start()

    yield keys
    for thread in threads:
        thread.join(10)


def always() -> bool:
    return True


def fed(model: ScriptedModel, chunks: int) -> Callable[[], bool]:
    """Whether so much speech has come to the model."""

    def fed() -> bool:
        parts = model.sessions[0].fed if model.sessions else []
        return sum(isinstance(part, Audio) for part in parts) >= chunks

    return fed


def sounded(cards: SoundCards, seconds: float) -> Callable[[], bool]:
    """Whether the loudspeaker has played so much."""

    def sounded() -> bool:
        return sum(int((block != 0).sum()) for block in cards.heard) >= seconds * 24_000 - 50

    return sounded


def test_a_spoken_turn(run: Run, use: Use, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    speech = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
    cards = SoundCards(speech=speech)
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    model = use(ScriptedModel("Hello, cook.", audio=True, transcripts=["hello"]))

    keys(always, fed(model, 5), sounded(cards, 12 / 15))
    done = run("talk", "--agent", "plain", "--no-memory")
    assert done.status == 0
    assert "heard     hello  (en)" in done.out
    assert "says      Hello, cook." in done.out
    heard = Audio.join(part for part in model.sessions[0].fed if isinstance(part, Audio))
    assert heard.rate == 16_000
    assert np.array_equal(heard.samples[:8_000], speech[:8_000])


def test_enter_interrupts_the_answer_and_listens_again(
    run: Run, use: Use, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = SoundCards()
    monkeypatch.setitem(sys.modules, "sounddevice", cards)
    long = ["A very long answer indeed.", Pause(60), "never"]
    model = use(ScriptedModel(long, "Yes?", audio=True, transcripts=["talk", "stop"]))

    def again() -> bool:
        return "Yes?" in model.sessions[0].said

    keys(always, fed(model, 3), sounded(cards, 0.1), fed(model, 8), again)
    done = run("talk", "--agent", "plain", "--no-memory")
    assert done.status == 0
    assert "s of the answer" in done.out
    assert "says      Yes?" in done.out
    assert model.sessions[0].cancelled == 1
    assert model.sessions[0].rewound


def test_a_missing_microphone_is_told_before_the_model_is_loaded(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCards(microphone=None))
    done = run("talk")
    assert done.status == 1
    assert "There is no microphone" in done.err


def test_the_missing_package_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = run("talk")
    assert done.status == 1
    assert 'pip install "omni-agent[audio]"' in done.err
