"""From a name to a loaded model."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable
from pathlib import Path

from omni_agent.errors import UnknownModel
from omni_agent.model.base import OmniModel
from omni_agent.model.progress import PullProgress

NAMES = {
    "auto": "the best model for this machine",
    "compact": "ears, eyes, a 1.5B Thinker and a voice on CPU; English and Chinese; 1.4 GB",
    "compact-small": "the same with a 0.5B Thinker: faster, and less able; 0.8 GB",
    "qwen2.5-omni-7b": "hears, sees, thinks and speaks in one; wants a GPU with 24 GB",
    "qwen2.5-omni-3b": "the same, smaller; wants a GPU with 16 GB",
}
"""What `open_model` takes, with a line about each. The folder of a checkpoint is taken too."""

_opened: dict[str, OmniModel] = {}
_opening = asyncio.Lock()


async def open_model(
    name: str = "auto",
    *,
    progress: PullProgress | None = None,
    on_prefill: Callable[[int, int], None] | None = None,
    on_plan: Callable[[str], None] | None = None,
) -> OmniModel:
    """Load a model, or give the one that is loaded already: agents share it.

    `name`: one of `NAMES`, or the folder of a Qwen2.5-Omni checkpoint. `progress` shows files being
    fetched, `on_prefill` a new agent's prompt being taken in; `on_plan` is told in words what a
    Qwen2.5-Omni needs, before it is loaded. Raises UnknownModel for any other name.
    """
    is_folder = name not in NAMES and Path(name).expanduser().is_dir()
    if name not in NAMES and not is_folder:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        there_are = f"There are: {', '.join(NAMES)}, and folders with a checkpoint"
        raise UnknownModel(f"no model is called {name!r}; {hint}{there_are}")
    kind = "compact" if name == "auto" else name
    if is_folder:
        kind = str(Path(name).expanduser().resolve())
    async with _opening:
        if kind not in _opened and not kind.startswith("compact"):
            from omni_agent.model.qwen.model import QwenModel

            _opened[kind] = await QwenModel.open(
                kind,
                progress=progress,
                on_plan=None if on_plan is None else lambda plan: on_plan(str(plan)),
            )
        elif kind not in _opened:
            from omni_agent.model.compact.model import CompactModel

            _opened[kind] = await CompactModel.open(
                "thinker-0.5b" if kind == "compact-small" else "thinker-1.5b",
                progress=progress,
                on_prefill=on_prefill,
            )
        return _opened[kind]


async def close_models() -> None:
    """Unload every model that `open_model` has loaded."""
    async with _opening:
        while _opened:
            _, model = _opened.popitem()
            await model.close()
