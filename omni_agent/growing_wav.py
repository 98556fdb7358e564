"""A WAV file that can be played at any moment while it grows, also after the process was killed."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Literal, assert_never

import numpy as np

_LARGEST = 0xFFFF_FFFF - 64  # bytes of sound that a header can state


class GrowingWav:
    """Mono. What is not written between two writes is silence, and takes no room on most disks.

    `form`: "float32" keeps samples exactly, "pcm16" is half as large. Raises FileExistsError, and
    OSError where the disk or the format (4 GB) is full.
    """

    def __init__(self, path: Path, rate: int, form: Literal["float32", "pcm16"]) -> None:
        self.path = path
        self.rate = rate
        self.samples = 0
        self._form = form
        self._width = 4 if form == "float32" else 2
        self._file = path.open("xb", buffering=0)
        self._begins = self._put(0, self._header())

    def write(self, at: int, samples: np.ndarray) -> None:
        """Put float32 [n] at the sample `at`. The header is set after the sound is there."""
        match self._form:
            case "float32":
                data = samples.astype("<f4").tobytes()
            case "pcm16":
                whole = np.clip((samples * np.float32(32768)).round(), -32768, 32767)
                data = whole.astype("<i2").tobytes()
            case _:
                assert_never(self._form)
        self._check_room(at + len(samples))
        self._put(self._begins + at * self._width, data)
        if at + len(samples) > self.samples:
            self.samples = at + len(samples)
            self._put(0, self._header())

    def extend(self, samples: int) -> None:
        """Silence up to a length of so many samples."""
        if samples > self.samples:
            self._check_room(samples)
            self._file.truncate(self._begins + samples * self._width)
            self.samples = samples
            self._put(0, self._header())

    def close(self) -> None:
        self._file.close()

    def _check_room(self, samples: int) -> None:
        if samples * self._width > _LARGEST:
            raise OSError(errno.EFBIG, "a WAV file holds 4 GB", str(self.path))

    def _header(self) -> bytes:
        """RIFF, WAVE, `fmt ` (3: IEEE float, 1: PCM), for float `fact`, `data`."""
        size = self.samples * self._width
        is_float = self._form == "float32"
        tag, bits = (3, 32) if is_float else (1, 16)
        shape = struct.pack("<HHIIHH", tag, 1, self.rate, self.rate * self._width, bits // 8, bits)
        chunks = b"fmt " + struct.pack("<I", len(shape)) + shape
        if is_float:
            chunks += b"fact" + struct.pack("<II", 4, self.samples)
        chunks += b"data" + struct.pack("<I", size)
        return b"RIFF" + struct.pack("<I", 4 + len(chunks) + size) + b"WAVE" + chunks

    def _put(self, at: int, data: bytes) -> int:
        """Write all of it there; how many bytes it was."""
        self._file.seek(at)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        return len(data)
