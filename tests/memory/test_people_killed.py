"""Killed at random moments while it writes people: see benchmarks/killed_writers.py, in small."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from killed_writers import check, kill_often


@pytest.mark.parametrize("sealed", [False, True])
def test_nothing_finished_is_lost_and_nothing_forgotten_is_left(tmp_path: Path, sealed) -> None:
    if sealed:
        pytest.importorskip("cryptography")
    folder, key = tmp_path / "memory", tmp_path / "key" if sealed else None
    told = kill_often(folder, 6, key=key, seed=1 + sealed)
    counted = check(folder, told)
    assert counted["people"] > 10
    assert counted["forgotten"] > 0
