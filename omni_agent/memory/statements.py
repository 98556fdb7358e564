"""Reads statements out of what somebody said, by rules that are certain: nothing is guessed.

What is asked, supposed, wished for, heard from others or only so today says nothing lasting. Most
of what people say has nothing in it, and most rules only keep it so.
"""

from __future__ import annotations

import re

from omni_agent.memory.facts import PREDICATES, SPEAKER, Statement, is_role
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
    r"|will|would|shall|should|may|might|has|have|had|isn['’]t|aren['’]t|don['’]t|doesn['’]t|"
    r"didn['’]t"
    r"|can['’]t|won['’]t)\b(?! \w+ing\b)"
    r"|吗|呢\W*$|什么|谁|哪|怎么|怎样|为何|几[个点岁号]|多少|是不是|有没有|是否|([\u4e00-\u9fff])"
    r"不\1",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(?:maybe|perhaps|might|may|could|would|should|if|unless|whether|probably|possibly|"
    r"apparently"
    r"|wonder\w*|suppose|imagine|pretend|joking|kidding|not sure|unsure|no idea|don['’]t know"
    r"|do not know|i think|i guess|i believe|i feel|i hope|i wish|i doubt|they say|people say"
    r"|i heard|i['’]ve heard|i read|somebody said|someone said|let['’]s say|for example"
    r"|not true|used to(?! be allergic)|almost|nearly"
    r"|in (?:the|a|this|that|my) (?:film|movie|book|story|novel|show|series|play|song|dream))\b"
    r"|['’]d\b"
    r"|(?:小说|电影|书|故事|电视剧|游戏|梦)里|听.{1,8}说|可能|也许|大概|或许|如果|要是|假如|假装|万一|的话|好像|似乎|听说|据说|不知道|不清楚|不确定|"
    r"说不定"
    r"|应该|想象|开玩笑|我觉得|我猜|我以为|以为|差点|希望|但愿|比如|例如|算是",
    re.IGNORECASE,
)


# --- what somebody else read in it --------------------------------------------------------------


def is_certain(statement: Statement, said: str) -> bool:
    """Whether words that are certain bear a statement out that a model read in them.

    The object's words must be there, those of the predicate, and who it is about; and nothing that
    denies it.
    """
    cue = _CUES.get(statement.predicate)
    if cue is None or not _is_somebody(statement.subject) or not _lasts(statement):
        return False
    return any(
        cue.search(sentence)
        and _has_words(sentence, statement.object)
        and _is_about(sentence, statement.subject, said)
        and (statement.predicate in _DENIALS or not _DENIES.search(sentence))
        and not _TODAY.search(sentence)
        for sentence in certain_sentences(said)
    )


def _is_somebody(subject: str) -> bool:
    """Not "the man in the book", nor "小说里那个人"."""
    if subject == SPEAKER or is_role(subject):
        return True
    return _A_NAME.fullmatch(subject) is not None


def _lasts(statement: Statement) -> bool:
    """Of what passes, a sentence says much the same as of what lasts."""
    object = statement.object.strip()
    if _POINTS.match(object):
        return False
    place = statement.predicate in ("lives_in", "comes_from")
    return not place or is_unspaced(object) or any(w[0].isupper() for w in object.split())


def may_state(said: str) -> bool:
    """Whether it is worth while to have a model read it."""
    return any(
        len(terms(sentence)) > 2 and (_ME.search(sentence) or _OTHERS.search(sentence))
        for sentence in certain_sentences(said)
    )


def _has_words(sentence: str, object: str) -> bool:
    if is_unspaced(object):
        return object in sentence
    wanted = set(terms(object))
    return bool(wanted) and wanted <= set(terms(sentence))


def _is_about(sentence: str, subject: str, said: str) -> bool:
    if subject == SPEAKER:
        return _ME.search(sentence) is not None
    if is_role(subject):
        mine = (
            rf"\b(?:my|our) (?:\w+ )?{re.escape(subject)}\b|我们?(?:的|家的|家)"
            rf"?{re.escape(subject)}"
        )
        return re.search(mine, said, re.IGNORECASE) is not None
    return subject in said and (subject[0].isupper() or is_unspaced(subject))


_ME = re.compile(r"\b(?:I|me|my|mine|we|us|our)\b|\bI['’]|[我咱]", re.IGNORECASE)
_OTHERS = re.compile(
    r"(?<!^)\b[A-Z][a-z]+|^[A-Z][a-z]+ (?:is|has|can|does|likes|loves|hates|lives)\b"
    r"|[他她]|[\u4e00-\u9fff]{4}"
)
_TODAY = re.compile(
    r"\b(?:today|tonight|right now|at the moment)\b|今天|今晚|这次|这会儿", re.IGNORECASE
)
_DENIES = re.compile(
    r"\b(?:not|no|never|none|without|hardly)\b|n['’]t\b|不|没|别|无", re.IGNORECASE
)
_A_NAME = re.compile(
    r"[A-Z\u00c0-\u00de][\w'’-]+(?: [A-Z\u00c0-\u00de][\w'’-]+)?|[\u4e00-\u9fff]{2,3}"
)
_POINTS = re.compile(r"(?:this|that|these|those|it|your?s?)\b|[这那你]", re.IGNORECASE)
_DENIALS = frozenset({"dislikes", "avoids", "not_allergic_to"})
_CUES = {
    name: re.compile(cue, re.IGNORECASE)
    for name, cue in {
        "likes": r"\b(?:like|love|adore|enjoy|favou?rite|fan|fond|crazy|keen|mad about|best)|喜欢|"
        "爱|最|迷",
        "dislikes": r"\b(?:hate|stand|dislike|detest|can['’]t bear|disgust|yuck|awful|not (?:a )"
        "?fan)|n['’]t (?:like|enjoy)|not like|讨厌|不.{0,2}喜欢|受不了|不.{0,2}爱|烦|难吃",
        "allergic_to": r"allerg|intoleran|coeliac|celiac|过敏|不耐受",
        "not_allergic_to": r"allerg|过敏",
        "avoids": r"\b(?:eat|drink|have|touch|avoid|without|cut out|gave up|given up|off|no)\b|"
        "不.{0,2}[吃喝碰]|忌口|戒",
        "eats": r"\beat|\bdrink|吃|喝",
        "diet": r"vegan|vegetarian|pescatarian|kosher|halal|plant[- ]based|素|清真",
        "lives_in": r"\b(?:live|living|move|home|based|settle)|住|搬|家在|定居",
        "comes_from": r"\b(?:come|originally|['’]m|am|is|are) from\b|\bborn\b|grew up|"
        "来自|老家|出生",
        "works_as": r"\b(?:work|job|profession|earn|teach|retired)|工作|上班|"
        r"[做当]\w{2,5}(?:[，。]|$)",
    }.items()
}
"""By these words a statement can be known. What somebody is called, is to somebody, has and plans
is left to the rules: small models see it everywhere."""
