"""Voice prints: unit vectors that lie close together for one person, whatever is said.

A printer turns stretches of sound into prints; how its cosines are to be read is measured once
and kept with it (`VoiceCalibration`). `print_voice` makes one print of a turn, `identify` says who
it may be: known, a stranger, or not sure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from omni_agent.errors import ModelLoadError, SettingsError
from omni_agent.media import Audio
from omni_agent.memory.embed.ge2e import DIM, RATE, WINDOW, Ge2e
from omni_agent.memory.embed.pooling import agreed, unit
from omni_agent.memory.values import Vectors

HOP_SECONDS = 0.4
"""Between the windows of one print; half of it changes no score by more than noise does."""


class VoicePrinter(Protocol):
    """Sound to unit vectors. May be called from several threads at once.

    `name` stands for the weights and the calibration: prints of different names are never
    compared. `window`: samples (at `rate`) that a stretch should have. A stretch shorter than
    `min_seconds` says too little about who speaks.
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def rate(self) -> int: ...

    @property
    def window(self) -> int: ...

    @property
    def min_seconds(self) -> float: ...

    @property
    def calibration(self) -> VoiceCalibration: ...

    def prints(self, stretches: np.ndarray) -> Vectors:
        """float32 [n, samples] at `rate`, speech of one voice each → [n, dim]."""
        ...


@dataclass(frozen=True, slots=True)
class VoicePrint:
    """`vector`: float32 [dim], of length 1. `seconds`: the speech it was made of.

    `clarity`: 1 for clear speech; less the more noise fills its gaps, down to 0.25.
    """

    vector: Vectors
    seconds: float
    clarity: float = 1.0

    @property
    def worth(self) -> float:
        """Seconds of clear speech that would say as much."""
        return self.seconds * self.clarity


@dataclass(frozen=True, slots=True, eq=False)
class VoiceCalibration:
    """How to read one printer's cosines.

    `mean` is the part that all voices share; taken away before prints are compared. Prints of
    little speech are noisy, which pulls every cosine towards 0: `noise_seconds` undoes that, so
    that scores of short and long turns compare. A score of `same` or more is one person, of
    `different` or less two, and between them nobody should be sure; the best of several people
    must lead by `margin`. At `even` both are as likely; from there the log-odds grow by `slope`.
    `merge_at` with `merge_noise_seconds` is the bar for short stretches of one call, which share
    their room and their microphone.
    """

    mean: Vectors
    noise_seconds: float
    same: float
    different: float
    margin: float
    even: float
    slope: float
    merge_at: float
    merge_noise_seconds: float

    def score(self, a: VoicePrint, b: VoicePrint) -> float:
        return float(a.vector @ b.vector) * self.gain(a.worth, b.worth)

    def gain(self, a_seconds: float, b_seconds: float) -> float:
        """What cosines of prints of so much speech are multiplied by."""
        k = self.noise_seconds
        return math.sqrt((1 + k / max(a_seconds, 0.5)) * (1 + k / max(b_seconds, 0.5)))

    def log_odds(self, score: float, seconds: float) -> float:
        """Evidence (natural logarithm) for one person over two; less from under 3 s of speech."""
        sure = min(1.0, math.sqrt(max(seconds, 0.0) / 3.0))
        return max(-8.0, min(8.0, self.slope * sure * (score - self.even)))

    @classmethod
    def load(cls, path: Path) -> VoiceCalibration:
        """Raises ModelLoadError."""
        try:
            kept = json.loads(path.read_text("utf-8"))
            mean = np.array(kept.pop("mean"), np.float32)
            return cls(mean=mean, **{name: float(value) for name, value in kept.items()})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelLoadError(f"{path} is no calibration of a voice print: {error}") from error

    def save(self, path: Path) -> None:
        names = [n for n in self.__slots__ if n != "mean"]
        kept = {name: round(float(getattr(self, name)), 4) for name in names}
        kept["mean"] = [round(float(v), 5) for v in self.mean]  # type: ignore[assignment]
        path.write_text(json.dumps(kept) + "\n", "utf-8")


class Ge2eVoice:
    """The default: GE2E by Resemblyzer, 11 ms of one core for each window (embed/ge2e.py)."""

    name = "ge2e-1"
    dim = DIM
    rate = RATE
    window = WINDOW
    min_seconds = 1.0

    def __init__(self, path: Path) -> None:
        """`path`: pretrained.pt, the catalog's artifact "voice-print". Raises ModelLoadError."""
        self._net = Ge2e(path)
        self.calibration = VoiceCalibration.load(Path(__file__).with_name("ge2e.json"))

    def prints(self, stretches: np.ndarray) -> Vectors:
        return centred(self._net(stretches), self.calibration.mean)


