"""Whisper through CTranslate2: a stretch of sound → words, guarded against inventing any."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.messages import Language
from omni_agent.model.compact.mel import RATE, log_mel

LONGEST = 30.0
"""Seconds that fit into the encoder."""
# Whisper was trained on 30 s windows. It also works on shorter ones, many times faster, as long
# as silence follows the speech: with less than 4 s of it the decoder tends to start over again.
_TAIL, _STEP = 4.0, 2.0
_TOKENS_PER_SECOND = 12  # no one speaks faster; a decoder that loops does
_TRUSTED_LOGPROB, _NO_SPEECH, _COMPRESSION = -1.0, 0.6, 2.4  # thresholds of the paper, section 4.5
_VOCABULARY_TOKENS = 48
_STYLE = {"zh": "以下是普通话的句子。"}  # asks for simplified characters and punctuation
_FULL_WIDTH = {",": "，", "?": "？", "!": "！", ".": "。", ":": "：", ";": "；"}
# GB 2312 lacks these, and the vocabulary has them in parts only, so that the decoder cannot be kept
# from them: of the words of cooks and guests, those that differ in simplified Chinese.
_SIMPLER = str.maketrans(
    "雞麵廳蔥薑雜蘿蔔蝦鴨鵝豬湯鹽醬鍋爐燒燉麥餃餅餡館蓋綠豐鮮涼鹹檸蘋蓮鬆滷煙燻燴滾凍糰燙絲蠔蠣鮑鱸鯉鮭鰻鱈鱔鴿腸臟膽薺莖蕎蕪蘆筍漢蔘歐韓餚饅糧醃製釀濾攪漿烏餛飩",
    "鸡面厅葱姜杂萝卜虾鸭鹅猪汤盐酱锅炉烧炖麦饺饼馅馆盖绿丰鲜凉咸柠苹莲松卤烟熏烩滚冻团烫丝蚝蛎鲍鲈鲤鲑鳗鳕鳝鸽肠脏胆荠茎荞芜芦笋汉参欧韩肴馒粮腌制酿滤搅浆乌馄饨",
)
_HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Words:
    """What was decoded. `logprob`: mean over the tokens; `silence`: probability of no speech."""

    tokens: tuple[int, ...]
    text: str
    logprob: float
    silence: float


class Whisper:
    """Blocking, and safe to call from one thread at a time."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        try:
            import ctranslate2
            import tokenizers
        except ImportError as error:
            name = error.name or "faster-whisper"
            raise MissingExtra(name, "compact", needed_for="Hearing speech") from error
        try:
            self._model: Any = ctranslate2.models.Whisper(
                str(folder), device="cpu", compute_type="int8", intra_threads=threads
            )
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise bare RuntimeError or Exception
            raise ModelLoadError(f"{folder} holds no usable Whisper model: {error}") from error
        self._to_array = ctranslate2.StorageView.from_array
        self._traditional = self._traditional_tokens()

    def knows(self, language: Language) -> bool:
        return self._tokenizer.token_to_id(f"<|{language}|>") is not None

    def encode(self, samples: np.ndarray, *, full: bool = False) -> Any:
        """float32 [n] at 16 kHz, 30 s at most → what the other methods listen to."""
        need = math.ceil((len(samples) / RATE + _TAIL) / _STEP) * _STEP
        window = LONGEST if full else min(need, LONGEST)
        return self._model.encode(self._to_array(log_mel(samples, window)), to_cpu=True)

    def language(self, encoded: Any, among: Sequence[Language]) -> dict[Language, float]:
        """The probability of each language, as if there were no others."""
        found = {name[2:-2]: p for name, p in self._model.detect_language(encoded)[0]}
        total = sum(found[name] for name in among)
        return {name: found[name] / total for name in among}

    def prompt(self, language: Language, vocabulary: Sequence[str]) -> list[int]:
        """Tokens that make the listed words likelier; those in another script are left out."""
        chinese = language == "zh"
        words = [word for word in vocabulary if bool(_HAN.search(word)) == chinese]
        style = self._encode(_STYLE[language]) if language in _STYLE else []
        tokens: list[int] = []
        for word in words:
            more = self._encode(("、" if chinese else ", ") + word if tokens else " " + word)
            if len(tokens) + len(more) > _VOCABULARY_TOKENS:
                break
            tokens += more
        if tokens:
            tokens += self._encode("。" if chinese else ".")
        return [self._id("startofprev"), *style, *tokens] if style or tokens else []

    def transcribe(
        self,
        samples: np.ndarray,
        encoded: Any,
        language: Language,
        *,
        prompt: Sequence[int] = (),
    ) -> Words:
        """`encoded` is what `encode` made of the samples; `prompt` what `prompt` gave."""
        seconds = len(samples) / RATE
        words = self._decode(encoded, language, seconds, prompt)
        if not self._doubtful(words):
            return words
        encoded = self.encode(samples, full=True)
        again = self._decode(encoded, language, seconds, ())
        if again.silence > _NO_SPEECH and again.logprob < _TRUSTED_LOGPROB:
            return Words((), "", again.logprob, again.silence)
        return self._words(language, _unlooped(again.tokens), again.logprob, again.silence)

    def text(self, tokens: Sequence[int], language: Language) -> str:
        # A token may end inside a character, which then reads as U+FFFD.
        text = self._tokenizer.decode(list(tokens)).replace("\ufffd", "").strip()
        if language != "zh":
            return text
        text = text.translate(_SIMPLER)
        text = re.sub(r"(?<=[\u4e00-\u9fff])[,?!.:;]\s*", lambda m: _FULL_WIDTH[m[0][0]], text)
        return re.sub(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])", "，", text)

    def _decode(
        self,
        encoded: Any,
        language: Language,
        seconds: float,
        prompt: Sequence[int],
    ) -> Words:
        head = ("startoftranscript", language, "transcribe", "notimestamps")
        start = [*prompt, *map(self._id, head)]
        result = self._model.generate(
            encoded,
            [start],
            beam_size=1,
            max_length=len(start) + 16 + int(seconds * _TOKENS_PER_SECOND),
            suppress_tokens=[-1, *self._traditional] if language == "zh" else [-1],
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = tuple(result.sequences_ids[0])
        return self._words(language, tokens, result.scores[0], result.no_speech_prob)

    def _words(
        self, language: Language, tokens: tuple[int, ...], logprob: float, silence: float
    ) -> Words:
        return Words(tokens, self.text(tokens, language), logprob, silence)

    def _doubtful(self, words: Words) -> bool:
        raw = words.text.encode()
        return (
            words.logprob < _TRUSTED_LOGPROB
            or len(_unlooped(words.tokens, twice=True)) < len(words.tokens)
            or (len(raw) > 40 and len(raw) / len(zlib.compress(raw)) > _COMPRESSION)
        )

    def _traditional_tokens(self) -> list[int]:
        """Tokens with a Chinese character that simplified Chinese (GB 2312) does not have."""
        found = []
        for number in range(self._tokenizer.get_vocab_size(with_added_tokens=False)):
            han = "".join(_HAN.findall(self._tokenizer.decode([number])))
            if han and len(han.encode("gb2312", "ignore")) < 2 * len(han):
                found.append(number)
        return found

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def _id(self, name: str) -> int:
        return self._tokenizer.token_to_id(f"<|{name}|>")


def _unlooped(tokens: Sequence[int], *, twice: bool = False) -> tuple[int, ...]:
    """Cut what is said over and over at the end, from four times on (`twice`: from two times).

    Two times may be meant: "again, again". Only a stretch of four tokens or more counts then.
    """
    size = len(tokens)
    for period in range(1, size // 2 + 1):
        start = size - period
        while start > 0 and tokens[start - 1] == tokens[start - 1 + period]:
            start -= 1
        repeats = (size - start) / period
        if repeats >= 4 or (twice and repeats >= 2 and period >= 4):
            return tuple(tokens[: start + period])
    return tuple(tokens)
