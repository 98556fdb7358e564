"""Sound on the wire: PCM and G.711, in pieces of any length."""

import base64
from typing import Any

import numpy as np
import pytest
from clients import RATE, seconds_of, serving, sound

from omni_agent.media import Audio
from omni_agent.server.sound_formats import SoundIn, SoundOut
from omni_agent.server.wire import BadEvent

TELEPHONE: Any = ["audio/pcmu", "audio/pcma"]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def hum(rate: int, seconds: float = 1.0) -> Audio:
    t = np.arange(round(rate * seconds)) / rate
    return Audio((0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32), rate)


def test_pcm_that_is_cut_anywhere_is_put_together_again() -> None:
    data = hum(RATE).pcm16()
    wire = SoundIn("audio/pcm")
    pieces = [wire.take(encoded(data[at : at + 333])) for at in range(0, len(data), 333)]
    assert Audio.join(pieces).pcm16() == data


@pytest.mark.parametrize("form", TELEPHONE)
def test_g711_comes_back_as_it_went(form: Any) -> None:
    before = hum(8000)
    after = SoundIn(form).take(SoundOut(form).push(before))
    assert after.rate == 8000
    noise = after.samples - before.samples
    ratio = 10 * np.log10(np.mean(before.samples**2) / np.mean(noise**2))
    assert ratio > 35  # dB, what 8 bits of G.711 give


def test_the_codes_of_g711_mean_what_the_recommendation_says() -> None:
    def value(form: Any, code: int) -> int:
        return round(float(SoundIn(form).take(encoded(bytes([code]))).samples[0]) * 32768)

    assert [value("audio/pcmu", c) for c in (0x00, 0x7F, 0x80, 0xFF)] == [-32124, 0, 32124, 0]
    assert [value("audio/pcma", c) for c in (0x2A, 0xAA, 0x55, 0xD5)] == [-32256, 32256, -8, 8]


@pytest.mark.parametrize("rate", [16_000, 24_000, 22_050])
def test_a_voice_of_any_rate_goes_out_at_the_wires(rate: int) -> None:
    out = SoundOut("audio/pcm")
    voice = hum(rate)
    pieces = [Audio(voice.samples[n : n + 1000], rate) for n in range(0, len(voice.samples), 1000)]
    data = b"".join(base64.b64decode(out.push(piece)) for piece in pieces)
    data += base64.b64decode(out.flush())
    assert len(data) / 2 == pytest.approx(RATE, abs=2)


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(BadEvent, match="no base64"):
        SoundIn("audio/pcm").take("not base64!")


async def test_an_answer_is_as_long_as_its_words_take() -> None:
    async with serving("Chop the onions.") as server, server.client() as client:
        await client.asks("How do I begin?")
        deltas = client.of("response.output_audio.delta")
        assert seconds_of(deltas) == pytest.approx(len("Chop the onions.") / 15, abs=0.01)


async def test_a_client_may_speak_and_listen_by_telephone() -> None:
    async with serving("Chop them.", transcripts=["How?"]) as server, server.client() as client:
        form = {"type": "audio/pcmu"}
        audio = {"input": {"format": form}, "output": {"format": form}}
        await client.send("session.update", session={"audio": audio})
        session = (await client.until("session.updated"))["session"]
        assert session["audio"]["output"]["format"] == form
        await client.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
        await client.send("input_audio_buffer.append", audio=encoded(b"\x9f" * 8000))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")
        heard = [p for p in server.model.sessions[0].fed if isinstance(p, Audio)]
        assert sum(audio.seconds for audio in heard) == pytest.approx(1.0, abs=0.1)
        deltas = client.of("response.output_audio.delta")
        samples = sum(len(base64.b64decode(event["delta"])) for event in deltas)
        assert samples == pytest.approx(8000 * len("Chop them.") / 15, abs=8)


async def test_a_commit_of_nothing_is_refused() -> None:
    async with serving() as server, server.client() as client:
        await client.send("input_audio_buffer.append", audio=sound(0.05))
        await client.send("input_audio_buffer.commit", event_id="mine")
        error = (await client.until("error"))["error"]
        assert error["code"] == "input_audio_buffer_commit_empty"
        await client.send("input_audio_buffer.append", audio=sound(0.2))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.send("input_audio_buffer.commit")
        await client.until("error")


async def test_sound_that_was_recorded_before_may_be_sent_in_one_go() -> None:
    async with serving("Chop them.", transcripts=["How?"]) as server, server.client() as client:
        await client.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
        for _ in range(40):
            await client.send("input_audio_buffer.append", audio=sound(1.0))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")
        heard = [p for p in server.model.sessions[0].fed if isinstance(p, Audio)]
        assert sum(audio.seconds for audio in heard) == pytest.approx(40, abs=0.1)
