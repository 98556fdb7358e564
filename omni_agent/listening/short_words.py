"""What a few words mean for who has the floor, in English and Chinese."""

from __future__ import annotations

import re
from typing import Literal

from omni_agent.listening.settings import Asked

Meaning = Literal["cuts in", "follows", "unclear"]
"""The user wants the floor · only shows to be following · cannot be told from the words."""


def _entries(listed: str) -> frozenset[str]:
    return frozenset(" ".join(listed.split()).split(", "))


_CUTS_IN = _entries(
    """stop, wait, no, nope, pause, quiet, enough, cancel, halt, shut up, hold on, hang on,
    never mind, forget it, excuse me, one moment, one second, hey, actually, sorry, what, why, how,
    who, where, when, 停, 停下, 停一下, 等, 等等, 等下, 等一下, 稍等, 不, 不是, 不对, 不要, 不用,
    不行, 别, 别说了, 够了, 算了, 取消, 安静, 闭嘴, 暂停, 打住, 慢着, 喂, 其实, 抱歉, 不好意思,
    什么, 为什么, 哪里, 谁, 怎么"""
)
_FOLLOWS = _entries(
    """yeah, yes, yep, yup, ok, okay, right, sure, alright, all right, fine, good, great, nice,
    cool, wow, really, i see, got it, of course, exactly, true, oh, ah, aha, uh, um, er, erm, hm,
    hmm, mm, mhm, mmhm, mmhmm, uhhuh, huh, mm hm, mm hmm, mm mm, uh huh, hm hm, 嗯, 嗯嗯, 嗯哼,
    唔, 哦, 噢, 喔, 啊, 哎, 哈, 呃, 对, 对对, 对对对, 对啊, 好, 好好, 好的, 好啊, 好吧, 是, 是的,
    是啊, 是吗, 行, 可以, 没错, 明白, 明白了, 知道, 知道了, 懂了, 原来如此, 当然, 真的, 真的吗"""
)
_LONGEST = 4  # words, or Chinese characters, in an entry above
_ENOUGH = 4  # words, or Chinese characters: nobody says so much only to show they follow

_TRAILS_OFF = re.compile(
    r"(?:\b(?:um+|uh+|erm?|hm+|and|or|but|so|because|if|when|while|than|that|which|who|whether|"
    r"the|an?|to|for|of|with|without|in|at|on|from|by|about|into|near|between|like|some|any|"
    r"my|your|his|her|our|their|this|these|those|is|are|was|were|am|i'm|it's|there's|what's)"
    r"|嗯|呃|那个|这个|就是|然后|还有|和|跟|或者|但是|可是|不过|因为|所以|如果|的时候|是|在|给|把|用|"
    r"一个|一家|一些|几个|请|叫|要|我|你|他|她)\W*$"
)
_HALF = re.compile(
    r"^(?:if|since|after|before|once|while|although|because|unless"
    r"|when(?! (?:is|are|was|were|do|does|did|can|could|will|would|should))) [^,;]*$"
    r"|^(?:如果|要是|因为|虽然|既然|等)[^，；]*$|(?:的时候|的话|以后|之后|以前|之前)$",
)
_TIME = re.compile(
    r"take your time|no (?:rush|hurry)|whenever you(?:'re| are) ready"
    r"|(?:let me know|tell me|say so) (?:when|once) you|think (?:it over|about it)"
    r"|慢慢(?:来|想|说)|不(?:急|着急|用急)|别急|想好(?:了|以后)"
    r"|(?:好了|准备好|做完|完成)[^。！？]*(?:告诉我|叫我|跟我说|说一声)|等你",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[?？]\W*$|[吗呢]\W*$")


def meaning(text: str) -> Meaning:
    """What words that were said while the agent spoke are meant for."""
    found = _words(text)
    if not found:
        return "unclear"
    rest, follows = found, True
    while rest and follows:
        follows = False
        for n in range(min(_LONGEST, len(rest)), 0, -1):
            entry = _joined(rest[:n])
            if entry in _CUTS_IN:
                return "cuts in"
            if entry in _FOLLOWS:
                rest, follows = rest[n:], True
                break
    if not rest:
        return "follows"
    return "cuts in" if len(found) >= _ENOUGH else "unclear"


def trails_off(text: str) -> bool:
    """Whether nobody would end a turn with these words: "… and", "um", "那个", "if I do that"."""
    sentence = re.split(r"[.!?。！？]\s*(?=\w)", text.strip().lower())[-1].rstrip(" .,…。，")
    return bool(_TRAILS_OFF.search(sentence) or _HALF.search(sentence))


def asked_by(text: str) -> Asked | None:
    """What the agent's words `text` ask of the user; None where nothing was said."""
    if not text.strip():
        return None
    last = re.split(r"(?<=[.!?。！？])\s*(?=\S)", text.strip())[-2:]
    if any(_TIME.search(sentence) for sentence in last):
        return "time"
    return "question" if _QUESTION.search(last[-1]) else "statement"


def _words(text: str) -> list[str]:
    """Words without marks, Chinese character by character."""
    plain = text.lower().replace("-", "").replace("’", "'")
    return re.findall(r"[\u4e00-\u9fff]|[a-z']+", plain)


def _joined(words: list[str]) -> str:
    return "".join(words) if words[0] >= "\u4e00" else " ".join(words)
