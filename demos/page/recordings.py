"""The recordings panel: calls that were kept, each to be heard, seen and read again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from omni_agent.errors import OmniAgentError
from omni_agent.messages import Text
from omni_agent.recorded_call import Came, RecordedCall, Went, recordings
from page.blocks import module, panel

PEAKS = 900
"""So many bars a side's sound is drawn with."""

_SHOWN = re.compile(r"(?:user|agent)\.wav|frames/\d+\.jpg")


class RecordingsPanel:
    """Every folder of `folder` that holds a recorded call; None where none are kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def build(self) -> None:
        with panel("recordings"):
            module("recordings_panel", functions=[self.recorded, self.opened])

    @property
    def routes(self) -> list[Route]:
        """Where a browser gets the sound and the pictures."""
        return [Route("/recordings/{name}/{file:path}", self._file)]

    def recorded(self) -> list[dict[str, Any]]:
        """The calls, newest first."""
        if self._folder is None:
            return []
        return [_about(call) for call in recordings(self._folder)]

    def opened(self, name: str) -> dict[str, Any]:
        """One call: what it was, how loud each side was, and what happened when, in seconds."""
        try:
            call = self._call(name)
            return {
                **_about(call),
                "user": _peaks(call.user_wav, call.seconds),
                "agent": _peaks(call.agent_wav, call.seconds),
                "events": _events(call),
            }
        except OmniAgentError as error:
            return {"error": str(error)}

    def _call(self, name: str) -> RecordedCall:
        if self._folder is None or Path(name).name != name:
            raise HTTPException(404)
        return RecordedCall.open(self._folder / name)

    async def _file(self, request: Request) -> FileResponse:
        name, file = request.path_params["name"], request.path_params["file"]
        if self._folder is None or Path(name).name != name or not _SHOWN.fullmatch(file):
            raise HTTPException(404)
        path = self._folder / name / file
        if not path.is_file() or not path.resolve().is_relative_to(self._folder.resolve()):
            raise HTTPException(404)
        return FileResponse(path)


def _about(call: RecordedCall) -> dict[str, Any]:
    return {
        "name": call.folder.name,
        "title": call.title,
        "agent": call.agent.replace(" ", "-"),  # as its words are found
        "model": call.model,
        "at": call.began_at.isoformat(),
        "seconds": round(call.seconds, 2),
        "heard": call.user_wav is not None,
    }


def _peaks(path: Path | None, seconds: float) -> list[float]:
    """The loudest sample of each of PEAKS parts of the call, 0 … 1."""
    if path is None or not path.exists() or seconds <= 0:
        return []
    import soundfile

    with soundfile.SoundFile(path) as file:
        size = max(1, round(seconds * file.samplerate / PEAKS))
        blocks = file.blocks(blocksize=size, dtype="float32", always_2d=True)
        return [round(float(np.abs(block).max()), 3) for block in blocks if len(block)][:PEAKS]


def _events(call: RecordedCall) -> list[dict[str, Any]]:
    """What is shown of a call. The words of a turn's reply are one event, where they begin."""
    shown: list[dict[str, Any]] = []
    says: dict[str, Any] | None = None
    for line in call.lines(media=False):
        t = round(line.t - call.began, 3)
        if isinstance(line, Came) and line.verb == "send" and (words := _words(line.values[0])):
            shown.append({"t": t, "kind": "user", "text": words, "who": None})
        if not isinstance(line, Went):
            continue
        data = line.data
        match data["type"]:
            case "StateChanged":
                shown.append({"t": t, "kind": "state", "state": data["state"]})
            case "UserTranscript":
                shown.append({"t": t, "kind": "user", "text": data["text"], "who": data["speaker"]})
            case "TurnStarted":
                says = None
            case "TextDelta" if says is None:
                says = {"t": t, "kind": "agent", "text": data["text"], "unheard": ""}
                shown.append(says)
            case "TextDelta" if says is not None:
                says["text"] += data["text"]
            case "Interrupted" if says is not None:
                heard = data["heard_text"]
                says["text"], says["unheard"] = heard, says["text"].removeprefix(heard)
            case "ToolFinished":
                tool, result = data["call"]["name"], data["result"]
                words = result.get("say") or result["content"]
                failed = bool(result.get("is_error"))
                shown.append(
                    {"t": t, "kind": "tool", "name": tool, "text": words[:600], "failed": failed}
                )
            case "FrameSeen" if "file" in data["image"]:
                shown.append({"t": t, "kind": "frame", "file": data["image"]["file"]})
            case _:
                pass
    return shown


def _words(inputs: Sequence[object]) -> str:
    """What was written, without pictures and files."""
    parts = (part.text if isinstance(part, Text) else part for part in inputs)
    return " ".join(part for part in parts if isinstance(part, str))
