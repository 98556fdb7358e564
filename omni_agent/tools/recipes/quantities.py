"""Amounts: read them, scale them to more people, convert them between measures."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from omni_agent.errors import SettingsError

System = Literal["as written", "metric", "us"]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much: `low` to `high` (equal when it is no range) of a `unit` ("" = pieces).

    `unit` is canonical ("g", "ml", "tbsp" …) where it is a measure, else as the file says it.
    A `fixed` amount stays the same for any number of people.
    """

    low: Fraction
    high: Fraction
    unit: str = ""
    fixed: bool = False

    @classmethod
    def of(cls, value: int | str | Fraction, unit: str = "") -> Amount:
        return cls(Fraction(value), Fraction(value), canonical_unit(unit))

    def __add__(self, other: Amount) -> Amount:
        if self.unit != other.unit:
            raise ValueError(f"cannot add {other.unit!r} to {self.unit!r}")
        return replace(self, low=self.low + other.low, high=self.high + other.high)


# --- scaling ---------------------------------------------------------------------------------


def scale(amount: Amount, factor: Fraction, *, name: str = "") -> Amount:
    """The amount for `factor` times as many people, rounded to what a cook can measure.

    Eggs and cloves stay whole, other pieces go to halves (from 4 on: whole), spoons to quarters,
    grams and millilitres to 5 (below 20: to 1). Nothing is rounded down to none.
    """
    if factor == 1 or amount.fixed:
        return amount
    low = _round(amount.low * factor, amount.unit, name)
    high = _round(amount.high * factor, amount.unit, name)
    return _handier_unit(replace(amount, low=low, high=high))


_WHOLE_UNITS = re.compile(
    r"(clove|slice|leaf|leave|sprig|sheet|can|tin|packet|rasher|strip|fillet|star|pod)s?"
    r"|[瓣片枝张罐包颗粒朵听袋支]"
)
_WHOLE_NAMES = re.compile(
    r"\b(eggs?|egg whites?|yolks?|cloves?|leaf|leaves|slices?|sprigs?|tortillas?|berries|prawns?"
    r"|anise|mushrooms?)$|鸡蛋|鸭蛋|蛋黄|蛋清|皮蛋|虾"
)


def _round(value: Fraction, unit: str, name: str) -> Fraction:
    match unit:
        case "g" | "ml":
            step = Fraction(5) if value >= 20 else Fraction(1) if value >= 3 else Fraction(1, 2)
        case "kg" | "l" | "lb":
            step = Fraction(1, 20)
        case "cup":
            return _nearest_cup(value)
        case "tsp" if value < Fraction(1, 4):
            step = Fraction(1, 8)
        case "tsp" | "tbsp" | "oz" | "floz":
            step = Fraction(1, 4)
        case _ if _WHOLE_UNITS.fullmatch(unit) or _WHOLE_NAMES.search(name.lower()):
            step = Fraction(1)
        case _:
            step = Fraction(1) if value >= 4 else Fraction(1, 2)
    return max(step, round_half_up(value / step) * step)


def round_half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


def _nearest_cup(value: Fraction) -> Fraction:
    """Measuring cups come in quarters and thirds."""
    whole = int(value)
    parts = [Fraction(p) for p in ("0", "1/4", "1/3", "1/2", "2/3", "3/4", "1")]
    best = min(parts, key=lambda part: abs(value - whole - part))
    return max(Fraction(1, 4), whole + best)


_HANDIER = (("g", "kg", 1000), ("ml", "l", 1000), ("tsp", "tbsp", 3))


def _handier_unit(amount: Amount) -> Amount:
    """1500 g → 1.5 kg, 6 tsp → 2 tbsp, ½ tbsp → 1½ tsp; only where the number stays simple."""
    for small, large, ratio in _HANDIER:
        if amount.unit == small and amount.low >= ratio:
            low, high = amount.low / ratio, amount.high / ratio
            simple = Fraction(1, 4) if small == "tsp" else Fraction(1, 20)
            if low % simple == 0 and high % simple == 0:
                return replace(amount, low=low, high=high, unit=large)
    if amount.unit == "tbsp" and amount.high < 1:
        return replace(amount, low=amount.low * 3, high=amount.high * 3, unit="tsp")
    if amount.unit in ("kg", "l") and amount.high < Fraction(1, 2):
        unit = "g" if amount.unit == "kg" else "ml"
        return replace(amount, low=amount.low * 1000, high=amount.high * 1000, unit=unit)
    return amount


