"""Named timers side by side, which speak up when they are over and survive a restart."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

from pydantic import Field

from omni_agent.clock import SYSTEM_CLOCK, Clock
from omni_agent.errors import ToolError
from omni_agent.tools.base import Announce, Say, Tool, ToolContext, home_loop, tool
from omni_agent.tools.timer import (
    UNNAMED,
    Timer,
    called,
    dumped,
    is_unnamed,
    late_words,
    loaded,
    ring_words,
    say_duration,
)
from omni_agent.tools.utterances import utterances

_SAID = utterances(__file__, "timer_utterances.toml")

LONGEST = 24 * 3600.0
"""Seconds; a timer is for today."""

_STATE = "timers"
_ANY = ("", "timer", "the timer", "计时器")


class TimerStore(Protocol):
    """Keeps the timers over a restart; an agent's memory is one. Called from any thread."""

    def load_state(self, name: str) -> dict[str, Any] | None: ...
    def save_state(self, name: str, state: dict[str, Any]) -> None: ...


class Timers:
    """Timers that run in parallel and announce, in the language they were set in, that they end.

    Kept in `store`, or else in the memory of the context they are set in. Due times stand on the
    wall clock: one that ended while nobody ran is announced by `restore`. Callable from any thread
    that a tool runs in. Raises ToolError for an unknown name or a length out of range.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, store: TimerStore | None = None) -> None:
        self._clock = clock
        self._given_store = store
        self._store: TimerStore | None = None  # the one that was read
        self._announce: Announce | None = None
        self._timers: dict[str, Timer] = {}
        self._waits: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.RLock()

    @property
    def tools(self) -> tuple[Tool, ...]:
        return (self.set_timer, self.list_timers, self.cancel_timer)

    # --- what a cook says --------------------------------------------------------------------

    @tool(
        examples=[
            ("Set a timer for ten minutes", {"minutes": 10}),
            ("鸡蛋煮三分半钟，帮我计时", {"minutes": 3.5, "name": "鸡蛋"}),
            ("Remind me about the pasta in 8 minutes", {"minutes": 8, "name": "pasta"}),
            ("定一个五分钟的计时器", {"minutes": 5}),
            *_SAID["set_timer"],
        ]
    )
    def set_timer(
        self,
        ctx: ToolContext,
        minutes: Annotated[float, Field(gt=0, le=LONGEST / 60)],
        name: str = "",
    ) -> Say:
        """Set a timer that rings after some minutes.

        Args:
            minutes: How long; half a minute is 0.5.
            name: What it is for.
        """
        timer = self.start(name, minutes * 60, ctx)
        lasts = say_duration(timer.seconds, ctx.language)
        named = not is_unnamed(timer)
        if ctx.language == "zh":
            words = f"好的，{timer.name}计时{lasts}。" if named else f"好的，计时{lasts}。"
        elif named:
            words = f"The {timer.name} timer is set for {lasts}."
        else:
            words = f"The timer is set for {lasts}."
        return Say(words, {"name": timer.name, "seconds": timer.seconds})

    @tool(
        examples=[
            "How long is left on the timer?",
            "计时器还剩多久？",
            *_SAID["list_timers"],
        ]
    )
    def list_timers(self, ctx: ToolContext) -> Say:
        """Tell which timers run and how long each has left."""
        self.restore(ctx)
        now, zh = self._clock.now(), ctx.language == "zh"
        said = []
        for timer in self.list():
            left = say_duration(timer.remaining(now), ctx.language)
            if zh:
                paused = "（已暂停）" if timer.due is None else ""
                said.append(f"{called(timer, 'zh')}还剩{left}{paused}")
            else:
                paused = " (paused)" if timer.due is None else ""
                said.append(f"{called(timer, 'en')} has {left} left{paused}")
        if not said:
            return Say("现在没有计时器。" if zh else "No timer is running.", [])
        words = "，".join(said) + "。" if zh else ", ".join(said) + "."
        left_of = [{"name": t.name, "seconds_left": round(t.remaining(now))} for t in self.list()]
        return Say(words[0].upper() + words[1:], left_of)

    @tool(
        examples=[
            ("Cancel the pasta timer", {"name": "pasta"}),
            ("取消鸡蛋的计时器", {"name": "鸡蛋"}),
            ("Stop the timer", {}),
            ("别计时了", {}),
            *_SAID["cancel_timer"],
        ]
    )
    def cancel_timer(self, ctx: ToolContext, name: str = "") -> Say:
        """Cancel a timer.

        Args:
            name: Which one; may be left out if there is only one.
        """
        self.restore(ctx)
        timer = self.cancel(name)
        if ctx.language == "zh":
            return Say(f"{called(timer, 'zh')}已取消。", {"cancelled": timer.name})
        which = "The timer" if is_unnamed(timer) else f"The {timer.name} timer"
        return Say(f"{which} is cancelled.", {"cancelled": timer.name})

    # --- the same for code -------------------------------------------------------------------

    def start(self, name: str, seconds: float, context: ToolContext) -> Timer:
        """Start a timer; a name that is taken gets a number, as in "pasta 2"."""
        if not 0 < seconds <= LONGEST:
            raise ToolError(f"a timer runs for up to {LONGEST / 3600:g} hours, not {seconds:g} s")
        self.restore(context)
        with self._lock:
            wanted = " ".join(name.split()) or UNNAMED.get(context.language, UNNAMED["en"])
            free = wanted
            number = 2
            while free.casefold() in self._timers:
                free = f"{wanted} {number}"
                number += 1
            due = self._clock.now() + timedelta(seconds=seconds)
            return self._put(Timer(free, seconds, due, seconds, context.language))

    def remaining(self, name: str = "") -> float:
        """Seconds left."""
        return self._named(name).remaining(self._clock.now())

    def list(self) -> tuple[Timer, ...]:
        """All timers, the one that rings next first; paused ones last."""
        now = self._clock.now()
        with self._lock:
            timers = tuple(self._timers.values())
        return tuple(sorted(timers, key=lambda t: (t.due is None, t.remaining(now))))

    def pause(self, name: str = "") -> Timer:
        with self._lock:
            timer = self._named(name)
            return self._put(replace(timer, due=None, left=timer.remaining(self._clock.now())))

    def resume(self, name: str = "") -> Timer:
        with self._lock:
            timer = self._named(name)
            if timer.due is not None:
                return timer
            return self._put(replace(timer, due=self._clock.now() + timedelta(seconds=timer.left)))

    def add(self, name: str, seconds: float) -> Timer:
        """Give a timer more time, or less with a negative number."""
        with self._lock:
            timer = self._named(name)
            left = timer.remaining(self._clock.now()) + seconds
            if not 0 < left <= LONGEST:
                raise ToolError(f"{timer.name} would have {left:g} seconds left; cancel it instead")
            due = timer.due and self._clock.now() + timedelta(seconds=left)
            return self._put(replace(timer, seconds=timer.seconds + seconds, due=due, left=left))

    def cancel(self, name: str = "") -> Timer:
        with self._lock:
            timer = self._named(name)
            self._remove(timer)
            return timer

    def restore(self, context: ToolContext) -> None:
        """Take up what an earlier process left, and announce what ended in between.

        An agent calls it when it starts; the tools do so themselves. Needs the event loop, or a
        thread that the tool runner made.
        """
        with self._lock:
            self._announce = context.announce
            self._enter_loop()
            store = self._given_store or context.memory
            if self._store is store:
                return
            self._store = store
            now = self._clock.now()
            late: list[tuple[Timer, float]] = []
            for timer in loaded(store.load_state(_STATE)):
                if timer.name.casefold() in self._timers:
                    continue
                if timer.due is not None and timer.due <= now:
                    late.append((timer, (now - timer.due).total_seconds()))
                else:
                    self._timers[timer.name.casefold()] = timer
                    self._arm(timer)
            self._save()
        for timer, ago in late:
            context.announce(late_words(timer, ago))

    def close(self) -> None:
        """Stop waiting; what still runs is kept for `restore`. Call it in the event loop."""
        with self._lock:
            for wait in self._waits.values():
                wait.cancel()
            self._waits, self._loop, self._store = {}, None, None

    # --- inside ------------------------------------------------------------------------------

    def _named(self, name: str) -> Timer:
        """The timer meant: by name, by a part of it, or the only one."""
        with self._lock:
            wanted = name.casefold().strip()
            if (timer := self._timers.get(wanted)) is not None:
                return timer
            near = [t for key, t in self._timers.items() if wanted in key or key in wanted]
            if len(near) == 1 or (len(self._timers) == 1 and wanted in _ANY):
                return near[0] if len(near) == 1 else next(iter(self._timers.values()))
            there = ", ".join(t.name for t in near or self._timers.values())
            if not there:
                raise ToolError("no timer is running")
            if near:
                raise ToolError(f"ask the user which timer: {there}")
            raise ToolError(f"no timer is called {name!r}; there is: {there}")

    def _put(self, timer: Timer) -> Timer:
        self._timers[timer.name.casefold()] = timer
        self._save()
        self._arm(timer)
        return timer

    def _remove(self, timer: Timer) -> None:
        del self._timers[timer.name.casefold()]
        self._save()
        self._arm(timer)

    def _save(self) -> None:
        if self._store is not None:
            self._store.save_state(_STATE, {"timers": [dumped(t) for t in self._timers.values()]})

    def _enter_loop(self) -> None:
        """Find the loop to wait in, and wait anew if it is another than before."""
        loop: asyncio.AbstractEventLoop | None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a worker thread
            loop = home_loop.get(self._loop)
        if loop is None:
            raise ToolError("timers need a running event loop")
        if loop is not self._loop:
            self._loop = loop
            self._waits = {}
            for timer in self._timers.values():
                self._arm(timer)

    def _arm(self, timer: Timer) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wait_for, timer.name.casefold())

    def _wait_for(self, key: str) -> None:
        """In the loop: wait for what the timer of this name says now, and for nothing else."""
        with self._lock:
            if (old := self._waits.pop(key, None)) is not None:
                old.cancel()
            timer = self._timers.get(key)
            if self._loop is not None and timer is not None and timer.due is not None:
                self._waits[key] = asyncio.create_task(self._ring(timer, timer.due))

    async def _ring(self, timer: Timer, due: datetime) -> None:
        while (left := (due - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(left)
        with self._lock:
            key = timer.name.casefold()
            if self._timers.get(key) != timer:
                return
            self._waits.pop(key, None)  # this task, which must not cancel itself
            del self._timers[key]
            self._save()
            announce = self._announce
        if announce is not None:
            announce(ring_words(timer))
