"""The voice of the compact model: Kokoro-82M, from words to 24 kHz sound on the CPU."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from omni_agent.errors import GenerationError, MissingExtra, ModelLoadError, SettingsError
from omni_agent.media import Audio
from omni_agent.messages import Language
from omni_agent.model.compact.phonemes import Phonemizer

RATE = 24_000
DEFAULT_VOICES: dict[Language, str] = {"en": "af_heart", "zh": "zf_xiaoxiao"}


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice by its name: `language` is what its speaker speaks, as in BCP 47."""

    name: str
    language: Language
    gender: Literal["female", "male"]


class SpeechCancelled(Exception):
    """Raised out of `Voice.speak` when its `CancelSpeech` was set: asked for, so no error."""


class CancelSpeech:
    """Stops one or more `speak` calls from another thread, within a few milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: list[Any] = []
        self._set = False

    def set(self) -> None:
        with self._lock:
            self._set = True
            for run in self._runs:
                run.terminate = True

    def is_set(self) -> bool:
        return self._set

    def guard(self, run: Any) -> None:
        """Tie an onnxruntime RunOptions to this."""
        with self._lock:
            run.terminate = self._set
            self._runs = [run]


class Voice:
    """Speaks English and Chinese, mixed if need be, in any of the voices in `voices_dir`.

    `voices_dir` holds one table `<name>.bin` a voice, float32 [510, 1, 256]: the style for a text
    of that many phonemes. Raises ModelLoadError where a file is missing or is something else.
    """

    def __init__(
        self,
        model_path: str | Path,
        vocab_path: str | Path,
        voices_dir: str | Path,
        *,
        threads: int = 2,
    ) -> None:
        self._vocab = _read_vocab(Path(vocab_path))
        self._voices_dir = Path(voices_dir)
        self._infos = {i.name: i for i in _list_voices(self._voices_dir)}
        if not self._infos:
            raise ModelLoadError(f"no voice tables (such as af_heart.bin) are in {voices_dir}")
        self._session = _open_session(Path(model_path), threads)
        self._phonemizer = Phonemizer()
        self._styles: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def speak(
        self,
        text: str,
        voice: str | None = None,
        language: Language = "en",
        *,
        speed: float = 1.0,
        cancel: CancelSpeech | None = None,
    ) -> Audio:
        """Say `text`; blocks, and calls from several threads wait for each other.

        `language` decides how numbers and units are read and which voice is the default. `speed`:
        0.5 … 2. The sound begins 20 ms before the first phoneme and ends with the pause that the
        last punctuation asks for; it is empty where nothing can be spoken, as in "🙂".
        Raises SettingsError for a voice, language or speed there is not, SpeechCancelled.
        """
        info = self.info(voice or self.default_voice(language))
        self.default_voice(language)
        if not 0.5 <= speed <= 2.0:
            raise SettingsError(f"speed is {speed}, and has to be between 0.5 and 2")
        accent: Literal["en-us", "en-gb"] = "en-gb" if info.name.startswith("b") else "en-us"
        phonemes = self._phonemizer.phonemes(text, language, accent=accent)
        parts = []
        for stretch in _stretches("".join(c for c in phonemes if c in self._vocab)):
            sound = self._synthesise(stretch, info.name, speed, cancel or CancelSpeech())
            parts.append(_trim(sound, pause=_PAUSES.get(stretch[-1], _NO_PAUSE) / speed))
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return Audio(samples, RATE)

    def voices(self) -> list[VoiceInfo]:
        """The voices there are, by name."""
        return list(self._infos.values())

    def default_voice(self, language: Language) -> str:
        if language not in DEFAULT_VOICES:
            known = ", ".join(DEFAULT_VOICES)
            raise SettingsError(f"the compact voice does not speak {language!r}; it speaks {known}")
        return DEFAULT_VOICES[language]

    def warm_up(self, language: Language = "en") -> None:
        """Do the slow first things now: load the phonemes of a language, run the net once."""
        self.speak("好。" if language == "zh" else "Okay.", None, language)

    def info(self, name: str) -> VoiceInfo:
        if name not in self._infos:
            raise SettingsError(f"there is no voice {name!r}; there are {', '.join(self._infos)}")
        return self._infos[name]

    def _style(self, voice: str, length: int) -> np.ndarray:
        """float32 [1, 256]: a voice's manner for a text of `length` phonemes."""
        if voice not in self._styles:
            self._styles[voice] = _read_styles(self._voices_dir / f"{voice}.bin")
        table = self._styles[voice]
        return table[min(length, len(table) - 1)][None]

    def _synthesise(
        self, phonemes: str, voice: str, speed: float, cancel: CancelSpeech
    ) -> np.ndarray:
        import onnxruntime

        ids = [self._vocab[p] for p in phonemes]
        options = onnxruntime.RunOptions()
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "speed": np.array([speed], np.float32),
        }
        with self._lock:
            inputs["style"] = self._style(voice, len(ids))
            cancel.guard(options)
            if cancel.is_set():
                raise SpeechCancelled
            try:
                sound = self._session.run(["audio"], inputs, options)[0]
            except Exception as why:
                if cancel.is_set():
                    raise SpeechCancelled from why
                raise GenerationError(f"the voice broke down on {phonemes!r}: {why}") from why
        return np.asarray(sound, np.float32).reshape(-1)


