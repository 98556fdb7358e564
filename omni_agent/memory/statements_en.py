"""The rules for English sentences: who is spoken of, and what is said of them."""

from __future__ import annotations

import re

from omni_agent.memory.facts import ROLES, SPEAKER, Statement
from omni_agent.memory.words import is_unspaced


def english(sentence: str, last: str = "") -> tuple[list[Statement], str]:
    """The statements of a sentence, and who "he" or "she" would be in the next one.

    `last`: who they would be at its beginning.
    """
    placed: list[tuple[int, Statement]] = []
    spoken_of = [(-1, last)] if last else []
    told_of = 0  # up to here the roles are those of somebody who was named
    for match in _NAMED.finditer(sentence):
        told_of = match.end()
        name = match["name"] or match["called"] or match["named"]
        role = (match["is_role"] or match["of"] or match["role"]).casefold()
        if _is_name(name):
            placed.append((match.start(), _of(name, "relation", role)))
    for match in _SUBJECTS.finditer(sentence):
        who, named_already = _who(match, []), match["role"] and match.end() <= told_of
        if who and who != SPEAKER and not named_already:
            spoken_of.append((match.start(), who))
    for predicate, rule in _RULES:
        for match in rule.finditer(sentence):
            subject = _who(match, [who for at, who in spoken_of if at < match.start()])
            object = _trimmed(match["o"])
            if subject and object and not _says_nothing(predicate, object, sentence, subject):
                also = _beside(sentence[: match.start()]) if _OF_BOTH.search(match[0]) else []
                for each in (*also, subject):
                    placed.append((match.start("o"), _of(each, predicate, object)))
    placed.sort(key=lambda pair: pair[0])
    return [statement for _, statement in placed], spoken_of[-1][1] if spoken_of else ""


def _of(subject: str, predicate: str, object: str) -> Statement:
    return Statement(subject=subject, predicate=predicate, object=object)


def _who(match: re.Match[str], before: list[str]) -> str | None:
    parts = match.groupdict()
    if parts.get("me"):
        return SPEAKER
    if parts.get("role"):
        named = parts.get("named")
        return named if named and _is_name(named) else parts["role"].casefold()
    if name := parts.get("who"):
        return name if _is_name(name) else None
    return before[-1] if parts.get("they") and before else None


def _beside(before: str) -> list[str]:
    """Who else it is said of: "Ben and " before "Anna are allergic"."""
    beside = _BESIDE.search(before)
    who = beside and _who(beside, [])
    return [who] if who else []


def _is_name(word: str) -> bool:
    return word.casefold().split()[0] not in _NO_NAMES


def _trimmed(object: str) -> str:
    object = _TAIL.sub("", object.strip(" ,'’-"))
    return re.sub(r"^(?:an?|any|all|the) (?=\w)", "", object, flags=re.IGNORECASE).strip()


def _says_nothing(predicate: str, object: str, sentence: str, subject: str) -> bool:
    if _POINTS.match(object) or (predicate in _LASTING and _TODAY.search(sentence)):
        return True
    match predicate:
        case "avoids" | "eats":
            return bool(_MEALS.search(object))
        case "age":
            return bool(re.search(r"\bwe\b", sentence, re.I)) and subject == SPEAKER
        case "has":
            return "hot dog" in object.casefold()
        case "likes" | "dislikes":
            return object.split()[0].casefold() in _NO_TASTES
        case _:
            return False


_NO_TASTES = ("the", "your", "to", "how", "when", "what", "where", "why", "being", "having")
_LASTING = ("avoids", "dislikes", "likes", "eats", "has")
_TODAY = re.compile(
    r"\b(?:today|tonight|right now|at the moment|this (?:morning|evening|time))\b", re.I
)
_POINTS = re.compile(
    r"(?:it|this|that|these|those|you|yours?|him|her|them|me|us|one|some|so|anything else|"
    r"something|nothing|everything|anything|much|more|idea|way)\b(?! with| made)(?!['’])",
    re.I,
)
_MEALS = re.compile(
    r"\b(?:breakfast|lunch|dinner|supper|much|enough|time|anything|lot|yet|another|bite)\b", re.I
)
_TAIL = re.compile(
    r"(?:[ ,]+(?:though|either|too|as well|at all|any ?more|anymore|any longer|now|these days|by "
    r"the "
    r"way|actually|please|again|anyway|you know|very much|so much|a lot|the most|best|most of all|"
    r"last \w+|this \w+|for \w+ years?))+$",
    re.I,
)
_NO_NAME_WORDS = (
    "i i'm i’m i've i’ve the this that these those it there here what who which when where "
    "why how he she they we you my our your his her their its everybody everyone nobody "
    "someone somebody anybody people today tomorrow yesterday tonight now then also and but "
    "or so because since although if not no yes ok okay well please thanks thank hello hi hey "
    "oh sorry right sure honestly actually just next step dinner lunch breakfast monday "
    "tuesday wednesday thursday friday saturday sunday december january february march april "
    "june july august september october november"
)
_NO_NAMES = frozenset(_NO_NAME_WORDS.split())

