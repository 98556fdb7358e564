"""A sound that may be speech, from its first sign until it is clear what it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import assert_never

import numpy as np

from omni_agent.listening.heeds import Heed, SpeechGone, SpeechLikely, SpeechMaybe, SpeechSure
from omni_agent.listening.hums import Onset
from omni_agent.listening.settings import Listening
from omni_agent.listening.short_words import Meaning
from omni_agent.listening.windows import WINDOW_MS, Window

_SPEECH = 4  # windows of speech that are a click no more, while the agent is silent
_GONE = 5  # silent windows after which a sound that was no words is over,
_SHORT_GONE = 10  # and one that was words
_FEWEST = 3  # windows that have to be heard before words are likely,
_LIKELY_FIRST, _LIKELY = 0.5, 0.2  # and the log odds they need then, and later
_CLEAR = 2.0  # log odds that words reach somewhere, and an "uh-huh" seldom
_HUMMING = 40  # windows of what is not clearly words that need not hold the reply back longer
_FRESH = 8  # windows of speech after a word of assent that may be likely again


class Burst:
    """`before`: the windows before it, for the noise in them.

    While the agent speaks it has to sound like words and to last; else speech is enough, for a hum
    is an answer too.
    """

    def __init__(self, first: Window, before: Sequence[np.ndarray], settings: Listening) -> None:
        self.start_ms = first.start_ms
        self.end_ms = first.end_ms
        self.is_over = False
        self._needed = round(settings.interrupt_ms / WINDOW_MS)
        self._onset = Onset(before) if first.speaking else None
        self._spoken = self._silent = 0
        self._worded: deque[bool] = deque(maxlen=max(1, self._needed))
        self._best = 0.0
        self._is_held = True  # the reply is lowered or silent because of this
        self._is_likely = self._was_long = False
        self._not_before = 0

    def begin(self, first: Window) -> list[Heed]:
        return [SpeechMaybe(self.start_ms), *self.hear(first)]

    def hear(self, window: Window) -> list[Heed]:
        if window.speech:
            self._spoken += 1
            self._silent = 0
            self.end_ms = window.end_ms
        else:
            self._silent += 1
        if self._onset is None:
            return self._plain()
        return self._while_agent_speaks(window, self._onset)

    def means(self, meaning: Meaning) -> list[Heed]:
        """The words of it have been understood."""
        match meaning:
            case "cuts in":
                return self._sure()
            case "follows":
                if self._onset is None:  # an answer
                    return []
                self._is_likely = False
                self._not_before, self._spoken, self._best = _FRESH, 0, 0.0
                self._worded.clear()
                return self._let_go()
            case "unclear":
                return []
            case _:
                assert_never(meaning)

    def _plain(self) -> list[Heed]:
        if self._spoken >= _SPEECH:
            return self._sure()
        return self._gone() if self._silent >= _GONE else []

    def _while_agent_speaks(self, window: Window, onset: Onset) -> list[Heed]:
        heeds: list[Heed] = []
        if window.speech:
            onset.add(window.frame, window.probability)
            score = onset.score()
            self._worded.append(score > 0)
            self._best = max(self._best, score)
            heard_enough = self._spoken >= max(_FEWEST, self._not_before)
            if not self._is_likely and heard_enough and score >= self._wanted():
                self._is_likely = self._is_held = True
                heeds.append(SpeechLikely(self.start_ms))
            if self._is_likely and self._is_clear():
                return [*heeds, *self._sure()]
            if self._spoken == _HUMMING:
                self._is_likely, self._was_long = False, True
                heeds += self._let_go()
        elif self._silent >= (_SHORT_GONE if self._is_likely else _GONE):
            # The agent has finished meanwhile: a short word is an answer to it.
            return self._sure() if self._is_likely and not window.speaking else self._gone()
        return heeds

    def _wanted(self) -> float:
        """The log odds from which words are likely."""
        if self._was_long:
            return _CLEAR
        return _LIKELY_FIRST if self._spoken == _FEWEST else _LIKELY

    def _is_clear(self) -> bool:
        if not self._needed:
            return True
        is_long = len(self._worded) == self._needed
        return is_long and 2 * sum(self._worded) >= self._needed and self._best >= _CLEAR

    def _sure(self) -> list[Heed]:
        self.is_over = True
        return [SpeechSure(self.start_ms)]

    def _gone(self) -> list[Heed]:
        self.is_over = True
        return self._let_go()

    def _let_go(self) -> list[Heed]:
        """The reply may go on, though the sound may last."""
        if not self._is_held:
            return []
        self._is_held = False
        return [SpeechGone(self.end_ms)]