# --- reading ---------------------------------------------------------------------------------

_ALIASES = {
    "g": "gram grams gramme grammes gr 克",
    "kg": "kilo kilos kilogram kilograms 公斤 千克",
    "ml": "millilitre millilitres milliliter milliliters cc 毫升",
    "l": "litre litres liter liters 升",
    "tsp": "tsps teaspoon teaspoons 茶匙 小勺 小匙",
    "tbsp": "tbsps tbs tablespoon tablespoons 大勺 汤匙 汤勺 大匙",
    "cup": "cups c 杯",
    "oz": "ounce ounces 盎司",
    "lb": "lbs pound pounds 磅",
    "floz": "fl.oz fluid-ounce fluid-ounces 液盎司",
    "c°": "°c ℃ celsius centigrade degrees-celsius 摄氏度 摄氏",
    "f°": "°f ℉ f fahrenheit degrees-fahrenheit 华氏度 华氏",
}
_CANONICAL = {a: unit for unit, names in _ALIASES.items() for a in (unit, *names.split())}


def canonical_unit(unit: str) -> str:
    """ "grams" → "g", "大勺" → "tbsp"; what is no measure ("cloves", "large") stays as it is."""
    return _CANONICAL.get(unit.strip().lower().rstrip(".").replace(" ", "-"), unit.strip())


_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}
_NUMBER = r"\d+\s+\d+/\d+|\d+/\d+|\d+(?:\.\d+)?"
_QUANTITY = re.compile(rf"(=?)\s*({_NUMBER})(?:\s*(?:-|–|—|~|到|至|to)\s*({_NUMBER}))?\s*(.*)")
_ZH_DIGITS = {"半": "1/2"} | {d: str(i) for i, d in enumerate("一二三四五六七八九十", 1)}
_ZH_NUMBER = re.compile(r"([一二两三四五六七八九十半])(个|只|根|大勺|茶匙|杯)?(半)?$")


def parse_amount(quantity: str, unit: str = "") -> Amount | None:
    """Read "2", "1 1/2", "1½", "0.5", "2-3", "=1" (fixed), "1 pinch", "两". None: only words.

    Raises ValueError where a number is there but makes no sense ("1/0").
    """
    text = quantity.strip()
    for sign, plain in _VULGAR.items():
        text = text.replace(sign, f" {plain}")
    text = text.strip().removesuffix("%").strip()
    if match := _ZH_NUMBER.match(text):
        digit, measure, half = match.groups()
        value = Fraction(_ZH_DIGITS.get(digit, "2")) + (Fraction(1, 2) if half else 0)
        return Amount(value, value, canonical_unit(unit or measure or ""))
    match = _QUANTITY.fullmatch(text)
    if not match:
        return None
    fixed, first, last, rest = match.groups()
    low, high = _number(first), _number(last or first)
    if not 0 < low <= high:
        raise ValueError(f"the amount {quantity!r} is not a number above 0 or a rising range")
    return Amount(low, high, canonical_unit(unit or rest), bool(fixed))


@lru_cache(maxsize=512)  # a library has few different numbers, and a Fraction is slow to make
def _number(text: str) -> Fraction:
    try:
        return sum((Fraction(part) for part in text.split()), Fraction(0))
    except ZeroDivisionError as error:
        raise ValueError(f"the amount {text!r} divides by zero") from error


_DURATION = re.compile(
    r"(\d+(?:\.\d+)?|\d+/\d+)(?:\s*(?:-|–|to|到)\s*(\d+(?:\.\d+)?))?\s*"
    r"(hours?|hrs?|h|小时|minutes?|mins?|m|分钟|分|seconds?|secs?|s|秒钟|秒|days?|天)(?![a-z])",
    re.IGNORECASE,
)
_SECONDS = {"h": 3600, "小": 3600, "m": 60, "分": 60, "s": 1, "秒": 1, "d": 86400, "天": 86400}


def parse_duration(text: str | int) -> int:
    """Seconds in "1 hour 20 minutes", "35分钟", "5-7 minutes" (the lower), 40 (minutes).

    Raises ValueError for anything else.
    """
    if isinstance(text, int) or text.strip().isdigit():
        return int(text) * 60
    found = list(_DURATION.finditer(text.replace("½", ".5")))
    if not found:
        raise ValueError(f'{text!r} is no duration; write for example "35 minutes"')
    return round(sum(Fraction(m[1]) * _SECONDS[m[3][0].lower()] for m in found))


# --- converting ------------------------------------------------------------------------------