# --- pieces -----------------------------------------------------------------------------------

_ROLE = (
    r"(?:(?:best|old|older|elder|eldest|oldest|younger|youngest|little|big|new|good|twin|close|"
    r"step) )*"
    rf"(?P<{{}}>"
    rf"{'|'.join(sorted((r for r in ROLES if not is_unspaced(r)), key=len, reverse=True))})"
    rf"(?![\\w-])"
)
_NAME = r"(?-i:[A-Z\u00c0-\u00de])\w+(?!\w)(?:[ -](?-i:[A-Z\u00c0-\u00de])\w+(?!\w))?"
_WHO = (
    rf"(?<!\w)(?:(?P<me>I|we)(?!\w)|(?:my|our) {_ROLE.format('role')}(?:,? (?P<named>{_NAME}),?)"
    rf"?(?!['’]s \w+ (?:is|was))"
    rf"|(?P<they>he|she)(?!\w)|(?P<who>{_NAME}))"
)
_IS = r"(?:['’](?:m|s|re)| am| is| are)"
_NOT = r"(?: do not| don['’]t| does not| doesn['’]t)"
_ADVERBS = (
    r"(?: (?:really|also|very|quite|so|absolutely|simply|just|always|severely|seriously|terribly|"
    r"extremely|highly|deathly|both|all|still|now|actually|honestly|especially|particularly|"
    r"mostly|only|rather))*"
)
_WORD = r"[A-Za-z\u00c0-\u024f0-9][\w\u00c0-\u024f'’-]*"
_END = (
    r"(?!(?:so|but|please|i|i['’]m|i['’]ve|he|she|he['’]s|she['’]s|we|we['’]re|my|our|thank\w*|by|"
    r"which|"
    r"who|not|just|though|actually|because|since|when|while|if|and|or|it['’]s|otherwise|especially|"
    r"isn['’]t|is|are|was|says?|said)(?!\w))"
)
_THING = rf"{_END}{_WORD}(?: {_END}{_WORD}){{0,5}}"
_FEW = rf"{_END}{_WORD}(?: {_END}{_WORD}){{0,3}}"
_O = rf"(?P<o>{_THING})"
_LIST = rf"(?P<o>{_FEW}(?:, {_FEW})*(?:,? (?:and|or) {_FEW})?)"
_PLACE = (
    r"(?P<o>(?:the )?(?-i:[A-Z\u00c0-\u00de])[\w\u00c0-\u024f'’-]*"
    r"(?: (?:(?:de|la|le|del|of|upon|am|an|der) )*(?-i:[A-Z\u00c0-\u00de])[\w\u00c0-\u024f'’-]*)*)"
)
_ONES = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBER = (
    rf"(?:\d{{1,3}}|(?:{_TENS.replace(' ', '|')})(?:[- ](?:{_ONES.replace(' ', '|')}))?"
    rf"|{_TEENS.replace(' ', '|')}|{_ONES.replace(' ', '|')})(?![\w-])"
)
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_DATE = (
    rf"(?P<o>(?:the )?[\w-]+(?: of)? {_MONTH}(?: \d{{4}})?|{_MONTH} (?:the )?[\w-]+(?:,? \d{{4}})"
    rf"?)"
)
_DAY = (
    r"(?:(?:on|by|next|this|every) (?:mon|tues|wednes|thurs|fri|satur|sun)day|tomorrow|the day "
    r"after "
    rf"tomorrow|(?:next|this) (?:week|weekend|month|year|spring|summer|autumn|winter|{_MONTH})|at "
    rf"the "
    rf"weekend|(?:in|on the \w+ of|until) {_MONTH}|in (?:\w+ )(?:days|weeks|months)|(?:at|for) "
    rf"christmas)"
)
_JOB = (
    r"(?P<o>(?:(?!(?:few|bit|little|lot|good|bad|big|great|very|fan)\b)[a-z]+ ){0,2}?"
    r"(?:nurse|doctor|teacher|"
    r"student|carpenter|electrician|plumber|baker|cook|chef|driver|"
    r"engineer|programmer|developer|designer|lawyer|farmer|gardener|musician|painter|writer|"
    r"journalist|accountant|architect|scientist|researcher|professor|pilot|waiter|waitress|cleaner|"
    r"firefighter|police officer|policeman|policewoman|soldier|dentist|vet|pharmacist|librarian|"
    r"translator|photographer|mechanic|cashier|secretary|manager|consultant|hairdresser|tailor|"
    r"builder|physiotherapist|midwife|psychologist|social worker|butcher|florist|actor|actress|"
    r"singer|biologist|chemist|physicist|judge|postman|pensioner))"
)
_OWNED = (
    r"(?:cats?|dogs?|kittens?|pupp(?:y|ies)|rabbits?|hamsters?|horses?|parrots?|goldfish|kids?|"
    r"child(?:ren)?|sons?|daughters?|brothers?|sisters?|twins|grandchild(?:ren)?|diabetes|asthma|"
    r"epilepsy|arthritis|migraines?|(?:high|low) blood pressure|(?:heart|kidney) (?:disease|"
    r"trouble)|gout|"
    r"dementia|wheelchair|hearing aids?|pacemaker|car|bike|bicycle|motorbike|boat|garden|piano|"
    r"guitar)"
)

