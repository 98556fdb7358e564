from fractions import Fraction

import pytest

from omni_agent.tools.recipes.quantities import Amount
from omni_agent.tools.recipes.wording import (
    join,
    plural,
    say_amount,
    say_duration,
    say_ingredient,
    say_temperatures,
    singular,
)


@pytest.mark.parametrize(
    ("value", "unit", "en", "zh"),
    [
        ("3/2", "tsp", "one and a half teaspoons", "一茶匙半"),
        ("1/2", "tsp", "half a teaspoon", "半茶匙"),
        ("3/4", "cup", "three quarters of a cup", "四分之三杯"),
        ("9/4", "tbsp", "two and a quarter tablespoons", "两又四分之一大勺"),
        ("2", "tbsp", "two tablespoons", "两大勺"),
        ("1", "g", "one gram", "一克"),
        ("150", "g", "150 grams", "150克"),
        ("6/5", "kg", "1.2 kilograms", "1.2公斤"),
        ("3/2", "l", "one and a half litres", "一升半"),
    ],
)
def test_amounts_speak_well(value: str, unit: str, en: str, zh: str):
    amount = Amount.of(value, unit)
    assert (say_amount(amount, "en"), say_amount(amount, "zh")) == (en, zh)


def test_a_range_is_said_as_one():
    amount = Amount(Fraction(2), Fraction(3), "tbsp")
    assert say_amount(amount, "en") == "two to three tablespoons"
    assert say_amount(amount, "zh") == "两到三大勺"


@pytest.mark.parametrize(
    ("name", "amount", "loosely", "said"),
    [
        ("oil", Amount.of(2, "tbsp"), "", "two tablespoons of oil"),
        ("egg", Amount.of(3), "", "three eggs"),
        ("eggs", Amount.of(1), "", "one egg"),
        ("onion", Amount.of("1/2"), "", "half an onion"),
        ("tomatoes", Amount.of(2, "large"), "", "two large tomatoes"),
        ("garlic", Amount.of(2, "cloves"), "", "two cloves of garlic"),
        ("salt", None, "a pinch", "a pinch of salt"),
        ("salt", None, "some", "some salt"),
        ("salt", None, "", "salt"),
        ("star anise", Amount.of(2), "", "two star anise"),
    ],
)
def test_english_ingredients(name: str, amount: Amount | None, loosely: str, said: str):
    assert say_ingredient(name, amount, loosely, "en") == said


@pytest.mark.parametrize(
    ("name", "amount", "loosely", "said"),
    [
        ("鸡蛋", Amount.of(2), "", "两个鸡蛋"),
        ("大蒜", Amount.of(3, "瓣"), "", "三瓣大蒜"),
        ("盐", None, "少许", "少许盐"),
        ("盐", None, "", "盐"),
        ("面粉", Amount.of(300, "g"), "", "300克面粉"),
    ],
)
def test_chinese_ingredients(name: str, amount: Amount | None, loosely: str, said: str):
    assert say_ingredient(name, amount, loosely, "zh") == said


def test_durations_are_said():
    assert say_duration(4800, "en") == "one hour and 20 minutes"
    assert say_duration(4800, "zh") == "1小时20分钟"


def test_temperatures_are_said_in_the_measure_the_cook_uses():
    text = "Heat the oven to 200°C"
    assert say_temperatures(text, "en", "as written") == "Heat the oven to 200 degrees Celsius"
    assert say_temperatures(text, "en", "us") == "Heat the oven to 390 degrees Fahrenheit"
    assert say_temperatures("烤箱预热到200°C。", "zh", "metric") == "烤箱预热到200摄氏度。"


@pytest.mark.parametrize(
    ("one", "many"),
    [("potato", "potatoes"), ("berry", "berries"), ("bay leaf", "bay leaves"), ("egg", "eggs")],
)
def test_nouns_have_two_numbers(one: str, many: str):
    assert (plural(one), singular(many)) == (many, one)
    assert (plural(many), singular(one)) == (many, one)


def test_lists_are_joined_as_spoken():
    assert join(["salt", "oil", "rice"], "en") == "salt, oil and rice"
    assert join(["盐", "油", "米"], "zh") == "盐、油和米"
    assert join([], "en") == ""
