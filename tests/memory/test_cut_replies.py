"""What was never heard of a reply is not remembered as said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from omni_agent.memory import Memory, TurnRecord

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def turn(**more: object) -> TurnRecord:
    fields: dict = {"conversation": "c", "agent": "guide", "turn": 1, "user": "Where is it?"}
    return TurnRecord(**{**fields, "reply": "Left at the bakery, then over the bridge.", **more})


def test_a_recorded_reply_is_cut_back_to_what_was_heard(memory: Memory) -> None:
    memory.record_turn(turn(at=AT))
    memory.flush()
    memory.cut_reply(
        "c", 1, heard="Left at the bakery,", unheard="then over the bridge.", interrupted_at_ms=1200
    )
    assert memory.turns("c") == (
        turn(
            at=AT,
            reply="Left at the bakery,",
            unheard="then over the bridge.",
            interrupted_at_ms=1200,
            stopped="cancelled",
        ),
    )
    memory.flush()
    assert [m.text for m in memory.recall("bakery")] == ["Left at the bakery,"]
    assert memory.recall("bridge", min_score=0.3) == ()


def test_a_reply_of_which_nothing_was_heard_leaves_no_episode(memory: Memory) -> None:
    asked, answered = memory.record_turn(turn())
    memory.cut_reply("c", 1, heard=" ", unheard="Left at …", interrupted_at_ms=0)
    assert list(memory.get(asked, answered)) == [asked]


def test_a_turn_that_was_never_recorded_is_no_trouble(memory: Memory) -> None:
    memory.cut_reply("c", 7, heard="Left", unheard="", interrupted_at_ms=1)
    assert memory.turns("c") == ()


def test_what_was_unheard_is_found_and_forgotten_too(memory: Memory, tmp_path: Path) -> None:
    memory.record_turn(turn(reply="Left", unheard="past Zanzibar Street", interrupted_at_ms=300))
    assert memory.forget_matching("zanzibar")
    memory.close()
    for file in (tmp_path / "memory").rglob("*"):
        assert not file.is_file() or b"Zanzibar" not in file.read_bytes(), file


@pytest.mark.parametrize("heard", ["Left at the bakery, then over the bridge.", "左转，然后过桥。"])
def test_cutting_twice_keeps_the_last(memory: Memory, heard: str) -> None:
    memory.record_turn(turn())
    memory.cut_reply("c", 1, heard=heard, unheard="", interrupted_at_ms=2000)
    memory.cut_reply("c", 1, heard="Left", unheard="at the bakery", interrupted_at_ms=300)
    assert memory.turns("c")[0].reply == "Left"
    assert memory.count() == 2
