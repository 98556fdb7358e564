"""`omni-agent doctor` tells what is missing and what mends it, and changes nothing."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import Run
from stand_in_sounddevice import SoundCards

from omni_agent.cli import doctor
from omni_agent.memory import Memory


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without loading the engines, which takes seconds; one test does."""
    monkeypatch.setattr(doctor, "_ENGINES", ())
    monkeypatch.setattr(doctor, "_installed", lambda package: True)
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCards())
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def line_of(out: str, what: str) -> str:
    return next(line for line in out.splitlines() if re.match(rf". {what} ", line))


def test_a_machine_that_lacks_only_model_files_is_fine(run: Run, machine: Path) -> None:
    done = run("doctor")
    assert done.status == 0
    assert "everything that is needed is here" in done.out
    assert line_of(done.out, "model files").startswith("– model files  to be fetched: whisper-base")
    assert "omni-agent models pull compact" in done.out
    assert line_of(done.out, "microphone") == "✓ microphone   test input, 16000 Hz"
    assert line_of(done.out, "memory").startswith("✓ memory       none yet")
    assert not (machine / "data").exists()
    assert not (machine / "cache").exists()


def test_offline_without_files_cannot_work(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    done = run("doctor")
    assert done.status == 1
    assert line_of(done.out, "model files").startswith("✗")
    assert "OMNI_AGENT_OFFLINE is set" in done.out
    assert "1 to mend" in done.out


def test_missing_packages_name_their_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"osmium", "torch", "transformers", "accelerate"}
    monkeypatch.setattr(doctor, "_installed", lambda package: package not in absent)
    done = run("doctor")
    assert done.status == 1
    assert line_of(done.out, "compact").endswith("without osmium")
    assert 'pip install "omni-agent[compact]"' in done.out
    assert line_of(done.out, "qwen") == "– qwen         Qwen2.5-Omni on a GPU: not installed"


def test_an_engine_that_cannot_be_loaded_is_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "odd_engine.py").write_text("raise ImportError('GLIBC_2.99 not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "_ENGINES", ("odd_engine",))
    done = run("doctor")
    assert done.status == 1
    assert "✗ odd_engine" in done.out
    assert "GLIBC_2.99 not found" in done.out


def test_no_sound_is_no_fault(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCards(microphone=None))
    done = run("doctor")
    assert done.status == 0
    assert line_of(done.out, "microphone").startswith("– microphone   There is no microphone")


def test_the_memory_is_counted(run: Run, machine: Path) -> None:
    with Memory(machine / "data" / "memory") as memory:
        memory.remember("Ben is allergic to peanuts.")
    assert "✓ memory       1 memories in" in run("doctor").out


def test_a_damaged_memory_is_broken_and_left_as_it_is(run: Run, machine: Path) -> None:
    folder = machine / "data" / "memory"
    with Memory(folder) as memory:
        memory.remember("Ben is allergic to peanuts.")
    ledger = next(folder.glob("*.db"), None) or next(folder.glob("*.sqlite*"))
    ledger.write_bytes(b"not a database at all, whatever its name is" * 100)
    done = run("doctor")
    assert done.status == 1
    assert line_of(done.out, "memory").startswith("✗")
    assert ledger.read_bytes().startswith(b"not a database")


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))
    declared = project["project"]["optional-dependencies"]
    for extra, (_, packages) in doctor.EXTRAS.items():
        names = {re.split(r"[\[<>=; ]", requirement)[0] for requirement in declared[extra]}
        assert names - {"omni-agent"} == set(packages), extra
