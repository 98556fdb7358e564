"""`omni-agent memory people` lists, renames, merges, exports and forgets people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from omni_agent.cli.memory import app
from omni_agent.memory import Memory, TurnRecord


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    with Memory(tmp_path / "m") as memory:
        people = memory.people
        for n, (name, line) in enumerate(
            [("Anna [b]", "I sing in a choir."), ("Ben", "I hate kale."), ("Ben", "I love kale.")]
        ):
            person = people.add(name)
            people.look(person, "glasses", "yes" if n else "no", confidence=0.9)
            memory.record_turn(
                TurnRecord(conversation="c", agent="a", turn=n, user=line, reply="I see.",
                           speaker=name, person=person.id)
            )  # fmt: skip
    return tmp_path / "m"


def run(folder: Path, *arguments: str, **more: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--folder", str(folder)], **more)


def ids(folder: Path, name: str) -> list[str]:
    with Memory(folder) as memory:
        return [p.id for p in memory.people.named(name)]


def test_everybody_is_listed_with_what_is_kept(folder: Path) -> None:
    shown = run(folder, "people", "list").output
    assert "Anna [b]" in shown
    assert "glasses: no" in shown
    assert "3 people in" in shown
    rows = [json.loads(r) for r in run(folder, "people", "list", "--json").output.splitlines()]
    assert [(r["name"], r["consent"], r["looks"]["glasses"]) for r in rows] == [
        ("Anna [b]", "named", "no"), ("Ben", "named", "yes"), ("Ben", "named", "yes"),
    ]  # fmt: skip


def test_one_person_is_shown_with_looks_words_and_changes(folder: Path) -> None:
    run(folder, "people", "rename", "Anna [b]", "Anna")
    shown = run(folder, "people", "show", "anna").output
    for part in ("Anna", "named", "glasses", "I sing in a choir.", "rename"):
        assert part in shown
    rows = [
        json.loads(r) for r in run(folder, "people", "show", "Anna", "--json").output.splitlines()
    ]
    assert [next(iter(r)) for r in rows] == ["person", "look", "said", "change"]


def test_a_name_of_two_asks_which(folder: Path) -> None:
    result = run(folder, "people", "show", "Ben")
    assert result.exit_code == 2
    for id in ids(folder, "Ben"):
        assert id in result.output
        assert run(folder, "people", "show", id).exit_code == 0
    assert "nobody has" in run(folder, "people", "show", "Chen").output


def test_two_who_are_one_are_merged_and_taken_apart_again(folder: Path) -> None:
    one, other = ids(folder, "Ben")
    assert run(folder, "people", "merge", one, other).exit_code == 0
    assert ids(folder, "Ben") == [other]
    assert "already" in run(folder, "people", "merge", one, other).output
    assert "undone" in run(folder, "people", "undo", "1").output
    assert len(ids(folder, "Ben")) == 2


def test_a_person_is_exported_to_a_folder(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert str(target) in run(folder, "people", "export", "Anna [b]", str(target)).output
    assert "choir" in (target / "said.json").read_text("utf-8")


@pytest.mark.parametrize("command", [("forget",), ("people", "forget")])
def test_a_person_is_forgotten_after_asking(folder: Path, command: tuple[str, ...]) -> None:
    asked = run(folder, *command, "Anna [b]", input="n\n")
    assert asked.exit_code == 1
    assert "things said 1" in asked.output
    assert run(folder, *command, "Anna [b]", input="y\n").exit_code == 0
    assert ids(folder, "Anna [b]") == []
    assert not [p for p in folder.rglob("*") if p.is_file() and b"choir" in p.read_bytes()]


def test_the_memory_command_still_forgets_by_id_and_says_who_is_unknown(folder: Path) -> None:
    assert "nobody this name" in run(folder, "forget", "Chen").output
    assert run(folder, "forget", "Ben").exit_code == 2, "two are called so"
    with Memory(folder) as memory:
        id = memory.list()[0].id
    assert "2 forgotten" in run(folder, "forget", id, "--yes").output
