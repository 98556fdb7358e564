from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.tools.places.cuisine import understand, understand_diets
from omni_agent.tools.places.cuisine_table import TASTES
from omni_agent.tools.places.geometry import Point
from omni_agent.tools.places.place import Place


def place(name: str = "X", kind: str = "restaurant", cuisines: str = "") -> Place:
    return Place("node/1", name, kind, Point(60, 25), cuisines=tuple(cuisines.split()))


@pytest.mark.parametrize(
    ("said", "cuisine"),
    [
        ("sushi", "sushi"), ("寿司", "sushi"), ("好吃的寿司店", "sushi"), ("附近的sushi", "sushi"),
        ("日料", "japanese"), ("日本料理", "japanese"), ("burgers", "burger"), ("汉堡", "burger"),
        ("noodles", "noodle"), ("面条", "noodle"), ("some pizza please", "pizza"),
        ("披萨", "pizza"), ("Italian restaurant", "italian"), ("sushi bar", "sushi"),
        ("something spicy", "sichuan"), ("something spicy", "thai"), ("辣的", "indian"),
        ("四川火锅", "sichuan"), ("Sichuan food", "sichuan"), ("local food", "finnish"),
        ("fish and chips", "fish_and_chips"), ("KEBAB!!", "kebab"), ("a steak", "steak_house"),
    ],
)  # fmt: skip
def test_food_is_understood_in_both_languages(said: str, cuisine: str) -> None:
    assert cuisine in understand(said).cuisines


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("coffee", "cafe"), ("a good café", "cafe"), ("咖啡", "cafe"), ("咖啡馆", "cafe"),
        ("bar", "bar"), ("喝一杯", "bar"), ("ice cream", "ice_cream"), ("冰淇淋", "ice_cream"),
        ("restaurants", "restaurant"), ("餐厅", "restaurant"), ("beer", "pub"),
        ("吃饭", "restaurant"), ("somewhere for dinner", "restaurant"), ("便宜的", "fast_food"),
    ],
)  # fmt: skip
def test_kinds_of_place_are_understood_in_both_languages(said: str, kind: str) -> None:
    assert kind in understand(said).kinds


@pytest.mark.parametrize(
    ("said", "diet"),
    [
        ("veggie", "vegetarian"), ("素食", "vegetarian"), ("vegan", "vegan"), ("纯素", "vegan"),
        ("gluten-free", "gluten_free"), ("gluten_free", "gluten_free"), ("无麸质", "gluten_free"),
        ("清真", "halal"), ("lactose free", "lactose_free"),
    ],
)  # fmt: skip
def test_diets_are_understood_in_both_languages(said: str, diet: str) -> None:
    assert understand_diets(said) == {diet}


def test_a_diet_and_a_food_are_two_wishes_in_one() -> None:
    wish = understand("vegan burger")
    assert wish.diets == {"vegan"}
    assert "burger" in wish.cuisines


def test_unknown_words_look_for_a_name() -> None:
    wish = understand("Fazer")
    assert wish.words == ("fazer",)
    assert wish.fit(place("Karl Fazer Café")) == 1
    assert wish.fit(place("Ekberg")) == 0
    assert understand("ônam").fit(place("Ônam")) == 1


def test_a_name_beside_a_food_lifts_that_place() -> None:
    wish = understand("Haru sushi")
    assert wish.fit(place("Haru", cuisines="japanese")) > wish.fit(
        place("Other", cuisines="japanese")
    )


def test_a_place_without_cuisine_is_known_by_its_name() -> None:
    assert understand("sushi").fit(place("Itsudemo Sushi")) > 0.5
    assert understand("tea").fit(place("Teemu's", kind="restaurant")) == 0


def test_nothing_said_wants_anything() -> None:
    assert understand("").fit(place()) == 1
    assert understand("附近有什么").words == ()


def test_every_entry_is_found_by_each_of_its_own_words() -> None:
    assert len(TASTES) >= 80
    for taste in TASTES:
        for phrase in (*taste.en.split("|"), *taste.zh.split("|")):
            wish = understand(phrase)
            assert wish.is_food or wish.diets, phrase
            assert not wish.words, (phrase, wish.words)


@given(st.text(max_size=300))
def test_any_words_are_bearable(said: str) -> None:
    wish = understand(said, said)
    assert 0 <= wish.fit(place("Some Place", cuisines="pizza")) <= 1
