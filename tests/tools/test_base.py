from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from omni_agent.errors import ToolDefinitionError, ToolError
from omni_agent.messages import ToolExample
from omni_agent.tools.base import Tool, ToolContext, TransientMemory, tool

CONTEXT = ToolContext(language="zh", people=("Anna",))


class Diet(Enum):
    VEGAN = "vegan"
    DAIRY_FREE = "dairy-free"


class Guest(BaseModel):
    name: str
    diets: list[Diet] = []


@dataclass
class Table:
    seats: int
    outside: bool = False


@tool
def book(
    ctx: ToolContext,
    table: Table,
    guests: list[Guest],
    day: date,
    meal: Literal["lunch", "dinner"] = "dinner",
    budget: Annotated[float, Field(gt=0, description="Euros a head.")] = 30.0,
    note: str | None = None,
) -> str:
    """Book a table.

    It is held for fifteen minutes.

    Args:
        table: What to sit at.
        guests: Who comes.
        day: When.
        note: A wish.
    """
    return f"{ctx.language} {table} {guests} {day} {meal} {budget} {note}"


def call(t: Tool, **arguments: Any) -> Any:
    return t.prepare(arguments, CONTEXT)()


def test_signature_and_docstring_become_the_spec() -> None:
    assert book.name == "book"
    assert book.description == "Book a table.\nIt is held for fifteen minutes."
    parameters = book.spec.parameters
    assert parameters["required"] == ["table", "guests", "day"]
    assert "ctx" not in parameters["properties"]
    assert parameters["properties"]["table"] == {
        "description": "What to sit at.",
        "type": "object",
        "properties": {
            "seats": {"type": "integer"},
            "outside": {"type": "boolean", "default": False},
        },
        "required": ["seats"],
    }
    guest = parameters["properties"]["guests"]["items"]
    assert guest["properties"]["diets"]["items"] == {
        "type": "string",
        "enum": ["vegan", "dairy-free"],
    }
    assert parameters["properties"]["meal"]["enum"] == ["lunch", "dinner"]
    assert parameters["properties"]["budget"]["description"] == "Euros a head."
    assert parameters["properties"]["note"] == {"type": "string", "description": "A wish."}
    assert "$" not in str(parameters)


def test_arguments_arrive_as_the_types_of_the_signature() -> None:
    said = call(
        book,
        table={"seats": 2},
        guests=[{"name": "Bo", "diets": ["vegan"]}],
        day="2026-05-01",
    )
    assert "Table(seats=2" in said
    assert "Diet.VEGAN" in said
    assert said.startswith("zh ")


@tool
def search(
    query: str,
    limit: int = 3,
    tags: list[str] | None = None,
    diet: Diet | None = None,
    kind: Literal["main", "side dish"] = "main",
    open: bool = False,
) -> list[Any]:
    """Search."""
    return [query, limit, tags, diet, kind, open]


@pytest.mark.parametrize(
    ("given", "position", "meant"),
    [
        ({"limit": "2"}, 1, 2),
        ({"limit": 2.0}, 1, 2),
        ({"limit": None}, 1, 3),
        ({"limit": ""}, 1, 3),
        ({"tags": "soup"}, 2, ["soup"]),
        ({"tags": '["soup", "hot"]'}, 2, ["soup", "hot"]),
        ({"tags": [1]}, 2, ["1"]),
        ({"diet": "Vegan"}, 3, Diet.VEGAN),
        ({"diet": "dairy free"}, 3, Diet.DAIRY_FREE),
        ({"diet": ""}, 3, None),
        ({"kind": "Side_Dish"}, 4, "side dish"),
        ({"open": "true"}, 5, True),
        ({"nothing": None}, 0, "x"),
        ({"query": 7}, 0, "7"),
    ],
)
def test_what_small_models_write_is_put_right_where_it_has_one_meaning(
    given: dict[str, Any], position: int, meant: Any
) -> None:
    assert call(search, **{"query": "x", **given})[position] == meant


def test_nested_values_are_put_right_too() -> None:
    said = call(
        book,
        table='{"seats": "4"}',
        guests={"name": "Bo", "diets": "Vegan"},
        day="2026-05-01",
    )
    assert "Table(seats=4" in said
    assert "Diet.VEGAN" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, '"query" is missing'),
        ({"query": "x", "limit": "many"}, '"limit" is "many", but should be a valid integer'),
        ({"query": "x", "limits": 3}, 'no argument "limits" (did you mean "limit"?)'),
        ({"query": "x", "zzz": 3}, "allowed: query, limit, tags"),
        ({"query": "x", "diet": "fish"}, "should be 'vegan' or 'dairy-free'"),
        ({"query": "x", "kind": "dessert"}, "should be 'main' or 'side dish'"),
        ({"query": ["x"]}, '"query" is ["x"]'),
    ],
)
def test_wrong_arguments_are_told_in_words_the_model_can_use(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ToolError) as error:
        search.prepare(arguments, CONTEXT)
    assert words in str(error.value)


