"""Whether a speaker has finished, by how the words sound: Smart Turn v3.2 (8 s of sound in)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.model.compact.mel import log_mel

RATE = 16_000
SECONDS = 8
_SAMPLES = SECONDS * RATE
_BEYOND = 320
"""Samples mirrored at both ends, two hops of the spectrogram: the first and the last frame of
Whisper's features look beyond the sound and see its mirror image."""


class SmartTurn:
    """The loaded net; `over` may be called from one thread at a time.

    `path`: smart-turn-v3.2-cpu.onnx. Raises MissingExtra, ModelLoadError.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "compact", needed_for="Smart Turn") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a type of its own for each cause
            raise ModelLoadError(f"{path} is no Smart Turn net: {error}") from error
        self._run: Any = session.run

    def over(self, samples: np.ndarray) -> float:
        """float32 [n] at 16 kHz, up to the pause, of which the last 8 s count → 0 … 1.

        Blocks for about 40 ms.
        """
        return float(self._run(None, {"input_features": features(samples)})[0][0, 0])


def features(samples: np.ndarray) -> np.ndarray:
    """float32 [n] at 16 kHz → float32 [1, 80, 800]: Whisper's features of the last 8 s.

    Shorter sound has silence before it; the sound is brought to mean 0 and variance 1 first.
    """
    last = samples[-_SAMPLES:].astype(np.float32)
    sound = np.pad(last, (_SAMPLES - len(last), 0))
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    mirrored = np.pad(sound, _BEYOND, mode="reflect")
    mel = log_mel(mirrored, len(mirrored) / RATE)
    return np.ascontiguousarray(mel[:, :, 2:-2])
