"""Sound and pictures as values: `Audio`, `Image`, `VideoFrame`, and how to read and write them."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from omni_agent.errors import MediaError, UnreadableMedia

if TYPE_CHECKING:
    import PIL.Image

MAX_SECONDS = 600.0
MAX_PIXELS = 50_000_000
MAX_RATE = 384_000

Source = str | os.PathLike[str] | bytes | BinaryIO
"""Where media is read from: a path, the bytes themselves, or an open binary file."""


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound. `samples`: float32 [n] in −1 … 1; `rate`: Hz."""

    samples: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        if self.samples.dtype != np.float32 or self.samples.ndim != 1:
            shape = list(self.samples.shape)
            raise MediaError(
                f"sound is float32 [n], mono; these samples are {self.samples.dtype} {shape}. "
                "Audio.load and Audio.from_pcm16 convert"
            )
        if not 1 <= self.rate <= MAX_RATE or self.rate != int(self.rate):
            raise MediaError(f"a rate of {self.rate} Hz is not a whole number from 1 to {MAX_RATE}")
        if len(self.samples) and not np.isfinite(self.samples).all():
            raise MediaError("these samples hold values that are not finite (NaN or infinity)")

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def peak_dbfs(self) -> float:
        """The loudest sample in decibels below full scale; −inf for silence."""
        peak = float(np.abs(self.samples).max(initial=0.0))
        return 20 * math.log10(peak) if peak else -math.inf

    def is_silent(self, *, below_dbfs: float = -60.0) -> bool:
        """Whether nothing in it is as loud as `below_dbfs`."""
        return self.peak_dbfs < below_dbfs

    @classmethod
    def load(cls, source: Source, *, max_seconds: float = MAX_SECONDS) -> Audio:
        """Read a WAV, FLAC, OGG, MP3, AIFF or other sound file at its own rate, mixed to mono.

        Raises FileNotFoundError, UnreadableMedia (empty, truncated, no sound file) and
        MediaTooLarge (longer than `max_seconds`), which is found out without decoding it all.
        """
        from omni_agent.media_files import read_audio

        return cls(*read_audio(source, max_seconds=max_seconds))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file in the format of its suffix: .wav (16 bit), .flac, .ogg or .mp3."""
        from omni_agent.media_files import write_audio

        path = Path(path)
        write_audio(path, path.suffix.lower(), self.samples, self.rate, name=str(path))
        return path

    def to_wav(self) -> bytes:
        """The bytes of a WAV file, 16 bit."""
        from omni_agent.media_files import write_audio

        into = io.BytesIO()
        write_audio(into, ".wav", self.samples, self.rate, name="the WAV bytes")
        return into.getvalue()

    def pcm16(self) -> bytes:
        """Little-endian signed 16-bit samples, no header; what is over full scale is clipped."""
        whole = (self.samples * np.float32(32768.0)).round()
        return np.clip(whole, -32768, 32767).astype("<i2").tobytes()

    @classmethod
    def from_pcm16(cls, data: bytes, rate: int) -> Audio:
        """The reverse of `pcm16`. Raises UnreadableMedia for half a sample."""
        if len(data) % 2:
            raise UnreadableMedia(f"16-bit sound has an even number of bytes; this has {len(data)}")
        return cls(np.frombuffer(data, "<i2").astype(np.float32) / 32768.0, rate)

    def resampled(self, rate: int) -> Audio:
        """The same sound at another rate; itself when the rate is the same."""
        if rate == self.rate:
            return self
        sound = Audio(np.zeros(0, np.float32), rate)  # checks the rate
        if not len(self.samples):
            return sound
        import soxr

        return Audio(np.asarray(soxr.resample(self.samples, self.rate, rate), np.float32), rate)

    @classmethod
    def silence(cls, seconds: float, rate: int) -> Audio:
        return cls(np.zeros(round(seconds * rate), np.float32), rate)

    @classmethod
    def join(cls, parts: Iterable[Audio]) -> Audio:
        """One after the other. All have one rate; raises MediaError else, and for no parts."""
        sounds = list(parts)
        rates = sorted({s.rate for s in sounds})
        if len(rates) != 1:
            raise MediaError(
                f"sounds of different rates ({', '.join(map(str, rates))} Hz) cannot be joined; "
                "use resampled() first"
                if rates
                else "there is no sound to join"
            )
        return cls(np.concatenate([s.samples for s in sounds]), rates[0])


class Resampler:
    """Changes the rate of sound that arrives in chunks, without a seam between them."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        for rate in (from_rate, to_rate):
            Audio(np.zeros(0, np.float32), rate)  # checks the rate
        self.from_rate = from_rate
        self.to_rate = to_rate
        self._stream = self._open()

    def push(self, audio: Audio, *, last: bool = False) -> Audio:
        """The part of the output that is ready (a little is held back until `last`)."""
        if audio.rate != self.from_rate:
            raise MediaError(f"this resampler takes {self.from_rate} Hz, and got {audio.rate} Hz")
        if self._stream is None:
            return audio
        samples = np.asarray(self._stream.resample_chunk(audio.samples, last), np.float32)
        if last:
            self._stream = self._open()
        return Audio(samples, self.to_rate)

    def flush(self) -> Audio:
        """What was held back; the next chunk begins a new sound."""
        return self.push(Audio(np.zeros(0, np.float32), self.from_rate), last=True)

    def _open(self) -> Any:
        if self.from_rate == self.to_rate:
            return None
        import soxr

        return soxr.ResampleStream(self.from_rate, self.to_rate, 1, dtype="float32")


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture. `pixels`: uint8 [height, width, 3], RGB."""

    pixels: np.ndarray

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise MediaError(
                f"a picture is uint8 [height, width, 3]; these pixels are {self.pixels.dtype} "
                f"{list(shape)}. Image.load converts"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @classmethod
    def load(cls, source: Source | PIL.Image.Image, *, max_pixels: int = MAX_PIXELS) -> Image:
        """Read a JPEG, PNG, WebP, GIF (first frame), BMP or TIFF, upright, on white.

        Raises FileNotFoundError, UnreadableMedia (empty, truncated, no picture) and MediaTooLarge
        (more than `max_pixels`), which is found out before anything is decoded.
        """
        from omni_agent.media_files import read_image

        return cls(read_image(source, max_pixels=max_pixels))

    def thumbnail(self, max_side: int) -> Image:
        """No side longer than `max_side` pixels, in proportion; itself when small enough."""
        if max_side < 1:
            raise MediaError(f"a thumbnail of {max_side} pixels cannot be made; 1 is the least")
        if max(self.size) <= max_side:
            return self
        scale = max_side / max(self.size)
        size = (max(1, round(self.size[0] * scale)), max(1, round(self.size[1] * scale)))
        return Image(np.array(self._pillow().resize(size, resample=1)))  # 1: Lanczos

    def to_jpeg(self, quality: int = 85) -> bytes:
        """The bytes of a JPEG file. `quality`: 1 … 95."""
        into = io.BytesIO()
        self._pillow().save(into, "JPEG", quality=quality)
        return into.getvalue()

    def _pillow(self) -> PIL.Image.Image:
        import PIL.Image

        return PIL.Image.fromarray(self.pixels)


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One picture of a video. `t`: seconds since the video began."""

    image: Image
    t: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.t) and self.t >= 0):
            raise MediaError(f"a frame's time is {self.t} s; it counts from 0 at the video's start")


def load_part(path: str | os.PathLike[str] | bytes) -> Audio | Image:
    """Read a file, or its bytes, as sound or as a picture, by what is in it and not by its name.

    Raises what `Audio.load` and `Image.load` raise, and UnreadableMedia where it is neither.
    """
    from omni_agent.media_files import kind_of, open_source

    with open_source(path) as (file, name):
        match kind_of(file):
            case "audio":
                return Audio.load(path)
            case "image":
                return Image.load(path)
            case found:
                raise UnreadableMedia(f"{name} is {found}, and neither sound nor a picture")
