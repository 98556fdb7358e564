"""What lies in circles on the map that were asked before, in memory and on disk."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from omni_agent.clock import Clock
from omni_agent.errors import SettingsError
from omni_agent.tools.places.geometry import Point, distance_m

logger = logging.getLogger("omni_agent.tools.places")

_FORMAT = 1
_MOST_CIRCLES = 400


@dataclass(frozen=True, slots=True)
class Circle:
    center: Point
    radius_m: float

    def holds(self, center: Point, radius_m: float) -> bool:
        return distance_m(self.center, center) + radius_m <= self.radius_m

    @property
    def file_name(self) -> str:
        return f"{self.center.lat:.6f}_{self.center.lon:.6f}_{self.radius_m:.0f}.json"


class CircleCache:
    """Finds any kept circle around the one asked for; forgets what is older than `keep`.

    A file that cannot be read is dropped, and a disk that cannot be written to leaves the memory:
    both are said in the log, for a lost cache costs a request and no more.
    """

    def __init__(self, folder: Path | None, *, keep: timedelta, clock: Clock) -> None:
        self._folder = folder
        self._keep = keep
        self._clock = clock
        self._circles: dict[Circle, tuple[datetime, list[Any]]] = {}
        self._loaded = folder is None

    def covering(self, center: Point, radius_m: float) -> list[Any] | None:
        """The elements of a circle that holds this one, or None."""
        self._load()
        self._forget_old()
        for circle, (_, elements) in self._circles.items():
            if circle.holds(center, radius_m):
                return elements
        return None

    def keep(self, circle: Circle, elements: list[Any]) -> None:
        self._circles[circle] = (self._clock.now(), elements)
        if len(self._circles) > _MOST_CIRCLES:
            oldest = min(self._circles, key=lambda c: self._circles[c][0])
            self._drop(oldest)
        if self._folder is not None:
            self._write(self._folder, circle)

    def _load(self) -> None:
        if self._loaded or self._folder is None:
            return
        self._loaded = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            files = sorted(self._folder.glob("*.json"))
        except OSError as error:
            raise SettingsError(
                f"cache_dir is {self._folder}, which cannot be used: {error.strerror}."
            ) from error
        for file in files[-_MOST_CIRCLES:]:
            try:
                kept = json.loads(file.read_bytes())
                if kept["format"] != _FORMAT:
                    raise ValueError(f"format {kept['format']!r}")
                lat, lon, radius_m = kept["circle"]
                elements = kept["elements"]
                if not isinstance(elements, list):
                    raise TypeError("elements is no list")
                at = datetime.fromisoformat(kept["at"])
                self._clock.now() - at  # a time without a zone cannot be compared
                self._circles[Circle(Point(lat, lon), float(radius_m))] = (at, elements)
            except (OSError, ValueError, KeyError, TypeError) as error:
                logger.warning("the kept map %s cannot be read (%r); it is dropped", file, error)
                _remove(file)

    def _forget_old(self) -> None:
        now = self._clock.now()
        for circle in [c for c, (at, _) in self._circles.items() if now - at > self._keep]:
            self._drop(circle)

    def _drop(self, circle: Circle) -> None:
        del self._circles[circle]
        if self._folder is not None:
            _remove(self._folder / circle.file_name)

    def _write(self, folder: Path, circle: Circle) -> None:
        at, elements = self._circles[circle]
        kept = {
            "format": _FORMAT,
            "at": at.isoformat(),
            "circle": [circle.center.lat, circle.center.lon, circle.radius_m],
            "elements": elements,
        }
        try:
            handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(kept, file, ensure_ascii=False)
                os.replace(temporary, folder / circle.file_name)
            except BaseException:
                _remove(Path(temporary))
                raise
        except OSError as error:
            logger.warning("the map around %s cannot be kept on disk: %s", circle.center, error)


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be removed: %s", file, error)
