"""What is known of whom, since when, until when, and what of it contradicts what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from omni_agent.clock import FakeClock
from omni_agent.memory import Memory, TurnRecord
from omni_agent.memory.facts import SPEAKER, Statement, sentence, told_as
from omni_agent.memory.statements import certain_sentences, is_certain, may_state, statements_in


def said(text: str) -> list[tuple[str, str, str]]:
    return [(s.subject, s.predicate, s.object) for s in statements_in(text)]


# --- what contradicts what ----------------------------------------------------------------------


def know(memory: Memory, predicate: str, object: str, subject: str = "Ben", **more: object) -> str:
    fact = {"subject": subject, "predicate": predicate, "object": object}
    return memory.remember(f"{subject} {predicate} {object}", **fact, **more)  # type: ignore[arg-type]


def known(memory: Memory, **what: object) -> list[tuple[str | None, str | None]]:
    return sorted((f.predicate, f.object) for f in memory.facts(**what))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (("likes", "tofu"), ("likes", "fish"), 2),
        (("likes", "tofu"), ("dislikes", "Tofu"), 1),
        (("allergic_to", "peanuts"), ("allergic_to", "the peanut"), 1),
        (("allergic_to", "nuts"), ("not_allergic_to", "nuts"), 1),
        (("allergic_to", "nuts"), ("not_allergic_to", "eggs"), 2),
        (("avoids", "猪肉"), ("eats", "猪肉"), 1),
        (("diet", "vegetarian"), ("diet", "vegan"), 1),
        (("lives_in", "Oslo"), ("lives in", "Bergen"), 1),
        (("plays", "cello"), ("plays", "piano"), 1),  # of an unknown predicate there is one object
    ],
)
def test_only_what_contradicts_is_superseded(memory: Memory, before, after, left: int) -> None:
    first, second = know(memory, *before), know(memory, *after)
    assert len(memory.facts(about=["Ben"])) == left
    old = memory.get(first)[first]
    if left == 1 and first != second:
        assert old.superseded_by == second
        assert old.valid_to is not None
    else:
        assert old.valid_to is None


def test_what_one_person_likes_is_nothing_to_another(memory: Memory) -> None:
    know(memory, "likes", "tofu", subject="Ben")
    know(memory, "dislikes", "tofu", subject="Anna")
    assert known(memory) == [("dislikes", "tofu"), ("likes", "tofu")]


def test_facts_are_asked_for_by_person_predicate_and_time(tmp_path: Path, letters) -> None:
    clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    with Memory(tmp_path, embedder=letters, clock=clock) as memory:
        ben = memory.people.add("Ben")
        know(memory, "lives_in", "Oslo", valid_from=clock.now() - timedelta(days=300))
        know(memory, "lives_in", "Bergen")
        know(memory, "is allergic to", "nuts")
        know(memory, "likes", "tea", subject="Anna")
        assert known(memory, about=[ben]) == [("is allergic to", "nuts"), ("lives_in", "Bergen")]
        assert known(memory, about=["ANNA"]) == [("likes", "tea")]
        assert known(memory, predicates=["allergic_to"]) == [("is allergic to", "nuts")]
        year_ago = clock.now() - timedelta(days=200)
        assert known(memory, about=["Ben"], at=year_ago) == [("lives_in", "Oslo")]
        assert known(memory, about=["nobody of this name"]) == []


def test_what_is_learned_late_of_earlier_times_takes_its_place_in_them(
    tmp_path: Path, letters
) -> None:
    clock = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    days = [clock.now() - timedelta(days=d) for d in (30, 20, 10)]
    with Memory(tmp_path, embedder=letters, clock=clock) as memory:
        know(memory, "lives_in", "Bergen", valid_from=days[2])
        know(memory, "lives_in", "Oslo", valid_from=days[0])
        know(memory, "lives_in", "Bergen", valid_from=days[1])  # there for longer than was known
        assert known(memory) == [("lives_in", "Bergen")]
        (since,) = memory.facts()
        assert since.valid_from == days[1]
        (before,) = memory.facts(at=days[0] + timedelta(days=5))
        assert (before.object, before.valid_to) == ("Oslo", days[1])
        assert before.superseded_by == since.id


def test_a_fact_is_forgotten_with_what_it_was_drawn_from(memory: Memory) -> None:
    episode, _ = memory.record_turn(
        TurnRecord(conversation="c", agent="a", turn=1, user="I love figs.", reply="Good to know.")
    )
    fact = know(memory, "likes", "figs", source=episode)
    assert fact in memory.forget(episode)
    assert memory.facts() == ()


def test_what_was_learned_from_is_known_after_a_restart(tmp_path: Path, letters) -> None:
    with Memory(tmp_path, embedder=letters) as memory:
        for n in range(3):
            memory.record_turn(
                TurnRecord(conversation="c", agent="a", turn=n, user=f"line {n}", reply="Yes.")
            )
        newest, *rest = memory.to_learn("rules")
        assert newest.text == "line 2"
        assert len(rest) == 2  # and nothing of the agent's
        memory.learned_nothing([newest.id], "rules")
        memory.learned_nothing([rest[0].id], "model")
    with Memory(tmp_path, embedder=letters) as memory:
        assert [m.text for m in memory.to_learn("rules")] == ["line 0"]
        assert [m.text for m in memory.to_learn("model")] == ["line 2", "line 0"]


# --- read out of what was said ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("I'm allergic to nuts, eggs and milk.", [
            (SPEAKER, "allergic_to", "nuts"), (SPEAKER, "allergic_to", "eggs"),
            (SPEAKER, "allergic_to", "milk")]),
        ("I'm allergic to nuts, what can I make?", [(SPEAKER, "allergic_to", "nuts")]),
        ("A cake for Anna, who is vegan?", [("Anna", "diet", "vegan")]),
        ("Ben and Anna are allergic to shellfish.", [
            ("Ben", "allergic_to", "shellfish"), ("Anna", "allergic_to", "shellfish")]),
        ("Tom is my flatmate. He hates beetroot.", [
            ("Tom", "relation", "flatmate"), ("Tom", "dislikes", "beetroot")]),
        ("My mother-in-law moved to Turin last year.", [("mother-in-law", "lives_in", "Turin")]),
        ("我对花生和虾过敏，能做什么？", [
            (SPEAKER, "allergic_to", "花生"), (SPEAKER, "allergic_to", "虾")]),
        ("我和安娜都不吃牛肉。", [(SPEAKER, "avoids", "牛肉"), ("安娜", "avoids", "牛肉")]),
        ("我儿子叫小宝，他不吃鱼。", [("小宝", "relation", "儿子"), ("小宝", "avoids", "鱼")]),
    ],
)  # fmt: skip
def test_what_is_stated_is_read(text: str, statements: list[tuple[str, str, str]]) -> None:
    assert said(text) == statements


@pytest.mark.parametrize(
    "text",
    [
        "Am I allergic to nuts?", "Anna is allergic to nuts, isn't she?", "If I were vegan …",
        "Maybe I'm allergic to nuts.",
        "I heard that Ben hates fish.", "I don't like it.",
        'Ben said "I hate fish".', "I have no allergies.", "I love you.", "I don't eat cake today.",
        "I have a question about nuts.", "Call me a taxi.", "", "…", "🥜", "x" * 5_000,
        "我对什么过敏？", "安娜对花生过敏，对吗？", "要是我吃素呢？", "听说小明讨厌鱼。",
        "我不吃了。", "大家都喜欢吃辣。", "我没有过敏。", "我喜欢这首歌。", "我住在三楼。",
    ],
)  # fmt: skip
def test_what_is_asked_supposed_or_meant_for_now_is_not(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize("text", ["I'm allergic to nuts " * 200, "我对花生过敏" * 400, "my " * 900])
def test_long_winded_words_are_read_in_a_moment(text: str) -> None:
    began = datetime.now()
    statements_in(text)
    assert datetime.now() - began < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("statement", "text", "certain"),
    [
        ((SPEAKER, "likes", "plums"), "Plums are what I like best.", True),
        ((SPEAKER, "likes", "plums"), "Do I like plums?", False),
        ((SPEAKER, "likes", "plums"), "I like pears.", False),
        ((SPEAKER, "likes", "plums"), "I do not like plums.", False),
        ((SPEAKER, "likes", "plums"), "Anna likes plums.", False),
        (("Anna", "likes", "plums"), "Anna likes plums.", True),
        ((SPEAKER, "allergic_to", "plums"), "I hate plums.", False),
        ((SPEAKER, "dislikes", "tea"), "I would like tea today.", False),
        (("mother", "lives_in", "Oslo"), "My mother has her home in Oslo.", True),
        (("mother", "lives_in", "Oslo"), "Her mother has a home in Oslo.", False),
        ((SPEAKER, "allergic_to", "虾"), "我一吃虾就过敏。", True),
        ((SPEAKER, "allergic_to", "虾"), "我吃虾不过敏。", False),
        ((SPEAKER, "sings", "plums"), "I sing of plums.", False),  # of no kind that is known
    ],
)  # fmt: skip
def test_what_a_model_reads_has_to_be_borne_out_by_words(statement, text, certain: bool) -> None:
    subject, predicate, object = statement
    read = Statement(subject=subject, predicate=predicate, object=object)
    assert is_certain(read, text) is certain


def test_a_model_is_asked_only_about_what_may_state_something() -> None:
    assert may_state("My aunt keeps bees.")
    assert may_state("Plums are what I like best.")
    assert not may_state("What is the next step?")
    assert not may_state("Stir it well.")
    assert certain_sentences("It rains. Is it cold? If so, go.") == ["It rains"]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ((SPEAKER, "allergic_to", "nuts"), "Ben is allergic to nuts."),
        (("mother", "likes", "tea"), "Ben's mother likes tea."),
        (("Mia", "relation", "daughter"), "Mia is Ben's daughter."),
        (("Anna", "lives_in", "Oslo"), "Anna lives in Oslo."),
        ((SPEAKER, "avoids", "羊肉"), "Ben不吃羊肉。"),
        (("小米", "relation", "女儿"), "小米是Ben的女儿。"),
        ((SPEAKER, "plays", "the cello"), "Ben plays the cello."),
    ],
)
def test_a_statement_is_told_in_the_language_it_was_made_in(statement, told: str) -> None:
    subject, predicate, object = statement
    made = Statement(subject=subject, predicate=predicate, object=object)
    assert sentence(made, *told_as(made, "Ben")) == told
