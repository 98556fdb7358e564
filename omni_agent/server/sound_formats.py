"""Sound on the wire: PCM of 16 bit at 24 kHz, and G.711 (μ-law and A-law) at 8 kHz."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from typing import Literal, assert_never

import numpy as np

from omni_agent.media import Audio, Resampler
from omni_agent.server.wire import BadEvent

SoundFormat = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]

PCM_RATE = 24_000
G711_RATE = 8_000


def rate_of(form: SoundFormat) -> int:
    """Samples a second."""
    return PCM_RATE if form == "audio/pcm" else G711_RATE


class SoundIn:
    """Sound that comes in pieces of any length; half a sample waits for its other half."""

    def __init__(self, form: SoundFormat) -> None:
        self.form: SoundFormat = form
        self._half = b""

    def take(self, encoded: str) -> Audio:
        """Base64 → sound. Raises BadEvent for what is no base64."""
        try:
            data = self._half + base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadEvent(
                f"the audio is no base64: {error}", code="invalid_value", param="audio"
            ) from error
        match self.form:
            case "audio/pcm":
                whole = len(data) & ~1
                data, self._half = data[:whole], data[whole:]
                return Audio.from_pcm16(data, PCM_RATE)
            case "audio/pcmu" | "audio/pcma":
                table = _decoding(self.form)
                samples = table[np.frombuffer(data, np.uint8)].astype(np.float32) / 32768
                return Audio(samples, G711_RATE)
            case _:
                assert_never(self.form)

    def clear(self) -> None:
        self._half = b""


class SoundOut:
    """A reply's sound, piece by piece, without a seam where its rate has to change."""

    def __init__(self, form: SoundFormat) -> None:
        self.form: SoundFormat = form
        self._resampler: Resampler | None = None

    def push(self, audio: Audio) -> str:
        """Sound → base64; empty while there is too little to convert."""
        if self._resampler is None or self._resampler.from_rate != audio.rate:
            self._resampler = Resampler(audio.rate, rate_of(self.form))
        return self._encoded(self._resampler.push(audio))

    def flush(self) -> str:
        """The rest, at the end of an item."""
        return "" if self._resampler is None else self._encoded(self._resampler.flush())

    def _encoded(self, audio: Audio) -> str:
        data = audio.pcm16()
        if self.form != "audio/pcm":
            data = _encoding(self.form)[
                np.frombuffer(data, "<i2").astype(np.int32) + 32768
            ].tobytes()
        return base64.b64encode(data).decode("ascii")


@cache
def _decoding(form: Literal["audio/pcmu", "audio/pcma"]) -> np.ndarray:
    """The 256 values of ITU-T G.711, int16, by their codes."""
    code = np.arange(256, dtype=np.int32)
    if form == "audio/pcmu":
        code = ~code & 0xFF
        size = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
        return np.where(code & 0x80, -size, size).astype(np.int16)
    code ^= 0x55
    step, place = (code & 0x70) >> 4, (code & 0x0F) << 4
    size = np.where(step == 0, place + 8, (place + 0x108) << np.maximum(step - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


@cache
def _encoding(form: Literal["audio/pcmu", "audio/pcma"]) -> np.ndarray:
    """For each 16-bit sample, from the lowest, the code whose value is nearest. uint8 [65536]."""
    values = _decoding(form).astype(np.int32)
    codes = np.argsort(values, kind="stable")
    middles = (values[codes][1:] + values[codes][:-1]) / 2
    return codes[np.searchsorted(middles, np.arange(-32768, 32768))].astype(np.uint8)
