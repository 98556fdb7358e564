"""Before a dish is proposed, the memory is asked what those who eat along must not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from made_embedder import Letters

from omni_agent.clock import FakeClock
from omni_agent.learning import Learning
from omni_agent.memory import Memory, TurnRecord
from omni_agent.tools.base import Say, ToolContext
from omni_agent.tools.recipes.guests import minded
from omni_agent.tools.recipes.kitchen import Kitchen
from omni_agent.tools.recipes.library import RecipeLibrary


class Table:
    """A kitchen with a real memory, and what people have said at it."""

    def __init__(self, memory: Memory, kitchen: Kitchen) -> None:
        self.memory, self.kitchen = memory, kitchen
        self._turns = 0

    async def said(self, text: str, speaker: str = "user") -> None:
        self._turns += 1
        known = self.memory.people.named(speaker)
        self.memory.record_turn(
            TurnRecord(
                conversation="c", agent="kitchen", turn=self._turns, user=text, reply="I see.",
                speaker=speaker, person=known[0].id if known else None,
                language="zh" if text > "一" else "en",
            )
        )  # fmt: skip
        await Learning(self.memory, lambda: None, clock=FakeClock()).by_rules()

    def ask(self, tool: str, language: str = "en", people: Sequence[str] = (), **given: str) -> str:
        context = ToolContext(
            language=language,  # type: ignore[arg-type]
            memory=self.memory,
            agent="kitchen",
            people=tuple(people),
        )
        answer = getattr(self.kitchen, tool).prepare(given, context)()
        assert isinstance(answer, Say)
        return answer.text

    def why(self, people: Sequence[str] = (), language: str = "en") -> list[str]:
        context = ToolContext(memory=self.memory, people=tuple(people), language=language)  # type: ignore[arg-type]
        return sorted(m.why for m in minded(context))


@pytest.fixture
def table(tmp_path: Path, library: RecipeLibrary) -> Iterator[Table]:
    with Memory(tmp_path, embedder=Letters()) as memory:
        for name in ("Ben", "Anna"):
            memory.people.add(name)
        yield Table(memory, Kitchen(library))


async def test_a_dish_is_left_out_for_who_is_there_and_it_is_said_why(table: Table) -> None:
    await table.said("I'm allergic to peanuts.", "Ben")
    said = table.ask("find_recipe", people=["Ben"], query="spicy chicken")
    assert "You could make Kung pao" not in said
    assert said.endswith("I left out Kung pao chicken, because: Ben is allergic to peanuts.")


async def test_who_is_not_there_is_not_cooked_for(table: Table) -> None:
    await table.said("I'm allergic to peanuts.", "Ben")
    assert "Kung pao chicken" in table.ask("find_recipe", people=["Anna"], query="Kung pao chicken")
    assert table.ask("start_recipe", people=["Anna"], name="kung pao chicken").startswith("Kung")


async def test_where_nobody_is_known_everybody_counts(table: Table) -> None:
    await table.said("I'm allergic to peanuts.")
    await table.said("Anna is vegan.")
    assert table.why() == ["Anna is vegan", "you are allergic to peanuts"]
    assert table.ask("start_recipe", name="kung pao chicken").startswith(
        "Take care: Anna is vegan. You are allergic to peanuts. "
    )


async def test_a_diet_is_kept_unasked_and_it_is_said_for_whom(table: Table) -> None:
    await table.said("I'm a vegetarian.", "Anna")
    said = table.ask("find_recipe", people=["Anna", "Ben"], query="chicken")
    assert "chicken," not in said
    said = table.ask("find_recipe", people=["Anna", "Ben"], query="soup")
    assert said.endswith("I kept to vegetarian dishes, because: Anna is vegetarian.")


async def test_a_family_eats_along(table: Table) -> None:
    await table.said("My daughter can't eat eggs. Our son is allergic to milk.", "Ben")
    assert table.why(["Ben"]) == [
        "Ben's daughter does not have eggs",
        "Ben's son is allergic to milk",
    ]
    assert table.why(["Anna"]) == []


async def test_an_allergy_that_is_over_is_minded_no_more(table: Table) -> None:
    await table.said("I'm allergic to eggs.", "Ben")
    assert table.why(["Ben"]) == ["Ben is allergic to eggs"]
    await table.said("I'm no longer allergic to eggs.", "Ben")
    assert table.why(["Ben"]) == []


async def test_in_chinese(table: Table) -> None:
    await table.said("我对花生过敏，我妈妈不吃猪肉。")
    assert table.why(language="zh") == ["你对花生过敏", "你的妈妈不吃猪肉"]
    assert "因为你对花生过敏" in table.ask("find_recipe", "zh", query="宫保鸡丁")
    assert table.ask("start_recipe", "zh", name="宫保鸡丁").startswith("请注意：你对花生过敏。")


async def test_words_from_which_nothing_was_drawn_count_too(table: Table) -> None:
    table.memory.remember("Careful: Ben has an allergy, he cannot eat shrimps", speaker="Anna")
    assert table.why(["Ben"]) == ["Careful: Ben has an allergy, he cannot eat shrimps"]
