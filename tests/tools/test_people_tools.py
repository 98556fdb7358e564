"""What the companion's tools answer about people, in a real memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from omni_agent.errors import ToolError
from omni_agent.events import PersonHere
from omni_agent.memory import Memory, TurnRecord
from omni_agent.tools.base import Say, ToolContext
from omni_agent.tools.people import PeopleTools
from omni_agent.tools.people_meant import meant

TOOLS = PeopleTools()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory") as opened:
        yield opened


@pytest.fixture
def ctx(memory: Memory) -> ToolContext:
    """Anna on the left, Ben in the middle, on the right somebody who may be Carla."""
    anna, ben = memory.people.add("Anna"), memory.people.add("Ben")
    stranger = memory.people.add(call="today")
    said = [
        (anna.id, "We are flying to Lisbon in June."),
        (ben.id, "I am allergic to peanuts."),
        (anna.id, "What did Ben say about peanuts?"),
        (stranger.id, 'My "dog" is called Biscuit.'),
    ]
    for number, (person, text) in enumerate(said):
        memory.record_turn(
            TurnRecord(
                conversation="today", agent="companion", turn=number, user=text, reply="Aha.",
                person=person,
            )
        )  # fmt: skip
    here = (
        PersonHere(anna.id, "Anna", x=0.2, pitch=190),
        PersonHere(ben.id, "Ben", x=0.5, pitch=110),
        PersonHere(stranger.id, "Carla", sure=False, x=0.8, pitch=200),
    )
    return ToolContext(memory=memory, present=here, speaker=ben.id)  # type: ignore[arg-type]


def words(answer: object) -> str:
    assert isinstance(answer, Say)
    return answer.text


def test_who_is_here_and_where(ctx: ToolContext) -> None:
    assert words(TOOLS.who_is_here(ctx)) == (
        "Anna is on the left, Ben is in the middle and perhaps Carla is on the right."
    )
    chinese = words(TOOLS.who_is_here(replace(ctx, language="zh")))
    assert chinese == "左边是Anna，中间是Ben，右边是可能是Carla。"


def test_what_somebody_said_is_told_word_for_word(ctx: ToolContext) -> None:
    answer = words(TOOLS.what_did_they_say("Anna", ctx, about="the flight to Lisbon"))
    assert answer == 'Anna said: "We are flying to Lisbon in June."'


def test_a_name_that_was_heard_a_little_wrong_is_understood(ctx: ToolContext) -> None:
    assert meant("Ana", ctx).name == "Anna"
    assert meant("Bens", ctx).name == "Ben"


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ("the woman on the left", "Anna"),
        ("左边的女士", "Anna"),
        ("the man in the middle", "Ben"),
        ("the guy", "Ben"),
        ("me", "Ben"),
        ("我", "Ben"),
        ("whoever sits on the right", "Carla"),
    ],
)
def test_people_are_meant_by_place_voice_or_as_me(person: str, name: str, ctx: ToolContext) -> None:
    assert meant(person, ctx).name == name


def test_the_woman_is_not_guessed_among_two(ctx: ToolContext) -> None:
    with pytest.raises(ToolError, match="not sure who is meant"):
        meant("the woman", ctx)


def test_by_the_voice_alone_it_is_told_so(ctx: ToolContext) -> None:
    assert words(TOOLS.what_did_they_say("the man", ctx)).startswith("Ben, by the voice, said:")


def test_who_is_only_perhaps_meant_is_told_as_not_sure(ctx: ToolContext) -> None:
    answer = words(TOOLS.what_did_they_say("the woman on the right", ctx, about="dog"))
    assert answer.startswith("I am not sure, but I think Carla, on the right, said:")
    assert "My 'dog' is called Biscuit." in answer, "quotes inside cannot end the quotation"


def test_who_said_something(ctx: ToolContext) -> None:
    answer = words(TOOLS.what_did_they_say("who", ctx, about="allergic to peanuts"))
    assert answer == 'Ben said: "I am allergic to peanuts."'


def test_questions_are_no_statements_and_nothing_is_made_up(ctx: ToolContext) -> None:
    answer = words(TOOLS.what_did_they_say("Anna", ctx, about="elephants"))
    assert answer == "I have not heard Anna say anything about elephants."
    answer = words(TOOLS.what_did_they_say("Anna", ctx, about="peanuts"))
    assert answer == (
        "I have not heard Anna say anything about peanuts. "
        'But Ben said: "I am allergic to peanuts."'
    )


def test_nobody_of_that_name_is_an_error_that_says_who_is_known(ctx: ToolContext) -> None:
    with pytest.raises(ToolError, match="Anna, Ben"):
        meant("Zacharias", ctx)


def test_how_people_look(ctx: ToolContext, memory: Memory) -> None:
    anna, ben = memory.people.named("Anna")[0], memory.people.named("Ben")[0]
    memory.people.look(ben, "glasses", "yes", confidence=0.9)
    memory.people.look(anna, "glasses", "no", confidence=0.9)
    memory.people.look(anna, "clothes", "red", confidence=0.9)
    assert words(TOOLS.how_do_they_look("everybody", ctx, feature="glasses")) == "Ben has glasses."
    answer = words(TOOLS.how_do_they_look("Anna", ctx))
    assert answer == "Anna's clothes: red; Anna has no glasses."


def test_who_wears_glasses_is_asked_of_all_whoever_the_model_takes_for_the_answer(
    ctx: ToolContext, memory: Memory
) -> None:
    anna, ben = memory.people.named("Anna")[0], memory.people.named("Ben")[0]
    memory.people.look(ben, "glasses", "yes", confidence=0.9)
    memory.people.look(anna, "glasses", "no", confidence=0.9)
    for heard in ("Who wears glasses?", "And which of us has glasses?", "谁戴眼镜？"):
        asked = replace(ctx, heard=heard)
        answer = words(TOOLS.how_do_they_look("Anna", asked, feature="glasses"))
        assert answer == "Ben has glasses."
    asked = replace(ctx, heard="Does Anna wear glasses?")
    answer = words(TOOLS.how_do_they_look("Anna", asked, feature="glasses"))
    assert answer == "Anna has no glasses."


@pytest.mark.parametrize(
    ("heard", "asks"),
    [
        ("The spare key is under the blue flower pot.", False),
        ("I left my umbrella in the car", False),
        ("我把护照放在抽屉里了", False),
        ("Where did I put the key", True),
        ("So have you seen my key?", True),
        ("Please look for the key", True),
        ("我的钥匙放哪儿了", True),
    ],
)
def test_who_tells_where_a_thing_is_is_not_told_that_it_was_not_seen(
    ctx: ToolContext, heard: str, asks: bool
) -> None:
    answer = words(TOOLS.find_in_scenes("spare key", replace(ctx, heard=heard)))
    assert answer == ("I have not seen spare key." if asks else "Good to know.")


def test_somebody_unknown_is_told_of_by_where_they_sit(ctx: ToolContext, memory: Memory) -> None:
    stranger = memory.people.add(call="today")
    memory.people.look(stranger, "glasses", "yes", confidence=0.9)
    beside = (*ctx.present[:2], PersonHere(stranger.id, None, sure=False, x=0.9))
    answer = TOOLS.how_do_they_look("everybody", replace(ctx, present=beside), feature="glasses")
    assert words(answer) == "The person on the right has glasses."


def test_forget_me_forgets_at_once_and_others_are_asked_about(
    ctx: ToolContext, memory: Memory
) -> None:
    assert "Shall I forget everything about Anna?" in words(TOOLS.forget("Anna", ctx))
    assert memory.people.named("Anna")
    TOOLS.forget("me", ctx)
    assert not memory.people.named("Ben")
    TOOLS.forget("Anna", ctx, confirmed=True)
    assert not memory.people.named("Anna")


def test_remember_keeps_what_was_said_as_the_speakers(ctx: ToolContext, memory: Memory) -> None:
    TOOLS.remember("I park behind the church", ctx)
    (kept,) = memory.list("fact")
    assert kept.text == "I park behind the church"
    assert kept.person == ctx.speaker
    TOOLS.remember("me", ctx)
    assert memory.people.named("Ben")[0].consent == "agreed"


def test_without_a_memory_for_people_it_is_said(tmp_path: Path) -> None:
    with Memory(tmp_path / "memory", people="off") as memory:
        with pytest.raises(ToolError, match="without a memory for people"):
            TOOLS.who_is_here(ToolContext(memory=memory))  # type: ignore[arg-type]
