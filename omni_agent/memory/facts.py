"""What is known: statements about somebody, and which of them contradict each other.

A statement is subject, predicate, object. Statements in one slot contradict: the newer one ends the
older one, which is kept with the time until when it was so. Any predicate will do. One that is not
in `PREDICATES` has one object at a time, like `lives_in`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from omni_agent.memory.records import StoredMemory
from omni_agent.memory.values import new_id
from omni_agent.memory.words import is_unspaced, terms

SPEAKER = "speaker"
"""As a subject: whoever said it."""
_TELLER = {"en": "the user", "zh": "用户"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something that is so.

    `subject`: a name, `SPEAKER`, or what somebody is to the speaker ("mother"). `valid_from`: since
    when it is so, where that is known.
    """

    subject: str
    predicate: str
    object: str
    valid_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Predicate:
    """`en`, `zh`: how it is told, with {s} and {o}.

    `many`: there may be several objects at a time, each a slot of its own. `slot`: the slot that it
    shares with its opposite. `listed`: "nuts and eggs" are two objects.
    """

    en: str
    zh: str
    many: bool = False
    slot: str | None = None
    listed: bool = False


PREDICATES: Mapping[str, Predicate] = {
    "name": Predicate("{s}'s name is {o}.", "{s}的名字是{o}。"),
    "relation": Predicate("{s} is {o}.", "{s}是{o}。", many=True),
    "allergic_to": Predicate(
        "{s} is allergic to {o}.", "{s}对{o}过敏。", many=True, slot="allergy", listed=True
    ),
    "not_allergic_to": Predicate(
        "{s} is not allergic to {o}.", "{s}对{o}不过敏。", many=True, slot="allergy", listed=True
    ),
    "avoids": Predicate(
        "{s} does not eat or drink {o}.", "{s}不吃{o}。", many=True, slot="eating", listed=True
    ),
    "eats": Predicate("{s} eats {o}.", "{s}吃{o}。", many=True, slot="eating", listed=True),
    "diet": Predicate("{s} is {o}.", "{s}的饮食是{o}。"),
    "likes": Predicate("{s} likes {o}.", "{s}喜欢{o}。", many=True, slot="taste"),
    "dislikes": Predicate("{s} dislikes {o}.", "{s}不喜欢{o}。", many=True, slot="taste"),
    "lives_in": Predicate("{s} lives in {o}.", "{s}住在{o}。"),
    "comes_from": Predicate("{s} is from {o}.", "{s}来自{o}。"),
    "works_as": Predicate("{s} works as {o}.", "{s}的工作是{o}。"),
    "age": Predicate("{s} is {o}.", "{s}{o}。"),
    "birthday": Predicate("{s}'s birthday is {o}.", "{s}的生日是{o}。"),
    "has": Predicate("{s} has {o}.", "{s}有{o}。", many=True, listed=True),
    "plans": Predicate("{s}'s plan: {o}.", "{s}的计划：{o}。", many=True),
}

DIETARY = ("allergic_to", "avoids", "diet")
"""What is to be minded before somebody is offered something to eat."""


def slot_of(about: str | None, predicate: str | None, object: str | None) -> str | None:
    """What a statement is about; a newer one in the same slot supersedes it.

    `about`: the id of the person, or else the subject.
    """
    if not predicate:
        return None
    name = normal(predicate)
    known = PREDICATES.get(name)
    parts = [str(about), known.slot or name if known else name]
    if known is not None and known.many:
        parts.append(same_thing(str(object)))
    return "\x1f".join(parts).casefold()


def says_the_same(one: tuple[str, str], other: tuple[str | None, str | None]) -> bool:
    """Whether two statements of one slot agree; each is its predicate and its object."""
    (predicate, object), (predicate2, object2) = one, other
    if normal(predicate) != normal(str(predicate2)):
        return False
    known = PREDICATES.get(normal(predicate))
    return (known is not None and known.many) or object.casefold() == str(object2).casefold()


