from typing import Any

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import ToolError
from omni_agent.events import ToolFinished
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.tools.base import Say, ToolContext, TransientMemory
from omni_agent.tools.recipes.kitchen import Kitchen
from omni_agent.tools.recipes.library import RecipeLibrary
from omni_agent.tools.runner import ToolRunner
from omni_agent.tools.timers import Timers


@pytest.fixture
def kitchen(library: RecipeLibrary) -> Kitchen:
    return Kitchen(library)


@pytest.fixture
def memory() -> TransientMemory:
    return TransientMemory()


@pytest.fixture
def ask(kitchen: Kitchen, memory: TransientMemory):
    def call(tool: str, language: str = "en", **arguments: Any) -> str:
        context = ToolContext(language=language, memory=memory)
        said = getattr(kitchen, tool).prepare(arguments, context)()
        assert isinstance(said, Say)
        return said.text

    return call


def test_a_meal_from_the_question_to_the_table(ask):
    assert ask("find_recipe", ingredients=["eggs", "tomatoes"]).startswith(
        "You could make Tomato and egg stir-fry, 18 minutes, but you lack spring onions; or"
    )
    assert "Step 1 of 5. Beat the eight eggs" in ask(
        "start_recipe", name="tomato and egg stir-fry", servings=4
    )
    assert ask("next_step").startswith("Step 2 of 5.")
    assert ask("how_much", ingredient="sugar") == "Two teaspoons of sugar, in step 3."
    assert ask("previous_step").startswith("Step 1 of 5.")
    assert ask("go_to_step", number=-1).startswith("Step 5 of 5.")
    assert "Enjoy" in ask("finish_recipe")


def test_the_same_meal_in_chinese(ask):
    assert ask("find_recipe", "zh", ingredients=["鸡蛋", "西红柿"]).startswith(
        "可以做番茄炒蛋，18分钟，还缺葱；"
    )
    assert "第1步，共5步。把八个鸡蛋" in ask("start_recipe", "zh", name="番茄炒蛋", servings=4)
    assert ask("next_step", "zh").startswith("第2步，共5步。")
    assert ask("how_much", "zh", ingredient="糖") == "两茶匙白糖，第3步用。"


def test_a_remembered_allergy_leaves_dishes_out_and_says_why(ask, memory: TransientMemory):
    memory.remember("Anna is allergic to peanuts")
    said = ask("find_recipe", query="spicy chicken")
    assert "You could make Kung pao" not in said
    assert "I left out Kung pao chicken, because: Anna is allergic to peanuts." in said


def test_a_dish_with_a_remembered_allergen_is_started_with_a_warning(ask, memory: TransientMemory):
    memory.remember("Anna is allergic to peanuts")
    assert ask("start_recipe", name="kung pao chicken").startswith(
        "Take care: Anna is allergic to peanuts."
    )


def test_a_warning_that_the_agent_gave_is_no_second_reason(ask, memory: TransientMemory):
    memory.remember("I left it out, because: Anna is allergic to peanuts.", speaker="agent")
    assert "Take care" not in ask("start_recipe", name="kung pao chicken")


def test_an_allergy_to_an_uncommon_food_counts_too(ask, memory: TransientMemory):
    memory.remember("Ben is allergic to bananas")
    assert ask("start_recipe", name="banana bread").startswith("Take care: Ben is allergic")
    memory.remember("Lin is allergic to 香菜")
    assert "Lin is allergic to 香菜" in ask("start_recipe", "zh", name="shakshuka")


def test_a_dish_that_may_be_several_is_asked_about(kitchen: Kitchen, ask):
    with pytest.raises(ToolError, match=r"Which one do you mean: .*chicken"):
        ask("start_recipe", name="chicken")


def test_an_unknown_dish_is_named_in_the_error(ask):
    with pytest.raises(ToolError, match="No recipe is called 'blorp'"):
        ask("start_recipe", name="blorp")


async def test_the_timer_of_a_step_runs_and_speaks_up(library: RecipeLibrary):
    clock, spoken = FakeClock(), list[str]()
    kitchen = Kitchen(library, timers=Timers(clock))
    runner = ToolRunner(kitchen.tools, clock=clock)
    context = ToolContext(clock=clock, announce=spoken.append)

    async def call(tool: str, /, **arguments: Any) -> ToolResult:
        events = [e async for e in runner.run([ToolCall("1", tool, arguments)], context)]
        assert isinstance(events[-1], ToolFinished)
        return events[-1].result

    begun = await call("start_recipe", name="kung pao chicken")
    assert begun.say is not None
    assert begun.say.endswith("Shall I set a 15 minute timer?")
    assert (await call("start_step_timer")).say == "The timer is running: 15 minutes."
    await clock.advance(14 * 60)
    assert spoken == []
    await clock.advance(61)
    assert len(spoken) == 1
    await call("next_step")
    nothing = await call("start_step_timer")
    assert nothing.is_error
    assert "nothing to time" in nothing.content


def test_a_kitchen_without_timers_offers_none(kitchen: Kitchen, ask):
    assert "start_step_timer" not in [tool.name for tool in kitchen.tools]
    assert ask("start_recipe", name="kung pao chicken").endswith("Leave for 15 minutes.")


def test_ingredients_of_a_dish_can_be_asked_without_starting_it(ask):
    ask("start_recipe", name="mapo tofu")
    assert "chickpeas" in ask("list_ingredients", dish="hummus")
    assert ask("repeat_step").startswith("Step 1 of 6.")


def test_going_back_to_a_dish_needs_only_a_part_of_its_name(ask):
    ask("start_recipe", name="Thai green curry")
    ask("next_step")
    ask("start_recipe", name="mapo tofu")
    assert ask("start_recipe", name="curry").startswith("Back to Thai green chicken curry. Step 2")


def test_where_the_cook_is_lies_in_the_memory(library: RecipeLibrary, memory: TransientMemory):
    context = ToolContext(memory=memory)
    Kitchen(library).start_recipe(context, "mapo tofu", 6)
    said = Kitchen(library).next_step(context)
    assert said.text.startswith("Step 2 of 6.")
    assert said.data["servings"] == 6


def test_every_tool_teaches_by_examples_in_both_languages(kitchen: Kitchen):
    for tool in Kitchen(kitchen.library, timers=Timers()).tools:
        said = "".join(e.utterance for e in tool.examples)
        assert len(tool.examples) >= 50, "the router wants many"
        assert any("\u4e00" <= c <= "\u9fff" for c in said), tool
        assert len(tool.description) < 80, tool


def test_measures_are_converted(kitchen: Kitchen):
    said = kitchen.convert_measure(ToolContext(), 350, "F", "C")
    assert said == "350 F = 177 C"
    with pytest.raises(ToolError, match="cannot turn"):
        kitchen.convert_measure(ToolContext(), 1, "cup", "bananas")
