"""The command line with a scripted model in the place of the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Outcome, Run, Use

from omni_agent.cli import main
from omni_agent.model import select
from omni_agent.model.catalog import catalog
from omni_agent.model.scripted import ScriptedModel


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without models, memories or a network; the current folder is empty."""
    monkeypatch.setenv("OMNI_AGENT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OMNI_AGENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    catalog.cache_clear()
    yield tmp_path
    catalog.cache_clear()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `omni-agent` with these arguments."""

    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        shown = capsys.readouterr()
        return Outcome(int(left.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Have `open_model` give this model, whatever it is asked for."""

    def use(model: ScriptedModel) -> ScriptedModel:
        async def open_model(name: str = "auto", **_: Any) -> ScriptedModel:
            return model

        monkeypatch.setattr(select, "open_model", open_model)
        return model

    return use
