"""Voice prints by any speaker model in ONNX: CAM++, ERes2NetV2, WeSpeaker, ReDimNet2.

What the graph takes is read from its input: [batch, frames, 80] is Kaldi's features, [batch, 1, 72,
frames] is ReDimNet2's, [batch, samples] is the sound itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.memory.embed.fbank import RATE, kaldi_fbank, redimnet_mel
from omni_agent.memory.embed.pooling import unit
from omni_agent.memory.embed.voice import VoiceCalibration, centred
from omni_agent.memory.values import Vectors

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxVoice:
    """A `VoicePrinter` over an onnxruntime session. Thread-safe, as the session is.

    The model's own folder keeps its calibration as `<model>.voice.json`, which
    `python benchmarks/voices.py --printer FILE --calibrate` writes. Without one, thresholds that
    suit most models of this kind hold, and are less sure.
    """

    rate = RATE
    window = 24_000
    min_seconds = 1.0

    def __init__(
        self, session: InferenceSession, *, name: str, calibration: VoiceCalibration | None = None
    ) -> None:
        self._session = session
        entry = session.get_inputs()[0]
        self._input: str = entry.name
        self._features = _features(entry.shape, name)
        # Exported for a batch of one, some graphs take no more at once.
        self._one_by_one = isinstance(entry.shape[0], int)
        probe = self._raw(np.zeros((1, self.window), np.float32))
        self.dim = int(probe.shape[-1])
        if calibration is not None and calibration.mean.shape != (self.dim,):
            raise ModelLoadError(
                f"the calibration of {name} has {len(calibration.mean)} numbers in its mean; the "
                f"model's prints have {self.dim}"
            )
        self.name = f"{name}-{'calibrated1' if calibration else 'plain1'}"
        self.calibration = calibration or usual(self.dim)

    @classmethod
    def from_file(cls, path: Path, *, calibration: Path | None = None) -> OnnxVoice:
        """Raises ModelLoadError, MissingExtra."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "compact", needed_for="A voice print") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base class but this
            raise ModelLoadError(f"the voice print {path} cannot be loaded: {error}") from error
        beside = path.with_suffix(".voice.json")
        kept = calibration or (beside if beside.is_file() else None)
        return cls(
            session, name=path.stem, calibration=VoiceCalibration.load(kept) if kept else None
        )

    @classmethod
    def from_hub(cls, repository: str, file: str) -> OnnxVoice:
        """Fetch through the hub's cache (HF_HOME, HF_HUB_OFFLINE hold)."""
        try:
            from huggingface_hub import hf_hub_download
        except ImportError as error:
            raise MissingExtra("huggingface-hub", "compact", needed_for="A voice print") from error
        try:
            path = hf_hub_download(repository, file)
        except (OSError, ValueError) as error:  # the hub's errors are OSErrors, some ValueErrors
            raise ModelLoadError(
                f"the voice print {repository}/{file} is not in the hub's cache and cannot be "
                f"fetched: {error}"
            ) from error
        return cls.from_file(Path(path))

    def prints(self, stretches: np.ndarray) -> Vectors:
        return centred(self._raw(stretches), self.calibration.mean)

    def _raw(self, stretches: np.ndarray) -> Vectors:
        """The graph's own vectors [n, dim], made unit."""
        feed = self._features(stretches)
        batches = [feed[i : i + 1] for i in range(len(feed))] if self._one_by_one else [feed]
        found = np.concatenate([self._session.run(None, {self._input: b})[0] for b in batches])
        return unit(found.reshape(len(stretches), -1))


def usual(dim: int) -> VoiceCalibration:
    """For a model that was not calibrated: cosines around 0 for two people, 0.6 for one."""
    return VoiceCalibration(
        mean=np.zeros(dim, np.float32),
        noise_seconds=0.5,
        same=0.45,
        different=0.35,
        margin=0.05,
        even=0.40,
        slope=20.0,
        merge_at=0.60,
        merge_noise_seconds=1.0,
    )


def _features(shape: list[int | str | None], name: str) -> Callable[[np.ndarray], np.ndarray]:
    match shape:
        case [_, _]:
            return lambda stretches: stretches
        case [_, _, 80]:
            return kaldi_fbank
        case [_, 1, 72, _]:
            return redimnet_mel
        case _:
            raise ModelLoadError(
                f"{name} takes {shape}; a voice print takes [batch, samples], [batch, frames, 80] "
                "or [batch, 1, 72, frames]"
            )
