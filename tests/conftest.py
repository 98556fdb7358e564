"""Its being here lets the tests below import the stand-ins that lie beside it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those with a browser come last: playwright's loop runs on, and no other can beside it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
