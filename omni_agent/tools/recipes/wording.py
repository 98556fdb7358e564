"""Amounts, times and numbers in words that speak well, in English and Chinese."""

from __future__ import annotations

import re
from fractions import Fraction

from omni_agent.messages import Language
from omni_agent.tools.recipes.quantities import Amount, System, convert


def say_ingredient(name: str, amount: Amount | None, loosely: str, language: Language) -> str:
    """ "two tablespoons of oil", "three eggs", "a pinch of salt" · "两大勺油", "少许盐"."""
    if language == "zh":
        if amount is None:
            return f"{loosely}{name}" if _ZH_BEFORE.fullmatch(loosely) else f"{name}{loosely}"
        return f"{say_amount(amount, 'zh')}{name}"
    if amount is None:
        if not loosely:
            return name
        if _EN_AFTER.match(loosely):
            return f"{name}, {loosely}," if " " in loosely else f"{loosely} {name}"
        return f"{loosely} {name}" if _EN_PLAIN.fullmatch(loosely) else f"{loosely} of {name}"
    if not amount.unit:
        return _en_pieces(amount, name)
    if is_measure(amount.unit):
        return f"{say_amount(amount, 'en')} of {name}"
    return _en_pieces(amount, f"{amount.unit} {name}")


_ZH_BEFORE = re.compile("少许|少量|适量|一些|一点|几滴|半碗|[一几半]小?[撮把片]")
_EN_AFTER = re.compile(r"(to taste|as needed|as required|for |to \w+)", re.IGNORECASE)
_EN_PLAIN = re.compile("some|a few|a little|enough|plenty of|a lot of|extra|more|several")


def say_amount(amount: Amount, language: Language) -> str:
    """ "one and a half teaspoons", "150 to 200 grams" · "一茶匙半", "150到200克"."""
    if language == "zh":
        unit = _ZH_UNITS.get(amount.unit, amount.unit) or "个"
        if amount.low == amount.high:
            return zh_quantity(amount.low, unit)
        low, high = zh_number(amount.low, measured=True), zh_number(amount.high, measured=True)
        if amount.high.denominator != 1:
            return f"{low}{unit}到{zh_quantity(amount.high, unit)}"
        return f"{low}到{high}{unit}"
    one, many = _EN_UNITS.get(amount.unit, (singular(amount.unit), plural(amount.unit)))
    if not amount.unit:
        return en_range(amount)
    if amount.low != amount.high:
        return f"{en_range(amount)} {many}"
    if amount.high >= 1:
        return f"{en_number(amount.high)} {one if amount.high == 1 else many}"
    part = en_number(amount.high)
    if part[0].isdigit():
        return f"{part} {many}"
    return f"half {with_article(one)}" if part == "half" else f"{part} of {with_article(one)}"


def is_measure(unit: str) -> bool:
    """Does English say "of" after it: "tablespoons of", "cloves of", but "two large"?"""
    return unit in _EN_UNITS or _EN_COUNTERS.search(singular(unit.lower())) is not None


_EN_UNITS = {
    "g": ("gram", "grams"), "kg": ("kilogram", "kilograms"), "ml": ("millilitre", "millilitres"),
    "l": ("litre", "litres"), "tsp": ("teaspoon", "teaspoons"), "cup": ("cup", "cups"),
    "tbsp": ("tablespoon", "tablespoons"), "oz": ("ounce", "ounces"), "lb": ("pound", "pounds"),
    "floz": ("fluid ounce", "fluid ounces"), "cm": ("centimetre", "centimetres"),
}  # fmt: skip
_EN_COUNTERS = re.compile(
    r"\b(clove|slice|piece|can|tin|jar|bunch|sprig|stalk|stick|pinch|handful|leaf|head|sheet|packet"
    r"|knob|dash|drop|block|ball|bag|bulb|cube|rasher|strip|fillet|ear|pod|inch|glass|bottle|dozen"
    r"|bowl|spoon|scoop|drizzle|splash|rib|wedge|sachet|punnet|square|thumb|pack|grind|chunk|sliver"
    r"|quart|pint|cupful|spoonful)$"
)
_ZH_UNITS = {
    "g": "克", "kg": "公斤", "ml": "毫升", "l": "升", "tsp": "茶匙", "tbsp": "大勺", "cup": "杯",
    "oz": "盎司", "lb": "磅", "floz": "液盎司", "cm": "厘米",
}  # fmt: skip