class Counter:
    def __init__(self, step: int) -> None:
        self.step = step
        self.count = 0

    @tool(examples=[("count twice", {"times": 2})])
    def up(self, times: int = 1) -> int:
        """Count up."""
        self.count += self.step * times
        return self.count

    @tool
    async def read(self) -> int:
        """Read the count."""
        return self.count


async def test_a_method_is_a_tool_of_its_object() -> None:
    one, ten = Counter(1), Counter(10)
    assert call(one.up, times="3") == 3
    assert call(ten.up) == 10
    assert one.count == 3
    assert one.up(2) == 5
    assert one.up.examples == (ToolExample("count twice", {"times": 2}),)
    assert await call(one.read) == 5
    assert one.read.is_async
    assert "self" not in str(one.up.spec.parameters)
    with pytest.raises(ToolDefinitionError, match=r"object\.up"):
        call(Counter.up)


def test_a_decorated_function_stays_callable() -> None:
    assert search("a", tags=["b"]) == ["a", 3, ["b"], None, "main", False]
    assert search.__name__ == "search"
    assert search.__doc__ == "Search."


def test_options_are_kept() -> None:
    @tool(name="lights", timeout=2, needs_approval=True, filler={"en": "Wait.", "zh": "稍等。"})
    def switch(on: bool) -> None:
        """Switch the lights."""

    assert (switch.name, switch.timeout, switch.needs_approval) == ("lights", 2, True)
    assert switch.filler_for("zh") == "稍等。"
    assert switch.filler_for("en-GB") == "Wait."
    assert switch.filler_for("fi") is None


def test_parameters_may_have_any_name_and_types_may_be_local() -> None:
    class Size(Enum):
        BIG = "big"

    @dataclass
    class Box:
        size: Size

    @tool
    def pack(json: str, copy: int, model_config: bool, box: Box) -> list[Any]:
        """Pack."""
        return [json, copy, model_config, box.size]

    packed = call(pack, json="a", copy=1, model_config=True, box={"size": "big"})
    assert packed == ["a", 1, True, Size.BIG]


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


def test_a_type_that_holds_itself_is_accepted() -> None:
    @tool
    def plant(tree: Tree) -> int:
        """Plant."""
        return len(tree.children)

    assert "$ref" not in str(plant.spec.parameters)
    assert call(plant, tree={"value": 1, "children": [{"value": 2}]}) == 1


def _untyped(x) -> None:  # type: ignore[no-untyped-def]
    """Doc."""


def _stars(*names: str) -> None:
    """Doc."""


def _keywords(**names: str) -> None:
    """Doc."""


def _positional(x: int, /) -> None:
    """Doc."""


def _callback(then: Callable[[], int]) -> None:
    """Doc."""


def _unknown_type(x: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Doc."""


def _no_docstring(x: int) -> None: ...


def _stray_docstring(x: int) -> None:
    """Doc.

    Args:
        y: Not there.
    """


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_untyped, "'x' has no annotation"),
        (_stars, r"\*names"),
        (_keywords, r"\*\*names"),
        (_positional, "'x' is positional-only"),
        (_callback, "'then' is annotated"),
        (_unknown_type, "Nowhere"),
        (_no_docstring, "no docstring"),
        (_stray_docstring, "'y'"),
    ],
)
def test_what_a_model_could_not_call_is_refused_with_its_name(
    function: Callable[..., Any], words: str
) -> None:
    with pytest.raises(ToolDefinitionError, match=words) as error:
        tool(function)
    assert function.__name__ in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "two words"}, "'two words'"),
        ({"timeout": 0}, "timeout is 0"),
        ({"on_interrupt": "stop"}, "'stop'"),
        ({"examples": [("hi", {"limit": 1})]}, '"query" is missing'),
        ({"examples": [("hi", {"query": "x", "limit": "1"})]}, '"limit"'),
        ({"examples": [("hi", {"query": "x", "size": 1})]}, '"size"'),
        ({"examples": [("hi",)]}, "neither an utterance nor a pair"),
        ({"examples": [("hi", {"query": object()})]}, "not JSON"),
    ],
)
def test_a_wrong_option_or_example_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolDefinitionError) as error:
        tool(**options)(search.function)
    assert words in str(error.value)


def test_an_utterance_alone_teaches_when_a_tool_is_due() -> None:
    @tool(examples=["ring", ("again", {})])
    def ring() -> None:
        """Ring the bell."""

    assert [e.arguments for e in ring.examples] == [{}, {}], "there are none to leave out"
    find = Tool(search.function, examples=[("soup", {"query": "soup"}), "something to eat"])
    assert [e.arguments for e in find.examples] == [{"query": "soup"}, None]


def test_only_functions_become_tools() -> None:
    with pytest.raises(ToolDefinitionError, match="no function"):
        tool(3)  # type: ignore[call-overload]


def test_without_a_store_memories_last_as_long_as_the_process() -> None:
    memory = TransientMemory()
    memory.remember("Anna likes tofu", kind="fact")
    memory.remember("Bo has a cat")
    assert [m.text for m in memory.recall("what does Anna like")] == ["Anna likes tofu"]
    memory.save_state("a", {"x": [1]})
    state = memory.load_state("a")
    assert state == {"x": [1]}
    assert memory.load_state("b") is None
