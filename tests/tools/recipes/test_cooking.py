from pathlib import Path

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import ToolError
from omni_agent.tools.base import TransientMemory
from omni_agent.tools.recipes.cooking import CookingGuide
from omni_agent.tools.recipes.library import RecipeLibrary
from omni_agent.tools.recipes.search import RecipeSearch


@pytest.fixture
def store() -> TransientMemory:
    return TransientMemory()


@pytest.fixture
def guide(library: RecipeLibrary, store: TransientMemory) -> CookingGuide:
    return CookingGuide(library, store, foods=RecipeSearch(library.values()).foods)


def test_a_dish_is_led_through_from_its_first_step_to_its_last(
    library: RecipeLibrary, guide: CookingGuide
):
    dish = library["tomato-egg-stir-fry"]
    begun = guide.start(dish)
    assert begun.words.startswith(
        "Tomato and egg stir-fry for two, about 18 minutes. Step 1 of 5. Beat the four eggs"
    )
    for step in range(2, 6):
        assert guide.next().words.startswith(f"Step {step} of 5.")
    ended = guide.next()
    assert ended.done
    assert "last step" in ended.words
    assert guide.back().step == 5


def test_in_chinese_everything_is_said_in_chinese(library: RecipeLibrary, guide: CookingGuide):
    guide.start(library["tomato-egg-stir-fry"], 4, language="zh")
    said = guide.repeat(language="zh").words
    assert said.startswith("第1步，共5步。把八个鸡蛋")


def test_the_language_may_change_in_the_middle(library: RecipeLibrary, guide: CookingGuide):
    guide.start(library["tomato-egg-stir-fry"])
    assert guide.next(language="zh").words.startswith("第2步，共5步。")
    assert guide.next().words.startswith("Step 3 of 5.")


def test_amounts_scale_but_times_do_not(library: RecipeLibrary, guide: CookingGuide):
    said = guide.start(library["kung-pao-chicken"], 6).words
    assert "900 grams of boneless chicken thighs" in said
    assert "15 minutes" in said


def test_a_step_with_a_wait_offers_a_timer(library: RecipeLibrary, guide: CookingGuide):
    said = guide.start(library["kung-pao-chicken"])
    assert said.words.endswith("Shall I set a 15 minute timer?")
    assert guide.repeat(language="zh").words.endswith("要设一个15分钟的计时器吗？")
    wait = guide.timer()
    assert wait is not None
    assert wait.seconds == 900


def test_jumps_go_anywhere_but_outside(library: RecipeLibrary, guide: CookingGuide):
    guide.start(library["mapo-tofu"])
    assert guide.jump(4).step == 4
    assert guide.jump("last").step == 6
    assert guide.jump("first").step == 1
    assert guide.jump(-1).step == 6
    for nowhere in (0, 7, -7):
        with pytest.raises(ToolError, match=f"no step {nowhere}; the recipe has 6"):
            guide.jump(nowhere)


def test_before_the_first_step_there_is_none(library: RecipeLibrary, guide: CookingGuide):
    guide.start(library["mapo-tofu"])
    assert guide.back().words.startswith("This is the first step. Step 1 of 6.")


@pytest.mark.parametrize(
    ("asked", "language", "said"),
    [
        ("tofu", "en", "450 grams of soft tofu, in step 1."),
        ("豆腐", "en", "450 grams of soft tofu, in step 1."),
        ("豆腐", "zh", "450克嫩豆腐，第1步用。"),
        ("garlc cloves", "en", "Three garlic cloves, in step 2."),
        ("soy sauce", "en", "One tablespoon of light soy sauce, in step 5."),
        ("chocolate", "en", "Mapo tofu has no chocolate in it."),
    ],
)
def test_how_much_of_what(
    library: RecipeLibrary, guide: CookingGuide, asked: str, language: str, said: str
):
    guide.start(library["mapo-tofu"])
    assert guide.how_much(asked, language=language).words == said


