import time
from fractions import Fraction
from pathlib import Path

import pytest

from omni_agent.errors import RecipeError
from omni_agent.tools.recipes.library import RecipeLibrary
from omni_agent.tools.recipes.recipe import Recipe

LIBRARY = RecipeLibrary.load()


def test_the_library_holds_forty_dishes_in_two_languages_and_none_is_broken():
    assert LIBRARY.problems == ()
    assert len(LIBRARY) >= 40
    assert all(set(r.texts) == {"en", "zh"} for r in LIBRARY.values())


@pytest.mark.parametrize("recipe", LIBRARY.values(), ids=LIBRARY)
def test_a_dish_is_fit_to_be_cooked_from(recipe: Recipe):
    assert 1 <= recipe.servings <= 24
    assert 5 <= recipe.minutes <= 48 * 60
    waits = sum(t.seconds for s in recipe.in_language("en").steps for t in s.timers)
    assert waits <= recipe.minutes * 60
    for language, text in recipe.texts.items():
        assert text.title
        assert 3 <= len(text.steps) <= 15
        assert len(text.ingredients) >= 3
        for step in text.steps:
            said = step.say(language)
            words = len(said) / 1.7 if language == "zh" else len(said.split())
            assert words < 60, said
            assert not set("@#~{}%") & set(said), said
            for i in step.ingredients:
                if i.amount:
                    assert 0 < i.amount.low <= i.amount.high <= 2500, i


@pytest.mark.parametrize("recipe", LIBRARY.values(), ids=LIBRARY)
def test_both_languages_say_the_same_amounts_and_times(recipe: Recipe):
    english, chinese = recipe.in_language("en"), recipe.in_language("zh")
    for ours, theirs in zip(english.steps, chinese.steps, strict=True):
        sizes = [(i.amount and (i.amount.low, i.amount.high)) for i in ours.ingredients]
        assert sizes == [(i.amount and (i.amount.low, i.amount.high)) for i in theirs.ingredients]
        assert [t.seconds for t in ours.timers] == [t.seconds for t in theirs.timers]


@pytest.mark.parametrize("recipe", LIBRARY.values(), ids=LIBRARY)
@pytest.mark.parametrize("people", [1, 3, 5, 12])
def test_both_languages_scale_alike(recipe: Recipe, people: int):
    factor = Fraction(people, recipe.servings)
    english, chinese = recipe.in_language("en").ingredients, recipe.in_language("zh").ingredients
    for ours, theirs in zip(english, chinese, strict=True):
        if ours.amount and theirs.amount:
            scaled, other = ours.scaled(factor).amount, theirs.scaled(factor).amount
            assert scaled
            assert other
            assert (scaled.low, scaled.high) == (other.low, other.high), (ours, theirs)


def test_it_loads_while_a_user_blinks():
    seconds = []
    for _ in range(5):
        start = time.process_time()
        RecipeLibrary.load()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.15


def test_a_users_own_folder_is_read_beside_the_library(folder: Path):
    library = RecipeLibrary.load(folder)
    assert len(library) == len(LIBRARY) + 1
    assert library["porridge"].title("en") == "Porridge"


def test_a_users_recipe_replaces_one_of_the_same_name(folder: Path):
    (folder / "porridge.cook").rename(folder / "mapo-tofu.en.cook")
    assert RecipeLibrary.load(folder)["mapo-tofu"].title("en") == "Porridge"


def test_a_file_tells_its_language_by_name_or_title(folder: Path):
    text = "---\ntitle: 白粥\nservings: 2\n---\n煮@米{100%克}。"
    (folder / "zhou.cook").write_text(text, encoding="utf-8")
    assert set(RecipeLibrary.load(folder, builtin=False)["zhou"].texts) == {"zh"}


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ("servings: 2", "no `title:`"),
        ("title: x\nservings: many", "`servings: many` should be how many it feeds"),
        ("title: x", "`servings: ` should be how many it feeds"),
        ("title: x\nservings: 2\ntime: soon", "`time:` 'soon' is no duration"),
        ("title: x\nservings: 2\nallergens: [dust]", "unknown allergens dust"),
        ("title: x\nservings: 2\ntags: 3", "`tags: 3` should be a list"),
    ],
)
def test_a_broken_file_is_named_and_the_others_load(folder: Path, front: str, problem: str):
    (folder / "broken.cook").write_text(f"---\n{front}\n---\nBoil.", encoding="utf-8")
    library = RecipeLibrary.load(folder, builtin=False)
    assert list(library) == ["porridge"]
    (told,) = library.problems
    assert "broken.cook" in str(told)
    assert problem in str(told)


def test_languages_with_different_steps_are_refused(folder: Path):
    head = "---\ntitle: x\nservings: 2\n---\n"
    (folder / "x.en.cook").write_text(head + "One.\n\nTwo.", encoding="utf-8")
    (folder / "x.zh.cook").write_text(head + "一。", encoding="utf-8")
    (told,) = RecipeLibrary.load(folder, builtin=False).problems
    assert "1 steps, but" in str(told)


def test_a_file_that_is_no_text_is_told(folder: Path):
    (folder / "x.cook").write_bytes(b"\xff\xfe\x00")
    (told,) = RecipeLibrary.load(folder, builtin=False).problems
    assert "UTF-8" in str(told)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(RecipeError, match="no such folder"):
        RecipeLibrary.load(tmp_path / "nowhere")
