"""Text as search terms, in any script.

Scripts that put no spaces between words (Chinese, Japanese, Thai …) become overlapping pairs of
characters, so that a word of two characters is found inside any sentence.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Mapping

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
# Words that say nothing of the matter; a store of three sentences is too small to tell by counting.
_STOP_WORDS = (
    "a about am an and any are as at be been but by can could did do does for from get give go "
    "had has have he hello her here hey hi him his how i if in is it its just know let like "
    "many may me more much my no not of ok okay on or our out please remember said say she "
    "should so some tell than thank that the their them then there they thing this to today "
    "up us want was we were what when where which who why will with would yes you your "
    "什么 怎么 我们 你们 他们 她们 这个 那个 哪个 哪里 那里 这里 一个 一下 可以 是不 不是 请问 "
    "知道 告诉 诉我 多少 为什 时候 有没 没有 记得 的是 了吗 我的 你的 他的 她的 我是 你是 他是 "
    "她是 是什 我在 我要 我想 你能 你好 问你 好的 谢谢 谢你 "
    "我 你 他 她 它 的 了 是 吗 呢 吧 啊 在 有 和 不 就 都 也 很 这 那 要 会 说 去"
)
_STOP = frozenset(_STOP_WORDS.split())


def terms(text: str) -> list[str]:
    """The search terms of a text in order, with repetitions; empty for emoji and punctuation."""
    found: list[str] = []
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(c for c in plain if not "\u0300" <= c <= "\u036f")  # é → e; keeps が, ไม่
    for word in _WORD.findall(unicodedata.normalize("NFC", plain).replace("_", " ")):
        for i, run in enumerate(_UNSPACED.split(word)):
            if i % 2 and len(run) > 1:
                found += (run[j : j + 2] for j in range(len(run) - 1))
            elif run:
                found.append(run if i % 2 else _singular(run))
    return found


def query_terms(text: str) -> list[str]:
    """The telling terms of a question, each once."""
    return [t for t in dict.fromkeys(terms(text)) if t not in _STOP]


def is_everyday(word: str) -> bool:
    """Whether a word says so little that questions are not searched by it."""
    return word.casefold() in _STOP


def coverage(wanted: Collection[str], text: str, rarity: Mapping[str, float]) -> float:
    """How much of a question's weight a text's words cover: 0 … 1."""
    total = sum(rarity[t] for t in wanted)
    if not total:
        return 0.0
    there = set(terms(text[:_SCORED]))
    return sum(rarity[t] for t in wanted if t in there) / total


def rarity(documents: int, containing: int) -> float:
    """Inverse document frequency, smoothed so that a store of one memory works too."""
    return math.log(1 + (documents + 1) / (containing + 1))


def is_unspaced(text: str) -> bool:
    """Whether a text is mostly in a script without spaces; tells Chinese from English."""
    return 2 * sum(map(len, _UNSPACED.findall(text[:_SCORED]))) > len(text[:_SCORED].strip()) * 0.6


_SCORED = 4_000  # characters of a memory whose words are weighed at recall; finding has no limit


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return word