# --- the files ------------------------------------------------------------------------------

_LANGUAGES = {
    "a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt",
    "z": "zh",
}  # fmt: skip
_VOICE_NAME = re.compile(r"([abefhijpz])([fm])_\w+")
_STYLE_SHAPE = (510, 256)


def _open_session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as missing:
        raise MissingExtra("onnxruntime", "compact", needed_for="the voice") from missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle workers that spin would take the cores from the thinker, which decodes meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as why:  # onnxruntime's errors share no base class but this
        raise ModelLoadError(f"the voice's model {path} cannot be opened: {why}") from why
    names = {i.name for i in session.get_inputs()}
    if names != {"tokens", "style", "speed"}:
        raise ModelLoadError(
            f"{path} is no Kokoro model: its inputs are {', '.join(sorted(names))}"
        )
    return session


def _read_vocab(path: Path) -> dict[str, int]:
    try:
        vocab = json.loads(path.read_text("utf-8"))["vocab"]
    except (OSError, ValueError, KeyError, TypeError) as why:
        raise ModelLoadError(f"the voice's vocabulary {path} cannot be read: {why!r}") from why
    return {str(letter): int(number) for letter, number in vocab.items()}


def _list_voices(folder: Path) -> Iterator[VoiceInfo]:
    for path in sorted(folder.glob("*.bin")):
        if found := _VOICE_NAME.fullmatch(path.stem):
            gender: Literal["female", "male"] = "female" if found[2] == "f" else "male"
            yield VoiceInfo(path.stem, _LANGUAGES[found[1]], gender)


def _read_styles(path: Path) -> np.ndarray:
    table = np.fromfile(path, np.float32)
    if table.size != _STYLE_SHAPE[0] * _STYLE_SHAPE[1]:
        raise ModelLoadError(f"{path} holds {table.size} numbers instead of 510 × 256")
    return table.reshape(_STYLE_SHAPE)


# --- stretches and silence ------------------------------------------------------------------

_MOST_PHONEMES = 180
"""The net takes 510, but a stretch this long is cancelled sooner and needs less memory."""
_PAUSES = {",": 0.12, ";": 0.18, ":": 0.18, "—": 0.15, "…": 0.3, ".": 0.28, "!": 0.28, "?": 0.3}
_NO_PAUSE = 0.05
"""Seconds of silence after a stretch, by its last letter."""

_FRAME = RATE // 200
_SILENT = 10 ** (-55 / 20)
"""The net's own silence lies below −70 dBFS; the softest onset of a phoneme well above this."""
_LEAD, _FADE = RATE // 50, RATE // 125


def _stretches(phonemes: str) -> Iterator[str]:
    """Cuts of at most 180 phonemes: after a sentence, else a comma, else a word, else anywhere."""
    rest = phonemes.strip()
    while len(rest) > _MOST_PHONEMES:
        window = rest[:_MOST_PHONEMES]
        ends = (max(window.rfind(m) for m in marks) for marks in (".!?…", ",;:—", " "))
        end = next((e + 1 for e in ends if e >= _MOST_PHONEMES // 3), _MOST_PHONEMES)
        yield rest[:end].rstrip()
        rest = rest[end:].lstrip()
    if rest:
        yield rest


def _trim(sound: np.ndarray, *, pause: float) -> np.ndarray:
    """Without the net's 0.3 s of silence before and 0.5 s after; faded, and `pause` s behind it."""
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > _SILENT)
    if not len(loud):
        return np.zeros(0, np.float32)
    start = max(0, loud[0] * _FRAME - _LEAD)
    end = min(len(sound), (loud[-1] + 1) * _FRAME + 2 * _FADE)
    cut = np.clip(sound[start:end], -1.0, 1.0)
    fade = np.linspace(0.0, 1.0, min(_FADE, len(cut)), dtype=np.float32)
    cut[: len(fade)] *= fade
    cut[-len(fade) :] *= fade[::-1]
    return np.concatenate([cut, np.zeros(int(pause * RATE), np.float32)])
