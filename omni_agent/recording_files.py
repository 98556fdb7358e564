"""The folder of a recorded call while it is written: by one thread, each thing when it happens."""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, assert_never

import numpy as np

from omni_agent import event_codec
from omni_agent.call_settings import CallSettings, WornPersona
from omni_agent.event_codec import Media, Reference, described, encoded, to_json
from omni_agent.events import CallEnded, FrameSeen, UserTranscript
from omni_agent.growing_wav import GrowingWav
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Text
from omni_agent.model.base import ModelProfile
from omni_agent.persona import Persona

logger = logging.getLogger("omni_agent.recording")

FORMAT = 1
"""Of the folder; one of a later format is refused."""

_USER_GAP = 0.5  # seconds that sound may be off its time before it is set right: it comes in bursts
_AGENT_GAP = 0.1
_JPEG_QUALITY = 90
_TITLE = 80  # characters
_RECENT = 8  # pictures; what the model is shown is mostly one of those that just came


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened. `values` of "played": samples, and when they begin to sound.

    `at_once`: it came together with what came before it.
    """

    t: float
    what: Literal["came", "went", "played"]
    verb: str
    values: tuple[Any, ...]
    at_once: bool = False


class RecordingFiles:
    """Raises OSError where the disk does not take it, RecordingError for what is no JSON."""

    def __init__(
        self,
        folder: Path,
        *,
        call: str,
        agent: str,
        profile: ModelProfile,
        settings: CallSettings,
        began: float,
        began_at: datetime,
        output_rate: int,
    ) -> None:
        self._folder = folder
        self._began = self._last = began
        self._user: dict[int, _Side] = {}
        self._count = {"frames": 0, "inputs": 0}
        self._recent: deque[tuple[Image, Reference]] = deque(maxlen=_RECENT)
        self._title = ""
        self._about: dict[str, Any] = {
            "format": FORMAT,
            "values": event_codec.VERSION,
            "id": call,
            "agent": agent,
            "model": profile.name,
            "began": began,
            "began_at": began_at.isoformat(),
            "input_rate": profile.input_rate,
            "output_rate": output_rate,
            "settings": encoded(settings, self._keep_input),
        }
        self._tell()
        self._events = (folder / "events.jsonl").open("xb", buffering=0)
        wav = GrowingWav(folder / "agent.wav", output_rate, "pcm16")
        self._agent = _Side(wav, began, _AGENT_GAP)

    def write(self, entry: Entry) -> None:
        match entry.what:
            case "played":
                samples, begins = entry.values
                self._agent.add(samples, begins)
            case "came":
                values = [self._input(entry, value) for value in entry.values]
                at_once = {"at_once": True} if entry.at_once else {}
                self._line(entry.t, {"came": entry.verb, "values": values, **at_once})
            case "went":
                (event,) = entry.values
                keep = self._keep_frame if isinstance(event, FrameSeen) else described
                self._line(entry.t, {"went": to_json(event, keep)})
                if isinstance(event, UserTranscript):
                    self._title = self._title or event.text
                if isinstance(event, CallEnded):
                    self._about["reason"] = event.reason
            case _:
                assert_never(entry.what)

    def lost(self, t: float, count: int) -> None:
        """So many things before this time are not here."""
        self._line(t, {"lost": count})

    def close(self, *, whole: bool) -> None:
        """`whole`: the disk took it all."""
        sides = [*self._user.values(), self._agent]
        seconds = self._last - self._began
        try:
            if whole:
                longest = max(seconds, *(side.wav.samples / side.wav.rate for side in sides))
                for side in sides:
                    side.wav.extend(round(longest * side.wav.rate))
                self._about |= {"title": self._title[:_TITLE], "seconds": seconds}
                self._tell()
        finally:
            for side in sides:
                side.wav.close()
            self._events.close()

    def _line(self, t: float, what: dict[str, Any]) -> None:
        self._last = max(self._last, t)
        text = json.dumps({"t": t, **what}, ensure_ascii=False, separators=(",", ":"))
        try:
            line = text.encode() + b"\n"
        except UnicodeEncodeError:  # half of a surrogate pair, as a model may give
            line = json.dumps({"t": t, **what}, separators=(",", ":")).encode() + b"\n"
        left = memoryview(line)
        while left:
            left = left[self._events.write(left) :]

    # --- what is kept of what ----------------------------------------------------------------

    def _input(self, entry: Entry, value: Any) -> Any:
        match value:
            case Audio() if entry.verb == "hear":
                return self._heard(value, entry.t)
            case VideoFrame() if entry.verb == "see":
                return encoded(value, self._keep_frame)
            case Persona():
                return encoded(WornPersona.of(value))
            case tuple():
                texts = (part.text if isinstance(part, Text) else part for part in value)
                words = " ".join(text for text in texts if isinstance(text, str))
                self._title = self._title or words
        return encoded(value, self._keep_input)

    def _heard(self, audio: Audio, t: float) -> Reference:
        """Each rate has a file of its own; that of the first is user.wav."""
        side = self._user.get(audio.rate)
        if side is None:
            name = f"user-{audio.rate}.wav" if self._user else "user.wav"
            wav = GrowingWav(self._folder / name, audio.rate, "float32")
            side = self._user[audio.rate] = _Side(wav, self._began, _USER_GAP)
        at = side.add(audio.samples, t - audio.seconds)
        return {**described(audio), "file": side.wav.path.name, "at": at}

    def _keep_frame(self, media: Media, /) -> Reference:
        assert isinstance(media, Image)
        for image, reference in self._recent:
            if image is media:
                return reference
        path = self._next("frames", ".jpg")
        _write_new(path, media.to_jpeg(_JPEG_QUALITY))
        reference = {**described(media), "file": self._name(path)}
        self._recent.append((media, reference))
        return reference

    def _keep_input(self, media: Media, /) -> Reference:
        match media:
            case Audio():
                path = self._next("inputs", ".wav")
                wav = GrowingWav(path, media.rate, "float32")
                wav.write(0, media.samples)
                wav.close()
            case Image():
                import PIL.Image

                path = self._next("inputs", ".png")
                PIL.Image.fromarray(media.pixels).save(path, "PNG")
            case bytes():
                path = self._next("inputs", ".bin")
                _write_new(path, media)
            case Path():
                path = self._next("inputs", media.suffix)
                try:
                    _write_new(path, media.read_bytes())
                except FileNotFoundError as error:
                    logger.warning("%s: an input is not recorded: %s", self._folder, error)
        return {**described(media), "file": self._name(path)}

    def _next(self, folder: Literal["frames", "inputs"], suffix: str) -> Path:
        self._count[folder] += 1
        (self._folder / folder).mkdir(exist_ok=True)
        return self._folder / folder / f"{self._count[folder]:06}{suffix}"

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _tell(self) -> None:
        new = self._folder / "call.json.new"
        new.write_text(json.dumps(self._about, ensure_ascii=False, indent=2) + "\n", "utf-8")
        new.replace(self._folder / "call.json")


class _Side:
    """One side's sound on the call's time line, without a seam while it comes steadily."""

    def __init__(self, wav: GrowingWav, began: float, gap: float) -> None:
        self.wav = wav
        self._began = began
        self._gap = gap
        self._next: int | None = None

    def add(self, samples: np.ndarray, begins: float) -> int:
        """Sound that began at this time; the sample from which on it lies."""
        at = max(0, round((begins - self._began) * self.wav.rate))
        if self._next is not None and at - self._next <= self._gap * self.wav.rate:
            at = self._next
        self._next = at + len(samples)
        self.wav.write(at, samples)
        return at


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
