"""`omni-agent models` fetches, checks, removes, and tells with its exit status how it went."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_agent.cli import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OMNI_AGENT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path / "cache"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def test_the_list_shows_size_licence_and_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "list") == 0
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("thinker-1.5b"))
    assert "1.12 GB" in line
    assert "Apache-2.0" in line
    assert " no " in line
    assert "street-guide" in shown


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert "models" in capsys.readouterr().out
    assert run("models", "--help") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("list", "pull", "verify", "remove", "path"))


def test_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "pull", "helsinky") == 2
    assert "helsinki" in capsys.readouterr().err


def test_what_cannot_be_had_fails_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "pull", "kokoro-vocab") == 1
    told = capsys.readouterr().err
    assert "OMNI_AGENT_OFFLINE is set" in told
    assert "OMNI_AGENT_MODELS=/folder" in told


def test_the_path_of_what_is_not_here_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "path", "helsinki") == 1
    assert "omni-agent models pull helsinki" in capsys.readouterr().err


def test_a_wrong_file_is_found_and_removed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = cache / "models/kokoro-vocab/vocab.json"
    wrong.parent.mkdir(parents=True)
    wrong.write_text("{}")
    assert run("models", "verify") == 1
    assert "2 bytes, the catalog states 1,155" in capsys.readouterr().out
    assert run("models", "remove", "kokoro-vocab") == 0
    assert not wrong.exists()
    assert run("models", "verify") == 0


def test_a_setting_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "maybe")
    assert run("models", "list") == 1
    assert "OMNI_AGENT_OFFLINE='maybe'" in capsys.readouterr().err
