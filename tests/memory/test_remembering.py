"""What an agent can rely on when it remembers, recalls and resumes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from omni_agent.clock import FakeClock
from omni_agent.errors import MemoryInUse, MemoryStoreError, SettingsError
from omni_agent.memory import Memory, TurnRecord


def turn(user: str, reply: str = "All right.", **more: object) -> TurnRecord:
    fields: dict = {"conversation": "c", "agent": "kitchen", "turn": 1, "user": user}
    return TurnRecord(**{**fields, "reply": reply, **more})


def test_a_turn_is_given_back_as_it_was(memory: Memory) -> None:
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    told = turn(
        "两人份的面条🍜",
        "Here you are.",
        tools=({"name": "scale", "arguments": {"people": 2}, "result": "好"},),
        language="zh",
        at=at,
        place={"lat": 60.17, "lon": 24.94},
        stopped="cancelled",
        speaker="Anna",
    )
    memory.record_turn(told)
    assert memory.turns("c") == (told,)


def test_a_conversation_resumes_with_its_last_turns_in_order(memory: Memory) -> None:
    for n in range(5):
        memory.record_turn(turn(f"line {n}", turn=n))
    memory.record_turn(turn("elsewhere", conversation="d"))
    assert [t.user for t in memory.turns("c", limit=3)] == ["line 2", "line 3", "line 4"]


def test_a_turn_gives_one_episode_for_each_that_spoke(memory: Memory) -> None:
    ids = memory.record_turn(turn("I like mango.", "So do I.", speaker="Ben"))
    assert [(memory.get(i)[i].speaker, memory.get(i)[i].text) for i in ids] == [
        ("Ben", "I like mango."),
        ("kitchen", "So do I."),
    ]
    assert len(memory.record_turn(turn("hello", ""))) == 1


def test_what_was_said_a_moment_ago_is_recalled_at_once(memory: Memory) -> None:
    memory.remember("The spare key is under the blue pot.")
    found = memory.recall("Where is the spare key?")
    assert [m.text for m in found] == ["The spare key is under the blue pot."]
    assert 0 < found[0].score <= 1


def test_a_chinese_word_of_two_characters_is_found_inside_a_sentence(memory: Memory) -> None:
    memory.remember("我妈妈昨天买了一辆红色的汽车。")
    memory.remember("下星期去北京开会。")
    assert [m.text for m in memory.recall("北京")] == ["下星期去北京开会。"]
    assert [m.text for m in memory.recall("汽车")] == ["我妈妈昨天买了一辆红色的汽车。"]


def test_nothing_is_recalled_for_words_that_say_nothing(memory: Memory) -> None:
    memory.remember("What is it to you?")
    for empty in ("", "   ", "what is it?", "🙂🙂", "你好", "……"):
        assert memory.recall(empty) == ()


def test_of_the_same_words_only_the_newest_is_recalled(memory: Memory) -> None:
    old = memory.record_turn(turn("I want risotto", turn=1))[0]
    new = memory.record_turn(turn("I want risotto", turn=2))[0]
    assert old != new
    assert [m.id for m in memory.recall("risotto")] == [new]


def test_the_present_conversation_can_be_left_out(memory: Memory) -> None:
    memory.record_turn(turn("risotto tonight", conversation="now"))
    memory.record_turn(turn("risotto on Sunday", conversation="then"))
    found = memory.recall("risotto", exclude_conversation="now")
    assert [m.text for m in found] == ["risotto on Sunday"]


def test_kinds_and_limit_narrow_a_recall(memory: Memory) -> None:
    memory.record_turn(turn("mango lassi"))
    fact = memory.remember("mango grows here")
    note = memory.remember("mango is ripe", kind="note")
    assert {m.id for m in memory.recall("mango", kinds=["fact", "note"])} == {fact, note}
    assert len(memory.recall("mango", limit=1)) == 1
    assert memory.recall("mango", limit=0) == ()


def test_a_fact_that_changed_is_superseded_and_never_overwritten(tmp_path, letters) -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    with Memory(tmp_path, embedder=letters, clock=clock) as memory:

        def lives(place: str, **more: datetime) -> str:
            return memory.remember(
                f"Anna lives in {place}.",
                subject="Anna",
                predicate="lives in",
                object=place,
                **more,
            )

        oslo = lives("Oslo")
        clock._elapsed = 86_400.0
        bergen = lives("Bergen")
        assert lives("bergen") == bergen, "what is known already is not written twice"
        assert [m.text for m in memory.recall("where Anna lives")] == ["Anna lives in Bergen."]

        before = memory.get(oslo)[oslo]
        assert before.superseded_by == bergen
        assert before.valid_to == datetime(2026, 1, 2, tzinfo=UTC)
        then = memory.recall("where Anna lives", at=datetime(2026, 1, 1, 12, tzinfo=UTC))
        assert [m.id for m in then] == [oslo]

        rome = lives("Rome", valid_from=datetime(2025, 1, 1, tzinfo=UTC))
        assert memory.get(rome)[rome].valid_to == datetime(2026, 1, 1, tzinfo=UTC)
        assert [m.id for m in memory.recall("where Anna lives")] == [bergen]


def test_state_outlives_a_restart(tmp_path, letters) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        memory.save_state("cooking", {"step": 3, "timers": ["鸡蛋"]})
        memory.save_state("gone", 1)
        memory.save_state("gone", None)
    with Memory(tmp_path, embedder=letters) as memory:
        assert memory.load_state("cooking") == {"step": 3, "timers": ["鸡蛋"]}
        assert memory.load_state("gone") is None


@pytest.mark.parametrize(
    "text",
    ["nul\0inside", "\ud800 lone surrogate", "🍜" * 50, "ไม่กินเนื้อ", "../../etc/passwd", '"; DROP--'],
)
def test_any_text_is_kept_and_listed(memory: Memory, text: str) -> None:
    id = memory.remember(text)
    assert memory.get(id)[id].text == text.encode("utf-8", "replace").decode()
    memory.recall(text)
    assert memory.flush(10)
    assert not memory.notes


def test_a_megabyte_of_text_is_kept_whole(memory: Memory) -> None:
    text = "the lighthouse keeper wrote. " * 36_000
    id = memory.remember(text)
    assert memory.get(id)[id].text == text
    assert memory.flush(20)
    assert [m.id for m in memory.recall("lighthouse keeper")] == [id]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"text": "  "}, "nothing to remember"),
        ({"text": "x", "kind": "Fact!"}, "Fact!"),
        ({"text": "x", "subject": "Anna"}, "together"),
        ({"text": "x", "valid_from": datetime(2026, 1, 1)}, "timezone"),
    ],
)
def test_a_bad_memory_is_refused_with_the_reason(memory: Memory, arguments, said) -> None:
    with pytest.raises(SettingsError, match=said):
        memory.remember(**arguments)
    assert memory.count() == 0


def test_a_turn_that_json_cannot_hold_leaves_nothing_behind(memory: Memory) -> None:
    with pytest.raises(SettingsError, match="tools"):
        memory.record_turn(turn("hi", tools=({"x": object()},)))
    assert memory.count() == 0
    assert memory.turns("c") == ()


def test_threads_write_and_recall_together(memory: Memory) -> None:
    errors: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for n in range(10):
                memory.record_turn(turn(f"thread {k} dish {n}", conversation=str(k), turn=n))
                assert memory.recall(f"dish {n}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert memory.count() == 80
    assert all(len(memory.turns(str(k))) == 10 for k in range(4))


def test_a_second_owner_is_told_who_the_first_is(memory: Memory) -> None:
    code = "import sys; from omni_agent.memory import Memory; Memory(sys.argv[1]).count()"
    other = subprocess.run(
        [sys.executable, "-c", code, str(memory.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "MemoryInUse" in other.stderr
    assert str(memory.folder) in other.stderr
    with pytest.raises(MemoryInUse, match="in use by process"):
        Memory(memory.folder).count()


def test_a_closed_memory_says_so_and_frees_the_folder(tmp_path, letters) -> None:
    memory = Memory(tmp_path, embedder=letters)
    memory.remember("kept")
    memory.close()
    memory.close()
    with pytest.raises(MemoryStoreError, match="closed"):
        memory.count()
    with Memory(tmp_path, embedder=letters) as again:
        assert again.count("fact") == 1


def test_an_export_holds_everything_and_never_overwrites(memory: Memory, tmp_path: Path) -> None:
    memory.record_turn(turn("忘れないで"))
    memory.remember("Ben likes tea", subject="Ben", predicate="likes", object="tea")
    memory.save_state("k", [1])
    target = memory.export(tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [r["table"] for r in rows] == ["turns", "memories", "memories", "memories", "state"]
    assert "忘れないで" in {r.get("text") for r in rows}
    with pytest.raises(SettingsError, match="exists"):
        memory.export(target)


def test_a_recent_memory_goes_before_an_old_one_of_equal_worth(tmp_path, letters) -> None:
    clock = FakeClock()
    with Memory(tmp_path, embedder=letters, clock=clock) as memory:
        memory.remember("mango is sweet")
        clock._elapsed = timedelta(days=200).total_seconds()
        memory.remember("mango is sour")
        assert [m.text for m in memory.recall("mango")] == ["mango is sour", "mango is sweet"]
