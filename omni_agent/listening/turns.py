"""A turn of the user's, and whether a pause in it is its end."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from concurrent.futures import Future

import numpy as np

from omni_agent.errors import GenerationError
from omni_agent.listening.heeds import Heed, Paused, TurnOver, WentOn
from omni_agent.listening.senses import Senses
from omni_agent.listening.settings import Listening, Patience
from omni_agent.listening.windows import WINDOW_MS, Window

_ASKED_AT = (2, 4)
"""Silent windows after which the judge is asked. It means most by two answers taken together; from
half a second of silence on, the silence itself sways it."""
_DUE_AFTER = 2
"""Windows after which an answer counts, whenever it came: the same sound gives the same turns."""
_UNKNOWN = 0.5  # how likely a turn is over where nobody can judge
_TRAILING_OFF = 0.05
_WENT_ON_AT_ONCE = 0.8  # probability of speech with which one window is enough to go on
_NEW_PHRASE = 10
"""Silent windows after which the judge hears what follows by itself. With the "um" before a pause
still in its ears, it takes the very end of the turn for another hesitation."""
_OVER, _SHARE = (0.2, 0.6, 0.8, 0.9), (1.0, 0.8, 0.4, 0.0)
"""By how likely the turn is over: the share of the way from the least to the most patience."""


class Turn:
    """`start_ms`: its first sign; `spoke_until_ms`: its last so far. `heard`: the last seconds of
    windows, kept by the listener; the last of them ends at `now_ms`."""

    def __init__(
        self,
        start_ms: int,
        spoke_until_ms: int,
        now_ms: int,
        heard: deque[np.ndarray],
        settings: Listening,
    ) -> None:
        self.start_ms = start_ms
        self.is_over = False
        self._settings = settings
        self._heard = heard
        self._phrase_from = start_ms
        self._spoke_until = spoke_until_ms
        self._silent = (now_ms - spoke_until_ms) // WINDOW_MS
        self._resumed = 0
        self._is_paused = self._trails_off = False
        self._questions: deque[tuple[int, Future[float]]] = deque()  # by when each is due
        self._asked = 0
        self._answers: list[float] = []

    async def hear(self, window: Window, senses: Senses) -> list[Heed]:
        """Raises GenerationError where the judge broke down; the call goes on without it."""
        if window.speech:
            heeds = self._speech(window)
        else:
            self._silent += 1 + self._resumed
            self._resumed = 0
            heeds = []
        if self._settings.turns == "auto":
            if self._silent:
                heeds += await self._silence(window, senses)
            if window.end_ms - self.start_ms >= self._settings.longest_s * 1000:
                return [*heeds, *self.end(window.end_ms)]
        return heeds

    def end(self, now_ms: int) -> list[Heed]:
        """The turn is over, for whatever reason."""
        if self.is_over:
            return []
        self.is_over = True
        self._forget_pause()
        return [TurnOver(self._spoke_until, now_ms - self._spoke_until)]

    def heard_words(self, text_trails_off: bool) -> None:
        self._trails_off = text_trails_off

    def _speech(self, window: Window) -> list[Heed]:
        if self._silent:
            self._resumed += 1
            if self._resumed < 2 and window.probability < _WENT_ON_AT_ONCE:
                return []  # a click does not end a pause
        went_on: list[Heed] = []
        since = window.end_ms - self._resumed * WINDOW_MS
        if self._is_paused:
            went_on = [WentOn(since)]
        if self._silent >= _NEW_PHRASE:
            self._phrase_from = since
        self._spoke_until = window.end_ms
        self._forget_pause()
        return went_on

    async def _silence(self, window: Window, senses: Senses) -> list[Heed]:
        if senses.can_judge and self._settings.judge == "smart-turn":
            self._ask(senses)
            heeds = await self._take_answers(senses)
        else:
            is_due = not self._is_paused and self._silent >= _ASKED_AT[0] + _DUE_AFTER
            heeds = self._tell(_UNKNOWN) if is_due else []
        if not self._resumed and window.end_ms - self._spoke_until >= self._wait_ms(window, senses):
            heeds += self.end(window.end_ms)
        return heeds

    def _ask(self, senses: Senses) -> None:
        if self._asked < len(_ASKED_AT) and self._silent >= _ASKED_AT[self._asked]:
            due = self._silent + _DUE_AFTER
            self._questions.append((due, senses.ask(self._sound())))
            self._asked += 1

    async def _take_answers(self, senses: Senses) -> list[Heed]:
        heeds: list[Heed] = []
        while self._questions and self._silent >= self._questions[0][0]:
            _, answer = self._questions.popleft()
            try:
                self._answers.append(await asyncio.wrap_future(answer))
            except Exception as error:
                self._questions.clear()
                senses.give_up_judging()
                raise GenerationError(
                    f"Smart Turn broke down, so that silence alone ends turns from now on: {error}"
                ) from error
            heeds += self._tell(self._over())
        return heeds

    def _tell(self, over: float) -> list[Heed]:
        self._is_paused = True
        return [Paused(self._spoke_until, over)]

    def _over(self) -> float:
        """How likely the turn is over: the answers together, as their odds' geometric mean."""
        if self._trails_off:
            return _TRAILING_OFF
        clipped = [min(0.997, max(0.003, answer)) for answer in self._answers]
        odds = sum(math.log(p / (1 - p)) for p in clipped) / len(clipped)
        return 1 / (1 + math.exp(-odds))

    def _wait_ms(self, window: Window, senses: Senses) -> float:
        patience = self._settings.patience_after(window.asked)
        if not senses.can_judge or self._settings.judge == "silence":
            return self._settings.silence_ms
        if len(self._answers) < len(_ASKED_AT):
            return math.inf
        return _wait(self._over(), patience)

    def _sound(self) -> np.ndarray:
        """The phrase so far, with what came right before it."""
        length = len(self._heard)
        ms = self._spoke_until + self._silent * WINDOW_MS - self._phrase_from
        windows = math.ceil((ms + self._settings.preroll_ms) / WINDOW_MS)
        recent = list(self._heard)[max(0, length - windows) :]
        return np.concatenate(recent)

    def _forget_pause(self) -> None:
        for _, answer in self._questions:
            answer.cancel()
        self._questions.clear()
        self._answers.clear()
        self._asked = self._silent = self._resumed = 0
        self._is_paused = self._trails_off = False


def _wait(over: float, patience: Patience) -> float:
    """ms from the last syllable."""
    share = float(np.interp(over, _OVER, _SHARE))
    return patience.least_ms + share * (patience.most_ms - patience.least_ms)
