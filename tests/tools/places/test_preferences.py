from __future__ import annotations

import pytest

from omni_agent.tools.places.preferences import preferences_from


@pytest.mark.parametrize(
    "said",
    ["I'm vegan", "The user is vegan.", "Anna is a vegan", "我吃纯素", "I only eat vegan food"],
)
def test_a_diet_is_remembered(said: str) -> None:
    assert preferences_from([said]).diets == {"vegan"}


@pytest.mark.parametrize(
    "said",
    ["I'm not vegan", "I used to be vegan", "Where can I get vegan food?", "我不是纯素",
     "附近有没有纯素的店？"],
)  # fmt: skip
def test_what_was_denied_or_asked_is_no_preference(said: str) -> None:
    assert preferences_from([said]).diets == set()


@pytest.mark.parametrize(
    ("said", "allergies"),
    [
        ("I'm allergic to peanuts and shellfish", ("peanuts", "shellfish")),
        ("She has a nut allergy", ("nuts",)),
        ("我对花生过敏", ("peanuts",)),
        ("我对芒果严重过敏", ("芒果",)),
    ],
)
def test_an_allergy_is_remembered(said: str, allergies: tuple[str, ...]) -> None:
    assert preferences_from([said]).allergies == allergies


@pytest.mark.parametrize(
    "said",
    ["Soma is a vegan restaurant", "这是一家素食餐厅", "With vegan food in mind, try Soma",
     "I'd like a pizza", "She would like some sushi"],
)  # fmt: skip
def test_what_is_said_of_a_place_or_of_the_moment_is_no_preference(said: str) -> None:
    assert preferences_from([said]) == preferences_from([])


def test_an_allergy_to_gluten_or_milk_is_a_diet() -> None:
    assert preferences_from(["I'm allergic to gluten"]).diets == {"gluten_free"}
    assert preferences_from(["He is lactose intolerant"]).diets == {"lactose_free"}


def test_likes_and_dislikes_are_told_apart() -> None:
    preferences = preferences_from(
        ["I don't like pizza but I love sushi", "我喜欢吃火锅，但不吃汉堡"]
    )
    assert [w.label_en for w in preferences.likes] == ["sushi", "hot pot"]
    assert [w.label_en for w in preferences.dislikes] == ["pizza", "burger"]


def test_a_wheelchair_is_remembered() -> None:
    assert preferences_from(["I use a wheelchair"]).wheelchair
    assert preferences_from(["我坐轮椅"]).wheelchair


def test_memories_of_anything_else_say_nothing() -> None:
    assert preferences_from(["My sister lives in Turku", "", "x" * 10_000]) == preferences_from([])
