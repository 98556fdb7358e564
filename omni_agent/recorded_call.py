"""Reading a recorded call: what is in its folder, line by line.

for call in recordings(Path("calls")):
    print(call.began_at, call.title, call.seconds)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent import event_codec
from omni_agent.call_settings import CallSettings, WornPersona
from omni_agent.errors import RecordingError
from omni_agent.event_codec import Load, Reference, blank, decoded, from_json
from omni_agent.events import LiveEvent
from omni_agent.listening import Listening
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Text
from omni_agent.recording_files import FORMAT

logger = logging.getLogger("omni_agent.recording")

_TAIL = 2**16  # bytes, in which the last whole line must lie
_Input = str | bytes | Path | Text | Audio | Image | VideoFrame

VERBS: dict[str, tuple[Any, ...]] = {
    "hear": (Audio,),
    "see": (VideoFrame, str),
    "hide": (str,),
    "send": (tuple[_Input, ...], bool),
    "respond": (bool | None,),
    "commit": (),
    "clear": (),
    "interrupt": (int | None,),
    "truncate": (int, int),
    "say": (str,),
    "configure": (WornPersona, Listening | None, bool | None, bool | None),
    "played": (int, int),
    "fill": (int, float),
}
"""What goes into a call: the methods of `LiveCall` and what they are given, and what its own
loudspeaker took of `output`."""


@dataclass(frozen=True, slots=True)
class Came:
    """Something went into the call at `t`. `at_once`: together with what came before it."""

    t: float
    verb: str
    values: tuple[Any, ...]
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Went:
    """An event that the call gave at `t`, as JSON."""

    t: float
    data: dict[str, Any]

    @property
    def event(self) -> LiveEvent:
        """Its sound and pictures are silence and black; `RecordedCall.load` has what was kept."""
        return from_json(self.data)


@dataclass(frozen=True, slots=True)
class Lost:
    """So many things before `t` could not be written."""

    t: float
    count: int


Line = Came | Went | Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One call. `began`: seconds on its clock, by which all its times count. `title`: the user's
    first words. `reason`: as in `CallEnded`; None where the recording broke off.
    """

    folder: Path
    id: str
    title: str
    agent: str
    model: str
    began: float
    began_at: datetime
    seconds: float
    reason: str | None
    input_rate: int
    output_rate: int
    settings: CallSettings

    @classmethod
    def open(cls, folder: Path) -> RecordedCall:
        """Raises RecordingError where the folder holds no call that can be read."""
        path = folder / "call.json"
        try:
            about = json.loads(path.read_text("utf-8"))
            number = about["format"]
        except FileNotFoundError:
            raise RecordingError(f"{folder} holds no recorded call: it has no call.json") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{path} cannot be read: {error!r}") from error
        if number != FORMAT or about.get("values") != event_codec.VERSION:
            raise RecordingError(
                f"{path} is of format {number}.{about.get('values')}, and this version reads "
                f"{FORMAT}.{event_codec.VERSION}; use the version it was recorded with"
            )
        try:
            began = float(about["began"])
            return cls(
                folder=folder,
                id=about["id"],
                title=about["title"] if "title" in about else _first_words(folder),
                agent=about["agent"],
                model=about["model"],
                began=began,
                began_at=datetime.fromisoformat(about["began_at"]),
                seconds=about["seconds"] if "seconds" in about else _last_t(folder, began) - began,
                reason=about.get("reason"),
                input_rate=about["input_rate"],
                output_rate=about["output_rate"],
                settings=decoded(about["settings"], CallSettings, _Kept(folder)),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise RecordingError(f"{path} cannot be read: {error!r}") from error

    @property
    def user_wav(self) -> Path | None:
        """None where the microphone was never on."""
        path = self.folder / "user.wav"
        return path if path.exists() else None

    @property
    def agent_wav(self) -> Path:
        return self.folder / "agent.wav"

    def lines(self, *, media: bool = True) -> Iterator[Line]:
        """Everything that happened, in order. `media`: load sound and pictures that came in.

        A last line that is not whole, as a killed process leaves, is left out. Raises
        RecordingError with the number of a line that cannot be read.
        """
        load: Load = _Kept(self.folder) if media else blank
        for number, text in _whole_lines(self.folder):
            try:
                yield _line(json.loads(text), load)
            except (ValueError, KeyError, TypeError) as error:
                raise RecordingError(
                    f"{self.folder}/events.jsonl, line {number}: {error}"
                ) from error

    def load(self, reference: Reference) -> Audio | Image | bytes:
        """Sound, a picture or a file by its reference in a line; raises RecordingError."""
        return _Kept(self.folder)(reference)


def recordings(folder: Path) -> list[RecordedCall]:
    """The calls recorded in folders of this folder, newest first; what cannot be read is logged."""
    found: list[RecordedCall] = []
    for path in sorted(folder.glob("*/call.json")):
        try:
            found.append(RecordedCall.open(path.parent))
        except RecordingError as error:
            logger.warning("left out: %s", error)
    return sorted(found, key=lambda call: call.began_at, reverse=True)


# --- lines ----------------------------------------------------------------------------------


def _line(data: dict[str, Any], load: Load) -> Line:
    t = float(data["t"])
    if "went" in data:
        return Went(t, data["went"])
    if "lost" in data:
        return Lost(t, data["lost"])
    verb = data["came"]
    if verb not in VERBS:
        raise RecordingError(f"nothing called {verb!r} goes into a call in this version")
    given = data["values"]
    values = tuple(
        decoded(value, kind, load, f"{verb}[{i}]")
        for i, (value, kind) in enumerate(zip(given, VERBS[verb], strict=True))
    )
    return Came(t, verb, values, bool(data.get("at_once")))


def _whole_lines(folder: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with (folder / "events.jsonl").open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield number, line
    except FileNotFoundError:
        return  # it broke off before anything happened


def _first_words(folder: Path) -> str:
    for _, text in _whole_lines(folder):
        if b'"UserTranscript"' in text and (words := json.loads(text)["went"].get("text")):
            return str(words)
    return ""


def _last_t(folder: Path, began: float) -> float:
    try:
        with (folder / "events.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return began
    last = whole.rpartition(b"\n")[2]
    return float(json.loads(last)["t"]) if last else began


class _Kept:
    """Loads what the recorder kept. Files stay open while it is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sounds: dict[str, Any] = {}

    def __call__(self, reference: Reference, /) -> Audio | Image | bytes:
        if "file" not in reference:
            return blank(reference)
        name = reference["file"]
        path = self._folder / name
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise RecordingError(f"{name!r} lies outside of {self._folder}")
        try:
            match reference["type"]:
                case "Audio":
                    return self._sound(name, path, reference)
                case "Image":
                    return Image.load(path)
                case _:
                    return path.read_bytes()
        except OSError as error:
            raise RecordingError(f"{name} of {self._folder} is gone: {error}") from error

    def _sound(self, name: str, path: Path, reference: Reference) -> Audio:
        import soundfile

        try:
            sound = self._sounds.get(name)
            if sound is None:
                sound = self._sounds[name] = soundfile.SoundFile(path)
            sound.seek(reference.get("at", 0))
            samples = sound.read(reference["samples"], dtype="float32")
        except soundfile.SoundFileError as error:
            raise RecordingError(f"{path} cannot be read: {error}") from error
        if len(samples) < reference["samples"]:
            raise RecordingError(f"{path} ends before {reference['samples']} samples")
        return Audio(np.asarray(samples, np.float32), reference["rate"])
