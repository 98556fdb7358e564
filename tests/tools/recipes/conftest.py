from pathlib import Path

import pytest

from omni_agent.tools.recipes.library import RecipeLibrary


@pytest.fixture(scope="session")
def library() -> RecipeLibrary:
    return RecipeLibrary.load()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's own folder with one good recipe."""
    (tmp_path / "porridge.cook").write_text(
        "---\ntitle: Porridge\nservings: 2\ntime: 10 minutes\n---\n\n"
        "Simmer @oats{100%g} in @milk{400%ml} for ~{8%minutes}.\n",
        encoding="utf-8",
    )
    return tmp_path