def normal(predicate: str) -> str:
    """ "Is allergic to" → "allergic_to"."""
    return "_".join(predicate.casefold().replace("_", " ").split()).removeprefix("is_")


def same_thing(object: str) -> str:
    """Objects that are told alike: "Peanuts", "the peanut"."""
    found = [t for t in terms(object) if t not in ("the", "a", "an", "any", "all", "my")]
    return " ".join(found) or object.strip()


def sentence(statement: Statement, subject: str, object: str) -> str:
    """The statement in words; `subject` and `object` as `told_as` names them."""
    chinese = is_unspaced(statement.object) or is_unspaced(subject)
    known = PREDICATES.get(normal(statement.predicate))
    if known is None:
        gap, stop = ("", "。") if chinese else (" ", ".")
        return gap.join((subject, statement.predicate.replace("_", " "), object)) + stop
    return (known.zh if chinese else known.en).format(s=subject, o=object)


def fact_of(statement: Statement, episode: StoredMemory, now: datetime) -> StoredMemory:
    """What is to be kept of a statement that was drawn from something somebody said."""
    speaker = episode.speaker or "user"
    name = None if speaker == "user" else speaker
    language = episode.language or "en"
    subject, object = told_as(statement, name or _TELLER[language])
    named, _ = told_as(statement, speaker)
    return StoredMemory(
        id=new_id("f", now),
        kind="fact",
        text=re.sub("^the user", "The user", sentence(statement, subject, object)),
        recorded_at=now,
        valid_from=statement.valid_from or episode.at,
        subject=named,
        predicate=statement.predicate,
        object=statement.object,
        source=episode.id,
        language=language,
        speaker=episode.speaker,
        person=episode.person,
        about=episode.person if statement.subject == SPEAKER else None,
    )


def told_as(statement: Statement, speaker: str) -> tuple[str, str]:
    """Subject and object as a sentence names them. `speaker`: how to call who said it.

    told_as(Statement(subject="mother", predicate="likes", object="tea"), "Ben")
    is ("Ben's mother", "tea").
    """
    subject, object = statement.subject, statement.object
    if subject == SPEAKER:
        subject = speaker
    elif is_role(subject):
        subject = _of(speaker, subject)
    if normal(statement.predicate) == "relation" and is_role(object):
        object = _of(speaker, object)
    return subject, object


def is_role(word: str) -> bool:
    """Whether it is what somebody is to the speaker ("best friend"), rather than a name."""
    return word.casefold().split(" ")[-1] in ROLES or any(
        word.endswith(role) for role in ROLES if is_unspaced(role) and len(word) <= len(role) + 2
    )


def _of(speaker: str, role: str) -> str:
    return f"{speaker}的{role}" if is_unspaced(role) else f"{speaker}'s {role}"


_ROLES = (
    "mother mum mom father dad brother sister son daughter child kid baby wife husband partner "
    "girlfriend boyfriend friend flatmate roommate housemate neighbour neighbor colleague boss "
    "teacher aunt uncle cousin nephew niece grandma grandpa grandmother grandfather grandson "
    "granddaughter mother-in-law father-in-law brother-in-law sister-in-law parents kids children "
    "dog cat "
    "妈妈 母亲 爸爸 父亲 父母 爸妈 哥哥 弟弟 姐姐 妹妹 儿子 女儿 孩子 宝宝 老婆 "
    "妻子 老公 丈夫 女朋友 男朋友 女友 男友 朋友 闺蜜 室友 邻居 同事 老板 老师 "
    "同学 阿姨 姑姑 舅舅 叔叔 伯伯 表哥 表弟 表姐 表妹 堂哥 堂弟 堂姐 堂妹 侄子 "
    "侄女 外甥 奶奶 爷爷 外婆 外公 姥姥 姥爷 孙子 孙女 岳母 岳父 婆婆 公公 妈 "
    "爸 哥 姐 狗 猫"
)
ROLES = frozenset(_ROLES.split())
"""What somebody can be to somebody."""
