"""Small videos for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def made(path: Path, *, seconds: float = 2.0, fps: int = 10) -> Path:
    """Grows brighter from black to white; 64 × 48 pixels."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        count = round(seconds * fps)
        for i in range(count):
            pixels = np.full((48, 64, 3), 255 * i // (count - 1), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path
