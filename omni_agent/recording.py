"""Recording a call: everything that goes in and comes out, as one folder.

    call.json         who, when, and the settings of the call
    events.jsonl      one line for each thing that came in or went out, in order, with its time
    user.wav          the user's microphone as it came (32-bit float, so that it replays exactly)
    agent.wav         the agent's speech as it sounded, with cuts and pauses, on the same time line
    frames/*.jpg      what a camera or screen showed, and what of it the model was shown
    inputs/*          sound, pictures and files that were sent

The folder holds voices, faces and words. Only its owner may read it, but it is not encrypted, and
`Memory.forget` does not know of it: what somebody wants forgotten has to be deleted here as well,
by deleting the folder.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.call_settings import CallSettings
from omni_agent.clock import Clock
from omni_agent.errors import RecordingError
from omni_agent.events import AudioDelta, FrameSeen, LiveEvent, TurnFinished
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.model.base import ModelProfile
from omni_agent.playback import PlaybackBuffer
from omni_agent.recording_files import Entry, RecordingFiles

logger = logging.getLogger("omni_agent.recording")

_MOST_WAITING = 64 * 2**20  # bytes that may wait for the disk; beyond, things are lost
_MOST_FRAMES = _MOST_WAITING // 4  # pictures are lost first
_ENTRY = 400  # bytes that anything takes
_CLOSING = 30.0  # seconds


class Recorder:
    """A `CallTap` that writes the call into `folder`, in a thread of its own.

    Made when the call opens and has its `output`. What comes faster than the disk takes it is lost
    from the recording, pictures first; a full disk ends the recording. Both are logged once, and
    the call does not feel them. Raises RecordingError where the folder is not empty or cannot be
    made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        call: str,
        agent: str,
        profile: ModelProfile,
        settings: CallSettings,
        output: PlaybackBuffer,
        clock: Clock,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._is_own_player = settings.player == "own"
        self._waiting: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = self._lost = 0
        self._is_over = self._in_step = False
        _make_new(folder)
        try:
            self._files = RecordingFiles(
                folder,
                call=call,
                agent=agent,
                profile=profile,
                settings=settings,
                began=clock.monotonic(),
                began_at=clock.now(),
                output_rate=output.rate,
            )
        except OSError as error:
            raise RecordingError(f"a call cannot be recorded in {folder}: {error}") from error
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()
        output.tap = self._played

    def came(self, verb: str, /, *values: Any) -> None:
        self._put(Entry(self._clock.monotonic(), "came", verb, values, self._at_once()))

    def went(self, event: LiveEvent, /) -> None:
        self._put(Entry(self._clock.monotonic(), "went", "", (event,)))

    def close(self) -> None:
        """Comes back when all is written. May be called twice."""
        if not self._is_over:
            self._is_over = True
            self._waiting.put(None)
        self._thread.join(_CLOSING)
        if self._thread.is_alive():
            logger.warning("%s: the disk is slow, the recording is still written", self.folder)

    def _played(self, samples: np.ndarray, /, *, at: float, ahead: float) -> None:
        self._put(Entry(at, "played", "", (samples.copy(), at + ahead)))
        if self._is_own_player:  # what a sound card takes comes from outside; else it is reckoned
            self._put(Entry(at, "came", "fill", (len(samples), ahead), self._at_once()))

    def _at_once(self) -> bool:
        """Whether the call cannot have taken in yet what came before this."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the sound card's thread
            return False
        if self._in_step:
            return True
        self._in_step = True
        loop.call_soon(self._step_over)
        return False

    def _step_over(self) -> None:
        self._in_step = False

    def _put(self, entry: Entry) -> None:
        if self._is_over:
            return
        size = _size(entry.values)
        limit = _MOST_FRAMES if entry.verb == "see" else _MOST_WAITING
        with self._lock:
            if self._bytes + size > limit:
                self._lost += 1
                if self._lost == 1:
                    logger.warning("%s: the disk is slow, some is not recorded", self.folder)
                return
            self._bytes += size
        self._waiting.put(entry)

    def _write(self) -> None:
        works = True
        while (entry := self._waiting.get()) is not None:
            with self._lock:
                self._bytes -= _size(entry.values)
                lost, self._lost = self._lost, 0
            if not works:
                continue
            try:
                if lost:
                    self._files.lost(entry.t, lost)
                self._files.write(entry)
            except RecordingError as error:
                logger.warning("%s: something is not recorded: %s", self.folder, error)
            except Exception as error:
                works = False
                logger.error("%s: the call goes on unrecorded: %s", self.folder, error)
        try:
            self._files.close(whole=works)
        except OSError as error:
            logger.error("%s: the recording could not be finished: %s", self.folder, error)


def _make_new(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        is_taken = any(folder.iterdir())
    except OSError as error:
        raise RecordingError(f"a call cannot be recorded in {folder}: {error}") from error
    if is_taken:
        raise RecordingError(f"{folder} is not empty; a call is recorded in a folder of its own")


def _size(values: Sequence[Any]) -> int:
    """About how many bytes of memory an entry holds on to."""
    size = _ENTRY
    for value in values:
        match value:
            case np.ndarray():
                size += value.nbytes
            case Audio(samples):
                size += samples.nbytes
            case Image(pixels):
                size += pixels.nbytes
            case VideoFrame(image) | FrameSeen(image=image):
                size += image.pixels.nbytes
            case AudioDelta():
                size += value.audio.samples.nbytes
            case TurnFinished() if value.reply.audio is not None:
                size += value.reply.audio.samples.nbytes
            case bytes() | str():
                size += len(value)
            case tuple():
                size += _size(value)
    return size
