"""Its being here lets the tests below import the stand-ins that lie beside it."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those with a browser come last: playwright's loop runs on, and no other can beside it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
