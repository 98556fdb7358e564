"""A recorded call is a folder that can be read at any moment, whatever happened to the call."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from loud_listener import LoudListener, speech
from recorded import START, Room, picture, record, recorded_call, recording_clock, the_agent

from omni_agent import recording
from omni_agent.agent import Agent
from omni_agent.call_settings import CallSettings
from omni_agent.errors import RecordingError
from omni_agent.events import FrameSeen, Interrupted, OutputControl, TurnFinished
from omni_agent.growing_wav import GrowingWav
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Text
from omni_agent.model.scripted import ScriptedModel
from omni_agent.recorded_call import Came, Lost, RecordedCall, Went, recordings
from omni_agent.recording_files import RecordingFiles
from omni_agent.virtual_clock import VirtualClock


@pytest.fixture(autouse=True)
def ears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent.floor.TurnListener", LoudListener)


def came(call: RecordedCall, verb: str) -> list[Came]:
    return [line for line in call.lines() if isinstance(line, Came) and line.verb == verb]


def went(call: RecordedCall, kind: str) -> list[Went]:
    return [w for w in call.lines() if isinstance(w, Went) and w.data["type"] == kind]


def chatty(*turns: Any, **options: Any) -> Any:
    """An agent that speaks; for `record(make=…)`."""

    def make(clock: Any) -> Agent:
        model = ScriptedModel(*turns, audio=True, clock=clock, **options)
        return Agent("Be brief.", model=model, clock=clock)

    return make


# --- what is in it ----------------------------------------------------------------------------


async def test_the_folder_tells_who_and_when(tmp_path: Path) -> None:
    await record(tmp_path / "call", CallSettings(player="remote", idle_seconds=60.0))
    call = RecordedCall.open(tmp_path / "call")
    assert (call.agent, call.model, call.title) == ("cook", "scripted", "One thing and another")
    assert (call.began_at, call.reason) == (START, "closed")
    assert call.seconds == pytest.approx(23.48)
    assert (call.input_rate, call.output_rate) == (16_000, 24_000)
    assert call.settings == CallSettings(player="remote", idle_seconds=60.0)


async def test_every_event_is_there_in_order_and_when_it_came_out(tmp_path: Path) -> None:
    events = await record(tmp_path / "call")
    lines = [
        line for line in RecordedCall.open(tmp_path / "call").lines() if isinstance(line, Went)
    ]
    assert [line.data["type"] for line in lines] == [type(event).__name__ for event in events]
    assert [line.event.t for line in lines] == [event.t for event in events]
    assert [line.t for line in lines] == sorted(line.t for line in lines)


async def test_the_microphone_is_there_to_the_bit(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-1.2, 1.2, 16_000).astype(np.float32) / 20

    async def has(room: Room) -> None:
        await room.hears(Audio(noise, 16_000))

    await record(tmp_path / "call", has=has, make=chatty())
    call = RecordedCall.open(tmp_path / "call")
    heard = Audio.join(line.values[0] for line in came(call, "hear"))
    assert np.array_equal(heard.samples, noise)
    assert call.user_wav is not None
    assert np.array_equal(Audio.load(call.user_wav).samples[: len(noise)], noise)


async def test_a_microphone_that_was_off_leaves_silence(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.hears(speech(0.5))
        room._steps += 100  # two seconds
        await room.hears(speech(0.1))

    await record(tmp_path / "call", CallSettings(player="remote"), has=has, make=chatty())
    user = Audio.load(tmp_path / "call/user.wav").samples
    loud = np.abs(user).reshape(-1, 1600).max(axis=1) > 0.1
    assert loud.tolist() == [True] * 5 + [False] * 20 + [True]


async def test_another_microphone_gets_a_file_of_its_own(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.silence(0.1)
        room.call.hear(Audio.silence(0.02, 48_000))

    await record(tmp_path / "call", has=has, make=chatty())
    call = RecordedCall.open(tmp_path / "call")
    assert [line.values[0].rate for line in came(call, "hear")] == [16_000] * 5 + [48_000]
    assert soundfile.info(tmp_path / "call/user-48000.wav").samplerate == 48_000


async def test_the_agents_side_is_what_the_sound_card_took(tmp_path: Path) -> None:
    taken: list[np.ndarray] = []

    async def has(room: Room) -> None:
        fill = room.call.output.fill

        def kept(n: int, *, ahead: float = 0.0) -> np.ndarray:
            taken.append(fill(n, ahead=ahead))
            return taken[-1]

        room.call.output.fill = kept  # type: ignore[method-assign]
        await room.says(0.5, then=2.0)
        await room.hears(speech(0.5))
        await room.silence(1.0)

    make = chatty("A rather long answer to that, I must say.", "Yes.", transcripts=["A", "B"])
    await record(tmp_path / "call", has=has, make=make)
    heard = np.concatenate(taken)
    agent = Audio.load(tmp_path / "call/agent.wav").samples
    lead = round(0.02 * 24_000)  # the first is taken when the first 20 ms were heard
    assert np.abs(agent[lead : lead + len(heard)] - heard[: len(agent) - lead]).max() < 1e-4
    assert np.abs(heard).max() > 0.05


async def test_a_distant_players_side_has_its_cuts_and_pauses(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.says(0.5, then=1.5)
        await room.hears(speech(0.08))  # a cough: lowered, paused, resumed
        await room.silence(1.0)
        await room.hears(speech(0.5))  # cuts in
        await room.silence(0.3)

    make = chatty("A rather long answer to that, I must say. " * 2, transcripts=["A"])
    events = await record(tmp_path / "call", CallSettings(player="remote"), has=has, make=make)
    agent = Audio.load(tmp_path / "call/agent.wav").samples
    began = RecordedCall.open(tmp_path / "call").began

    def level(t: float, until: float) -> float:
        return float(
            np.abs(agent[round((t - began) * 24_000) : round((until - began) * 24_000)]).max()
        )

    control = {e.action: e.t for e in reversed(events) if isinstance(e, OutputControl)}
    cut = next(e.t for e in events if isinstance(e, Interrupted))
    assert level(control["duck"] - 0.2, control["duck"]) == pytest.approx(0.1, abs=0.01)
    assert level(control["duck"] + 0.015, control["pause"]) == pytest.approx(0.025, abs=0.01)
    assert level(control["pause"] + 0.001, control["resume"]) == 0
    assert level(control["resume"] + 0.02, control["resume"] + 0.5) == pytest.approx(0.1, abs=0.01)
    assert level(cut + 0.001, cut + 0.3) == 0


@pytest.mark.parametrize(("player", "seconds"), [("own", 23.5), ("remote", 23.48)])
async def test_both_sides_are_as_long_as_the_call(
    tmp_path: Path, player: Any, seconds: float
) -> None:
    await record(tmp_path / "call", CallSettings(player=player))
    lengths = {soundfile.info(tmp_path / f"call/{side}.wav").duration for side in ("user", "agent")}
    assert lengths == {seconds}  # what the sound card took last was to sound after the end


async def test_pictures_are_files_and_one_that_is_shown_as_it_came_is_there_once(
    tmp_path: Path,
) -> None:
    large = Image(np.random.default_rng(1).integers(0, 255, (900, 1200, 3), np.uint8))

    async def has(room: Room) -> None:
        room.call.see(VideoFrame(picture(90), 0.0))
        room.call.see(VideoFrame(large, 0.0), "screen")
        await room.silence(0.1)
        room.call.hide("screen")

    events = await record(tmp_path / "call", has=has, make=chatty())
    call = RecordedCall.open(tmp_path / "call")
    frames = [line.values for line in came(call, "see")]
    assert [(frame.image.size, source) for frame, source in frames] == [
        ((160, 120), "camera"),
        ((1200, 900), "screen"),
    ]
    assert frames[0][0].image.pixels.mean() == pytest.approx(90, abs=1)
    seen = [line.data["image"] for line in went(call, "FrameSeen")]
    assert [image["file"] for image in seen] == ["frames/000001.jpg", "frames/000003.jpg"]
    shown = [e.image.size for e in events if isinstance(e, FrameSeen)]
    assert [call.load(image).size for image in seen] == shown  # type: ignore[union-attr]
    assert came(call, "hide")[0].values == ("screen",)


async def test_what_was_sent_is_kept_whatever_it_was(tmp_path: Path) -> None:
    sound = Audio(np.array([0.1, 0.123456789], np.float32), 8_000)
    jpeg = tmp_path / "a.jpg"
    jpeg.write_bytes(picture(100).to_jpeg())

    async def has(room: Room) -> None:
        await room.call.send("Look:", Text("this"), picture(7), sound, jpeg.read_bytes(), jpeg)

    await record(tmp_path / "call", has=has, make=chatty("Nice."))
    jpeg.unlink()
    call = RecordedCall.open(tmp_path / "call")
    ((inputs, respond),) = [line.values for line in came(call, "send")]
    words, text, image, audio, data, path = inputs
    assert (words, text, respond) == ("Look:", Text("this"), True)
    assert np.array_equal(image.pixels, picture(7).pixels)
    assert np.array_equal(audio.samples, sound.samples)
    assert data == path == picture(100).to_jpeg()
    assert call.title == "Look: this"


async def test_half_a_character_is_no_trouble(tmp_path: Path) -> None:
    async def has(room: Room) -> None:
        await room.call.send("hi")
        await room.silence(0.1)

    await record(tmp_path / "call", has=has, make=chatty("An emoji: \ud83d"))
    (finished,) = went(RecordedCall.open(tmp_path / "call"), "TurnFinished")
    assert isinstance(finished.event, TurnFinished)
    assert finished.event.reply.text == "An emoji: \ud83d"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    await record(tmp_path / "call", has=lambda room: room.silence(0.1), make=chatty())
    assert stat.S_IMODE((tmp_path / "call").stat().st_mode) == 0o700


# --- where it cannot be -----------------------------------------------------------------------


async def test_a_folder_with_something_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RecordingError, match="is not empty; a call is recorded in a folder of its"):
        await record(tmp_path, has=lambda room: room.silence(0.1), make=chatty())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be recorded in"):
        await record(tmp_path / "file" / "call", has=lambda room: room.silence(0.1), make=chatty())


async def test_a_full_disk_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = [type(event) for event in await record(tmp_path / "whole")]
    write = GrowingWav.write

    def full(self: GrowingWav, at: int, samples: np.ndarray) -> None:
        if at > 16_000 * 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, at, samples)

    monkeypatch.setattr(GrowingWav, "write", full)
    events = await record(tmp_path / "call")
    assert [type(event) for event in events] == whole
    assert [r.message for r in caplog.records if "unrecorded" in r.message] == [
        f"{tmp_path / 'call'}: the call goes on unrecorded: [Errno 28] No space left on device"
    ]
    call = RecordedCall.open(tmp_path / "call")
    assert call.reason is None
    assert 1 < call.seconds < 4
    assert len(came(call, "hear")) > 50


async def test_a_slow_disk_costs_parts_of_the_recording_and_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "_MOST_WAITING", 100_000)
    write = RecordingFiles.write

    def slowly(self: RecordingFiles, entry: Any) -> None:
        time.sleep(0.002)
        write(self, entry)

    monkeypatch.setattr(RecordingFiles, "write", slowly)
    await record(tmp_path / "call", has=lambda room: room.silence(10), make=chatty())
    lines = [*RecordedCall.open(tmp_path / "call").lines()]
    lost = sum(line.count for line in lines if isinstance(line, Lost))
    assert lost > 100
    assert "the disk is slow, some is not recorded" in caplog.text


async def test_what_is_no_json_is_left_out_and_the_rest_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def has(room: Room) -> None:
        room.call.say(object())  # type: ignore[arg-type]
        room.call.clear()
        await room.silence(0.1)

    await record(tmp_path / "call", has=has, make=chatty())
    call = RecordedCall.open(tmp_path / "call")
    assert came(call, "say") == []
    assert len(came(call, "clear")) == 1
    assert "something is not recorded" in caplog.text


# --- what is left of a process that was killed ------------------------------------------------

KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from loud_listener import LoudListener, speech
import omni_agent.floor
omni_agent.floor.TurnListener = LoudListener
from omni_agent.call_settings import CallSettings
from omni_agent.clock import SystemClock
from recorded import Room, recorded_call, the_agent

async def main():
    clock = SystemClock()
    async with recorded_call(the_agent(clock), Path(sys.argv[1])) as (call, events):
        room = Room(call, clock, plays=True)
        await room.says(1.0, then=1.0)
        print("spoken", flush=True)
        await room.silence(60)

asyncio.run(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_leaves_a_recording(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "call"), here], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"spoken\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    call = RecordedCall.open(tmp_path / "call")
    assert call.reason is None
    assert call.title == "One thing"
    assert call.seconds > 2.0
    chunks = came(call, "hear")
    assert len(chunks) > 100
    assert call.user_wav is not None
    assert Audio.load(call.user_wav).seconds == pytest.approx(call.seconds, abs=0.1)
    assert not Audio.load(call.agent_wav).is_silent()


@pytest.mark.parametrize("form", ["float32", "pcm16"])
def test_a_wav_is_valid_after_every_write(tmp_path: Path, form: Any) -> None:
    tone = np.sin(np.arange(1000, dtype=np.float32))
    wav = GrowingWav(tmp_path / "a.wav", 8_000, form)
    for at in (0, 1000, 5000):
        wav.write(at, tone)
        now, _ = soundfile.read(io.BytesIO((tmp_path / "a.wav").read_bytes()), dtype="float32")
        assert len(now) == at + 1000
        assert np.abs(now[at:] - np.clip(tone, -1, 1)).max() < 1e-4
    assert not now[2000:5000].any()
    wav.extend(7000)
    wav.close()
    assert soundfile.info(tmp_path / "a.wav").frames == 7000


def test_a_wav_does_not_grow_beyond_what_its_header_can_say(tmp_path: Path) -> None:
    wav = GrowingWav(tmp_path / "a.wav", 8_000, "float32")
    with pytest.raises(OSError, match="4 GB"):
        wav.write(2**30, np.zeros(10, np.float32))


# --- reading ----------------------------------------------------------------------------------


async def short_call(folder: Path, words: str = "hi") -> RecordedCall:
    async def has(room: Room) -> None:
        await room.call.send(words)
        await room.silence(0.2)

    await record(folder, has=has, make=chatty("Hello."))
    return RecordedCall.open(folder)


async def test_calls_are_listed_the_newest_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, hour in (("one", 8), ("two", 9)):
        clock = VirtualClock()
        clock.begin(at=0, now=START.replace(hour=hour))
        async with clock:
            agent = chatty("Hello.")(clock)
            async with recorded_call(agent, tmp_path / name) as (call, _):
                await call.send(name)
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "call.json").write_text("{")
    (tmp_path / "no call").mkdir()
    assert [call.title for call in recordings(tmp_path)] == ["two", "one"]
    assert "left out" in caplog.text


async def test_a_line_that_is_not_whole_is_left_out(tmp_path: Path) -> None:
    call = await short_call(tmp_path / "call")
    count = len([*call.lines()])
    with (tmp_path / "call/events.jsonl").open("ab") as file:
        file.write(b'{"t": 1300.0, "came": "he')
    assert len([*call.lines()]) == count


async def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    call = await short_call(tmp_path / "call")
    path = tmp_path / "call/events.jsonl"
    lines = path.read_text().splitlines()
    lines[2] = '{"t": 1, "came": "fly", "values": []}'
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordingError, match=r"line 3: nothing called 'fly' goes into a call"):
        [*call.lines()]


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"format": 2}, "is of format 2.1, and this version reads 1.1"),
        ({"began": "noon"}, "cannot be read"),
        ({"settings": {"type": "CallSettings", "player": "mine"}}, "player"),
    ],
)
async def test_a_call_that_cannot_be_read_says_why(
    tmp_path: Path, about: dict[str, Any], says: str
) -> None:
    await short_call(tmp_path / "call")
    path = tmp_path / "call/call.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **about}))
    with pytest.raises(RecordingError, match=says):
        RecordedCall.open(tmp_path / "call")


def test_a_folder_without_a_call_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"holds no recorded call: it has no call\.json"):
        RecordedCall.open(tmp_path)


async def test_a_recording_reaches_for_no_file_outside(tmp_path: Path) -> None:
    call = await short_call(tmp_path / "call")
    (tmp_path / "secret").write_text("x")
    with pytest.raises(RecordingError, match="lies outside"):
        call.load({"type": "File", "file": "../secret"})
    with pytest.raises(RecordingError, match="is gone"):
        call.load({"type": "Image", "file": "frames/000009.jpg"})


async def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    clock = recording_clock()
    async with clock, recorded_call(the_agent(clock), tmp_path / "call") as (call, _):
        await call.close()
        await asyncio.sleep(0)
    assert RecordedCall.open(tmp_path / "call").reason == "closed"
