"""Prints without a model: people are directions in space, and a print lies near its owner's."""

from __future__ import annotations

import zlib

import numpy as np

from omni_agent.media import Image
from omni_agent.memory.embed.face import FaceThresholds
from omni_agent.memory.embed.voice import VoiceCalibration, VoicePrint
from omni_agent.memory.people import FacePrint


class VoiceMaker:
    """Reads cosines as the packaged printer does."""

    name, dim = "made voices", 32
    rate, window, min_seconds = 16_000, 25_600, 1.0
    calibration = VoiceCalibration(
        mean=np.zeros(32, np.float32), noise_seconds=1.5, same=0.69, different=0.65, margin=0.05,
        even=0.67, slope=22.0, merge_at=0.7, merge_noise_seconds=3.0,
    )  # fmt: skip

    def prints(self, stretches: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class FaceMaker:
    name, dim = "made faces", 32
    thresholds = FaceThresholds(same=0.40, different=0.30, margin=0.05)

    def prints(self, crops: object) -> np.ndarray:
        raise NotImplementedError


VOICES, FACES = VoiceMaker(), FaceMaker()


def direction(*of: object, dim: int = 32) -> np.ndarray:
    drawn = np.random.default_rng(zlib.crc32(repr(of).encode())).normal(size=dim)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def near(of: str, take: object, noise: float = 0.5) -> np.ndarray:
    """Another print of the same: cosines of about 1 / (1 + noise²) with each other."""
    made = direction(of) + noise * direction(of, take)
    return (made / np.linalg.norm(made)).astype(np.float32)


def voice(of: str, take: object = 0, *, seconds: float = 5.0, clarity: float = 1.0) -> VoicePrint:
    return VoicePrint(near(f"voice of {of}", take), seconds, clarity)


def face(of: str, take: object = 0, *, quality: float = 0.8) -> FacePrint:
    return FacePrint(near(f"face of {of}", take), quality)


def portrait(of: str, take: object = 0) -> Image:
    pixels = np.random.default_rng(zlib.crc32(f"{of}{take}".encode())).integers(0, 256, (24, 24, 3))
    return Image(pixels.astype(np.uint8))
