from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import ToolError
from omni_agent.tools.base import Position, Say, Tool, ToolContext, TransientMemory
from omni_agent.tools.places.geometry import Located
from omni_agent.tools.places.guide import StreetGuide
from omni_agent.tools.places.osm_extract import OsmExtract
from omni_agent.tools.places.place import OSM_ATTRIBUTION, Place

FRIDAY_SIX_PM = datetime(2026, 11, 20, 16, tzinfo=UTC)  # in Helsinki
HARU = {"amenity": "restaurant", "name": "Haru Sushi", "cuisine": "sushi",
        "opening_hours": "11:00-21:00", "addr:street": "Kalevankatu", "addr:housenumber": "5",
        "phone": "+358 9 123 456", "wheelchair": "yes", "outdoor_seating": "yes"}  # fmt: skip
TOWN = [
    (60.1715, 24.94, HARU),
    (60.173, 24.94, {"amenity": "restaurant", "name": "Ônam", "cuisine": "sushi",
                     "opening_hours": "12:00-23:00", "wheelchair": "no"}),
    (60.174, 24.94, {"amenity": "restaurant", "name": "Itsudemo Sushi"}),
    (60.1705, 24.94, {"amenity": "restaurant", "name": "Shut Sushi", "cuisine": "sushi",
                      "opening_hours": "08:00-10:00"}),
    (60.17, 24.943, {"amenity": "cafe", "name": "Café Aalto", "opening_hours": "08:00-20:00",
                     "diet:vegan": "yes"}),
    (60.17, 24.95, {"amenity": "cafe", "name": "Ekberg", "opening_hours": "08:00-20:00"}),
    (60.186, 24.94, {"amenity": "ice_cream", "name": "Jädelino"}),
    (60.1702, 24.9402, {"amenity": "fast_food", "name": "Grilli", "opening_hours": "24/7"}),
]  # fmt: skip
STREETS = [([(60.17, 24.93), (60.17, 24.96)], {"highway": "primary", "name": "Mannerheimintie"})]

WriteMap = Callable[..., Path]


@pytest.fixture
def guide(write_map: WriteMap) -> StreetGuide:
    return StreetGuide(OsmExtract(write_map(nodes=TOWN, ways=STREETS)))


@pytest.fixture
def ctx() -> ToolContext:
    """Facing north, at six on a Friday."""
    return ToolContext(
        clock=FakeClock(FRIDAY_SIX_PM),
        conversation="c1",
        place=Position(60.17, 24.94, heading=0),
    )


async def call(tool: Tool, ctx: ToolContext, **arguments: Any) -> Say:
    said = await tool.prepare(arguments, ctx)()
    assert isinstance(said, Say)
    return said


def names(said: Say) -> list[str]:
    return [place["name"] for place in said.data["places"]]


