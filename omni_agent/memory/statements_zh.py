"""The rules for Chinese sentences, which often leave out who is spoken of once it is clear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omni_agent.memory.facts import ROLES, SPEAKER, Statement
from omni_agent.memory.words import is_unspaced


def chinese(sentence: str, last: str = "") -> tuple[list[Statement], str]:
    """The statements of a sentence, and who "他" or "她" would be in the next one."""
    found: list[Statement] = []
    rules = _RULES_OF_THE_PAST if _IS_OVER.search(sentence) else _RULES
    third, topic = last, ""  # who "he" is; who a clause without a subject is about
    for clause in _clauses(sentence):
        named = next((match for rule in _NAMED if (match := rule.match(clause))), None)
        if named:
            name = named.groupdict().get("n") or third
            if name and _is_name(name):
                third = topic = name
                if role := named.groupdict().get("r"):
                    found.append(Statement(subject=name, predicate="relation", object=role))
        if not named and (start := _SUBJECT.match(clause)):
            topic = _who(start, third) or topic
            if start["role"] and start["named"] and _is_name(start["named"]):
                found.append(
                    Statement(subject=start["named"], predicate="relation", object=start["role"])
                )
        for predicate, rule in rules:
            if not (match := rule.match(clause)):
                continue
            spoken_of = any(match[group] for group in ("me", "role", "they", "who"))
            subject = _who(match, third) if spoken_of else topic
            object = match["o"].strip() if match["o"] else ""
            if subject and object and not _says_nothing(predicate, object, clause, sentence):
                object = f"{match.groupdict().get('t') or ''}{object}"
                found.append(Statement(subject=subject, predicate=predicate, object=object))
                break
        if topic and topic != SPEAKER:
            third = topic
    return found, third


def _clauses(sentence: str) -> Iterator[str]:
    """One after the other, without what only leads to them; one for each of two who are "both"."""
    for part in _CLAUSE.split(sentence):
        clause = _OPENING.sub("", part.strip())
        if both := _BOTH.match(clause):
            yield both["one"] + both["rest"]
            yield both["other"] + both["rest"]
        else:
            yield clause


def _who(match: re.Match[str], third: str) -> str:
    if match["role"]:
        named = match["named"]
        return named if named and _is_name(named) else match["role"]
    if match["me"]:
        return SPEAKER
    if match["they"]:
        return third
    return match["who"] if match["who"] and _is_name(match["who"]) else ""


def _is_name(word: str) -> bool:
    return bool(word) and not _NO_NAME.search(word)


def _says_nothing(predicate: str, object: str, clause: str, sentence: str) -> bool:
    if _POINTS.match(object) or object in _EMPTY:
        return True
    if predicate in ("avoids", "eats", "likes", "dislikes") and _TODAY.search(clause):
        return True
    match predicate:
        case "avoids" | "eats":
            return object.endswith(("饭", "早餐", "午餐", "晚餐", "东西")) and object != "米饭"
        case "comes_from":
            return bool(_NO_ORIGIN.search(object))
        case "allergic_to":  # whether it still is so is not said
            return bool(_BEFORE.search(clause))
        case "lives_in":
            return object.endswith(("楼", "层", "号", "附近", "家", "里"))
        case "birthday":
            return "月" not in object and "号" not in object
        case "name":
            return object.startswith(("了", "你", "他", "她")) or object in _NOT_CALLED
        case _:
            return False


_CLAUSE = re.compile(r"[，,：:]|——")
_OPENING = re.compile(
    r"^(?:其实|不过|但是?|因为|所以|而且|对了|顺便说(?:一下|一句)|那个|嗯+|哦+|啊|另外|还有|然后|"
    r"可是|"
    r"你好|告诉你|我跟你说|说实话|老实说)+"
)
_TODAY = re.compile("今天|今晚|今早|现在|这次|这会儿|刚才|待会|等会")
_BEFORE = re.compile("以前|小时候|曾经|原来|过去")
_IS_OVER = re.compile(rf"(?:{_BEFORE.pattern}).*过敏.*(?:好了|不过敏了|没事了|不会了|没有了|不再)")
_POINTS = re.compile("[这那你它咱]|任何|上面|下面|一下|什么")
_EMPTY_WORDS = "了 完 的 饱 下 多 太多 很多 得 过 掉 完了 人 她 他 吃 喝 说 想 自己"
_EMPTY = frozenset(_EMPTY_WORDS.split())
_NO_ORIGIN = re.compile(
    "^(?:好|男|女|病|大|老|工|主|一个|个|普通|本地|外地|家|自己|什么|爱|的|客|新|年轻|成年|当事|"
    "负责|这|那)"
)
_NOT_CALLED = ("外卖", "出租车", "救护车", "大家", "一声", "快递", "车", "饿")
_NO_NAME = re.compile(
    "[我你他她它这那谁哪的了是不都也很就还有没在会要能想说对被把给让]|^(?:今|明|昨|后)天|^(?:现在|"
    "以前|以后|大家|"
    "人家|别人|有人|很多|很少|一般|平时|周末|晚上|早上|中午|下午|上午|去年|明年|今年|其实|因为|"
    "所以|如果|虽然|"
    "老师|医生|爸爸|妈妈|孩子|家里|东西|事情|时候|一直|从来|从小|小时|特别|非常|可以|应该|已经|"
    "两个|一个|大概|乳糖|麸质|花粉|酒精|海鲜|"
    "只|最|真|先|再|又|请|帮|做|吃|喝|汤|水|菜|锅|下|上|左|右|前|后|第)"
)

# --- pieces -----------------------------------------------------------------------------------

_ROLE = (
    r"(?:(?:大|小|二|三|最?好的?|大学|中学|高中|小学|同班|亲|老)?"
    rf"(?:{'|'.join(sorted((r for r in ROLES if is_unspaced(r)), key=len, reverse=True))}))"
)
_ADVERB = (
    "(?:从小|一直|其实|真的|特别|非常|超级|比较|现在|从来|已经|有点|有些|严重|一向|平时|最近|向来|"
    "本来|今年|以前|小时候|曾经|原来|过去)"
)
_NAME = r"(?:[\u4e00-\u9fff]{2,3}?|[A-Z][A-Za-z]+)"
_NEXT = (
    "(?:今年|昨年|去年|现在|最近|一直|从小|特别|非常|真的|"
    "[对不喜爱住是在也很都讨受吃养有来搬要就只最热从刚快已已常总])"
)
_WHO = (
    rf"(?:我们?(?:的|家的|家)?(?P<role>{_ROLE})(?P<named>{_NAME}(?={_NEXT}))?"
    rf"|(?P<me>我们家?|我家?|咱们?家?)|(?P<they>[他她])|(?P<who>(?!{_ADVERB}){_NAME}(?={_NEXT})))"
)
_MAYBE = f"(?:{_WHO})?"
_ADVERBS = f"(?:{_ADVERB}|[都也就很最超挺还只可太])*"
_O = r"(?P<o>[^，。]{1,14}?)"
_END = r"(?:了|呢|啊|呀|哦|哈|的)?$"
_NUMBER = r"[一二三四五六七八九十百零两\d]{1,4}"
_WHEN = (
    r"(?P<t>明天|后天|大后天|明年|周末|下?这?个?(?:周|星期|礼拜)[一二三四五六日天末]|下个?(?:周|"
    r"星期|礼拜|月)|"
    r"国庆|春节|中秋|寒假|暑假|五一|[\d一二三四五六七八九十]+月(?:[\d一二三四五六七八九十]+[号日])"
    r"?)"
    r"(?:早上|上午|中午|下午|晚上)?"
)
_JOB = (
    r"(?P<o>[\u4e00-\u9fff]{0,4}?(?:老师|医生|护士|厨师|学生|律师|司机|工程师|程序员|会计|设计师|"
    r"教师|教授|警察|"
    r"消防员|军人|记者|演员|画家|作家|歌手|木匠|电工|水管工|农民|保安|翻译|摄影师|理发师|服务员|"
    r"销售|经理|"
    r"牙医|药剂师|飞行员|公务员|研究员|快递员|研究生|科学家|建筑师|咨询师|导游|裁缝|面包师))"
)
_OWNED = (
    r"(?:猫|狗|兔子|仓鼠|鹦鹉|孩子|儿子|女儿|双胞胎|兄弟|哥哥|弟弟|姐姐|妹妹|孙子|孙女|糖尿病|"
    r"[高低]血压|哮喘|"
    r"心脏病|关节炎|低血糖|痛风|癫痫|偏头痛|胃病|轮椅|助听器|车|自行车|摩托车|钢琴|吉他|花园)"
)
_EAT = "(?:吃|喝|碰)"

# --- rules: each for a whole clause -----------------------------------------------------------

_SUBJECT = re.compile(_WHO)
_BOTH = re.compile(
    rf"(?P<one>我|{_NAME})(?:和|跟)(?P<other>我(?:的|家)?{_ROLE}|我|{_NAME})(?P<rest>都.+)"
)
_NAMED = tuple(
    re.compile(rule)
    for rule in (
        rf"(?P<n>{_NAME})是我们?(?:的|家的|家)?(?P<r>{_ROLE})$",
        rf"我们?(?:的|家的?)?(?P<r>{_ROLE})(?:的名字)?(?:叫做?|名叫)(?P<n>{_NAME})$",
        rf"这位?(?:就)?是我们?(?:的|家的|家)?(?P<r>{_ROLE})(?P<n>{_NAME})$",
        rf"是我们?(?:的|家的|家)?(?P<r>{_ROLE})$",
        rf"[他她](?:的名字)?(?:叫做?|名叫)(?P<n>{_NAME})$",
    )
)
_RULES = tuple(
    (predicate, re.compile(rule))
    for predicate, rule in (
        (
            "name",
            rf"(?P<me>我)(?P<role>)(?P<named>)(?P<they>)(?P<who>)(?:的?名字)?(?:叫做?|是叫)"
            rf"(?P<o>{_NAME})$",
        ),
        (
            "name",
            rf"叫(?P<me>我)(?P<role>)(?P<named>)(?P<they>)(?P<who>)(?P<o>{_NAME})(?:吧|就行|"
            rf"就好|就可以了?|好了)$",
        ),
        ("not_allergic_to", rf"{_MAYBE}{_ADVERBS}对{_O}(?:已经)?不(?:再|会)?过敏{_END}"),
        ("not_allergic_to", rf"{_MAYBE}{_ADVERBS}不(?:再|会)?对{_O}过敏{_END}"),
        (
            "allergic_to",
            rf"{_MAYBE}{_ADVERBS}对(?P<o>[^，。不]{{1,14}}?)(?:严重|特别|非常|有点|会|都|很|"
            rf"也)*过敏{_END}",
        ),
        ("allergic_to", rf"{_MAYBE}{_ADVERBS}(?:有)?(?P<o>[^，。不没对有]{{1,4}}?)不耐受症?$"),
        ("allergic_to", rf"{_WHO}{_ADVERBS}(?:有)?(?P<o>[^，。不没对有]{{1,6}}?)过敏(?:症|史)?$"),
        (
            "diet",
            rf"{_MAYBE}{_ADVERBS}(?:是(?:个|一个|一名)?)?(?P<o>吃全?素|吃纯素|纯?素食(?:主义)"
            rf"?者|纯素主义者|纯素)(?:已经|了|$).*",
        ),
        ("diet", rf"{_MAYBE}{_ADVERBS}只?吃(?P<o>清真|犹太洁食)(?:的|食品|菜)?$"),
        (
            "avoids",
            rf"{_MAYBE}{_ADVERBS}(?:不|从不|不能|不可以|不敢|不可|吃不了|喝不了)(?:再)"
            rf"?{_EAT}?(?<=[吃喝碰了]){_O}$",
        ),
        ("eats", rf"{_MAYBE}{_ADVERBS}(?:又)?(?:可以|能)(?:又)?{_EAT}{_O}了$"),
        ("likes", rf"{_WHO}{_ADVERBS}(?:喜欢|爱)的[^，。]{{1,6}}?(?:是|叫){_O}$"),
        (
            "dislikes",
            rf"{_MAYBE}{_ADVERBS}(?:不(?:太|大|怎么|是很)?(?:喜欢|爱)|讨厌|受不了|最烦|很烦|"
            rf"恨死?){_O}{_END}",
        ),
        ("likes", rf"{_MAYBE}{_ADVERBS}(?:喜欢|热爱|爱上了?|爱|迷上了?){_O}{_END}"),
        ("lives_in", rf"{_MAYBE}{_ADVERBS}(?:住在|定居在?|住)(?P<o>[^，。的]{{2,8}}?)(?:了|呢)?$"),
        (
            "lives_in",
            rf"{_WHO}[^，。]{{0,6}}?搬(?:到|去|来)了?(?P<o>[^，。]{{2,8}}?)(?:来|去|住|了)*$",
        ),
        ("comes_from", rf"{_MAYBE}{_ADVERBS}是(?P<o>[\u4e00-\u9fff]{{2,4}})人$"),
        ("comes_from", rf"{_MAYBE}{_ADVERBS}(?:来自|老家(?:是|在)?){_O}$"),
        (
            "works_as",
            rf"{_MAYBE}{_ADVERBS}(?:是(?:一?[名个位])?|(?:在[^，。]{{1,10}}?)?(?:当|做)"
            rf"(?:一?[名个位])?){_JOB}$",
        ),
        ("age", rf"{_MAYBE}{_ADVERBS}(?:刚|快|满|要)?(?P<o>{_NUMBER}岁半?)(?:了|多)?$"),
        ("birthday", rf"(?:{_WHO}的?)生日(?:是|在){_O}$"),
        ("has", rf"{_MAYBE}{_ADVERBS}(?:里)?(?:养了|养着|养|有)(?P<o>[^，。没]{{0,6}}?{_OWNED})$"),
        (
            "plans",
            rf"{_WHEN}{_WHO}{_ADVERBS}(?:要|会|准备|打算|计划)(?P<o>(?:去|飞|坐|开|参加|见|搬|"
            rf"结婚|出差|回|考|看牙)[^，。]{{0,15}})$",
        ),
        (
            "plans",
            rf"{_WHO}{_ADVERBS}{_WHEN}(?:要|会|准备|打算|计划)(?P<o>(?:去|飞|坐|开|参加|见|搬|"
            rf"结婚|出差|回|考|看牙)[^，。]{{0,15}})$",
        ),
    )
)
_RULES_OF_THE_PAST = (
    ("not_allergic_to", re.compile(rf"{_MAYBE}{_ADVERBS}对{_O}(?:严重|特别|非常)*过敏{_END}")),
    *(pair for pair in _RULES if pair[0] != "allergic_to"),
)
