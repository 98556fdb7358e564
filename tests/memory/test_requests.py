from __future__ import annotations

from omni_agent.memory import Memory, TurnRecord


def test_what_only_set_a_tool_to_work_is_kept_apart_from_what_was_told(memory: Memory) -> None:
    told = TurnRecord(conversation="a", agent="cook", turn=1, user="Ben eats no nuts.", reply="OK")
    asked = TurnRecord(
        conversation="a",
        agent="cook",
        turn=2,
        user="What can Ben eat?",
        reply="Soup.",
        tools=({"name": "find_recipe", "arguments": {}},),
    )
    memory.record_turn(told)
    memory.record_turn(asked)
    kinds = {m.text: m.kind for m in memory.list()}
    assert kinds["Ben eats no nuts."] == "episode"
    assert kinds["What can Ben eat?"] == "request"
    assert memory.recall("Ben eat", kinds={"episode"})[0].text == "Ben eats no nuts."
