"""`omni-agent memory` shows, searches, forgets and rebuilds, and asks before it deletes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from omni_agent.cli.memory import app
from omni_agent.errors import SettingsError
from omni_agent.memory import Memory, TurnRecord


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "160")
    with Memory(tmp_path / "m") as memory:
        memory.record_turn(
            TurnRecord(
                conversation="c", agent="kitchen", turn=1, user="[b]I hate kale.", reply="好的！"
            )
        )
        memory.remember("Anna lives in Oslo", subject="Anna", predicate="lives", object="Oslo")
        memory.remember("Anna lives in Rome", subject="Anna", predicate="lives", object="Rome")
    return tmp_path / "m"


def run(folder: Path, *arguments: str, **more: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--folder", str(folder)], **more)


def test_the_list_shows_who_said_what_and_what_no_longer_holds(folder: Path) -> None:
    shown = run(folder, "list").output
    assert "[b]I hate kale." in shown
    assert "好的！" in shown
    assert "Anna lives in Oslo (until " in shown
    assert "1–4 of 4" in shown


def test_the_list_is_json_for_programs(folder: Path) -> None:
    rows = [json.loads(line) for line in run(folder, "list", "--json").output.splitlines()]
    assert [r["text"] for r in rows if r["kind"] == "fact"] == [
        "Anna lives in Rome",
        "Anna lives in Oslo",
    ]


def test_a_search_finds_what_holds_now_and_abstains(folder: Path) -> None:
    shown = run(folder, "search", "Where does Anna live?").output
    assert "Rome" in shown
    assert "Oslo" not in shown
    assert "Nothing" in run(folder, "search", "capital of France").output


def test_forgetting_asks_first(folder: Path) -> None:
    asked = run(folder, "forget", "--matching", "anna", input="n\n")
    assert asked.exit_code == 1
    assert "Anna lives in Rome" in asked.output
    assert "4 of 4" in run(folder, "list").output
    assert "2 forgotten" in run(folder, "forget", "--matching", "anna", "--yes").output
    assert "2 of 2" in run(folder, "list").output


def test_forgetting_by_id_takes_the_turn_and_names_unknown_ids(folder: Path) -> None:
    rows = [json.loads(line) for line in run(folder, "list", "--json").output.splitlines()]
    said = next(r["id"] for r in rows if "kale" in r["text"])
    assert "2 forgotten" in run(folder, "forget", said, "-y").output
    wrong = run(folder, "forget", said, "-y")
    assert wrong.exit_code == 2
    assert said in wrong.output


def test_rebuild_export_and_where(folder: Path, tmp_path: Path) -> None:
    assert "4 memories in the index" in run(folder, "rebuild").output
    target = tmp_path / "all.jsonl"
    assert run(folder, "export", str(target)).exit_code == 0
    assert len(target.read_text("utf-8").splitlines()) == 5
    assert isinstance(run(folder, "export", str(target)).exception, SettingsError)
    assert run(folder, "where").output.strip() == str(folder)