async def test_three_open_places_are_spoken_the_best_first(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    said = await call(guide.find_places, ctx, what="sushi")
    assert said.text == (
        "Try Haru Sushi, 3 minutes' walk straight ahead, open until 21:00. "
        "There's also Ônam, 5 minutes, open until 23:00; "
        "and Itsudemo Sushi, 7 minutes, hours unknown."
    )
    assert names(said) == ["Haru Sushi", "Ônam", "Itsudemo Sushi"]


async def test_chinese_is_answered_in_chinese_with_names_as_on_the_door(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    said = await call(guide.find_places, replace(ctx, language="zh"), what="好吃的寿司店")
    assert said.text == (
        "推荐 Haru Sushi，在你正前方，步行约3分钟，营业到21:00。"
        "还有 Ônam，步行约5分钟，营业到23:00；以及 Itsudemo Sushi，步行约7分钟，营业时间不详。"
    )


async def test_the_source_is_shown_and_never_spoken(guide: StreetGuide, ctx: ToolContext) -> None:
    for said in (
        await call(guide.find_places, ctx, what="sushi"),
        await call(guide.place_details, ctx, name="the first one"),
        await call(guide.directions_to, ctx),
        await call(guide.where_am_i, ctx),
    ):
        assert said.data["attribution"] == OSM_ATTRIBUTION
        assert "OpenStreetMap" not in said.text


async def test_closed_places_are_left_out_unless_asked_for(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    assert "Shut Sushi" not in names(await call(guide.find_places, ctx, what="sushi"))
    assert "Shut Sushi" in names(await call(guide.find_places, ctx, what="sushi", open_now=False))


async def test_when_all_is_closed_that_is_said_with_when_it_opens(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    night = replace(ctx, clock=FakeClock(datetime(2026, 11, 20, 22, tzinfo=UTC)))
    said = await call(guide.find_places, night, what="coffee")
    assert said.text.startswith(
        "All I found is closed now: Café Aalto, 3 minutes' walk on your right, "
        "closed, opens at 08:00"
    )


async def test_nothing_near_widens_once_and_says_so(guide: StreetGuide, ctx: ToolContext) -> None:
    said = await call(guide.find_places, ctx, what="ice cream")
    assert said.text.startswith("There's nothing within 13 minutes, but farther out try Jädelino")


async def test_nothing_at_all_is_said(guide: StreetGuide, ctx: ToolContext) -> None:
    said = await call(guide.find_places, ctx, what="Georgian", diet="vegan", within_minutes=5)
    assert said.text == (
        "I found no vegan Georgian within 12 minutes on foot, and I did look farther out."
    )
    assert said.data["places"] == []


async def test_within_minutes_is_kept(guide: StreetGuide, ctx: ToolContext) -> None:
    assert names(await call(guide.find_places, ctx, what="sushi", within_minutes=4)) == [
        "Haru Sushi"
    ]


async def test_a_wheelchair_leaves_out_what_it_cannot_enter(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    said = await call(guide.find_places, ctx, what="sushi", wheelchair=True)
    assert names(said) == ["Haru Sushi", "Itsudemo Sushi"]
    assert "wheelchair accessible" in said.text


async def test_a_name_is_found_though_misheard(guide: StreetGuide, ctx: ToolContext) -> None:
    assert names(await call(guide.find_places, ctx, what="Ekberg")) == ["Ekberg"]
    assert names(await call(guide.find_places, ctx, what="Eckberg")) == ["Ekberg"]


async def test_the_second_one_is_the_second_of_the_last_list(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    await call(guide.find_places, ctx, what="sushi")
    for words in ("the second one", "second", "2", "第二家", "Onam", "Number two?"):
        assert (await call(guide.place_details, ctx, name=words)).data["name"] == "Ônam"
    assert (await call(guide.directions_to, ctx)).data["name"] == "Ônam"  # "how do I get there?"
    assert (await call(guide.place_details, ctx, name="最后一家")).data["name"] == "Itsudemo Sushi"


async def test_conversations_do_not_mix(guide: StreetGuide, ctx: ToolContext) -> None:
    await call(guide.find_places, ctx, what="sushi")
    with pytest.raises(ToolError, match="find_places first"):
        await call(guide.place_details, replace(ctx, conversation="c2"), name="the first one")


async def test_details_are_told(guide: StreetGuide, ctx: ToolContext) -> None:
    said = await call(guide.place_details, ctx, name="Haru")
    assert said.text == (
        "Haru Sushi is open until 21:00. It's a sushi restaurant at Kalevankatu 5, 3 minutes' walk "
        "from here. The phone number is +358 9 123 456. It has outdoor seating, wheelchair access."
    )
    zh = await call(guide.place_details, replace(ctx, language="zh"), name="Haru")
    assert zh.text == (
        "Haru Sushi 营业到21:00。这是一家寿司餐厅，地址是 Kalevankatu 5，步行约3分钟。"
        "电话 +358 9 123 456。有户外座位，轮椅可以进出。"
    )


async def test_what_the_map_does_not_say_is_said_to_be_missing(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    said = await call(guide.place_details, ctx, name="Itsudemo")
    assert said.text.startswith("The hours of Itsudemo Sushi are not in the map.")
    assert "No phone in the map." in said.text


async def test_directions_follow_where_the_user_faces_now(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    north = await call(guide.directions_to, ctx, name="Haru Sushi")
    assert north.text == (
        "Haru Sushi is 170 metres straight ahead, about 3 minutes on foot, at Kalevankatu 5. "
        "I can point the way, not guide you turn by turn."
    )
    turned = replace(ctx, place=Position(60.17, 24.94, heading=120), language="zh")
    assert (await call(guide.directions_to, turned)).text == (
        "Haru Sushi 在你的左后方，直线约170米，步行约3分钟，地址是 Kalevankatu 5。"
        "我只能指方向，不能逐路导航。"
    )
    there = replace(ctx, place=Position(60.1715, 24.94))
    assert (await call(guide.directions_to, there)).text == (
        "Haru Sushi is right here (Kalevankatu 5)."
    )


async def test_an_unknown_place_is_named_with_what_there_is(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    await call(guide.find_places, ctx, what="sushi")
    with pytest.raises(ToolError, match=r"'Zanzibar' is known here\. .*Haru Sushi, Ônam"):
        await call(guide.directions_to, ctx, name="Zanzibar")
    with pytest.raises(ToolError, match="The last list had"):
        await call(guide.place_details, ctx, name="the eighth one")


async def test_the_street_and_the_neighbour_are_named(guide: StreetGuide, ctx: ToolContext) -> None:
    labelled = replace(ctx, place=Position(60.17, 24.94, label="the office"))
    assert (await call(guide.where_am_i, labelled)).text == (
        "You're at the office, on Mannerheimintie, next to Grilli."
    )
    assert (await call(guide.where_am_i, replace(ctx, language="zh"))).text == (
        "你在 Mannerheimintie 上，旁边是 Grilli。"
    )


async def test_off_the_map_the_label_is_all_there_is(guide: StreetGuide, ctx: ToolContext) -> None:
    tallinn = replace(ctx, place=Position(59.437, 24.7536, label="Tallinn harbour"))
    assert (await call(guide.where_am_i, tallinn)).text == "You're at Tallinn harbour."
    with pytest.raises(ToolError, match="km from here"):
        await call(guide.where_am_i, replace(ctx, place=Position(59.437, 24.7536)))


async def test_remembered_tastes_order_the_answer_and_are_named(
    guide: StreetGuide, ctx: ToolContext
) -> None:
    memory = TransientMemory()
    memory.remember("I am vegan and allergic to peanuts")
    remembering = replace(ctx, memory=memory)
    first = await call(guide.find_places, remembering)
    assert first.text.startswith("With vegan food in mind, try ")
    assert "Do ask there about peanuts" in first.text
    second = await call(guide.find_places, replace(remembering, language="zh"), what="咖啡")
    assert second.text.startswith("考虑到纯素，推荐 Café Aalto")
    assert "有纯素选择" in second.text
    assert "花生" not in second.text, "once in a conversation is enough"
    assert second.data["allergies"] == ["peanuts"]


@pytest.mark.parametrize(
    ("place", "why"), [(None, "Where are you now"), (Position(123, 0), "no position")]
)
async def test_without_a_position_the_user_is_asked(
    guide: StreetGuide, ctx: ToolContext, place: Position | None, why: str
) -> None:
    for tool in (guide.find_places, guide.where_am_i, guide.directions_to, guide.place_details):
        with pytest.raises(ToolError, match=why):
            await call(tool, replace(ctx, place=place))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"within_minutes": 0}, "within_minutes is 0"),
        ({"within_minutes": -5}, "within_minutes is -5"),
        ({"within_minutes": 10_000}, "within_minutes is 10000"),
        ({"diet": "carnivore"}, "diet. is .carnivore.*vegan"),
    ],
)
async def test_arguments_that_make_no_sense_are_named(
    guide: StreetGuide, ctx: ToolContext, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(ToolError, match=why):
        await call(guide.find_places, ctx, **arguments)


async def test_more_than_eight_places_are_not_shown(ctx: ToolContext) -> None:
    class Crowd:
        attribution = "test"

        async def near(self, position: Located, radius_m: float) -> Sequence[Place]:
            from omni_agent.tools.places.geometry import Point

            return [
                Place(f"n/{i}", f"P{i}", "bar", Point(60.17 + i / 1e4, 24.94)) for i in range(50)
            ]

    said = await call(StreetGuide(Crowd()).find_places, ctx, what="bar")
    assert len(said.data["places"]) == 8
    assert said.text.count("hours unknown") == 3


def test_the_tools_explain_themselves_briefly(guide: StreetGuide) -> None:
    for tool in guide.tools:
        assert len(tool.description) < 80
        assert len(tool.examples) >= 50, "the router wants many"
        assert tool.filler_for("zh")
        utterances = "".join(example.utterance for example in tool.examples)
        assert any("\u4e00" <= c <= "\u9fff" for c in utterances)
        assert any("a" <= c <= "z" for c in utterances)
