"""From a name to a loaded model."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable

from omni_agent.errors import UnknownModel
from omni_agent.model.base import OmniModel
from omni_agent.model.progress import PullProgress

NAMES = {
    "auto": "the best model for this machine",
    "compact": "ears, eyes, a 1.5B Thinker and a voice on CPU; English and Chinese; 1.4 GB",
    "compact-small": "the same with a 0.5B Thinker: faster, and less able; 0.8 GB",
}
"""What `open_model` takes, with a line about each."""

_opened: dict[str, OmniModel] = {}
_opening = asyncio.Lock()


async def open_model(
    name: str = "auto",
    *,
    progress: PullProgress | None = None,
    on_prefill: Callable[[int, int], None] | None = None,
) -> OmniModel:
    """Load a model, or give the one that is loaded already: agents share it.

    `progress` shows files being fetched, `on_prefill` a new agent's prompt being taken in.
    Raises UnknownModel for a name that is none of `NAMES`.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownModel(f"no model is called {name!r}; {hint}There are: {', '.join(NAMES)}")
    kind = "compact" if name == "auto" else name
    async with _opening:
        if kind not in _opened:
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