def _en_pieces(amount: Amount, name: str) -> str:
    if amount.low == amount.high and amount.high < 1:
        part = en_number(amount.high)
        joint = " " if part == "half" else " of "
        return f"{part}{joint}{with_article(singular(name))}"
    return f"{en_range(amount)} {singular(name) if amount.high == 1 else plural(name)}"


def with_article(noun: str) -> str:
    """ "a wok", "an oven"; plurals and Chinese stay as they are."""
    if not noun.isascii() or singular(noun) != noun:
        return noun
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


# --- numbers ---------------------------------------------------------------------------------

_EN_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_EN_WORDS += ["ten", "eleven", "twelve"]
_EN_PARTS = {
    Fraction(1, 2): "half", Fraction(1, 4): "a quarter", Fraction(3, 4): "three quarters",
    Fraction(1, 3): "a third", Fraction(2, 3): "two thirds", Fraction(1, 8): "an eighth",
}  # fmt: skip


def en_number(value: Fraction) -> str:
    """3 → "three", 1½ → "one and a half", 150 → "150", 1.35 → "1.35"."""
    whole, part = divmod(value, 1)
    if part == 0:
        return _EN_WORDS[int(whole)] if whole <= 12 else str(int(whole))
    if part not in _EN_PARTS or whole > 12:
        return f"{float(value):.2f}".rstrip("0").rstrip(".")
    words = _EN_PARTS[part]
    if whole == 0:
        return words
    return f"{_EN_WORDS[int(whole)]} and {'a half' if words == 'half' else words}"


def en_range(amount: Amount) -> str:
    if amount.low == amount.high:
        return en_number(amount.low)
    return f"{en_number(amount.low)} to {en_number(amount.high)}"


_ZH_DIGITS = "零一二三四五六七八九十"
_ZH_PARTS = {
    Fraction(1, 4): "四分之一", Fraction(3, 4): "四分之三", Fraction(1, 3): "三分之一",
    Fraction(2, 3): "三分之二", Fraction(1, 8): "八分之一", Fraction(1, 2): "半",
}  # fmt: skip


def zh_number(value: Fraction, *, measured: bool = False) -> str:
    """2 → "二" ("两" before a measure word), 15 → "15", ¾ → "四分之三"."""
    whole, part = divmod(value, 1)
    if part == 0:
        if value == 2 and measured:
            return "两"
        return _ZH_DIGITS[int(whole)] if whole <= 10 else str(int(whole))
    if whole == 0 and part in _ZH_PARTS:
        return _ZH_PARTS[part]
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def zh_quantity(value: Fraction, unit: str) -> str:
    """ "两大勺", "半茶匙", "一茶匙半", "两又四分之一杯", "150克"."""
    whole, part = divmod(value, 1)
    if part and whole and whole <= 10 and part in _ZH_PARTS:
        count = zh_number(Fraction(whole), measured=True)
        if part == Fraction(1, 2):
            return f"{count}{unit}半"
        return f"{count}又{_ZH_PARTS[part]}{unit}"
    return f"{zh_number(value, measured=True)}{unit}"


# --- times and temperatures ------------------------------------------------------------------


