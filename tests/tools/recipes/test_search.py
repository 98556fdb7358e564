import pytest

from omni_agent.tools.recipes.foods import allergens_in, avoided_in, diets_in, tells_an_allergy
from omni_agent.tools.recipes.library import RecipeLibrary
from omni_agent.tools.recipes.search import RecipeSearch


@pytest.fixture(scope="module")
def search(library: RecipeLibrary) -> RecipeSearch:
    return RecipeSearch(library.values())


@pytest.mark.parametrize(
    ("said", "dish"),
    [
        ("mapo tofu", "mapo-tofu"),
        ("mapu tofu", "mapo-tofu"),
        ("麻婆豆腐", "mapo-tofu"),
        ("妈婆豆腐", "mapo-tofu"),
        ("I want to cook Mapo Tofu, please", "mapo-tofu"),
        ("我想做麻婆豆腐", "mapo-tofu"),
        ("kung pow chicken", "kung-pao-chicken"),
        ("西红柿炒鸡蛋", "tomato-egg-stir-fry"),
        ("jiaozi", "pork-cabbage-dumplings"),
        ("dumpling", "pork-cabbage-dumplings"),
        ("hot and sour soup", "hot-and-sour-soup"),
        ("pizza", "margherita-pizza"),
        ("提拉米苏", "tiramisu"),
    ],
)
def test_a_dish_is_found_by_any_of_its_names_with_typos(search: RecipeSearch, said: str, dish: str):
    named = search.named(said)
    assert named is not None
    assert named.recipe.id == dish


@pytest.mark.parametrize("said", ["", "blorp", "the capital of France", "xyz soup of nothing"])
def test_what_is_no_dish_is_not_found(search: RecipeSearch, said: str):
    assert search.named(said) is None


@pytest.mark.parametrize("at_hand", [("eggs", "tomatoes"), ("西红柿", "鸡蛋")])
def test_what_is_at_hand_ranks_by_how_much_is_covered(
    search: RecipeSearch, at_hand: tuple[str, ...]
):
    first, second, *_ = search.find(at_hand=at_hand).found
    assert first.recipe.id == "tomato-egg-stir-fry"
    assert first.missing == ("spring onions",)
    assert "salt" not in first.missing
    assert second.recipe.id == "shakshuka"


def test_missing_foods_are_named_in_the_language_asked_for(search: RecipeSearch):
    first, *_ = search.find(at_hand=["eggs", "tomatoes"], language="zh").found
    assert (first.used, first.missing) == (("鸡蛋", "番茄"), ("葱",))


def test_an_allergen_is_left_out_and_told(search: RecipeSearch):
    result = search.find("chicken", without=["peanuts"], limit=50)
    assert "kung-pao-chicken" in {r.id for r in result.left_out}
    assert all("peanuts" not in f.recipe.allergens for f in result.found)


@pytest.mark.parametrize("unwanted", ["nuts", "peanut", "花生", "坚果"])
def test_whoever_says_nuts_gets_no_peanuts(search: RecipeSearch, unwanted: str):
    found = search.find(without=[unwanted], limit=50).found
    assert all("peanuts" not in f.recipe.allergens for f in found)


def test_a_single_food_can_be_left_out(search: RecipeSearch):
    ids = {f.recipe.id for f in search.find(without=["香菜"], limit=50).found}
    assert "shakshuka" not in ids
    assert "mapo-tofu" in ids


def test_diet_time_and_course_narrow_the_choice(search: RecipeSearch):
    assert all(
        f.recipe.diet & {"vegan", "vegetarian"} for f in search.find(diet="vegetarian").found
    )
    assert all(f.recipe.minutes <= 25 for f in search.find(max_minutes=25).found)
    assert {f.recipe.course for f in search.find("soup", course="soup").found} == {"soup"}
    assert all("gluten" not in f.recipe.allergens for f in search.find(diet="gluten-free").found)


@pytest.mark.parametrize(
    ("query", "dish"),
    [
        ("something with tofu", "mapo-tofu"),
        ("Italian food", "margherita-pizza"),
        ("川菜", "mapo-tofu"),
        ("dessert", "tiramisu"),
        ("甜点", "tiramisu"),
        ("汤", "miso-soup"),
    ],
)
def test_a_query_may_be_a_food_a_cuisine_or_a_course(search: RecipeSearch, query: str, dish: str):
    assert dish in {f.recipe.id for f in search.find(query, limit=10).found}


@pytest.mark.parametrize(
    ("wanted", "ingredient", "same"),
    [
        ("tomato", "西红柿", True),
        ("tomatoes", "chopped tomatoes", True),
        ("tomato", "tomato paste", False),
        ("egg", "egg noodles", False),
        ("eggs", "eggplant", False),
        ("egg", "large eggs", True),
        ("豆腐", "嫩豆腐", True),
        ("鸡", "鸡蛋", False),
        ("鸡肉", "去骨鸡腿肉", False),
        ("葱", "洋葱", False),
        ("油", "酱油", False),
        ("chicken", "chicken stock", False),
        ("chicken", "chicken breast", True),
        ("cilantro", "香菜", True),
    ],
)
def test_which_foods_are_the_same(search: RecipeSearch, wanted: str, ingredient: str, same: bool):
    assert search.foods.same(wanted, ingredient) is same


def test_names_are_learnt_from_recipes_in_two_languages(search: RecipeSearch):
    assert search.foods.same("郫县豆瓣酱", "chilli bean paste")


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("Anna is allergic to peanuts", {"peanuts"}),
        ("我对虾过敏", {"shellfish"}),
        ("Tom has a nut allergy", {"nuts", "peanuts"}),
        ("I am lactose intolerant", {"dairy"}),
        ("我不能吃麸质", {"gluten"}),
    ],
)
def test_an_allergy_is_understood(sentence: str, told: set[str]):
    assert tells_an_allergy(sentence)
    assert allergens_in(sentence) == told


@pytest.mark.parametrize("sentence", ["I have no allergies", "我没有过敏", "She likes peanuts"])
def test_what_is_no_allergy_is_not_taken_for_one(sentence: str):
    assert not tells_an_allergy(sentence)


def test_diets_are_heard_in_both_languages():
    assert diets_in("a vegan dinner") == {"vegan"}
    assert diets_in("素食的晚饭") == {"vegetarian"}
    assert diets_in("纯素") == {"vegan"}


@pytest.mark.parametrize(
    ("sentence", "foods"),
    [
        ("Ben is allergic to mangoes and kiwi", {"mangoes", "kiwi"}),
        ("我对芒果和菠萝过敏", {"芒果", "菠萝"}),
        ("Mia cannot eat celery.", {"celery"}),
    ],
)
def test_an_allergy_to_any_food_is_understood(sentence: str, foods: set[str]):
    assert foods <= avoided_in(sentence)


def test_a_name_half_in_each_language_is_understood() -> None:
    search = RecipeSearch(RecipeLibrary.load().values())
    found = search.named("tomato炒鸡蛋")
    assert found is not None
    assert found.recipe.id == "tomato-egg-stir-fry"
