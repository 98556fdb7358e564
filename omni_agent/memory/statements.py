"""Reads statements out of what somebody said, by rules that are certain: nothing is guessed.

What is asked, supposed, wished for, heard from others or only so today says nothing lasting. Most
of what people say has nothing in it, and most rules only keep it so.
"""

from __future__ import annotations

import re

from omni_agent.memory.facts import PREDICATES, Statement
from omni_agent.memory.statements_en import english
from omni_agent.memory.statements_zh import chinese
from omni_agent.memory.words import is_unspaced, terms

LONGEST_SAID = 2000
"""Characters of one utterance that are read."""


def statements_in(said: str) -> tuple[Statement, ...]:
    """What somebody's words state about them and others, each once, in the order it was said."""
    found: dict[tuple[str, str, str], Statement] = {}
    last = ""  # who was spoken of last, in the sentence before
    for sentence in certain_sentences(said):
        read = chinese if is_unspaced(sentence) else english
        statements, last = read(sentence, last)
        for one in statements:
            for object in _objects(one):
                key = (one.subject, one.predicate, object.casefold())
                found.setdefault(
                    key, Statement(subject=one.subject, predicate=one.predicate, object=object)
                )
    return tuple(found.values())


def certain_sentences(said: str) -> list[str]:
    """What is stated for certain, sentence by sentence, without the full stops.

    Of "I'm vegan, what can I make?" and "a cake for Anna, who is vegan?" the part that is stated.
    """
    found = []
    for text in _SENTENCE.findall(_QUOTED.sub(" ", said[:LONGEST_SAID])):
        stated = [_before_asking(text)]
        stated += [f"{m[1]}{m[2]}" for m in _WHO_IS.finditer(text)]
        found += [s.strip(" .!,。！，;；\n") for s in stated if s and not _UNSURE.search(s)]
    return [sentence for sentence in found if sentence]


def _before_asking(sentence: str) -> str:
    clauses = _CLAUSE.split(sentence)
    asking = next((i for i, clause in enumerate(clauses) if _ASKS.search(clause)), len(clauses))
    asked = "".join(clauses[asking:]).strip()
    tag = _TAG_ZH if is_unspaced(sentence) else _TAG
    return "" if 0 < len(asked) <= tag else ",".join(clauses[:asking])


def is_stated_in(statement: Statement, said: str) -> bool:
    """Whether one of the certain sentences has all of the object's words in it."""
    wanted = set(terms(statement.object))
    return bool(wanted) and any(wanted <= set(terms(s)) for s in certain_sentences(said))


def _objects(statement: Statement) -> list[str]:
    known = PREDICATES[statement.predicate]
    parts = _AND.split(statement.object) if known.listed else [statement.object]
    return [p.strip() for p in parts if p and p.strip()]


_TAG, _TAG_ZH = 14, 4
"""Characters of a question that only asks whether it is so: "isn't she?", "对吗？"."""
_CLAUSE = re.compile(r"[,，](?!\d)")
_WHO_IS = re.compile(
    r"(\b(?:[Mm]y|[Oo]ur) \w+(?: [A-Z]\w+)?|\b[A-Z]\w+),? who"
    r"((?:['’]s| is| are| can['’]t| cannot| doesn['’]t| does not| hates?| loves?| likes?) [^?,]*)"
)
_AND = re.compile(r"\s*(?:,|、|，|\band\b|\bor\b|和|跟|还有|以及|或者?)\s*(?:and\b|or\b)?\s*", re.I)
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|『[^』]*』|《[^》]*》")
# A full stop inside a number or an abbreviation ends nothing.
_SENTENCE = re.compile(r"(?:[^.!?。！？;；\n]|\.(?=\w))+[.!?。！？;；\n]*")
_ASKS = re.compile(
    r"[?？]\s*$"
    r"|^\W*(?:what|who|whom|whose|where|when|why|how|which|is|are|am|was|were|do|does|did|can|could"
    r"|will|would|shall|should|may|might|has|have|had|isn['’]t|aren['’]t|don['’]t|doesn['’]t|didn['’]t"
    r"|can['’]t|won['’]t)\b(?! \w+ing\b)"
    r"|吗|呢\W*$|什么|谁|哪|怎么|怎样|为何|几[个点岁号]|多少|是不是|有没有|是否|([\u4e00-\u9fff])不\1",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(?:maybe|perhaps|might|may|could|would|should|if|unless|whether|probably|possibly|apparently"
    r"|wonder\w*|suppose|imagine|pretend|joking|kidding|not sure|unsure|no idea|don['’]t know"
    r"|do not know|i think|i guess|i believe|i feel|i hope|i wish|i doubt|they say|people say"
    r"|i heard|i['’]ve heard|i read|somebody said|someone said|let['’]s say|for example"
    r"|not true|used to(?! be allergic)|almost|nearly)\b|['’]d\b"
    r"|可能|也许|大概|或许|如果|要是|假如|假装|万一|的话|好像|似乎|听说|据说|不知道|不清楚|不确定|说不定"
    r"|应该|想象|开玩笑|我觉得|我猜|我以为|以为|差点|希望|但愿|比如|例如|算是",
    re.IGNORECASE,
)
