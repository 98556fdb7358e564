from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_embedder import Letters

from omni_agent.memory import Memory


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def memory(tmp_path: Path, letters: Letters) -> Iterator[Memory]:
    with Memory(tmp_path / "memory", embedder=letters) as opened:
        yield opened
