"""`omni-agent talk`: a live call in the terminal; what is missing is said first."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import Run, Use
from stand_in_sounddevice import SoundCards

from omni_agent.media import Audio
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import Pause, ScriptedModel

Keys = Callable[..., None]
Condition = Callable[[], bool]

SPEECH = np.linspace(-0.5, 0.5, 16_000, dtype=np.float32)
PLAIN = ("talk", "--agent", "plain", "--no-memory", "--headphones")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """Press these keys, each after its condition holds; Enter where none is named. Then ctrl-D."""
    read, write = os.pipe()
    monkeypatch.setattr("sys.stdin", os.fdopen(read))
    threads = []

    def keys(*presses: Condition | tuple[Condition, str]) -> None:
        def press() -> None:
            try:
                for each in presses:
                    condition, key = each if isinstance(each, tuple) else (each, "")
                    deadline = time.monotonic() + 30
                    while not condition():
                        assert time.monotonic() < deadline, f"waited in vain for {condition}"
                        time.sleep(0.01)
                    os.write(write, f"{key}\n".encode())
            finally:
                os.close(write)

        threads.append(threading.Thread(target=press))
        threads[0].start()

    yield keys
    for thread in threads:
        thread.join(10)


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[SoundCards], SoundCards]:
    def plug_in(cards: SoundCards) -> SoundCards:
        monkeypatch.setitem(sys.modules, "sounddevice", cards)
        return cards

    return plug_in


def heard_by(model: ScriptedModel) -> Audio:
    parts = [part for part in model.sessions[0].fed if isinstance(part, Audio)]
    return Audio.join(parts) if parts else Audio.silence(0, 16_000)


def begun(model: ScriptedModel) -> Condition:
    return lambda: bool(model.sessions)


def fed(model: ScriptedModel, seconds: float) -> Condition:
    """Whether so much speech has come to the model."""
    return lambda: bool(model.sessions) and heard_by(model).seconds >= seconds


def sounded(cards: SoundCards, seconds: float) -> Condition:
    """Whether the loudspeaker has played so much."""
    return lambda: sum(map(np.count_nonzero, [*cards.heard])) >= seconds * 24_000 - 50


def open_devices(cards: SoundCards) -> Condition:
    return lambda: len(cards.streams) == 2


def after(seconds: float, condition: Condition) -> Condition:
    """Whether the condition has held for so long."""
    since: list[float] = []

    def held() -> bool:
        if not condition():
            return False
        since.append(time.monotonic())
        return since[-1] - since[0] >= seconds

    return held


# --- a call ------------------------------------------------------------------------------------


def test_a_turn_with_the_talk_button(run: Run, use: Use, keys: Keys, plug_in: Callable) -> None:
    cards = plug_in(SoundCards(speech=SPEECH))
    model = use(ScriptedModel("Hello, cook.", audio=True, transcripts=["hello"]))
    keys(open_devices(cards), fed(model, 0.5), (after(0.5, sounded(cards, 12 / 15)), "q"))
    done = run(*PLAIN, "--push-to-talk")
    assert done.status == 0, done.err
    assert "you       hello\n" in done.out
    assert "plain     Hello, cook." in done.out
    heard = heard_by(model)
    assert heard.rate == 16_000
    at = int(np.argmin(np.abs(SPEECH - heard.samples[0])))
    assert np.array_equal(heard.samples[:6_000], SPEECH[at:][:6_000])
    assert all(stream.closed for stream in cards.streams)


def test_nothing_is_heard_before_the_talk_button_is_down(
    run: Run, use: Use, keys: Keys, plug_in: Callable
) -> None:
    cards = plug_in(SoundCards(speech=np.full(160_000, 0.5, np.float32)))
    model = use(ScriptedModel(audio=True))
    keys((after(0.4, open_devices(cards)), "q"))
    assert run(*PLAIN, "--push-to-talk").status == 0
    assert heard_by(model).seconds == 0


def test_the_talk_button_cuts_the_answer_off(
    run: Run, use: Use, keys: Keys, plug_in: Callable
) -> None:
    cards = plug_in(SoundCards(speech=np.full(160_000, 0.5, np.float32)))
    long = ["A very long answer indeed.", Pause(60), "never"]
    model = use(ScriptedModel(long, "Yes?", audio=True, transcripts=["talk", "stop"]))

    def answered_again() -> bool:
        return "Yes?" in model.sessions[0].said

    keys(
        open_devices(cards),
        fed(model, 0.3),
        sounded(cards, 0.5),
        fed(model, 0.8),
        after(0.5, answered_again),
    )
    done = run(*PLAIN, "--push-to-talk")
    assert done.status == 0, done.err
    assert "answer indeed.  cut off after" in done.out
    assert "plain     Yes?" in done.out
    assert model.sessions[0].cancelled == 1


def test_enter_stops_an_answer_in_an_open_call(
    run: Run, use: Use, keys: Keys, plug_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = plug_in(SoundCards())
    model = use(ScriptedModel(audio=True))
    speaks_up(monkeypatch, "A very long announcement that nobody wants to hear to its end.")
    keys((sounded(cards, 0.5)), (after(0.3, sounded(cards, 0.5)), "q"))
    done = run(*PLAIN)
    assert done.status == 0, done.err
    assert "Smart Turn cannot be had" in done.out  # this machine has no network
    assert "✂" in done.out
    assert "cut off after" in done.out
    assert sum(map(np.count_nonzero, cards.heard)) < 2 * 24_000
    assert model.sessions[0].rewound


def test_q_leaves_and_everything_is_closed(
    run: Run, use: Use, keys: Keys, plug_in: Callable
) -> None:
    cards = plug_in(SoundCards())
    model = use(ScriptedModel(audio=True))
    keys((open_devices(cards), "q"))
    done = run(*PLAIN)
    assert done.status == 0, done.err
    assert model.sessions[0].closed
    assert all(stream.closed for stream in cards.streams)
    assert not [t for t in threading.enumerate() if t.name == "camera"]


def test_m_mutes_the_microphone(
    run: Run, use: Use, keys: Keys, plug_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = plug_in(SoundCards())
    use(ScriptedModel(audio=True))
    heard = hears(monkeypatch)

    def stands_still() -> bool:
        before = len(heard)
        time.sleep(0.2)
        return len(heard) == before

    keys((lambda: len(heard) > 3, "m"), (stands_still, "m"), (lambda: not stands_still(), "q"))
    assert run(*PLAIN).status == 0
    assert cards.streams[0].closed


# --- trouble -----------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["microphone", "loudspeaker"])
def test_a_device_that_is_pulled_out_ends_the_call_in_words(
    run: Run, use: Use, keys: Keys, plug_in: Callable, which: str
) -> None:
    cards = plug_in(SoundCards())
    model = use(ScriptedModel(audio=True))
    kind = "input" if which == "microphone" else "output"

    def unplugged() -> bool:
        if not open_devices(cards)():
            return False
        time.sleep(0.2)
        next(s for s in cards.streams if s._kind == kind).end()
        time.sleep(0.5)
        return True

    keys((unplugged, "m"))
    done = run(*PLAIN)
    assert done.status == 1
    assert f"The {which} is gone" in done.err
    assert model.sessions[0].closed


def test_a_camera_that_is_missing_is_told_and_the_call_goes_on(
    run: Run, use: Use, keys: Keys, plug_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = plug_in(SoundCards())
    use(ScriptedModel(audio=True))
    silent = SimpleNamespace(setLogLevel=lambda level: None, LOG_LEVEL_SILENT=0)
    closed = SimpleNamespace(isOpened=lambda: False, release=lambda: None)
    opencv = SimpleNamespace(
        VideoCapture=lambda device: closed, utils=SimpleNamespace(logging=silent), error=OSError
    )
    monkeypatch.setitem(sys.modules, "cv2", opencv)
    keys((after(0.4, open_devices(cards)), "q"))
    done = run(*PLAIN, "--camera", "--camera-device", "2")
    assert done.status == 0, done.err
    assert "The camera 2 cannot be opened." in done.out


def test_a_tool_that_needs_approval_is_not_allowed_without_a_terminal(
    run: Run, use: Use, keys: Keys, plug_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omni_agent.agent import Agent
    from omni_agent.cli import opening
    from omni_agent.tools.base import tool

    @tool(needs_approval=True)
    def pay(euros: int) -> str:
        """Pay."""
        raise AssertionError("must not run")

    def make_agent(name: str, **options: object) -> Agent:
        return Agent("Pay.", name="payer", tools=[pay], **options)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "make_agent", make_agent)
    cards = plug_in(SoundCards(speech=SPEECH))
    model = use(
        ScriptedModel(
            ToolCall("call_1", "pay", {"euros": 5}), "Sorry.", audio=True, transcripts=["pay"]
        )
    )
    keys(open_devices(cards), fed(model, 0.3), sounded(cards, 6 / 15))
    done = run(*PLAIN, "--push-to-talk")
    assert "not allowed without a terminal to ask: pay(euros=5)" in done.out
    assert "the user did not approve of pay" in done.out


def test_a_missing_microphone_is_told_before_the_model_is_loaded(
    run: Run, plug_in: Callable
) -> None:
    plug_in(SoundCards(microphone=None))
    done = run("talk")
    assert done.status == 1
    assert "There is no microphone" in done.err


def test_the_missing_package_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = run("talk")
    assert done.status == 1
    assert 'pip install "omni-agent[audio]"' in done.err


# --- the echo ----------------------------------------------------------------------------------


def test_without_the_canceller_the_microphone_is_half_duplex_and_that_is_said(
    run: Run, use: Use, keys: Keys, plug_in: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = plug_in(SoundCards())
    use(ScriptedModel(audio=True))
    keys((open_devices(cards), "q"))
    monkeypatch.setitem(sys.modules, "livekit", None)
    done = run("talk", "--agent", "plain", "--no-memory")
    assert done.status == 0, done.err
    assert "The microphone is closed while the agent speaks" in done.out
    done = run("talk", "--agent", "plain", "--no-memory", "--echo-cancelling")
    assert done.status == 1
    assert 'pip install "omni-agent[aec]"' in done.err


def test_two_ways_at_once_are_refused(run: Run, plug_in: Callable) -> None:
    plug_in(SoundCards())
    done = run("talk", "--half-duplex", "--echo-cancelling")
    assert done.status == 1
    assert "choose one of them" in done.err


def test_the_help_tells_where_each_system_keeps_its_permissions(run: Run) -> None:
    shown = run("talk", "--help").out
    for words in ("Privacy & Security", "Let desktop apps", "libportaudio2", "--push-to-talk"):
        assert words in shown


# --- what a call is told ---------------------------------------------------------------------


def speaks_up(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Have every call say this by itself as soon as it has begun."""
    from omni_agent.live import LiveCall

    enter = LiveCall.__aenter__

    async def entered(call: LiveCall) -> LiveCall:
        await enter(call)
        call.say(text)
        return call

    monkeypatch.setattr(LiveCall, "__aenter__", entered)


def hears(monkeypatch: pytest.MonkeyPatch) -> list[Audio]:
    from omni_agent.live import LiveCall

    heard: list[Audio] = []
    hear = LiveCall.hear

    def told(call: LiveCall, audio: Audio) -> None:
        heard.append(audio)
        hear(call, audio)

    monkeypatch.setattr(LiveCall, "hear", told)
    return heard
