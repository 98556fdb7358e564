"""The memory panel: what is remembered, found by words and meaning, and forgotten line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from omni_agent.errors import OmniAgentError
from omni_agent.events import RecalledMemory
from omni_agent.memory import Memory
from omni_agent.memory.records import StoredMemory
from page.blocks import module, panel
from page.people import PeopleShelf

KINDS = ("episode", "fact", "request", "scene", "person", "voice", "face")
AT_A_TIME = 40
_FOUND = 20
_AT_ONCE = 500  # forgotten in one step, so that a large memory does not hold the others up


class MemoryPanel:
    """Built on `Memory`'s public methods; all of them block, and run in a thread of Gradio's."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory

    def build(self) -> None:
        functions: Sequence[Callable[..., Any]] = [
            self.look,
            self.search,
            self.forget,
            self.forget_everything,
        ]
        with panel("memory"):
            module("memory_head", remembers=self._memory is not None)
            if self._memory is not None:
                PeopleShelf(self._memory).build()
                module("memory_panel", functions=functions)

    def look(self, kind: str | None = None, offset: int = 0) -> dict[str, Any]:
        """{memories, total, kinds}: newest first, from `offset` on."""
        memory = self._open()
        counts = {name: memory.count(name) for name in KINDS}
        rows = memory.list(kind or None, AT_A_TIME, max(0, int(offset)))
        return {
            "memories": [_row(row) for row in rows],
            "total": memory.count(kind or None),
            "kinds": {name: count for name, count in counts.items() if count},
        }

    def search(self, query: str, kind: str | None = None) -> dict[str, Any]:
        """{memories, total}: what bears on a question, best first, as an agent would recall it."""
        memory = self._open()
        found = memory.recall(str(query)[:400], limit=_FOUND, kinds=[kind] if kind else None)
        return {"memories": [_row(row) for row in found], "total": len(found)}

    def forget(self, id: str) -> dict[str, Any]:
        """{gone}: the ids of all that went."""
        try:
            return {"gone": list(self._open().forget(str(id)))}
        except OmniAgentError as error:
            return {"error": str(error)}

    def forget_everything(self) -> dict[str, Any]:
        """{gone}: how many went."""
        memory, gone = self._open(), 0
        try:
            while rows := memory.list(None, _AT_ONCE):
                gone += len(memory.forget(*(row.id for row in rows)))
        except OmniAgentError as error:
            return {"error": str(error)}
        return {"gone": gone}

    def _open(self) -> Memory:
        assert self._memory is not None, "without a memory the panel asks for nothing"
        return self._memory


def _row(memory: StoredMemory | RecalledMemory) -> dict[str, Any]:
    until = memory.valid_to if isinstance(memory, StoredMemory) else None
    return {
        "id": memory.id,
        "kind": memory.kind,
        "text": memory.text,
        "speaker": memory.speaker,
        "at": memory.at.isoformat(),
        "until": None if until is None else until.isoformat(),
        "score": memory.score if isinstance(memory, RecalledMemory) else None,
    }
