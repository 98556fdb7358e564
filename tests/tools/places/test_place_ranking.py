from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from omni_agent.tools.places.cuisine import understand
from omni_agent.tools.places.geometry import Point
from omni_agent.tools.places.place import Place
from omni_agent.tools.places.preferences import preferences_from
from omni_agent.tools.places.ranking import WEIGHTS, Ranked, rank

HERE = Point(60.17, 24.94)
FRIDAY_NOON = datetime(2026, 11, 20, 10, tzinfo=UTC)
PLAIN = Place("node/1", "Plain", "restaurant", Point(60.171, 24.94), opening_hours="10:00-22:00")


def other(name: str = "Other", **changes: Any) -> Place:
    return replace(PLAIN, id=f"node/{name}", name=name, **changes)


def order(*places: Place, what: str = "", **options: Any) -> list[str]:
    return [r.place.name for r in ranked(*places, what=what, **options)]


def ranked(*places: Place, what: str = "", **options: Any) -> list[Ranked]:
    if "memories" in options:
        options["preferences"] = preferences_from(options.pop("memories"))
    return rank(places, wish=understand(what), origin=HERE, now=FRIDAY_NOON, **options)


def test_open_goes_before_unknown_before_closed() -> None:
    assert order(
        other("Closed", opening_hours="18:00-22:00"), other("Unknown", opening_hours=None), PLAIN
    ) == ["Plain", "Unknown", "Closed"]


def test_a_place_about_to_close_goes_after_one_that_stays_open() -> None:
    assert order(other("Closing", opening_hours="10:00-12:20"), PLAIN) == ["Plain", "Closing"]


def test_near_goes_before_far() -> None:
    assert order(other("Far", point=Point(60.175, 24.94)), PLAIN) == ["Plain", "Far"]


def test_the_food_asked_for_goes_before_food_like_it_and_other_food_is_left_out() -> None:
    assert order(
        other("Japanese", cuisines=("japanese",)),
        other("Pizza", cuisines=("pizza",)),
        other("Sushi", cuisines=("sushi",)),
        what="sushi",
    ) == ["Sushi", "Japanese"]


def test_a_stated_diet_goes_before_an_unstated_and_a_refusal_is_left_out() -> None:
    places = (
        PLAIN,
        other("Vegan", diets={"vegan": "yes"}),
        other("Meat", diets={"vegan": "no"}),
    )
    assert order(*places, what="vegan") == ["Vegan", "Plain"]
    assert order(*places, memories=["I'm vegan"]) == ["Vegan", "Plain"]


def test_vegan_food_is_good_for_vegetarians() -> None:
    assert order(PLAIN, other("Vegan", diets={"vegan": "only"}), what="veggie")[0] == "Vegan"


def test_wheelchair_access_orders_only_where_it_is_wanted() -> None:
    places = (
        other("Steps", wheelchair="no"),
        other("Half", wheelchair="limited"),
        other("Ramp", wheelchair="yes"),
    )
    assert order(*places, wheelchair=True) == ["Ramp", "Half"]
    assert order(*places, memories=["I use a wheelchair"]) == ["Ramp", "Half", "Steps"]
    assert order(*places) == ["Half", "Ramp", "Steps"]  # equal otherwise: by id


def test_what_is_liked_goes_first_and_what_is_disliked_last() -> None:
    places = (PLAIN, other("Ramen", cuisines=("ramen",)), other("Burger", cuisines=("burger",)))
    assert order(*places, memories=["I love ramen", "I hate burgers"]) == [
        "Ramen", "Plain", "Burger",
    ]  # fmt: skip


def test_a_well_described_place_goes_first_among_equals() -> None:
    assert order(PLAIN, other("Zoe", address="Street 1", phone="1"))[0] == "Zoe"


def test_the_score_is_the_sum_of_its_reasons() -> None:
    (only,) = ranked(PLAIN, what="restaurant vegan", wheelchair=True)
    assert only.score == pytest.approx(sum(r.score for r in only.reasons))
    assert {r.term for r in only.reasons} <= set(WEIGHTS)


def test_a_place_can_say_why_in_both_languages() -> None:
    (only,) = ranked(other("V", diets={"vegan": "yes"}), what="vegan")
    assert only.why("en") == "open until 22:00, 2 minutes' walk, vegan options"
    assert only.why("zh") == "营业到22:00，步行约2分钟，有纯素选择"


def test_one_place_mapped_twice_is_one_place() -> None:
    building = other("PLAIN", point=Point(60.1711, 24.94))
    branch = other("Plain ", point=Point(60.175, 24.94))
    assert len(ranked(PLAIN, building)) == 1
    assert len(ranked(PLAIN, replace(branch, name="Plain"))) == 2


def test_the_order_does_not_depend_on_the_order_of_the_map() -> None:
    places = [other(str(i)) for i in range(20)]
    assert order(*places) == order(*reversed(places))


def test_ten_thousand_places_are_ranked_within_a_breath() -> None:
    places = [
        other(str(i), point=Point(60.1 + i % 100 / 1000, 24.9 + i // 100 / 1000))
        for i in range(10_000)
    ]
    started = time.perf_counter()
    assert len(ranked(*places, what="restaurant")) == 10_000
    assert time.perf_counter() - started < 5
