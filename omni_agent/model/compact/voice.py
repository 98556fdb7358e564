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

from omni_agent.errors import GenerationError, ModelLoadError, SettingsError
from omni_agent.media import Audio
from omni_agent.messages import Language
from omni_agent.model.compact.kokoro import RATE, Kokoro, joined, windows
from omni_agent.model.compact.kokoro_graph import stamp
from omni_agent.model.compact.phonemes import Phonemizer
from omni_agent.model.compact.voice_norms import SENTENCES, VoiceNorms, saved

DEFAULT_VOICES: dict[Language, str] = {"en": "af_heart", "zh": "zf_xiaoxiao"}


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice by its name: `language` is what its speaker speaks, as in BCP 47."""

    name: str
    language: Language
    gender: Literal["female", "male"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of sound, float32 at 24 kHz, and the share of the text that is over with it."""

    samples: np.ndarray
    share: float


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
        self._model_path = Path(model_path)
        self._net = Kokoro(self._model_path, threads=threads)
        self._phonemizer = Phonemizer()
        self._styles: dict[str, np.ndarray] = {}
        self._norms: dict[str, VoiceNorms] = {}
        self._lock = threading.Lock()
        self._learning = threading.Lock()

    def speak(
        self,
        text: str,
        voice: str | None = None,
        language: Language = "en",
        *,
        speed: float = 1.0,
        cancel: CancelSpeech | None = None,
    ) -> Audio:
        """All of `stream` in one."""
        said = self.stream(text, voice, language, speed=speed, cancel=cancel)
        parts = [spoken.samples for spoken in said]
        return Audio(np.concatenate(parts) if parts else np.zeros(0, np.float32), RATE)

    def stream(
        self,
        text: str,
        voice: str | None = None,
        language: Language = "en",
        *,
        speed: float = 1.0,
        cancel: CancelSpeech | None = None,
    ) -> Iterator[Spoken]:
        """Say `text`, a stretch of sound after the other; blocks while one is made.

        `language` decides how numbers and units are read and which voice is the default. `speed`:
        0.5 … 2. The sound begins 20 ms before the first phoneme and ends with the pause that the
        last punctuation asks for; there is none where nothing can be spoken, as in "🙂".
        Calls from several threads take turns at the net.
        Raises SettingsError for a voice, language or speed there is not, SpeechCancelled.
        """
        info = self.info(voice or self.default_voice(language))
        self.default_voice(language)
        if not 0.5 <= speed <= 2.0:
            raise SettingsError(f"speed is {speed}, and has to be between 0.5 and 2")
        accent: Literal["en-us", "en-gb"] = "en-gb" if info.name.startswith("b") else "en-us"
        phonemes = self._phonemizer.phonemes(text, language, accent=accent)
        stretches = list(_stretches("".join(c for c in phonemes if c in self._vocab)))
        done, whole = 0, sum(map(len, stretches))
        for stretch in stretches:
            run = _Run(self._lock, cancel or CancelSpeech(), stretch)
            pause = _PAUSES.get(stretch[-1], _NO_PAUSE) / speed
            for samples, said in _trimmed(self._sounds(stretch, info, speed, run), pause):
                yield Spoken(samples, (done + said) / whole)
            done += len(stretch)

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

    def prepare(self, voice: str) -> None:
        """Learn how a voice speaks, some seconds the first time ever, then never again.

        Done by itself before a voice says its first word. Raises SettingsError if there is none.
        """
        self._norms_of(self.info(voice))

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

    def _norms_of(self, voice: VoiceInfo) -> VoiceNorms:
        with self._learning:
            if voice.name not in self._norms:
                file = self._model_path.with_name(
                    f"{self._model_path.stem}.{stamp(self._model_path)}.{voice.name}.npz"
                )
                norms = saved(file)
                if norms is None:
                    norms = self._learned(voice)
                    norms.save(file)
                self._norms[voice.name] = norms
            return self._norms[voice.name]

    def _learned(self, voice: VoiceInfo) -> VoiceNorms:
        language: Language = voice.language if voice.language in SENTENCES else "en"
        spelt = [self._ids(text, language) for text in SENTENCES[language]]
        styled = [(ids, self._style(voice.name, len(ids))) for ids in spelt]
        return VoiceNorms(np.array([len(ids) for ids in spelt]), self._net.norms(styled))

    def _ids(self, text: str, language: Language) -> list[int]:
        phonemes = self._phonemizer.phonemes(text, language)
        return [self._vocab[p] for p in phonemes if p in self._vocab]

    def _sounds(
        self, phonemes: str, voice: VoiceInfo, speed: float, run: _Run
    ) -> Iterator[tuple[np.ndarray, int]]:
        """Sound as it is made, with the number of phonemes that are over by then."""
        ids = [self._vocab[p] for p in phonemes]
        norms = self._norms_of(voice).of(len(ids))
        with run as options:
            style = self._style(voice.name, len(ids))
            frames = self._net.frames(ids, style, speed, options)
        over = 0

        def made() -> Iterator[np.ndarray]:
            nonlocal over
            for window in windows(frames):
                with run as options:
                    sound = self._net.sound(frames, window, style, norms, options)
                ended = int(np.searchsorted(frames.ends, window.end, side="right"))
                over = min(ended, len(ids) - 1)  # the last one only with the silence behind it
                yield sound
            over = len(ids)  # the last mark lies in the silence

        for sound in joined(made()):
            yield sound, over


