"""Watchers: tools that look on in the background and speak up when they see something.

@tool
async def watch_the_pot(frames: Frames) -> AsyncIterator[str]:
    'Tell when the water boils.'
    async for frame in frames:
        if await boils(frame.image):
            yield "The water boils."
            return
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ToolError
from omni_agent.messages import Language, ToolCall
from omni_agent.tools.base import Say, Tool, ToolContext, tool
from omni_agent.tools.frames import Frames
from omni_agent.tools.time_limit import time_limit
from omni_agent.tools.timer import say_duration

logger = logging.getLogger("omni_agent.tools")

LONGEST_WATCH = 1800.0
"""Seconds after which a watcher without a timeout of its own stops."""

_MOST = 8  # watchers of one conversation
_CANCEL_GRACE = 0.05  # seconds that a cancelled watcher has to clean up

Found = AsyncGenerator[Any, None]


@dataclass(frozen=True, slots=True, eq=False)
class _Watch:
    call: ToolCall
    conversation: str
    task: asyncio.Task[None]


class Watching:
    """The watchers that run, in all conversations. Callable in the event loop only.

    What a watcher yields, a text or a `Say`, is announced as soon as nobody speaks. It ends by
    returning, after its tool's timeout, by `stop_watching`, or with its conversation.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._watches: list[_Watch] = []

    def start(
        self, tool: Tool, call: ToolCall, run: Callable[..., Found], context: ToolContext
    ) -> Say:
        """Begin; `run` is the prepared call, which lacks only the frames.

        Raises ToolError where there is nothing to be seen, or too much is watched already.
        """
        mine = self._of(context.conversation)
        if any((w.call.name, w.call.arguments) == (call.name, call.arguments) for w in mine):
            return Say(_words(_STILL, context.language), "this is being watched already")
        if len(mine) >= _MOST:
            raise ToolError(f"{len(mine)} things are watched already; stop one of them first")
        frames = None
        if tool.frames_parameter is not None:
            if context.frames is None or not context.frames.is_showing:
                raise ToolError(
                    "there is nothing to watch: the user shows no camera and no screen; ask for it"
                )
            frames = context.frames.open()
            run = partial(run, **{tool.frames_parameter: frames})
        seconds = tool.timeout if tool.timeout is not None else LONGEST_WATCH
        task = asyncio.create_task(self._watch(call.name, run, frames, seconds, context))
        watch = _Watch(call, context.conversation, task)
        self._watches.append(watch)
        task.add_done_callback(lambda _: self._watches.remove(watch))
        return Say(
            _words(_BEGUN, context.language), "watching; the user will be told when it happens"
        )

    @tool(
        examples=[
            ("Stop watching", {}),
            ("You need not look out for it any more", {}),
            ("不用看着了", {}),
            ("别再盯着屏幕了", {"what": "屏幕"}),
        ]
    )
    async def stop_watching(self, ctx: ToolContext, what: str = "") -> Say:
        """Stop looking out for something.

        Args:
            what: Which of several things; may be left out.
        """
        mine = self._of(ctx.conversation)
        if not mine:
            return Say(_words(_NOTHING, ctx.language), "nothing is being watched")
        meant = [watch for watch in mine if _is_meant(watch.call, what)] or mine
        await self._stop(meant)
        return Say(_words(_STOPPED, ctx.language), {"stopped": [w.call.name for w in meant]})

    async def end(self, conversation: str | None = None) -> None:
        """Stop what is watched in this conversation, or everywhere."""
        await self._stop([w for w in self._watches if conversation in (None, w.conversation)])

    # --- inside ------------------------------------------------------------------------------

    def _of(self, conversation: str) -> list[_Watch]:
        return [w for w in self._watches if w.conversation == conversation and not w.task.done()]

    async def _watch(
        self,
        name: str,
        run: Callable[..., Found],
        frames: Frames | None,
        seconds: float,
        context: ToolContext,
    ) -> None:
        language = context.language
        try:
            async with time_limit(self._clock, seconds) as limit, aclosing(run()) as found:
                async for happening in found:
                    text = happening.text if isinstance(happening, Say) else happening
                    if not isinstance(text, str):
                        raise TypeError(f"it yielded {text!r:.80}, which is no text")
                    if text.strip():
                        context.announce(text)
        except TimeoutError:
            if not limit.expired():
                logger.exception("the watcher %s failed", name)
                context.announce(_words(_BROKEN, language))
                return
            logger.info("the watcher %s ended after %g s", name, seconds)
            lasted = say_duration(seconds, language)
            context.announce(_words(_IN_VAIN, language).format(lasted))
        except ToolError as error:
            logger.warning("the watcher %s ended: %s", name, error)
            context.announce(_words(_ENDED, language).format(error))
        except Exception:
            logger.exception("the watcher %s failed", name)
            context.announce(_words(_BROKEN, language))
        finally:
            if frames is not None:
                frames.close()

    async def _stop(self, watches: list[_Watch]) -> None:
        for watch in watches:
            watch.task.cancel()
        if watches:
            _, stubborn = await asyncio.wait([w.task for w in watches], timeout=_CANCEL_GRACE)
            for watch in watches:
                if watch.task in stubborn:
                    logger.warning("the watcher %s does not let itself be stopped", watch.call.name)


def _is_meant(call: ToolCall, what: str) -> bool:
    """Whether the words occur in what it was called with, or in its name."""
    said = [call.name.replace("_", " "), *(str(value) for value in call.arguments.values())]
    return any(what.strip().casefold() in text.casefold() for text in said)


def _words(wording: dict[Language, str], language: Language) -> str:
    return wording.get(language.split("-")[0], wording["en"])


_BEGUN = {"en": "I'll keep an eye on it.", "zh": "好，我帮你看着。"}
_STILL = {"en": "I am still watching.", "zh": "我还看着呢。"}
_STOPPED = {"en": "I have stopped watching.", "zh": "好，我不看了。"}
_NOTHING = {"en": "I am not watching anything.", "zh": "我没有在看什么。"}
_IN_VAIN = {
    "en": "I have been watching for {} now, and stop.",
    "zh": "我已经看了{}，先不看了。",
}
_ENDED = {
    "en": "I cannot keep watching: {}.",
    "zh": "我看不下去了：{}。",
}
_BROKEN = {
    "en": "Something went wrong while I was watching, so I have stopped.",
    "zh": "我看着的时候出了问题，只好停下了。",
}
