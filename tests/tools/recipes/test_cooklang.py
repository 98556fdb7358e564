from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.errors import RecipeError
from omni_agent.tools.recipes.cooklang import parse_cooklang
from omni_agent.tools.recipes.quantities import Amount
from omni_agent.tools.recipes.recipe import Cookware, Ingredient, StepTimer

HEAD = "---\ntitle: Test\nservings: 2\n---\n"


def parts(step: str):
    (parsed,) = parse_cooklang(HEAD + step).steps
    return parsed.parts


def test_a_step_is_words_ingredients_cookware_and_timers():
    assert parts("Fry @egg noodles{200%g} in a #large wok{} for ~noodles{5-7%minutes}.") == (
        "Fry ",
        Ingredient("egg noodles", Amount.of(200, "g")),
        " in a ",
        Cookware("large wok"),
        " for ",
        StepTimer("noodles", 300, 420),
        ".",
    )


def test_chinese_needs_no_blanks_around_a_name():
    assert parts("加@盐，再加@白糖{2%大勺}，用#炒锅{}炒~{10%分钟}。") == (
        "加",
        Ingredient("盐"),
        "，再加",
        Ingredient("白糖", Amount.of(2, "tbsp")),
        "，用",
        Cookware("炒锅"),
        "炒",
        StepTimer("", 600, 600),
        "。",
    )


def test_a_note_ends_at_its_own_parenthesis():
    flour, *rest = parts("@flour{100%g}(sifted) and stir (well)")
    assert flour == Ingredient("flour", Amount.of(100, "g"), note="sifted")
    assert rest == [" and stir (well)"]


def test_comments_are_dropped_and_lines_of_a_step_joined():
    assert parts("Stir, -- not too long\nthen [- really -]wait.") == ("Stir, then wait.",)


def test_a_time_of_day_and_an_address_stay_as_they_are():
    assert parts("Start at 12:30, see http://example.org") == (
        "Start at 12:30, see http://example.org",
    )


def test_sections_and_notes_are_no_steps():
    file = parse_cooklang(HEAD + "== Sauce ==\nMix @oil.\n> Keeps a week.\n\n= Rest =\n\nWait.")
    assert [(s.section, len(s.parts)) for s in file.steps] == [("Sauce", 3), ("Rest", 1)]
    assert file.notes == ("Keeps a week.",)


def test_front_matter_gives_lists_and_words():
    file = parse_cooklang("---\ntitle: 炒蛋\ntags: [快, 素]\n---\n打@鸡蛋{2%个}。")
    assert file.metadata == {"title": "炒蛋", "tags": ["快", "素"]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: a recipe begins with"),
        ("Just words.", "line 1: a recipe begins with"),
        ("---\ntitle: x\nBoil.", "line 1: the front matter is not closed"),
        ("---\ntitle: [x\n---\nBoil.", "line 2|line 3"),
        ("---\n- x\n---\nBoil.", "no list of `key: value`"),
        ("---\ntitle: x\n---\n", "no step"),
        (HEAD + "\nBoil.\n\nAdd @rice{2%cups.", r"dish.cook, line 8: 1 braces open but 0 close"),
        (HEAD + "\nAdd @rice{1/0%cups}.", r"line 6: @rice: the amount '1/0' divides by zero"),
        (HEAD + "\nWait ~{soon}.", r"line 6: ~: 'soon' is no duration"),
        (HEAD + "\nWait ~{5%moons}.", r"line 6: ~: '5 moons' is no duration"),
        (HEAD + "\nAdd @{2%cups}.", "without a name"),
    ],
)
def test_an_error_names_the_file_and_the_line(text: str, problem: str):
    with pytest.raises(RecipeError, match=problem) as caught:
        parse_cooklang(text, source="dish.cook")
    assert str(caught.value).startswith("dish.cook")


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="@#~{}()%=>-[].,:|\\/&1½-2 \na盐克，", max_size=60))
def test_any_text_is_a_recipe_or_an_error_that_names_the_file(text: str):
    try:
        file = parse_cooklang(HEAD + text, source="dish.cook")
    except RecipeError as error:
        assert str(error).startswith("dish.cook")  # noqa: PT017
    else:
        for step in file.steps:
            step.say("en", factor=Fraction(3, 2))
            step.say("zh")


def test_a_sign_that_begins_no_name_is_plain_text():
    assert parts("Meet @ 5 # or ~ 6.") == ("Meet @ 5 # or ~ 6.",)


def test_two_names_beside_each_other_keep_their_blank():
    assert parts("@salt{} @pepper{}") == (Ingredient("salt"), " ", Ingredient("pepper"))


def test_a_backslash_keeps_a_sign_from_beginning_a_name():
    assert parts(r"Write to cook\@example.org") == ("Write to cook@example.org",)
