"""The example call of three people: made when it is first asked for, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from composed.three_people import LINES, VOICES, Speak, compose
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

logger = logging.getLogger("omni_agent.demo")

VERSION = 2
"""Of how the film is made; another one makes it anew."""
_PATH = "/example/three_people.webm"


class ThreePeople:
    """`folder`: what is made stays in it. `open_voice`: called on the thread that makes it."""

    def __init__(self, folder: Path, open_voice: Callable[[], Speak]) -> None:
        made_of = hashlib.sha256(json.dumps([LINES, VOICES, VERSION]).encode()).hexdigest()[:12]
        self._film = folder / f"three_people-{made_of}.webm"
        self._lines = self._film.with_suffix(".json")
        self._open_voice = open_voice
        self._lock = threading.Lock()
        self._making: threading.Thread | None = None
        self._error: Exception | None = None
        self._done = 0

    @property
    def routes(self) -> list[Route]:
        """Where a browser gets the film."""
        return [Route(_PATH, self._file)]

    def example(self) -> dict[str, Any]:
        """Begins making it where that is needed. {done, of} of its lines; at last {url, lines}.

        A line is {who, text, start, end}, in seconds of the film. {error} where it failed; asking
        again then tries again.
        """
        if self._is_made():
            return {"url": _PATH, "lines": json.loads(self._lines.read_text())}
        with self._lock:
            error, self._error = self._error, None
            if error is not None:
                return {"error": str(error)}
            if self._making is None:
                # Not the loop's thread pool: ctrl-C would wait for it.
                self._making = threading.Thread(target=self._try, name="example", daemon=True)
                self._making.start()
        return {"done": self._done, "of": len(LINES)}

    def _is_made(self) -> bool:
        return self._film.exists()

    def _try(self) -> None:
        error: Exception | None = None
        try:
            self._make()
        except Exception as failed:
            logger.exception("the example call could not be made")
            error = failed  # whoever asks is told
        with self._lock:
            self._making, self._error = None, error

    def _make(self) -> None:
        from composed.film import film

        scene = compose(self._open_voice(), self._progress)
        lines = [
            {"who": line.who, "text": line.text, "start": line.start, "end": line.end}
            for line in scene.lines
        ]
        self._film.parent.mkdir(parents=True, exist_ok=True)
        self._lines.write_text(json.dumps(lines))
        film(scene, self._film)  # last, and whole at once: it is made when this is there

    def _progress(self, done: int, of: int) -> None:
        self._done = done

    async def _file(self, request: Request) -> FileResponse:
        if not self._is_made():
            raise HTTPException(404)
        return FileResponse(self._film, media_type="video/webm")
