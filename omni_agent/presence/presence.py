"""Who is there in a live call, who speaks, and what each of them said.

Works on a thread of its own: `hear` and `see` return at once, and what is asked comes as a Future
that is answered as soon as all sound given before it has been heard. Of pictures the oldest are
left out where there are more than can be looked at.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol, TypeVar

from omni_agent.attending import SaidBy
from omni_agent.events import PersonHere
from omni_agent.media import Audio, VideoFrame
from omni_agent.memory.people import People
from omni_agent.presence.company import Company
from omni_agent.presence.frame_times import FrameTimes
from omni_agent.presence.senses import PeopleSenses

logger = logging.getLogger("omni_agent.presence")
T = TypeVar("T")

RATE = 16_000
_MOST_FRAMES = 10  # that wait to be looked at
_FPS = 5.0
_NICE = 5
_MOVED = 0.1  # of the picture, from which on somebody has changed their place
_OWN_SECONDS = 4.0  # of the agent's voice that are enough to know it by


class Changed(Protocol):
    def __call__(self, people: tuple[PersonHere, ...], /) -> None:
        """Who is there has changed. Called on the presence's own thread."""
        ...


class Presence:
    """One call's. `camera`: the source in which faces are looked for."""

    def __init__(
        self,
        people: People,
        senses: PeopleSenses,
        *,
        call: str,
        changed: Changed | None = None,
        camera: str = "camera",
    ) -> None:
        self._company = Company(people, senses, call=call)
        self._changed, self._camera = changed, camera
        self._times = FrameTimes()
        self._news = threading.Condition()
        self._sounds: deque[tuple[Audio, bool]] = deque()
        self._own: deque[Audio] = deque()
        self._frames: deque[VideoFrame] = deque(maxlen=_MOST_FRAMES)
        self._asks: deque[Callable[[], None]] = deque()
        self._given = 0.0  # seconds of sound
        self._seen_at = -1.0
        self._own_seconds = 0.0
        self._present: tuple[PersonHere, ...] = ()
        self._told: tuple[PersonHere, ...] = ()
        self._busy = self._ended = False
        self._thread = threading.Thread(target=self._work, name="presence", daemon=True)
        self._thread.start()

    # --- what goes in ------------------------------------------------------------------------

    def hear(self, sound: Audio, *, own: bool = False) -> None:
        """The microphone's sound at 16 kHz, without a gap. `own`: only the agent speaks in it."""
        with self._news:
            self._given += sound.seconds
            self._sounds.append((sound, own))
            self._news.notify()

    def see(self, frame: VideoFrame, source: str = "camera") -> None:
        """A picture; five a second are looked at."""
        if source != self._camera:
            return
        with self._news:
            at = self._times.place(frame.t, self._given)
            if at is None or at - self._seen_at < 0.9 / _FPS:
                return
            self._seen_at = at
            self._frames.append(VideoFrame(frame.image, at))
            self._news.notify()

    def agent_speaks(self, sound: Audio) -> None:
        """The agent's own voice as it was made, to know it again in the microphone."""
        with self._news:
            if self._own_seconds < _OWN_SECONDS:
                self._own_seconds += sound.seconds
                self._own.append(sound)
                self._news.notify()

    # --- what is asked -----------------------------------------------------------------------

    def present(self) -> tuple[PersonHere, ...]:
        """Who is in view or in earshot, from left to right, as far as is known now."""
        return self._present

    def who(self, start_ms: int, end_ms: int) -> Future[SaidBy]:
        """Whose words these were. Changes nothing."""
        return self._ask(lambda: self._company.who(start_ms / 1000, end_ms / 1000))

    def heard(self, text: str, start_ms: int, end_ms: int) -> Future[SaidBy]:
        """The words of a turn: with what they tell of names, and of whom they are."""
        return self._ask(lambda: self._company.heard(text, start_ms / 1000, end_ms / 1000))

    def kept(self, said: SaidBy, memory: str) -> None:
        """Words that were `heard` are kept as this memory, which is theirs who turns out to be."""
        self._ask(lambda: self._company.kept(said, memory))

    def agent_said(self, text: str) -> None:
        """What the agent said: whether it has asked who somebody is."""
        self._ask(lambda: self._company.agent_said(text))

    @property
    def is_busy(self) -> bool:
        """Whether something that was given is not yet taken in."""
        with self._news:
            return not self._is_idle()

    def wait_idle(self, timeout: float = 60.0) -> bool:
        """Until everything that was given is taken in. Blocks."""
        with self._news:
            return self._news.wait_for(
                lambda: (
                    self._ended
                    or not (self._busy or self._sounds or self._own or self._frames or self._asks)
                ),
                timeout,
            )

    def close(self) -> None:
        """The call is over: strangers are let go. Blocks; may be called twice."""
        with self._news:
            self._ended = True
            self._news.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    # --- inside ------------------------------------------------------------------------------

    def _is_idle(self) -> bool:
        waiting = self._busy or self._sounds or self._own or self._frames or self._asks
        return self._ended or not waiting

    def _ask(self, what: Callable[[], T]) -> Future[T]:
        answer: Future[T] = Future()

        def work() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(what())
                except Exception as error:
                    answer.set_exception(error)
                    logger.exception("who said what could not be told")

        with self._news:
            if self._ended:
                answer.cancel()
            else:
                self._asks.append(work)
                self._news.notify()
        return answer

    def _work(self) -> None:
        _be_nice()
        while (step := self._next()) is not None:
            try:
                step()
                self._look_round()
            except Exception:
                logger.exception("the call goes on; whom it is with may be told wrong")
            with self._news:
                self._busy = False
                self._news.notify_all()
        try:
            self._company.close()
        except Exception:
            logger.exception("strangers could not be let go; the next start does it")
        with self._news:
            for ask in self._asks:
                ask()
            self._asks.clear()

    def _next(self) -> Callable[[], None] | None:
        with self._news:
            self._news.wait_for(
                lambda: self._ended or self._sounds or self._own or self._asks or self._frames
            )
            self._busy = True
            if self._sounds:
                sounds = [*self._sounds]
                self._sounds.clear()
                return lambda: self._hear(sounds)
            if self._own:
                own = [*self._own]
                self._own.clear()
                return lambda: self._company.hear_agent(Audio.join(own))
            if self._asks:
                return self._asks.popleft()
            if self._frames and not self._ended:
                frame = self._frames.popleft()
                return lambda: self._company.see(frame)
            return None

    def _hear(self, sounds: list[tuple[Audio, bool]]) -> None:
        for sound, own in sounds:
            self._company.hear(sound.samples, own=own)

    def _look_round(self) -> None:
        self._present = now = self._company.present()
        if not _look_alike(now, self._told):
            self._told = now
            if self._changed is not None:
                self._changed(now)


def _be_nice() -> None:
    """On Linux a thread can be made to give way: the answer that is being thought comes first."""
    if hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError:
            logger.debug("this system cannot make one thread nice", exc_info=True)


def _look_alike(one: Sequence[PersonHere], other: Sequence[PersonHere]) -> bool:
    """Whether nothing has changed that is worth telling: people sway, and pitch is a median."""
    return len(one) == len(other) and all(
        replace(a, x=None, pitch=None) == replace(b, x=None, pitch=None)
        and (a.x is None) == (b.x is None)
        and abs((a.x or 0.0) - (b.x or 0.0)) < _MOVED
        for a, b in zip(one, other, strict=True)
    )
