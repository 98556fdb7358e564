"""The kitchen's tools: find a recipe, be led through it, ask how much of what."""

from __future__ import annotations

from typing import Literal, Protocol

from omni_agent.errors import SettingsError, ToolError
from omni_agent.messages import Language
from omni_agent.tools.base import Say, Tool, ToolContext, tool
from omni_agent.tools.recipes import guests
from omni_agent.tools.recipes.answers import Nowhere, card, told_in
from omni_agent.tools.recipes.cooking import CookingGuide
from omni_agent.tools.recipes.library import RecipeLibrary
from omni_agent.tools.recipes.progress import StateStore
from omni_agent.tools.recipes.quantities import System, convert
from omni_agent.tools.recipes.recipe import Recipe
from omni_agent.tools.recipes.search import RecipeSearch, name_score
from omni_agent.tools.recipes.suggestions import say_found
from omni_agent.tools.recipes.wording import join, say_duration
from omni_agent.tools.utterances import utterances

_SAID = utterances(__file__)

Diet = Literal["vegan", "vegetarian", "gluten-free", "dairy-free", "nut-free"]


class StepTimers(Protocol):
    """Starts a named timer that speaks up when it is over, as `omni_agent.tools.timers` do."""

    def start(self, name: str, seconds: float, context: ToolContext) -> object: ...