# --- rules ------------------------------------------------------------------------------------


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_SUBJECTS = _rule(_WHO)
_OF_BOTH = _rule(r" (?:are|both)\b|['’]re\b")
_BESIDE = _rule(rf"{_WHO} and $")
_NAMED = _rule(
    rf"(?<!\w)(?P<name>(?!(?:This|That|Here|He|She)\b){_NAME})(?: is|['’]s) (?:my|our) "
    rf"{_ROLE.format('is_role')}(?!\w|['’])"
    rf"|(?<!\w)(?:my|our) {_ROLE.format('of')}(?: is (?:called|named)|['’]s name is) "
    rf"(?P<called>{_NAME})"
    rf"|(?<!\w)(?:my|our) {_ROLE.format('role')},? (?P<named>{_NAME})(?!['’])"
)
_RULES = tuple(
    (predicate, _rule(pattern))
    for predicate, pattern in (
        ("name", rf"(?P<me>my) name(?: is|['’]s) (?P<o>{_NAME})"),
        ("name", rf"(?<!\w)(?P<me>I)(?:['’]m| am) called (?P<o>{_NAME})"),
        ("name", rf"(?<!\w)call (?P<me>me) (?P<o>{_NAME})"),
        ("allergic_to", rf"{_WHO}{_IS}{_ADVERBS} allergic to {_LIST}"),
        (
            "allergic_to",
            rf"{_WHO}(?: have| has|['’]ve got|['’]s got| have got| has got| suffers? from) "
            rf"an?(?: (?:severe|bad|serious|mild|strong|nasty))? (?P<o>{_WORD}(?: {_WORD})?) "
            rf"(?:allergy|intolerance)",
        ),
        ("allergic_to", rf"{_WHO}{_IS}{_ADVERBS} (?P<o>{_WORD})[ -]intolerant"),
        ("allergic_to", rf"{_WHO}{_IS}{_ADVERBS}(?: an?)? (?P<o>coeliac|celiac)(?!\w)"),
        (
            "not_allergic_to",
            rf"{_WHO}(?:{_IS} (?:not|no longer)|(?: is| are)n['’]t){_ADVERBS} allergic to "
            rf"{_LIST}",
        ),
        (
            "not_allergic_to",
            rf"{_WHO} used to be{_ADVERBS} allergic to {_LIST}(?=.*(?:no longer|any ?more|"
            rf"outgr[eo]w|gone|over it|fine))",
        ),
        (
            "avoids",
            rf"{_WHO}(?:{_NOT}| never| no longer| can['’]t| cannot| can not| must not| "
            rf"mustn['’]t| am not allowed to| is not allowed to){_ADVERBS}(?: eat| drink| "
            rf"touch) {_LIST}",
        ),
        (
            "avoids",
            rf"{_WHO}(?: can['’]t| cannot| can not| must not| mustn['’]t){_ADVERBS}(?: have| "
            rf"tolerate| digest) {_LIST}",
        ),
        (
            "avoids",
            rf"{_WHO}{_ADVERBS} (?:avoids?|(?:have |has )?stopped (?:eating|drinking)) {_LIST}",
        ),
        (
            "avoids",
            rf"{_WHO}(?: have|['’]ve| has)(?:n['’]t| not| never) (?:eaten|drunk|touched) {_LIST} "
            rf"(?:since|for|in)(?!\w)",
        ),
        ("eats", rf"{_WHO}(?: can| may)? eats? (?P<o>{_FEW}?) again"),
        (
            "diet",
            rf"{_WHO}(?:{_IS}| became| turned|(?:['’]ve| have| has) (?:become|turned|gone))"
            rf"{_ADVERBS}(?: an?)?(?: strict| lifelong)? (?P<o>vegan|vegetarian|pescatarian)",
        ),
        ("diet", rf"{_WHO}(?: keeps?| eats?)(?: only| strictly)? (?P<o>kosher|halal)"),
        ("likes", rf"{_WHO}{_ADVERBS} (?:like|love|adore|enjoy)s?{_ADVERBS} {_O}"),
        (
            "likes",
            rf"{_WHO}{_IS}{_ADVERBS} (?:fond of|crazy about|mad about|keen on|a (?:big |huge |"
            rf"great )?fan of) {_O}",
        ),
        (
            "likes",
            rf"(?<!\w)(?:(?P<me>my|our)|(?P<who>{_NAME})['’]s) favou?rite (?:{_WORD} )"
            rf"{{1,2}}?(?:is|are) {_O}",
        ),
        (
            "dislikes",
            rf"{_WHO}{_ADVERBS}(?: can['’]t stand| cannot stand| can['’]t bear| hates?| "
            rf"detests?| dislikes?|{_NOT}{_ADVERBS} (?:like|enjoy)|{_IS} not (?:a (?:big )"
            rf"?fan of|keen on|fond of)){_ADVERBS} {_O}",
        ),
        (
            "dislikes",
            rf"{_WHO}(?:['’]ve| have| has|['’]s) never "
            rf"(?:been (?:a (?:big )?fan of|keen on|fond of)|liked|enjoyed|cared for) {_O}",
        ),
        ("lives_in", rf"{_WHO}(?:{_IS} living| lives?)(?: now| currently)? in {_PLACE}"),
        (
            "lives_in",
            rf"{_WHO}(?:['’]ve| have| has)?(?: just| recently)? moved (?:here )?(?:from \w+ )"
            rf"?to {_PLACE}",
        ),
        ("comes_from", rf"{_WHO}(?:{_IS}(?: originally)?| comes?(?: originally)?) from {_PLACE}"),
        ("comes_from", rf"{_WHO}(?:(?: was| were) born| grew up) in {_PLACE}"),
        (
            "works_as",
            rf"{_WHO} works? as (?:an? )?(?P<o>{_WORD}(?: (?!(?:at|in|for|with|on|of)\b)"
            rf"{_END}{_WORD}){{0,3}})",
        ),
        ("works_as", rf"{_WHO}(?:{_IS}|(?:['’]ve| have| has) been) an? {_JOB}"),
        (
            "age",
            rf"{_WHO}{_IS}(?: now| only| already)? (?P<o>{_NUMBER})(?: years old)?(?=[,.!;]| "
            rf"and | but |$)",
        ),
        ("age", rf"{_WHO}(?: just)? (?:turned|turns) (?P<o>{_NUMBER})"),
        (
            "birthday",
            rf"(?<!\w)(?:(?:my|our) {_ROLE.format('role')}['’]s|(?P<me>my)|(?P<who>{_NAME})"
            rf"['’]s) birthday(?: is|['’]s)(?: on)? {_DATE}",
        ),
        ("birthday", rf"{_WHO}(?: was born on| turns {_NUMBER} on) {_DATE}"),
        (
            "has",
            rf"{_WHO}(?: have| has|['’]ve got|['’]s got| have got| has got| owns?| uses?) "
            rf"(?P<o>(?:(?!(?:no|any)\b){_WORD} ){{0,4}}{_OWNED}(?: and (?:{_WORD} )"
            rf"{{0,4}}{_OWNED})?)(?![\w'’-])",
        ),
        (
            "plans",
            rf"{_WHO}(?:{_IS}|['’]ll be| will be)(?: going to be)? (?P<o>(?:flying|going|"
            rf"travelling|traveling|driving|moving|starting|getting|visiting|meeting|seeing)"
            rf"(?: {_WORD}){{0,8}}? {_DAY}(?: (?:at|from|until|in the) {_FEW})?)",
        ),
        (
            "plans",
            rf"{_WHO}(?: have| has|['’]ve got) (?P<o>(?:an?|my|the) (?:{_WORD} )"
            rf"{{0,4}}(?:appointment|exam|interview|wedding|meeting|concert|flight|party)(?: "
            rf"{_WORD}){{0,6}}? {_DAY}(?: at {_FEW})?)",
        ),
    )
)
