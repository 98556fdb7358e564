"""The parts of `sounddevice` that `omni_agent.devices` uses, with sound cards made of numpy.

Tests put a `SoundCards` where the module would be; its thread calls the streams' callbacks as
PortAudio does, in the streams' own time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np


class PortAudioError(Exception):
    pass


class SoundCards:
    """`heard`: what the loudspeaker has played. `refuses`: why a device cannot be opened.

    `room`: the response from the loudspeaker to the microphone, for devices of one rate; then the
    agent comes back in what is heard beside `speech`.
    """

    PortAudioError = PortAudioError

    def __init__(
        self,
        *,
        microphone: int | None = 16_000,
        loudspeaker: int | None = 24_000,
        refuses: str | None = None,
        speech: np.ndarray | None = None,
        room: np.ndarray | None = None,
    ) -> None:
        self.rates = {"input": microphone, "output": loudspeaker}
        self.refuses = refuses
        self.speech = speech if speech is not None else np.zeros(0, np.float32)
        self.room = room
        self.heard: list[np.ndarray] = []
        self.streams: list[Stream] = []

    def echo(self, start: int, count: int) -> np.ndarray:
        """What comes back in these samples of the microphone."""
        if self.room is None or not self.heard:
            return np.zeros(count, np.float32)
        begin = max(0, start - len(self.room))
        played = np.concatenate(self.heard)[begin : start + count]
        back = np.convolve(played, self.room)[start - begin :][:count]
        return np.pad(back, (0, count - len(back))).astype(np.float32)

    def query_devices(self, kind: str) -> dict[str, Any]:
        if self.rates[kind] is None:
            raise PortAudioError("Error querying device -1")
        return {"name": f"test {kind}", "default_samplerate": float(self.rates[kind] or 0)}

    def check_input_settings(self, *, channels: int, dtype: str, samplerate: int) -> None:
        self._check("input", samplerate)

    def check_output_settings(self, *, channels: int, dtype: str, samplerate: int) -> None:
        self._check("output", samplerate)

    def _check(self, kind: str, rate: int) -> None:
        if rate != self.rates[kind]:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def InputStream(self, **options: Any) -> Stream:
        return self._stream("input", options)

    def OutputStream(self, **options: Any) -> Stream:
        return self._stream("output", options)

    def _stream(self, kind: str, options: dict[str, Any]) -> Stream:
        self._check(kind, options["samplerate"])
        if self.refuses is not None:
            raise PortAudioError(self.refuses)
        stream = Stream(self, kind, options)
        self.streams.append(stream)
        return stream

    def unplug(self) -> None:
        for stream in self.streams:
            stream.end()


class Stream:
    def __init__(self, cards: SoundCards, kind: str, options: dict[str, Any]) -> None:
        self._cards = cards
        self._kind = kind
        self._rate: int = options["samplerate"]
        self._callback: Callable[..., None] = options["callback"]
        self._finished: Callable[[], None] = options["finished_callback"]
        self._block = options["blocksize"] or self._rate // 50
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._position = 0
        self.closed = False

    def start(self) -> None:
        self._thread.start()

    def abort(self) -> None:
        self.end()

    def close(self) -> None:
        self.closed = True

    def end(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            if threading.current_thread() is not self._thread:
                self._thread.join()
            self._finished()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._ended.wait(
            max(0.0, begun + self._position / self._rate - time.monotonic())
        ):
            times = SimpleNamespace(currentTime=1.0, outputBufferDacTime=1.0)
            if self._kind == "input":
                part = self._cards.speech[self._position : self._position + self._block]
                data = np.zeros((self._block, 1), np.float32)
                data[: len(part), 0] = part
                data[:, 0] += self._cards.echo(self._position, self._block)
                self._callback(data, self._block, times, None)
            else:
                out = np.full((self._block, 1), np.nan, np.float32)
                self._callback(out, self._block, times, None)
                self._cards.heard.append(out[:, 0].copy())
            self._position += self._block