_GRAMS = {"g": Fraction(1), "kg": Fraction(1000), "oz": Fraction("28.35"), "lb": Fraction("453.6")}
_MILLILITRES = {u: Fraction(ml) for u, ml in [("ml", 1), ("l", 1000), ("tsp", 5), ("tbsp", 15)]}
_MILLILITRES |= {"cup": Fraction(240), "floz": Fraction(30)}

_DENSITY = {  # g per ml, spooned and levelled
    "flour 面粉": "0.53", "brown-sugar 红糖": "0.9", "sugar 白糖 糖": "0.85", "butter 黄油": "0.95",
    "oil 油": "0.92", "milk 牛奶": "1.03", "honey 蜂蜜": "1.42", "rice 米 大米": "0.83",
    "salt 盐": "1.2", "cocoa 可可粉": "0.42", "oats 燕麦": "0.38", "cornstarch 淀粉": "0.54",
    "water 水 stock broth wine vinegar 醋 高汤 料酒": "1", "cream 奶油 yogurt 酸奶": "1.01",
    "soy-sauce 酱油 生抽 老抽": "1.15",
}  # fmt: skip
_DENSITIES = {w.replace("-", " "): Fraction(d) for ws, d in _DENSITY.items() for w in ws.split()}
_DRY = Fraction("0.91")


def convert(value: float | Fraction, unit: str, to: str, *, ingredient: str = "") -> float:
    """Turn `value` of `unit` into `to`: weights, volumes, °C ↔ °F.

    Between weight and volume the ingredient must be one whose density is known. Raises
    SettingsError naming the units that do not go together.
    """
    source, target = canonical_unit(unit), canonical_unit(to)
    if {source, target} <= {"c", "c°", "cup", "f°"} and "f°" in (source, target):
        source, target = (u if u == "f°" else "c°" for u in (source, target))
    match source, target:
        case ("c°", "f°"):
            return float(value) * 9 / 5 + 32
        case ("f°", "c°"):
            return (float(value) - 32) * 5 / 9
    for table in (_GRAMS, _MILLILITRES):
        if source in table and target in table:
            return float(value * table[source] / table[target])
    density = density_of(ingredient)
    if source in _MILLILITRES and target in _GRAMS and density:
        return float(value * _MILLILITRES[source] * density / _GRAMS[target])
    if source in _GRAMS and target in _MILLILITRES and density:
        return float(value * _GRAMS[source] / density / _MILLILITRES[target])
    if source == target and source in ("c°", "f°"):
        return float(value)
    of_what = f" of {ingredient!r}" if ingredient else " without knowing the ingredient"
    raise SettingsError(f"cannot turn {unit!r} into {to!r}{of_what}")


def density_of(ingredient: str) -> Fraction | None:
    """Grams per millilitre, or None where it is not known."""
    name = ingredient.lower()
    fits = [known for known in _DENSITIES if re.search(rf"(\b|(?<![a-z])){known}(?![a-z])", name)]
    return _DENSITIES[max(fits, key=len)] if fits else None


def in_system(amount: Amount, system: System, *, name: str = "") -> Amount:
    """The amount in metric or US measures; spoons and pieces stay what they are.

    A cup of something dry turns into grams, where its density is known.
    """
    unit = amount.unit
    if system == "us" and unit in ("g", "kg"):
        target = "lb" if amount.high * _GRAMS[unit] >= 454 else "oz"
    elif system == "us" and unit in ("ml", "l"):
        millilitres = amount.high * _MILLILITRES[unit]
        target = "cup" if millilitres >= 60 else "tbsp" if millilitres >= 15 else "tsp"
    elif system == "metric" and unit in ("oz", "lb"):
        target = "g"
    elif system == "metric" and unit in ("cup", "floz"):
        density = density_of(name) or 1
        if density < _DRY:
            ratio = _MILLILITRES[unit] * density
            low, high = (_round_converted(v * ratio, "g") for v in (amount.low, amount.high))
            return replace(amount, low=low, high=high, unit="g")
        target = "ml"
    else:
        return amount
    table = _GRAMS if unit in _GRAMS else _MILLILITRES
    ratio = table[unit] / table[target]
    low, high = (_round_converted(v * ratio, target) for v in (amount.low, amount.high))
    return replace(amount, low=low, high=high, unit=target)


def _round_converted(value: Fraction, unit: str) -> Fraction:
    if unit == "lb":
        return max(Fraction(1, 4), Fraction(round_half_up(value * 4), 4))
    return _round(value, unit, "")
