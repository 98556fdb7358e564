"""Text in, the phonemes of the Kokoro voices out: English through eSpeak NG, Chinese by pinyin.

A sentence may mix the two; each stretch of one script is phonemised in its own language.
"""

from __future__ import annotations

import ctypes
import re
import threading
from typing import Any, Literal

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.model.compact.spoken import spoken

Accent = Literal["en-us", "en-gb"]


class Phonemizer:
    """Turns text into phonemes. Loads each language when it is first used; safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._espeak: _Espeak | None = None
        self._zh: _Pinyin | None = None

    def load(self, language: str) -> None:
        """Get a language ready ahead of its first sentence (Chinese takes about a second)."""
        self.phonemes("好 ok" if language == "zh" else "ok", language)

    def phonemes(self, text: str, language: str, *, accent: Accent = "en-us") -> str:
        """The phonemes and punctuation of `text`; empty when nothing in it can be spoken."""
        said = []
        with self._lock:
            for chinese, words, mark in _PIECES.findall(_plain_marks(spoken(text, language))):
                if chinese:
                    said.append(self._chinese()(chinese))
                elif words.strip():
                    said += [self._other()(run, voice) for run, voice in _scripts(words, accent)]
                elif mark:
                    said.append(mark)
        return _tidy("".join(f" {s}" if s[0] not in _MARKS else s for s in said if s))

    def _other(self) -> _Espeak:
        if self._espeak is None:
            self._espeak = _Espeak()
        return self._espeak

    def _chinese(self) -> _Pinyin:
        if self._zh is None:
            self._zh = _Pinyin()
        return self._zh


_MARKS = ",.!?;:—…"
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff"
_PIECES = re.compile(rf"([{_HAN}]+)|([^{_HAN}{_MARKS}]+)|([{_MARKS}])")
_MARK_NAMES = str.maketrans(
    {
        "，": ",", "、": ",", "。": ".", "．": ".", "！": "!", "？": "?", "；": ";", "：": ":",
        "–": "—", "·": " ", "（": ",", "）": ",", "(": ",", ")": ",", "‥": "…", "।": ".", "؟": "?",
        "،": ",", "¿": " ", "¡": " ",
    }
)  # fmt: skip


_SCRIPTS = {
    "ru": "\u0400-\u052f", "el": "\u0370-\u03ff\u1f00-\u1fff", "he": "\u0590-\u05ff",
    "ar": "\u0600-\u06ff", "hi": "\u0900-\u097f", "ko": "\u1100-\u11ff\uac00-\ud7af",
    "ja": "\u3040-\u30ff", "th": "\u0e00-\u0e7f",
}  # fmt: skip
_SCRIPT_RUNS = re.compile(
    "|".join(f"(?P<{voice}>[{letters}][{letters}\\s]*)" for voice, letters in _SCRIPTS.items())
    + f"|(?P<latin>[^{''.join(_SCRIPTS.values())}]+)"
)


def _scripts(words: str, accent: str) -> list[tuple[str, str]]:
    """Stretches of one script with the eSpeak voice that reads it; Latin letters are English."""
    runs = [(m[0], m.lastgroup or "latin") for m in _SCRIPT_RUNS.finditer(words) if m[0].strip()]
    return [(run, accent if voice == "latin" else voice) for run, voice in runs]


def _plain_marks(text: str) -> str:
    text = text.translate(_MARK_NAMES)
    text = re.sub(r"[\"“”„«»《》〈〉「」『』【】〔〕]", " ", text)
    text = re.sub(r"\.{2,}|…+", "…", text)
    text = re.sub(r"(?<=\s)-+(?=\s)|--+", "—", text)
    return re.sub(r"(?<=\w)[.:](?=\w)", " ", text)


def _tidy(phonemes: str) -> str:
    """One mark where several meet, none at the start, single spaces; marks alone are nothing."""
    phonemes = re.sub(rf"\s+(?=[{_MARKS}])", "", phonemes)
    phonemes = re.sub(rf"[{_MARKS}]+(?=[.!?…])|(?<=[.!?…])[,;:—.]+", "", phonemes)
    phonemes = re.sub(rf"([{_MARKS}])[,;:—]+", r"\1", phonemes)
    phonemes = re.sub(rf"([{_MARKS}])(?=[^\s{_MARKS}])", r"\1 ", phonemes)
    return re.sub(r"\s+", " ", phonemes).rstrip().lstrip(f" {_MARKS}")


# --- English --------------------------------------------------------------------------------

_SHARED_SOUNDS = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("ɔ^ɪ", "Y"), ("d^ʒ", "ʤ"), ("t^ʃ", "ʧ"),
    ("ə^l", "ᵊl"), ("ʔˌn̩", "tn"), ("ʔn̩", "tn"), ("n̩", "ᵊn"), ("m̩", "ᵊm"), ("l̩", "ᵊl"), ("ɚ", "əɹ"),
    ("ɐ", "ə"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɬ", "l"), ("ʲ", ""),
    ("\u0303", ""), ("\u0329", ""),
)  # fmt: skip
_ACCENT_SOUNDS: dict[Accent, tuple[tuple[str, str], ...]] = {
    "en-us": (
        ("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("i^ə", "iə"), ("ɪ^ə", "iə"), ("ː", ""),
        ("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"),
    ),
    "en-gb": (
        ("ə^ʊ", "Q"), ("o^ʊ", "Q"), ("e^ə", "ɛː"), ("i^ə", "ɪə"), ("iə", "ɪə"), ("o", "ɔ"),
        ("ɾ", "t"), ("ʔ", "t"),
    ),
}  # fmt: skip
"""eSpeak's sounds (diphthongs tied by ^) to the single letters that the voices were taught."""