def test_an_ingredient_used_twice_is_added_up(tmp_path: Path):
    (tmp_path / "x.cook").write_text(
        "---\ntitle: X\nservings: 2\n---\nAdd @sugar{1%tbsp}.\n\nAdd @sugar{2%tbsp} and @salt.",
        encoding="utf-8",
    )
    library = RecipeLibrary.load(tmp_path, builtin=False)
    guide = CookingGuide(library, TransientMemory())
    guide.start(library["x"])
    assert guide.how_much("sugar").words == "Three tablespoons of sugar, in steps 1 and 2."
    assert guide.how_much("salt").words == "Salt to taste, in step 2."


def test_scaling_in_the_middle_tells_what_is_still_needed(
    library: RecipeLibrary, guide: CookingGuide
):
    guide.start(library["mapo-tofu"])
    guide.jump(6)
    said = guide.scale(6).words
    assert said == "Now for six. From here you need two teaspoons of ground Sichuan pepper."


@pytest.mark.parametrize("people", [0, -3, 101])
def test_an_impossible_number_of_people_is_refused(
    library: RecipeLibrary, guide: CookingGuide, people: int
):
    guide.start(library["mapo-tofu"])
    with pytest.raises(ToolError, match=str(people)):
        guide.scale(people)


def test_ingredients_cookware_and_time_left(library: RecipeLibrary, guide: CookingGuide):
    guide.start(library["mapo-tofu"], language="zh")
    assert guide.ingredients(language="zh").words.startswith("三人份需要450克嫩豆腐、三瓣大蒜")
    assert guide.tools().words == "You need: a saucepan and a wok."
    assert guide.seconds_left() == 25 * 60
    guide.jump("last")
    assert 60 <= guide.seconds_left() <= 5 * 60
    assert guide.where().words.startswith("You are at step 6 of 6 of Mapo tofu")


def test_after_a_restart_the_cook_is_where_they_were(
    library: RecipeLibrary, guide: CookingGuide, store: TransientMemory
):
    guide.start(library["mapo-tofu"], 6)
    guide.jump(4)
    again = CookingGuide(library, store).repeat()
    assert (again.recipe.id, again.step, again.servings) == ("mapo-tofu", 4, 6)


def test_another_dish_in_between_keeps_the_first(library: RecipeLibrary, guide: CookingGuide):
    guide.start(library["mapo-tofu"])
    guide.jump(3)
    guide.start(library["miso-soup"])
    assert guide.finish().words.endswith("Mapo tofu is still at step 3.")
    assert guide.repeat().step == 3


def test_going_back_to_a_dish_goes_on_where_it_was_left(
    library: RecipeLibrary, guide: CookingGuide
):
    guide.start(library["mapo-tofu"])
    guide.jump(3)
    guide.start(library["miso-soup"])
    back = guide.start(library["mapo-tofu"])
    assert back.words.startswith("Back to Mapo tofu. Step 3 of 6.")


async def test_a_dish_left_since_yesterday_begins_anew(library: RecipeLibrary):
    clock = FakeClock()
    guide = CookingGuide(library, TransientMemory(), clock=clock)
    guide.start(library["mapo-tofu"])
    guide.jump(3)
    await clock.advance(13 * 3600)
    assert guide.start(library["mapo-tofu"]).step == 1


def test_a_dish_that_left_the_library_is_not_resumed(
    library: RecipeLibrary, guide: CookingGuide, store: TransientMemory
):
    guide.start(library["mapo-tofu"])
    smaller = RecipeLibrary(r for r in library.values() if r.id != "mapo-tofu")
    assert CookingGuide(smaller, store).dishes == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_a_recipe_it_says_so(guide: CookingGuide, language: str):
    with pytest.raises(ToolError, match="No recipe is started" if language == "en" else "还没有"):
        guide.next(language=language)
