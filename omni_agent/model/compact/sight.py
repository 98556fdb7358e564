"""Pictures in words: the compact model reads what is written in them, and sees nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from omni_agent.media import Image

if TYPE_CHECKING:
    from omni_agent.model.compact.eyes import Eyes


class Sight:
    """One session's view of what it is shown."""

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._in_view = ""  # the text that the camera showed last

    async def look(self, image: Image) -> str:
        """A picture that the user gives, in words."""
        text = await self._read(image)
        if not text:
            return "[A picture without readable text. You cannot see what else is in it: say so.]"
        return f"[A picture. You can only read its text, which is:\n{text}\n]"

    async def glance(self, image: Image) -> str | None:
        """A frame of a camera or screen: only text that was not there before is worth a word."""
        before, self._in_view = self._in_view, await self._read(image)
        if not self._in_view or self._in_view == before:
            return None
        return f"[What the camera shows has text in it, which is:\n{self._in_view}\n]"

    async def _read(self, image: Image) -> str:
        lines = await asyncio.to_thread(self._eyes.read, image)
        return "\n".join(line.text for line in lines)