def open_voice_printer(path: Path, calibration: Path | None = None) -> VoicePrinter:
    """A printer from its file: GE2E (.pt) or a model in ONNX, as `OnnxVoice.from_file` takes.

    Raises SettingsError for another kind of file, ModelLoadError, MissingExtra.
    """
    match path.suffix:
        case ".pt":
            return Ge2eVoice(path)
        case ".onnx":
            from omni_agent.memory.embed.onnx_voice import OnnxVoice

            return OnnxVoice.from_file(path, calibration=calibration)
        case other:
            raise SettingsError(
                f"a voice print's model is a .pt or .onnx file; {path} is {other!r}"
            )


def centred(raw: Vectors, mean: Vectors) -> Vectors:
    """Unit vectors [n, dim] of what is left of `raw` without the mean."""
    return unit(raw - mean)


def print_voice(
    printer: VoicePrinter, sound: Audio, speech: np.ndarray | None = None
) -> VoicePrint | None:
    """One print of one person's turn; None where there is less speech than `min_seconds`.

    `speech`: bool [samples at the sound's own rate], what to take; all of it where none is given.
    """
    if speech is not None:
        sound = Audio(sound.samples[speech], sound.rate)
    samples = sound.resampled(printer.rate).samples
    seconds = len(samples) / printer.rate
    if seconds < printer.min_seconds or not samples.any():
        return None
    stretches = windows(samples, printer.window, round(HOP_SECONDS * printer.rate))
    vectors = np.concatenate(
        [printer.prints(stretches[i : i + 16]) for i in range(0, len(stretches), 16)]
    )
    return VoicePrint(agreed(vectors), seconds, _clarity(samples, printer.rate))


def windows(samples: np.ndarray, window: int, hop: int) -> np.ndarray:
    """[n, window], the last one flush with the end; one shorter stretch where there is no more."""
    if len(samples) <= window:
        return samples[None]
    starts = [*range(0, len(samples) - window, hop), len(samples) - window]
    return np.stack([samples[start : start + window] for start in starts])


def pooled(prints: Sequence[VoicePrint]) -> VoicePrint:
    """One print of several of the same person, weighted by their seconds."""
    if not prints:
        raise SettingsError("there are no voice prints to pool")
    weights = np.array([p.worth for p in prints], np.float32)
    seconds = sum(p.seconds for p in prints)
    vectors = np.stack([p.vector for p in prints])
    return VoicePrint(agreed(vectors, weights), seconds, float(weights.sum()) / seconds)


def _clarity(samples: np.ndarray, rate: int) -> float:
    """From how far speech rises over what lies between its sounds: 18 dB and more when clear."""
    step = rate // 40
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    level = 10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-10)
    rise = float(np.quantile(level, 0.9) - np.quantile(level, 0.1))
    return float(np.clip(0.25 + 0.75 * (rise - 8.0) / 10.0, 0.25, 1.0))


# --- who is it --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceMatch:
    """`person` is who comes nearest, also where that is not near enough; None among nobody.

    `log_odds`: the evidence that it is that person. `runner_up`: who was second.
    """

    verdict: Literal["known", "not sure", "stranger"]
    person: str | None
    score: float
    log_odds: float
    runner_up: str | None = None
    lead: float = math.inf


def identify(
    heard: VoicePrint, people: Mapping[str, VoicePrint], calibration: VoiceCalibration
) -> VoiceMatch:
    """Whose voice it is, among the people whose prints are given (one pooled print each)."""
    if not people:
        return VoiceMatch("stranger", None, -1.0, -8.0)
    scores = sorted(
        ((calibration.score(heard, p), name) for name, p in people.items()), reverse=True
    )
    best, person = scores[0]
    second, runner_up = scores[1] if len(scores) > 1 else (-math.inf, None)
    verdict: Literal["known", "not sure", "stranger"]
    if best <= calibration.different:
        verdict = "stranger"
    elif best >= calibration.same and best - second >= calibration.margin:
        verdict = "known"
    else:
        verdict = "not sure"
    odds = calibration.log_odds(best, heard.worth)
    return VoiceMatch(verdict, person, best, odds, runner_up, best - second)
