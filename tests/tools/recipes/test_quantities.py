from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.errors import SettingsError
from omni_agent.tools.recipes.quantities import (
    Amount,
    convert,
    in_system,
    parse_amount,
    parse_duration,
    scale,
)


@pytest.mark.parametrize(
    ("written", "low", "high"),
    [
        ("2", "2", "2"),
        ("1 1/2", "3/2", "3/2"),
        ("1½", "3/2", "3/2"),
        ("0.5", "1/2", "1/2"),
        ("12/3", "4", "4"),
        ("2-3", "2", "3"),
        ("1/2 - 1", "1/2", "1"),
        ("2到3", "2", "3"),
        ("两", "2", "2"),
        ("半", "1/2", "1/2"),
    ],
)
def test_amounts_are_read_as_cooks_write_them(written: str, low: str, high: str):
    amount = parse_amount(written, "g")
    assert amount == Amount(Fraction(low), Fraction(high), "g")


def test_a_unit_may_stand_behind_the_number_or_apart():
    assert parse_amount("2 tablespoons") == parse_amount("2", "tbsp") == parse_amount("2", "大勺")


@pytest.mark.parametrize("words", ["a pinch", "少许", "to taste"])
def test_words_are_no_number(words: str):
    assert parse_amount(words) is None


@pytest.mark.parametrize("nonsense", ["1/0", "3-2", "0"])
def test_an_impossible_number_is_refused(nonsense: str):
    with pytest.raises(ValueError, match="amount"):
        parse_amount(nonsense)


@pytest.mark.parametrize(
    ("amount", "name", "factor", "scaled"),
    [
        (Amount.of(3), "eggs", "1/2", Amount.of(2)),
        (Amount.of(3), "鸡蛋", "1/2", Amount.of(2)),
        (Amount.of(1), "egg", "1/4", Amount.of(1)),
        (Amount.of(1), "onion", "3/2", Amount.of("3/2")),
        (Amount.of(3, "cloves"), "garlic", "1/2", Amount.of(2, "cloves")),
        (Amount.of(1, "tsp"), "salt", "3/2", Amount.of("3/2", "tsp")),
        (Amount.of(2, "tsp"), "sugar", "3", Amount.of(2, "tbsp")),
        (Amount.of(1, "tbsp"), "oil", "1/2", Amount.of("3/2", "tsp")),
        (Amount.of(110, "g"), "flour", "1/3", Amount.of(35, "g")),
        (Amount.of(500, "g"), "flour", "3", Amount.of("3/2", "kg")),
        (Amount.of(1, "l"), "stock", "1/4", Amount.of(250, "ml")),
        (Amount.of("1/3", "cup"), "milk", "2", Amount.of("2/3", "cup")),
    ],
)
def test_scaling_gives_what_can_be_measured(amount: Amount, name: str, factor: str, scaled: Amount):
    assert scale(amount, Fraction(factor), name=name) == scaled


def test_a_fixed_amount_is_the_same_for_any_number_of_people():
    amount = parse_amount("=1", "tsp")
    assert amount is not None
    assert scale(amount, Fraction(5)) == amount


@settings(deadline=None)  # the machine may be busy
@given(
    st.fractions(min_value=Fraction(1, 8), max_value=5000, max_denominator=8),
    st.sampled_from(["g", "ml", "kg", "l", "tsp", "tbsp", "cup", "", "cloves", "瓣", "handful"]),
    st.fractions(min_value=Fraction(1, 12), max_value=20, max_denominator=12),
)
def test_nothing_is_ever_scaled_to_none(value: Fraction, unit: str, factor: Fraction):
    assert scale(Amount.of(value, unit), factor).low > 0


@pytest.mark.parametrize(
    ("value", "unit", "to", "ingredient", "result"),
    [
        (350, "F", "C", "", 176.7),
        (180, "°C", "°F", "", 356),
        (1, "cup", "ml", "", 240),
        (1, "cup", "grams", "plain flour", 127.2),
        (200, "克", "盎司", "", 7.05),
        (100, "g", "ml", "蜂蜜", 70.4),
        (2, "tbsp", "tsp", "", 6),
    ],
)
def test_measures_convert(value: float, unit: str, to: str, ingredient: str, result: float):
    assert convert(value, unit, to, ingredient=ingredient) == pytest.approx(result, rel=0.005)


def test_what_does_not_go_together_is_refused_by_name():
    with pytest.raises(SettingsError, match="'cup' into 'g'"):
        convert(1, "cup", "g", ingredient="unicorn")
    with pytest.raises(SettingsError, match="'g' into '°C'"):
        convert(1, "g", "°C")


def test_us_measures_and_back():
    assert in_system(Amount.of(500, "g"), "us") == Amount.of(1, "lb")
    assert in_system(Amount.of(240, "ml"), "us") == Amount.of(1, "cup")
    assert in_system(Amount.of(1, "cup"), "metric", name="flour") == Amount.of(125, "g")
    assert in_system(Amount.of(1, "cup"), "metric", name="milk") == Amount.of(240, "ml")
    assert in_system(Amount.of(2, "tbsp"), "us") == Amount.of(2, "tbsp")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("35 minutes", 2100),
        ("1 hour 20 minutes", 4800),
        ("1h20m", 4800),
        ("1小时20分钟", 4800),
        ("30秒", 30),
        (40, 2400),
        ("5-7 minutes", 300),
    ],
)
def test_durations_are_read(text: str | int, seconds: int):
    assert parse_duration(text) == seconds


def test_a_duration_without_a_time_says_how_to_write_one():
    with pytest.raises(ValueError, match="35 minutes"):
        parse_duration("a while")
