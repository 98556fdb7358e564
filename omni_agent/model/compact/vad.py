"""Speech or silence, 32 ms at a time: Silero VAD v6 as a stream."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError

FRAME = 512
"""Samples at 16 kHz that get one verdict."""
_CONTEXT = 64
_ENTER, _STAY = 0.5, 0.35  # speech begins above the first and lasts until below the second


class Vad:
    """The network, shared by any number of streams. Stateless: each stream keeps its own."""

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "compact", needed_for="Telling speech") from error
        # The weights lie in faster-whisper's wheel; importing it would pull in its decoders.
        spec = find_spec("faster_whisper")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtra("faster-whisper", "compact", needed_for="Telling speech")
        path = Path(spec.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
        if not path.is_file():
            raise ModelLoadError(f"{path} is missing; install faster-whisper 1.2 or newer again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._run: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        ).run

    def stream(self) -> VadStream:
        return VadStream(self._run)


class VadStream:
    def __init__(self, run: Any) -> None:
        self._run = run
        self._h = self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._speaking = False

    def push(self, frames: np.ndarray) -> list[bool]:
        """float32 [n, 512] → for each frame whether it is speech."""
        verdicts = []
        for probability in self.probabilities(frames):
            self._speaking = bool(probability >= (_STAY if self._speaking else _ENTER))
            verdicts.append(self._speaking)
        return verdicts

    def probabilities(self, frames: np.ndarray) -> np.ndarray:
        """float32 [n, 512] → float32 [n]: how likely each frame is speech."""
        sound = np.concatenate([self._context, frames.ravel()])
        rows = np.lib.stride_tricks.sliding_window_view(sound, _CONTEXT + FRAME)[::FRAME]
        probabilities, self._h, self._c = self._run(
            None, {"input": np.ascontiguousarray(rows), "h": self._h, "c": self._c}
        )
        self._context = sound[-_CONTEXT:]
        return np.asarray(probabilities, np.float32).ravel()