class Kitchen:
    """A library of recipes and the guide through them, as tools for an agent.

    Where the cook is lies in `store`, or else in the agent's memory. `system` turns the recipes'
    measures into metric or US ones.
    """

    def __init__(
        self,
        library: RecipeLibrary,
        *,
        timers: StepTimers | None = None,
        store: StateStore | None = None,
        system: System = "as written",
    ) -> None:
        self.library = library
        self._search = RecipeSearch(library.values())
        self._timers = timers
        self._store = store
        self._system = system
        self._guided: tuple[StateStore, CookingGuide] | None = None

    @property
    def tools(self) -> tuple[Tool, ...]:
        timed = (self.start_step_timer,) if self._timers else ()
        return (
            self.find_recipe,
            self.start_recipe,
            self.next_step,
            self.previous_step,
            self.repeat_step,
            self.go_to_step,
            self.how_much,
            self.list_ingredients,
            self.list_cookware,
            self.scale_recipe,
            self.where_am_i,
            *timed,
            self.convert_measure,
            self.finish_recipe,
        )

    # --- choosing ----------------------------------------------------------------------------

    @tool(
        examples=[
            ("What can I cook with eggs and tomatoes?", {"ingredients": ["eggs", "tomatoes"]}),
            ("有什么汤？不要海鲜", {"query": "汤", "without": ["海鲜"]}),
            ("Any quick vegetarian dinner?", {"diet": "vegetarian", "max_minutes": 30}),
            ("冰箱里只剩土豆和牛肉了", {"ingredients": ["土豆", "牛肉"]}),
            ("A dessert without nuts, please", {"query": "dessert", "without": ["nuts"]}),
            ("有什么十五分钟能做好的早餐？", {"query": "早餐", "max_minutes": 15}),
            ("Do you know a good Indian curry?", {"query": "Indian curry"}),
            *_SAID["find_recipe"],
        ]
    )
    def find_recipe(
        self,
        ctx: ToolContext,
        query: str = "",
        ingredients: list[str] | None = None,
        diet: Diet | None = None,
        without: list[str] | None = None,
        max_minutes: int | None = None,
    ) -> Say:
        """Suggest dishes to cook.

        Args:
            query: Dish, kind of dish or cuisine.
            ingredients: What the user has at home.
            diet: A diet to keep.
            without: Foods that must not be in it.
            max_minutes: The longest it may take.
        """
        if max_minutes is not None and max_minutes < 1:
            raise ToolError(f"max_minutes is {max_minutes}; give minutes above 0, or leave it out.")
        told = guests.minded(ctx)
        result = self._search.find(
            query,
            at_hand=ingredients or (),
            diet=diet,
            kept=guests.diet_of(told),
            without=[*(without or ()), *guests.foods_of(told)],
            max_minutes=max_minutes,
            language=ctx.language,
            limit=3,
        )
        words = say_found(result, ctx.language)
        contains = self._search.contains
        words += guests.say_left_out(result.left_out, told, ctx.language, contains=contains)
        words += guests.say_diet(told, ctx.language)
        return Say(words, [card(f.recipe, ctx.language) for f in result.found])

    @tool(
        examples=[
            ("I want to cook mapo tofu for four", {"name": "mapo tofu", "servings": 4}),
            ("我想做四人份的麻婆豆腐", {"name": "麻婆豆腐", "servings": 4}),
            ("Let's make pizza", {"name": "pizza"}),
            ("教我做饺子", {"name": "饺子"}),
            *_SAID["start_recipe"],
        ]
    )
    def start_recipe(self, ctx: ToolContext, name: str, servings: int | None = None) -> Say:
        """Begin to cook a dish, or go back to one.

        Args:
            name: The dish.
            servings: For how many people.
        """
        guide = self._guide(ctx)
        recipe = self._waiting(guide, name) or self._named(name, ctx.language)
        told, contains = guests.minded(ctx), self._search.contains
        careful = guests.warning(recipe, told, ctx.language, contains=contains)
        return told_in(guide.start(recipe, servings, language=ctx.language), ctx, before=careful)

    # --- moving ------------------------------------------------------------------------------

    @tool(
        examples=[
            "What's next?",
            "下一步",
            *_SAID["next_step"],
        ]
    )
    def next_step(self, ctx: ToolContext) -> Say:
        """Go on to the next step of the recipe."""
        return told_in(self._guide(ctx).next(language=ctx.language), ctx)

    @tool(
        examples=[
            "Go back one step",
            "上一步是什么？",
            *_SAID["previous_step"],
        ]
    )
    def previous_step(self, ctx: ToolContext) -> Say:
        """Go back to the step before."""
        return told_in(self._guide(ctx).back(language=ctx.language), ctx)

    @tool(
        examples=[
            "Say that again",
            "再说一遍",
            *_SAID["repeat_step"],
        ]
    )
    def repeat_step(self, ctx: ToolContext) -> Say:
        """Say the current step again."""
        return told_in(self._guide(ctx).repeat(language=ctx.language), ctx)

    @tool(
        examples=[
            ("Go to step three", {"number": 3}),
            ("跳到第五步", {"number": 5}),
            ("Start over from the beginning", {"number": 1}),
            ("What is the last step?", {"number": -1}),
            *_SAID["go_to_step"],
        ]
    )
    def go_to_step(self, ctx: ToolContext, number: int) -> Say:
        """Jump to a step.

        Args:
            number: 1 is the first step, -1 the last.
        """
        return told_in(self._guide(ctx).jump(number, language=ctx.language), ctx)

    @tool(
        examples=[
            "Where am I?",
            "做到第几步了？",
            *_SAID["where_am_i"],
        ]
    )
    def where_am_i(self, ctx: ToolContext) -> Say:
        """Tell the current dish, the step, and how long is left."""
        return told_in(self._guide(ctx).where(language=ctx.language), ctx)

    @tool(
        examples=[
            "I'm finished cooking",
            "菜做好了，谢谢",
            *_SAID["finish_recipe"],
        ]
    )
    def finish_recipe(self, ctx: ToolContext) -> Say:
        """End the recipe: the dish is ready or given up."""
        return told_in(self._guide(ctx).finish(language=ctx.language), ctx)

    # --- asking ------------------------------------------------------------------------------

    @tool(
        examples=[
            ("How much flour?", {"ingredient": "flour"}),
            ("要放多少糖？", {"ingredient": "糖"}),
            ("How many eggs do I need?", {"ingredient": "eggs"}),
            ("酱油放几勺？", {"ingredient": "酱油"}),
            *_SAID["how_much"],
        ]
    )
    def how_much(self, ctx: ToolContext, ingredient: str) -> Say:
        """Tell how much of an ingredient the recipe takes.

        Args:
            ingredient: The food.
        """
        return told_in(self._guide(ctx).how_much(ingredient, language=ctx.language), ctx)

    @tool(
        examples=[
            ("What goes into a tiramisu?", {"dish": "tiramisu"}),
            ("需要哪些材料？", {}),
            ("What do I have to get for a paella?", {"dish": "paella"}),
            ("What do I need?", {}),
            ("做饺子要买什么？", {"dish": "饺子"}),
            *_SAID["list_ingredients"],
        ]
    )
    def list_ingredients(self, ctx: ToolContext, dish: str = "") -> Say:
        """List all ingredients with amounts.

        Args:
            dish: Only for a dish that is not the current one.
        """
        if not dish or self._waiting(self._guide(ctx), dish):
            return told_in(self._guide(ctx).ingredients(language=ctx.language), ctx)
        recipe = self._named(dish, ctx.language)
        preview = CookingGuide({recipe.id: recipe}, Nowhere(), system=self._system)
        preview.start(recipe, language=ctx.language)
        return told_in(preview.ingredients(language=ctx.language), ctx)

    @tool(
        examples=[
            "What pans do I need?",
            "要用什么锅？",
            *_SAID["list_cookware"],
        ]
    )
    def list_cookware(self, ctx: ToolContext) -> Say:
        """List the pots and tools that the recipe needs."""
        return told_in(self._guide(ctx).tools(language=ctx.language), ctx)

    @tool(
        examples=[
            ("We are six people now", {"servings": 6}),
            ("改成两人份", {"servings": 2}),
            ("Make it for eight instead", {"servings": 8}),
            ("来了三个客人，一共五个人吃", {"servings": 5}),
            *_SAID["scale_recipe"],
        ]
    )
    def scale_recipe(self, ctx: ToolContext, servings: int) -> Say:
        """Change for how many people the current dish is.

        Args:
            servings: The number of people.
        """
        return told_in(self._guide(ctx).scale(servings, language=ctx.language), ctx)

    @tool(
        examples=[
            "Yes, set the timer",
            "好，帮我计时",
            *_SAID["start_step_timer"],
        ]
    )
    def start_step_timer(self, ctx: ToolContext) -> Say:
        """Start the timer that the current step asks for."""
        wait = self._guide(ctx).timer(language=ctx.language)
        zh = ctx.language == "zh"
        if self._timers is None:
            raise ToolError("There are no timers in this kitchen.")
        if wait is None:
            raise ToolError("这一步不用计时。" if zh else "This step has nothing to time.")
        dish = self._guide(ctx).dishes[-1].title(ctx.language)
        self._timers.start(wait.name or dish, wait.seconds, ctx)
        lasts = say_duration(wait.seconds, ctx.language)
        words = f"计时开始，{lasts}。" if zh else f"The timer is running: {lasts}."
        return Say(words, {"timer": wait.name, "seconds": wait.seconds})

    @tool(
        examples=[
            ("What is 350 Fahrenheit in Celsius?", {"value": 350, "unit": "°F", "to": "°C"}),
            (
                "How many grams is a cup of flour?",
                {"value": 1, "unit": "cup", "to": "g", "ingredient": "flour"},
            ),
            ("200克等于多少盎司？", {"value": 200, "unit": "g", "to": "oz"}),
            ("一杯水是多少毫升？", {"value": 1, "unit": "杯", "to": "毫升"}),
            (
                "Convert three tablespoons to millilitres",
                {"value": 3, "unit": "tablespoons", "to": "ml"},
            ),
            ("180摄氏度是多少华氏度？", {"value": 180, "unit": "°C", "to": "°F"}),
            *_SAID["convert_measure"],
        ]
    )
    def convert_measure(
        self, ctx: ToolContext, value: float, unit: str, to: str, ingredient: str = ""
    ) -> str:
        """Convert a kitchen measure or temperature.

        Args:
            value: The number.
            unit: What it is in.
            to: What it should be in.
            ingredient: The food, between weight and volume.
        """
        try:
            number = convert(value, unit, to, ingredient=ingredient)
        except SettingsError as error:
            raise ToolError(str(error)) from error
        return f"{value:g} {unit} = {number:.3g} {to}"

    # --- inside ------------------------------------------------------------------------------

    def _guide(self, ctx: ToolContext) -> CookingGuide:
        store = self._store or ctx.memory
        if self._guided is None or self._guided[0] is not store:
            guide = CookingGuide(
                self.library,
                store,
                foods=self._search.foods,
                clock=ctx.clock,
                system=self._system,
                offer_timers=self._timers is not None,
            )
            self._guided = (store, guide)
        return self._guided[1]

    def _waiting(self, guide: CookingGuide, name: str) -> Recipe | None:
        """A dish that is already being cooked and goes by this name."""
        scored = [(name_score(name, recipe), recipe) for recipe in guide.dishes]
        score, recipe = max(scored, key=lambda s: s[0], default=(0.0, None))
        return recipe if score >= 0.6 else None

    def _named(self, name: str, language: Language) -> Recipe:
        """Raises ToolError where no recipe goes by the name, or several could be meant."""
        named = self._search.named(name)
        near = [f.recipe.title(language) for f in self._search.find(name, limit=4).found]
        if named is None:
            known = join(near[:3], language, word="or")
            raise ToolError(
                f"No recipe is called {name!r}." + (f" Similar: {known}." if near else "")
            )
        rivals = [f for f in self._search.find(name, limit=4).found if f.recipe != named.recipe]
        if named.score < 0.9 and any(f.score >= named.score - 0.02 for f in rivals):
            titles = [named.recipe.title(language)] + [f.recipe.title(language) for f in rivals]
            raise ToolError(f"Which one do you mean: {join(titles[:4], language, word='or')}?")
        return named.recipe
