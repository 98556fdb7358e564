"""How text is read aloud: numbers, units, times, money, abbreviations and markup become words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def spoken(text: str, language: str) -> str:
    """`text` as the words a reader would say. `language`: "zh", or English rules for any other."""
    text = _without_markup(text, dot=" 点 " if language == "zh" else " dot ")
    for pattern, words in _ZH if language == "zh" else _EN:
        text = pattern.sub(words, text)
    return re.sub(r"[ \t]+", " ", text).strip()


# --- markup, links, emoji -------------------------------------------------------------------

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.S)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_URL = re.compile(r"(?:https?://|www\.)[\w./?=&%#:~+@-]*[\w/]")
_MAIL = re.compile(r"([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)")
_BULLET = re.compile(r"^[ \t]*(?:[-*+•·▪]|#{1,6}|>)[ \t]+", re.M)
_RULER = re.compile(r"^[ \t|:*_=-]{3,}$", re.M)
_NUMBERED = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]+", re.M)
_MARKS = re.compile(r"[*`#~_|<>{}\[\]\\^]+")
_UNDERSCORE = re.compile(r"(?<=\w)_(?=\w)")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,80}>")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u25a0-\u25ff\ufe0f\u200b-\u200f\u20e3]"
)
_LINE_END = re.compile(r"([^\s.,;:!?…。！？，；：、—])[ \t]*\n+")


def _without_markup(text: str, *, dot: str) -> str:
    text = _FENCE.sub(" ", text)
    text = _LINK.sub(r"\1", text)
    text = _URL.sub(lambda m: _say_address(m[0], dot), text)
    text = _MAIL.sub(lambda m: f"{m[1]} at {m[2].replace('.', dot)}", text)
    text = _TAG.sub(" ", text)
    text = _RULER.sub(" ", text)
    text = _BULLET.sub("", text)
    text = _NUMBERED.sub(r"\1, ", text)
    text = re.sub(r"(?<=\d)\s*~\s*(?=\d)", "–", text)
    text = re.sub(r"[~～≈]\s*(?=\d)", "≈", text)
    text = _UNDERSCORE.sub(" ", text)
    text = _MARKS.sub(" ", text)
    text = _EMOJI.sub(" ", text)
    return _LINE_END.sub(r"\1. ", text).replace("\n", " ")


def _say_address(url: str, dot: str) -> str:
    """Only the host is worth hearing."""
    host = urlsplit(url if "://" in url else f"https://{url}").netloc.partition("@")[0]
    return host.partition(":")[0].removeprefix("www.").replace(".", dot)


# --- English --------------------------------------------------------------------------------

_EN_UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "mi": "mile",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "l": "liter", "L": "liter",
    "dl": "deciliter", "cl": "centiliter", "ml": "milliliter", "mL": "milliliter", "h": "hour",
    "hr": "hour", "hrs": "hour", "min": "minute", "mins": "minute", "s": "second",
    "sec": "second", "ms": "millisecond", "kcal": "kilocalorie", "cal": "calorie",
    "tsp": "teaspoon",
    "tbsp": "tablespoon", "lb": "pound", "lbs": "pound", "oz": "ounce", "pt": "pint",
    "kW": "kilowatt", "W": "watt", "V": "volt", "Hz": "hertz", "kB": "kilobyte",
    "MB": "megabyte", "GB": "gigabyte",
}  # fmt: skip
_EN_MONEY = {"€": "euro", "$": "dollar", "£": "pound", "¥": "yuan", "￥": "yuan"}
_EN_ABBREVIATIONS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus",
    "approx.": "approximately", "ca.": "about", "Dr.": "Doctor", "Mr.": "Mister",
    "Mrs.": "Missus", "Ms.": "Miz", "Prof.": "Professor", "Sr.": "Senior", "Jr.": "Junior",
    "incl.": "including", "excl.": "excluding", "min.": "minutes", "temp.": "temperature",
    "tbsp.": "tablespoons", "tsp.": "teaspoons", "a.m.": "AM", "p.m.": "PM",
    "U.S.": "US", "U.K.": "UK",
}  # fmt: skip
_FRACTION_SIGNS = {
    "½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8", "⅜": "3/8",
    "⅝": "5/8", "⅞": "7/8", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5", "⅙": "1/6",
}  # fmt: skip
_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_TENS = "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties"
_N = r"\d+(?:,\d{3})*(?:\.\d+)?"


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))


def _spread_fraction(found: re.Match[str]) -> str:
    whole = (found[1] or "").strip()
    return f"{whole} {_FRACTION_SIGNS[found[2]]}" if whole else _FRACTION_SIGNS[found[2]]


def _en_fraction(found: re.Match[str]) -> str:
    whole, top, bottom = found[1], int(found[2]), int(found[3])
    part = _PARTS.get(bottom)
    if part is None or top >= bottom:
        return f"{whole or ''} {top} over {bottom}"
    said = (
        ("a " if top == 1 and (whole or bottom == 2) else f"{top} ")
        + part
        + ("s" if top > 1 else "")
    )
    return f"{whole.strip()} and {said}" if whole else said


def _en_time(found: re.Match[str]) -> str:
    hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").replace(".", "").upper()
    said = (
        ("" if half else " o'clock")
        if minute == 0
        else f" oh {minute}"
        if minute < 10
        else f" {minute}"
    )
    return f"{hour}{said} {half}".strip()


def _en_money(amount: str, sign: str) -> str:
    whole, _, cents = amount.partition(".")
    unit = _EN_MONEY[sign]
    many = unit if unit == "yuan" or whole == "1" else unit + "s"
    if len(cents) == 2 and cents != "00":
        return f"{whole} {many} {int(cents)}"
    return f"{whole} {many}" if cents in ("", "00") else f"{amount} {unit}s"


def _en_measure(found: re.Match[str]) -> str:
    unit = _EN_UNITS[found[2]]
    one = found[1] in ("1", "1/2")
    return f"{found[1]} {unit if one or unit == 'hertz' else unit + 's'}"


def _en_year(found: re.Match[str]) -> str:
    year, high, low = found[2], found[2][:2], found[2][2:]
    if year[1:3] == "00":
        said = year
    elif low == "00":
        said = f"{high} hundred"
    else:
        said = f"{high} oh {low[1]}" if low[0] == "0" else f"{high} {low}"
    return f"{found[1]} {said}"


def _en_decade(found: re.Match[str]) -> str:
    return f"{found[1]} {_TENS[int(found[2]) - 2]}"


def _rules(*pairs: tuple[str, str | Callable[[re.Match[str]], str]]) -> tuple[_Rule, ...]:
    return tuple((re.compile(pattern), words) for pattern, words in pairs)


_SHARED = _rules(
    (f"(\\d+ ?)?([{''.join(_FRACTION_SIGNS)}])", _spread_fraction),
    (r"(?<=\d)[\u00a0\u202f](?=\d{3}\b)", ""),
    (r"(?<=\d),(?=\d{3}(?!\d))", ""),
    (r"[‘’]", "'"),
    (r"−", "-"),
)
_EN: tuple[_Rule, ...] = _SHARED + _rules(
    (
        rf"(?<!\w)({_alternatives(_EN_ABBREVIATIONS)})(?=(\s*$)?)",
        lambda m: _EN_ABBREVIATIONS[m[1]] + ("." if m[2] is not None else ""),
    ),
    (r"\b[Nn]o\.(?= ?\d)", "number "),
    (r"\b24/7\b", "24 7"),
    (r"\b(1\d|20)([2-9])0['’]?s\b", _en_decade),
    (
        r"\b(\d{4})-(0[1-9]|1[0-2])-([0-3]\d)\b",
        lambda m: f"{_MONTHS[int(m[2]) - 1]} {int(m[3])}, in {m[1]}",
    ),
    (r"(?<=\d)\s*°\s*C\b", " degrees Celsius"),
    (r"(?<=\d)\s*°\s*F\b", " degrees Fahrenheit"),
    (r"(?<=\d)\s*[°º]", " degrees "),
    (r"℃", " degrees Celsius"),
    (r"(?<=[\d%ap])(\s?[-–—]\s?)(?=[€$£]?\d)(?!\d{3,}-)", " to "),
    (r"(?<=M)\s?[–—]\s?(?=\d)", " to "),
    (
        r"\b([01]?\d|2[0-4]):([0-5]\d)(?::[0-5]\d)?(?:\s?([AaPp]\.?[Mm]\b\.?))?",
        _en_time,
    ),
    (rf"([€$£¥￥])\s?({_N})(?!\d)", lambda m: _en_money(m[2], m[1])),
    (rf"({_N})\s?([€£¥￥])", lambda m: _en_money(m[1], m[2])),
    (r"(?<!\d)(\d+ )?\b(\d{1,2})/(\d{1,2})\b(?!/)", _en_fraction),
    (r"(?<=\d)\s?km/h\b", " kilometers per hour"),
    (r"(?<=\d)\s?m/s\b", " meters per second"),
    (r"(?<=\d)\s?mph\b", " miles per hour"),
    (r"(?<=\d)\s?(m|km|cm)²", lambda m: f" square {_EN_UNITS[m[1]]}s"),
    (
        rf"(?<![\w.])({_N})\s?({_alternatives(_EN_UNITS)})\b(?!['’/])",
        _en_measure,
    ),
    (
        rf"(?<=half) ({_alternatives(_EN_UNITS)})\b(?!['’])",
        lambda m: f" {_EN_UNITS[m[1]]}",
    ),
    (r"(?<=\d)\s?[%％]", " percent"),
    (r"(?i)\b(in|since|of|from|until|year|by) ((?:1[1-9]|20)\d\d)\b(?! [a-z\d])", _en_year),
    (r"\b\d{7,}\b", lambda m: " ".join(m[0])),
    (r"\+(?=\d)", " plus "),
    (r"(?<=\d)\.(\d+)", lambda m: " point " + " ".join(m[1])),
    (r"(?<![\w-])-(?=\d)", "minus "),
    (r"(?<=\d)\s*[x×]\s*(?=\d)", " times "),
    (r"×", " times "),
    (r"\s\+\s", " plus "),
    (r"\s=\s", " equals "),
    (r"\bw/o\b", "without"),
    (r"\bw/(?=\s)", "with"),
    (r"≈", "about "),
    (r"&", " and "),
    (r"(?<=\w)/(?=\w)", " "),
    (r"@", " at "),
    (r"[=+/]", " "),
)


# --- Chinese --------------------------------------------------------------------------------

_ZH_UNITS = {
    "km": "公里", "m": "米", "cm": "厘米", "mm": "毫米", "kg": "公斤", "g": "克", "mg": "毫克",
    "l": "升", "L": "升", "dl": "分升", "ml": "毫升", "mL": "毫升", "h": "小时", "min": "分钟",
    "s": "秒", "kcal": "千卡", "km/h": "公里每小时", "W": "瓦", "kW": "千瓦", "GB": "G B",
}  # fmt: skip
_ZH_MONEY = {"€": "欧元", "$": "美元", "£": "英镑", "¥": "元", "￥": "元"}
_ZH_COUNTERS = (
    "个|位|家|只|碗|杯|盘|勺|片|块|条|张|份|次|天|周|小时|分钟|秒|点|种|颗|根|瓣|斤|公斤|公里|克|升|毫升|米|"
    "升|人|本|名|遍|把|步|道|瓶|包|盒|年|半|欧元|美元|元|层|辆|间|匙|汤匙|茶匙|百|千|万"
)
_ZH_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")


def _zh_number(number: str) -> str:
    """Digits as characters: counted up to hundred millions, read one by one beyond."""
    import cn2an

    whole, _, decimals = number.lstrip("0").partition(".")
    if len(whole) > 9 or (number.startswith("0") and number.isdigit() and len(number) > 1):
        return number.replace(".", "点").translate(_ZH_DIGITS)
    said = str(cn2an.an2cn(whole or "0"))
    if said.startswith("一十"):
        said = said[1:]
    return f"{said}点{decimals.translate(_ZH_DIGITS)}" if decimals else said


def _zh_time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    said = (
        ""
        if minute == 0
        else f"零{minute}分"
        if minute < 10
        else "半"
        if minute == 30
        else f"{minute}分"
    )
    return f"{'两' if hour == 2 else hour}点{said}"


def _zh_fraction(found: re.Match[str]) -> str:
    whole, top, bottom = found[1], found[2], found[3]
    said = "半" if (top, bottom) == ("1", "2") and not whole else f"{bottom}分之{top}"
    return f"{whole.strip()}又{said}" if whole else said


_ZH: tuple[_Rule, ...] = _SHARED + _rules(
    (r"\b24/7\b", "全天"),
    (r"\b(\d{4})-(0?[1-9]|1[0-2])-(\d{1,2})\b", lambda m: f"{m[1]}年{int(m[2])}月{int(m[3])}日"),
    (r"(\d{4})(?=年)", lambda m: m[1].translate(_ZH_DIGITS)),
    (r"(?<![\w-])-(?=\d)", "负"),
    (r"(?<=[\d%℃])\s?(?:°C?)?\s?[-–—~～]\s?(?=[€$£]?\d)(?!\d{3,}-)", "到"),
    (r"(?<=\d)\s*(?:°\s*C\b|℃|°C)", "摄氏度"),
    (r"(?<=\d)\s*°\s*F", "华氏度"),
    (r"(?<=\d)\s*[°º]", "度"),
    (r"(?<!\d)([01]?\d|2[0-4])[:：]([0-5]\d)(?:[:：][0-5]\d)?", _zh_time),
    (rf"([€$£¥￥])\s?({_N})", lambda m: f"{m[2]}{_ZH_MONEY[m[1]]}"),
    (rf"({_N})\s?([€£¥￥$])", lambda m: f"{m[1]}{_ZH_MONEY[m[2]]}"),
    (r"(?<!\d)(\d+ )?(\d{1,2})/(\d{1,2})(?![\d/])", _zh_fraction),
    (rf"({_N})\s?[%％]", r"百分之\1"),
    (
        rf"(?<![A-Za-z.])({_N})\s?({_alternatives(_ZH_UNITS)})(?![A-Za-z])",
        lambda m: m[1] + _ZH_UNITS[m[2]],
    ),
    (rf"(半|之\d+)\s?({_alternatives(_ZH_UNITS)})(?![A-Za-z])", lambda m: m[1] + _ZH_UNITS[m[2]]),
    (rf"(?<![\d.A-Za-z第])2(?={_ZH_COUNTERS})(?!点\d)(?!月)", "两"),
    (r"(?<![A-Za-z])\d{7,}", lambda m: m[0].translate(_ZH_DIGITS)),
    (r"(?<![A-Za-z\d.])\d+(?:\.\d+)?(?![A-Za-z\d])", lambda m: _zh_number(m[0])),
    (r"(?<=\d)\s*[x×]\s*(?=\d)", "乘"),
    (r"\s?&\s?", "和"),
    (r"≈", "大约"),
    (r"[@=+/]", " "),
)
