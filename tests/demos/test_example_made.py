"""The example call of three people: made when it is first asked for, and kept."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from page.example import ThreePeople

from omni_agent.media import Audio


def made(example: ThreePeople) -> dict[str, Any]:
    while not {"url", "error"} & (told := example.example()).keys():
        assert 0 <= told["done"] <= told["of"]
        time.sleep(0.02)
    return told


def broken() -> Any:
    raise OSError("no voice at hand")


@pytest.mark.timeout(120)
def test_it_is_made_once_and_what_fails_is_told(tmp_path: Path) -> None:
    spoken: list[str] = []

    def speak(text: str, voice: str) -> Audio:
        spoken.append(voice)
        t = np.arange(6000) / 24_000
        return Audio(np.sin(2000 * t).astype(np.float32), 24_000)

    assert made(ThreePeople(tmp_path, broken)) == {"error": "no voice at hand"}
    assert list(tmp_path.iterdir()) == []
    first = made(ThreePeople(tmp_path, lambda: speak))
    lines = first["lines"]
    assert len(spoken) == len(lines)
    assert all(a["end"] < b["start"] for a, b in itertools.pairwise(lines))
    assert made(ThreePeople(tmp_path, broken)) == first
    (film,) = tmp_path.glob("*.webm")
    with av.open(str(film)) as opened:
        kinds = sorted(stream.type for stream in opened.streams)
        last = max(frame.time for frame in opened.decode(video=0))
    assert kinds == ["audio", "video"]
    assert lines[-1]["end"] < last