def say_duration(seconds: int, language: Language) -> str:
    """ "an hour and 20 minutes", "10 minutes" · "1小时20分钟", "10分钟"."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if language == "zh":
        parts = [(hours, "小时"), (minutes, "分钟"), (seconds, "秒")]
        return "".join(f"{n}{unit}" for n, unit in parts if n) or "0秒"
    parts = [(hours, "hour"), (minutes, "minute"), (seconds, "second")]
    said = [f"{'one' if n == 1 else n} {unit}{'s' if n != 1 else ''}" for n, unit in parts if n]
    return " and ".join(said) or "0 seconds"


_DEGREES = re.compile(
    r"(\d+)(?:\s*[-–]\s*(\d+))?\s*(?:°\s*([CF])\b|(℃)|degrees ([CF])\w*\b|(摄氏度))"
)


def say_temperatures(text: str, language: Language, system: System) -> str:
    """Write "200°C" so that it is read aloud right, in °F where the cook uses US measures."""

    def spoken(match: re.Match[str]) -> str:
        written = "°F" if "F" in (match[3], match[5]) else "°C"
        wanted = {"us": "°F", "metric": "°C"}.get(system, written)
        values = [float(v) for v in (match[1], match[2]) if v]
        if wanted != written:
            values = [5 * round(convert(v, written, wanted) / 5) for v in values]
        if language == "zh":
            numbers = "到".join(f"{v:.0f}" for v in values)
            return f"{numbers}{'华氏度' if wanted == '°F' else '摄氏度'}"
        scale = "Fahrenheit" if wanted == "°F" else "Celsius"
        return f"{' to '.join(f'{v:.0f}' for v in values)} degrees {scale}"

    return _DEGREES.sub(spoken, text)


def pick(language: Language, en: str, zh: str) -> str:
    return zh if language == "zh" else en


def count_people(people: int, language: Language) -> str:
    """ "four" (people) · "四人"."""
    if language == "zh":
        return f"{zh_number(Fraction(people), measured=True)}人"
    return en_number(Fraction(people))


def join(items: list[str], language: Language, *, word: str = "and") -> str:
    """ "a, b and c" · "a、b和c"."""
    if language == "zh":
        return "和".join(["、".join(items[:-1]), items[-1]] if len(items) > 1 else items)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


# --- English nouns ---------------------------------------------------------------------------

_IRREGULAR = {
    "leaves": "leaf", "loaves": "loaf", "halves": "half", "knives": "knife",
    "cookies": "cookie", "chillies": "chilli", "chilies": "chili", "inches": "inch",
}  # fmt: skip
_PLURALS = {one: many for many, one in _IRREGULAR.items()}
_UNCOUNTED = re.compile("molasses|anise|swiss|gas|dozen|large|medium|small|ripe|fresh|big")


def singular(noun: str) -> str:
    """The singular of an English noun's last word: "bay leaves" → "bay leaf"."""
    head, space, last = noun.rpartition(" ")
    match last.lower():
        case low if low in _IRREGULAR:
            last = _IRREGULAR[low]
        case low if _UNCOUNTED.fullmatch(low) or low.endswith(("ss", "us")):
            pass
        case low if low.endswith("ies") and len(low) > 4:
            last = last[:-3] + "y"
        case low if low.endswith(("ches", "shes", "sses", "xes", "toes", "goes")):
            last = last[:-2]
        case low if low.endswith("s"):
            last = last[:-1]
    return f"{head}{space}{last}"


def plural(noun: str) -> str:
    """The plural of an English noun's last word: "potato" → "potatoes"."""
    head, space, last = noun.rpartition(" ")
    match last.lower():
        case low if low in _PLURALS:
            last = _PLURALS[low]
        case low if _UNCOUNTED.fullmatch(low) or (low.endswith("s") and not low.endswith("ss")):
            pass
        case low if low.endswith("y") and low[-2:-1] not in "aeiou":
            last = last[:-1] + "ies"
        case low if low.endswith(("ch", "sh", "ss", "x", "tato", "mato")):
            last += "es"
        case _:
            last += "s"
    return f"{head}{space}{last}"