_VOICE_FILES = {"en-us": "gmw/en-US", "en-gb": "gmw/en"}


class _Espeak:
    """The eSpeak NG library, called directly. One voice at a time, so callers hold a lock."""

    _AUDIO_RETRIEVAL, _DONT_EXIT, _UTF8 = 1, 0x8000, 1
    _IPA, _TIE = 0x02, (0x80 | ord("^") << 8)

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as missing:
            raise MissingExtra(
                "espeakng-loader", "compact", needed_for="speaking English"
            ) from missing
        path = str(espeakng_loader.get_library_path())
        try:
            self._library = ctypes.CDLL(path)
        except OSError as why:
            raise ModelLoadError(f"the eSpeak NG library {path} cannot be loaded: {why}") from why
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = str(espeakng_loader.get_data_path())
        rate = self._library.espeak_Initialize(
            self._AUDIO_RETRIEVAL, 0, data.encode(), self._DONT_EXIT
        )
        if rate <= 0:
            raise ModelLoadError(f"eSpeak NG does not start with its data in {data}")
        self._voice = ""

    def __call__(self, words: str, voice: str) -> str:
        if voice != self._voice:
            if self._library.espeak_SetVoiceByName(_VOICE_FILES.get(voice, voice).encode()) != 0:
                raise ModelLoadError(f"eSpeak NG has no voice {voice!r}")
            self._voice = voice
        rest = ctypes.c_char_p(words.replace("\0", " ").encode())
        said = []
        while rest.value:
            clause = self._library.espeak_TextToPhonemes(
                ctypes.byref(rest), self._UTF8, self._IPA | self._TIE
            )
            said.append((clause or b"").decode("utf-8", "replace"))
        sounds = re.sub(r"\([a-z-]+\)", "", " ".join(said)).replace("_", " ").replace("-", "")
        for heard, letter in (
            _SHARED_SOUNDS + _ACCENT_SOUNDS["en-gb" if voice == "en-gb" else "en-us"]
        ):
            sounds = sounds.replace(heard, letter)
        return sounds.replace("^", "").strip()


# --- Chinese --------------------------------------------------------------------------------


class _Pinyin:
    """Words found by jieba, read by pypinyin, spelled in the voices' letters by misaki."""

    def __init__(self) -> None:
        try:
            import jieba
            from misaki.zh import ZHG2P
        except ImportError as missing:
            raise MissingExtra("misaki", "compact", needed_for="speaking Chinese") from missing
        jieba.setLogLevel("WARNING")
        self._cut: Any = jieba.lcut
        self._sound: Any = ZHG2P.word2ipa

    def __call__(self, characters: str) -> str:
        return " ".join(self._word(word) for word in self._cut(characters)).replace("\u032f", "")

    def _word(self, word: str) -> str:
        from pypinyin import lazy_pinyin

        try:
            return str(self._sound(word))
        except (ValueError, AssertionError):  # a rare character that has no reading in pinyin
            readable = [c for c in word if lazy_pinyin(c) != [c]]
            return "".join(str(self._sound(c)) for c in readable) if readable != list(word) else ""
