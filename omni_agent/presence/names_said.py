"""Names that people say: their own, those of others they introduce, and whom they speak to.

By rules that would rather miss a name than take "I'm Italian" for one. A name is data: it is kept
and shown, and never acted on.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from omni_agent.memory.facts import ROLES
from omni_agent.memory.words import is_everyday, is_unspaced
from omni_agent.presence.no_names import NO_CHINESE_NAMES, NO_NAMES, SOMETIMES_NAMES, SURNAMES

LONGEST_SAID = 1000
"""Characters of one utterance that are read."""

NameKind = Literal["own", "called", "other", "addressed", "not"]
"""`own`: "I'm Anna". `called`: "call me Anna", "my name is Anna", which also corrects a name.
`other`: "this is my brother Ben". `addressed`: "Anna, can you …". `not`: "I'm not Anna"."""


@dataclass(frozen=True, slots=True)
class NameSaid:
    name: str
    kind: NameKind


def names_said(text: str) -> tuple[NameSaid, ...]:
    """In the order in which they were said, each once."""
    found: dict[NameSaid, int] = {}
    words = unicodedata.normalize("NFC", text)[:LONGEST_SAID].replace("’", "'")
    spoken_flat = words == words.lower()  # ears that write no capitals
    for kind, rule in _RULES:
        for match in rule.finditer(words):
            raw = match["name"].strip(" '-")
            if name := _name(raw, kind, spoken_flat, chinese=is_unspaced(raw)):
                found.setdefault(NameSaid(name, kind), match.start("name"))
    # "This is Anna speaking" introduces nobody, and who is introduced is not spoken to.
    told: dict[str, NameKind] = {}
    for kind in ("not", "called", "own", "other", "addressed"):
        for said in found:
            if said.kind == kind:
                told.setdefault(said.name, said.kind)
    ordered = sorted(found, key=lambda said: found[said])
    return tuple(said for said in ordered if told[said.name] == said.kind)


def _name(raw: str, kind: NameKind, spoken_flat: bool, *, chinese: bool) -> str | None:
    if chinese:
        return _chinese_name(raw, kind)
    words = raw.split()
    if not words:
        return None
    if spoken_flat:  # only where nothing but a name can follow
        if kind not in ("called", "other", "not"):
            return None
        words = [words[0].capitalize()]
    if any(word.endswith("'s") for word in words):
        return None  # "Anna's brother" is not Anna
    kept: list[str] = []
    for word in words:
        is_particle = bool(kept) and word in _PARTICLES
        if not is_particle and (not _looks_like_one(word) or _is_none(word, kind)):
            break
        kept.append(word)
    while kept and kept[-1] in _PARTICLES:
        kept.pop()
    return " ".join(kept) or None


def _looks_like_one(word: str) -> bool:
    return word[0].isupper() or any(unicodedata.category(c) == "So" for c in word)


def _is_none(word: str, kind: NameKind) -> bool:
    plain = word.casefold().strip("'")
    if kind == "called" and plain in SOMETIMES_NAMES:
        return False
    return plain in NO_NAMES or plain in ROLES or is_everyday(plain)


def _chinese_name(raw: str, kind: NameKind) -> str | None:
    name = re.sub(r"(?:吧|哦|啊|呀|呢|啦|就行|就好|就可以|好了)+$", "", raw)
    if not 1 < len(name) <= 4 or name in ROLES or NO_CHINESE_NAMES.search(name):
        return None
    if kind != "called" and not (name[0] in SURNAMES or name[0] in "小阿老大"):
        return None
    return name


_PARTICLES = frozenset(
    (
        "al",
        "bin",
        "da",
        "de",
        "del",
        "den",
        "der",
        "di",
        "dos",
        "el",
        "la",
        "le",
        "ter",
        "van",
        "von",
    )
)
_TITLE = r"(?:(?:Dr|Mr|Mrs|Ms|Prof|Professor|Doctor)\.? )?"
_WORD = r"[^\W\d_][\w'-]*|[\U0001f300-\U0001faff\u2600-\u27bf]+"
_NAME = rf"{_TITLE}(?P<name>(?:{_WORD})(?: (?:{_WORD})){{0,2}})"
_BEGINS = r"(?:^|[.!?] )"
_PLEASE = r"(?:(?:you can|you may|please|just|people|they|friends) )*"
_NOT_HIS = r"(?!\w|'s?\b)"
_ROLE = rf"(?:(?:\w+ )?(?:{'|'.join(r for r in sorted(ROLES) if not is_unspaced(r))}),? )"
_ZH_ROLE = f"(?:{'|'.join(sorted((r for r in ROLES if is_unspaced(r)), key=len, reverse=True))})"
_ZH_NAME = r"(?P<name>[\u4e00-\u9fff]{2,6}?|[A-Z][A-Za-z]+)"
_ZH_END = r"(?=[，。！？、,.!?\s]|$|和|，?这|，?是|，?很)"


def _rule(pattern: str, *, exact: bool = False) -> re.Pattern[str]:
    return re.compile(pattern, 0 if exact else re.IGNORECASE)


_RULES: tuple[tuple[NameKind, re.Pattern[str]], ...] = (
    ("not", _rule(rf"\b(?:I'm|I am|my name is|my name's|that's|it's) not (?:called )?{_NAME}")),
    ("not", _rule(rf"\bmy name isn't {_NAME}")),
    ("called", _rule(rf"\bmy (?:first )?name(?:'s| is) (?!not ){_NAME}{_NOT_HIS}")),
    ("called", _rule(rf"\b{_PLEASE}call me {_NAME}")),
    ("called", _rule(rf"\b(?:I'm|I am) (?:called|named) {_NAME}{_NOT_HIS}")),
    ("own", _rule(rf"\b(?:I'm|I am) (?!not ){_NAME}{_NOT_HIS}")),
    ("own", _rule(rf"\b(?:this is|it's) {_NAME} (?:speaking|here|again)\b")),
    ("own", _rule(rf"(?:^|[.!?] )(?:(?:hi|hello|hey),? )?{_NAME} (?:speaking|here)[.!,]")),
    ("other", _rule(
        rf"\b(?:this is|that is|that's|these are|here is|here's|here comes|meet|say hello to|"
        rf"say hi to|let me introduce(?: you to)?|I'm here with|I am here with)"
        rf" (?:(?:my|our) {_ROLE}?)?{_NAME}{_NOT_HIS}(?! speaking| here\b)"
    )),
    ("other", _rule(
        rf"\b(?:this is|that's|meet) (?:my|our) {_ROLE}[^.!?]{{0,40}}?"
        rf"(?:his|her|their) name is {_NAME}"
    )),
    ("addressed", _rule(
        rf"{_BEGINS}(?:(?:hi|hey|hello|ok|okay|so|and|well|yes|no|right|thanks|thank you|sorry|"
        rf"but),? ){{0,2}}{_NAME}[,!?]"
    )),
    ("addressed", _rule(rf"(?:\w|\w['\"]),? (?:dear )?(?<=, ){_NAME}[?!.]*$")),
    ("addressed", _rule(
        rf"{_BEGINS}(?:hi|hey|hello|thanks|thank you|bye|goodbye),? {_NAME}[.!,?]"
    )),
    ("not", _rule(rf"我(?:不是|不叫){_ZH_NAME}{_ZH_END}", exact=True)),
    ("called", _rule(rf"我(?:的?名字)?(?:就?叫做?|是叫){_ZH_NAME}{_ZH_END}", exact=True)),
    ("called", _rule(rf"我的?名字(?:就?是){_ZH_NAME}{_ZH_END}", exact=True)),
    ("called", _rule(rf"叫我{_ZH_NAME}{_ZH_END}", exact=True)),
    ("own", _rule(rf"我(?:就?是){_ZH_NAME}{_ZH_END}", exact=True)),
    ("other", _rule(
        rf"(?:这是|这位是|那是|那位是|来见见|介绍一下，?这?是?)(?:我们?的?|咱们?的?)?"
        rf"{_ZH_ROLE}?(?:叫|，)?{_ZH_NAME}{_ZH_END}", exact=True,
    )),
    ("addressed", _rule(
        rf"(?:^|[。！？])(?:你好|嗨|喂|哎|嘿|谢谢|好的)?[，,]?{_ZH_NAME}"
        r"[，,](?=你|请|能|帮|来|那|咱|我们)", exact=True,
    )),
)  # fmt: skip
