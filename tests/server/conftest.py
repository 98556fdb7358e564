"""Every call in these tests hears what the test says is heard; the sound is a hum."""

import pytest
from clients import ToldListener


@pytest.fixture(autouse=True)
def _told_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent.floor.TurnListener", ToldListener)
