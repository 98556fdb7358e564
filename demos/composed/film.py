"""A scene as a video file with sound."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from composed.scene import Scene

FPS = 10
_BLOCK = 960  # samples, as Opus takes them at 48 kHz


def film(scene: Scene, path: Path) -> Path:
    """Write it as WebM (VP8, Opus): what every browser plays. The file appears when it is whole."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with av.open(str(part), "w", format="webm") as container:
            _write(scene, container)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _write(scene: Scene, container: av.container.OutputContainer) -> None:
    sound = scene.sound().resampled(48_000).samples
    frames = scene.frames(fps=FPS)
    video = container.add_stream("libvpx", rate=FPS)
    video.width, video.height, video.pix_fmt, video.bit_rate = 640, 480, "yuv420p", 1_500_000
    video.options = {"deadline": "realtime", "cpu-used": "6"}
    audio = container.add_stream("libopus", rate=48_000, layout="mono")
    audio.bit_rate = 48_000
    shown = 0
    for at in range(0, len(sound), _BLOCK):
        while shown / FPS <= at / 48_000 and (frame := next(frames, None)) is not None:
            picture = av.VideoFrame.from_ndarray(frame.image.pixels, "rgb24")
            picture.pts, picture.time_base = shown, Fraction(1, FPS)
            container.mux(video.encode(picture))
            shown += 1
        block = np.zeros((1, _BLOCK), np.float32)
        block[0, : len(sound) - at] = sound[at : at + _BLOCK]
        samples = av.AudioFrame.from_ndarray(block, "flt", layout="mono")
        samples.sample_rate, samples.pts, samples.time_base = 48_000, at, Fraction(1, 48_000)
        container.mux(audio.encode(samples))
    container.mux(video.encode(None))
    container.mux(audio.encode(None))