class _Run:
    """One use of the net after the other, each until it is cancelled."""

    def __init__(self, lock: threading.Lock, cancel: CancelSpeech, phonemes: str) -> None:
        self._lock = lock
        self._cancel = cancel
        self._phonemes = phonemes

    def __enter__(self) -> Any:
        import onnxruntime

        self._lock.acquire()
        options = onnxruntime.RunOptions()
        self._cancel.guard(options)
        if self._cancel.is_set():
            self._lock.release()
            raise SpeechCancelled
        return options

    def __exit__(self, kind: object, why: BaseException | None, trace: object) -> None:
        self._lock.release()
        if isinstance(why, Exception):
            if self._cancel.is_set():
                raise SpeechCancelled from why
            raise GenerationError(f"the voice broke down on {self._phonemes!r}: {why}") from why


# --- the files ------------------------------------------------------------------------------

_LANGUAGES = {
    "a": "en", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt",
    "z": "zh",
}  # fmt: skip
_VOICE_NAME = re.compile(r"([abefhijpz])([fm])_\w+")
_STYLE_SHAPE = (510, 256)


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

_STEP = RATE // 200
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


def _trimmed(
    sounds: Iterator[tuple[np.ndarray, int]], pause: float
) -> Iterator[tuple[np.ndarray, int]]:
    """Without silence at both ends, faded there, and with `pause` s of it behind.

    What may yet be the silence at the end is held back.
    """
    waiting, over, begun = np.zeros(0, np.float32), 0, False
    for sound, said in sounds:
        over = said
        waiting = np.concatenate([waiting, np.clip(sound, -1.0, 1.0)])
        loud = _loud(waiting)
        if not len(loud):
            continue
        start = 0 if begun else max(0, int(loud[0]) * _STEP - _LEAD)
        stop = (int(loud[-1]) + 1) * _STEP - _FADE
        if stop - start < _FADE:  # too little for a piece of its own
            continue
        out, waiting = waiting[start:stop], waiting[stop:]
        if not begun:
            rise = np.linspace(0.0, 1.0, min(_FADE, len(out)), dtype=np.float32)
            out[: len(rise)] *= rise
        begun = True
        yield out, said
    if begun:
        rest = waiting[: 3 * _FADE]
        rest *= np.linspace(1.0, 0.0, len(rest), dtype=np.float32)
        yield np.concatenate([rest, np.zeros(int(pause * RATE), np.float32)]), over


def _loud(sound: np.ndarray) -> np.ndarray:
    """The steps of 5 ms in which there is sound."""
    steps = sound[: len(sound) // _STEP * _STEP].reshape(-1, _STEP)
    return np.flatnonzero(np.sqrt((steps**2).mean(axis=1)) > _SILENT)
