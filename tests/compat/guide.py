"""The programs that docs/clients.md has."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "clients.md"


def program(client: str, url: str) -> str:
    """The code under a heading, for another address."""
    found = re.search(rf"^## {client}\n\n```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    assert found, f"no program for {client}"
    host = url.split("/")[2]
    return found[1].replace("127.0.0.1:8765", host)
