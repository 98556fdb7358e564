"""Two watchers that get along with cheap eyes: something changes, a text appears.

from omni_agent.model.compact.eyes import Eyes

agent = Agent("Be brief.", tools=Lookout(Eyes()).tools)
"""

from __future__ import annotations

import asyncio
import difflib
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import numpy as np

from omni_agent.errors import ToolError
from omni_agent.likeness import Glance, Kind
from omni_agent.media import Image
from omni_agent.messages import Language
from omni_agent.tools.base import Tool, ToolContext, tool
from omni_agent.tools.frames import Frames
from omni_agent.virtual_clock import working

_CHANGED: dict[Kind, float] = {"view": 0.03, "page": 0.002}
_FRAMES = 2  # in a row that must differ, so that a passing shadow or a half-drawn window does not
_READ_EVERY = 2.0  # seconds of rest after a picture was read: reading takes all the cores
_ALIKE = 0.85  # how near a read word must come to a wanted one; readers slip on a letter
_LONG = 6  # letters; shorter words are alike too easily


class LineOfText(Protocol):
    @property
    def text(self) -> str: ...


class Reader(Protocol):
    def read(self, image: Image) -> Sequence[LineOfText]:
        """The lines of text in a picture. Called in a worker thread."""
        ...


class Lookout:
    """Looks out for what the user wants to be told of. `reader` None: text cannot be looked for.

    `pages`: the sources that neither tremble nor flicker, in which small changes count.
    """

    def __init__(
        self, reader: Reader | None = None, *, pages: frozenset[str] = frozenset({"screen"})
    ) -> None:
        self._reader = reader
        self._pages = pages

    @property
    def tools(self) -> tuple[Tool, ...]:
        if self._reader is None:
            return (self.watch_for_change,)
        return (self.watch_for_change, self.watch_for_text)

    @tool(
        examples=[
            ("Tell me when something moves", {}),
            ("Let me know as soon as the picture changes", {}),
            ("有动静就告诉我", {}),
            ("画面变了跟我说一声", {}),
        ]
    )
    async def watch_for_change(self, ctx: ToolContext, frames: Frames) -> AsyncIterator[str]:
        """Tell the user when something moves or changes in what the camera or the screen shows."""
        before: dict[str, Glance] = {}
        in_a_row: dict[str, int] = {}
        async for frame in frames:
            source = frames.source
            kind: Kind = "page" if source in self._pages else "view"
            now = Glance.at(frame.image, kind)
            if source not in before or now.is_dark:
                before.setdefault(source, now)
                continue
            if before[source].is_dark:  # the camera was still starting
                before[source] = now
                continue
            changed = now.changed(before[source])
            is_new = bool(changed.mean() >= _CHANGED[kind])
            in_a_row[source] = in_a_row.get(source, 0) + 1 if is_new else 0
            if in_a_row[source] >= _FRAMES:
                yield _what_changed(changed, source, self._pages, ctx.language)
                return

    @tool(
        examples=[
            ("Tell me when the sign says boarding", {"text": "boarding"}),
            ("Let me know when the screen shows build finished", {"text": "build finished"}),
            ("屏幕上出现“下载完成”就告诉我", {"text": "下载完成"}),
            ("叫到A15号的时候提醒我", {"text": "A15"}),
        ]
    )
    async def watch_for_text(
        self, text: str, ctx: ToolContext, frames: Frames
    ) -> AsyncIterator[str]:
        """Tell the user when a text can be read in what the camera or the screen shows.

        Args:
            text: The words to look for, as they will be written.
        """
        reader = self._reader
        if reader is None:
            raise ToolError("there are no eyes to read with")
        if not _plain(text):
            raise ToolError(f"{text!r} has no letters or digits to look for")
        looked_at: dict[str, Glance] = {}
        async for frame in frames:
            now = Glance.at(frame.image, "page")
            before = looked_at.get(frames.source)
            if before is not None and now.difference(before) < _CHANGED["page"]:
                continue
            looked_at[frames.source] = now
            with working(ctx.clock):
                lines = await asyncio.to_thread(reader.read, frame.image)
            if (found := _line_with(text, [line.text for line in lines])) is not None:
                yield _reads(found, ctx.language)
                return
            await ctx.clock.sleep(_READ_EVERY)


# --- reading ----------------------------------------------------------------------------------


def _line_with(wanted: str, lines: Sequence[str]) -> str | None:
    """The line the text stands in, or the lines joined if it runs over their ends."""
    for line in (*lines, " ".join(lines)):
        if _occurs(_plain(wanted), _plain(line)):
            return line
    return None


def _occurs(wanted: str, text: str) -> bool:
    """Whole words only; a word or phrase without digits may be read with a slip."""
    if re.search(rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])", text):
        return True
    if len(wanted) < _LONG or re.search(r"\d", wanted):
        return False
    words, count = text.split(), len(wanted.split())
    runs = (" ".join(words[i : i + count]) for i in range(len(words) - count + 1))
    return any(difflib.SequenceMatcher(None, wanted, run).ratio() >= _ALIKE for run in runs)


def _plain(text: str) -> str:
    """Letters and digits in small, single spaces; none between Chinese characters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    spaced = " ".join(re.sub(r"[\W_]+", " ", folded).split())
    return re.sub(r"(?<=[\u3040-\u9fff]) (?=[\u3040-\u9fff])", "", spaced)


# --- what is said -----------------------------------------------------------------------------


def _reads(line: str, language: Language) -> str:
    shown = line if len(line) <= 80 else f"{line[:79]}…"
    return f"现在写着：{shown}。" if language == "zh" else f"It says now: {shown}."


def _what_changed(
    changed: np.ndarray, source: str, pages: frozenset[str], language: Language
) -> str:
    """Says where, if it is in one third of the picture; in `changed` cells are true that differ."""
    columns = np.flatnonzero(changed.any(axis=0)) / changed.shape[1]
    where = {"left": ("on the left", "左边"), "right": ("on the right", "右边"),
             "middle": ("in the middle", "中间"), "": ("", "")}  # fmt: skip
    side = ""
    if columns[-1] < 0.4:
        side = "left"
    elif columns[0] > 0.6:
        side = "right"
    elif columns[0] > 0.3 and columns[-1] < 0.7:
        side = "middle"
    english, chinese = where[side]
    if language == "zh":
        return f"{'屏幕' if source in pages else '画面'}{chinese}有变化。"
    what = "on the screen" if source in pages else "in the picture"
    return f"Something has changed {what}{', ' + english if english else ''}."
