"""From sound to words on the ears' thread: where to cut, when to transcribe, what to make of it.

Sound is kept from just before the first frame of speech. Each hearing transcribes the stretch
since the last cut anew. In the middle of speech its last word may be half a word, so that it is
left out; a wrong guess costs the Thinker nothing but the tokens it had read ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from omni_agent.messages import Language
from omni_agent.model.compact.mel import RATE
from omni_agent.model.compact.vad import FRAME, Vad
from omni_agent.model.compact.whisper import Whisper, Words


def _frames(seconds: float) -> int:
    return round(seconds * RATE / FRAME)


_PREROLL = _frames(0.3)  # kept before the first frame of speech: soft consonants
_CLICK = _frames(0.13)  # what is shorter is no speech
_PAUSE = _frames(0.13)  # after this much silence a hearing is worth its while
_EVERY = _frames(0.8)  # and after this much new speech without a pause
_CUT_ANY = _frames(1.5)  # a pause this long ends a stretch,
_CUT_LONG = (_frames(10.0), _frames(0.35))  # and in a stretch this long a pause this long,
_CUT_HARD = _frames(25.0)  # and without any pause this length does,
_SEARCH = _frames(5.0)  # at the quietest place so far back
_SURE, _SURE_AFTER = 0.9, _frames(1.5)  # from when on the language stays as it is
_EXPECTED = 3.0  # how much likelier an expected language is before anything is heard


class Hearing:
    """The state of one utterance. Every method blocks, and all are called on one thread."""

    def __init__(
        self,
        whisper: Whisper,
        vad: Vad,
        languages: Sequence[Language],
        *,
        expect: Language | None,
        hints: Sequence[str],
    ) -> None:
        self.language: Language = expect or languages[0]
        self._whisper = whisper
        self._vad = vad.stream()
        self._languages = languages
        self._expect = expect
        self._hints = hints
        self._sure = len(languages) == 1
        self._done: list[str] = []  # the stretches before the last cut
        self._leftover = np.zeros(0, np.float32)  # less than a frame
        self._frames: list[np.ndarray] = []  # the stretch since the last cut
        self._speech: list[bool] = []  # its verdicts
        self._end = 0  # frames up to the end of its last speech
        self._last: Words | None = None  # the last hearing of the stretch,
        self._heard_end = 0  # how many frames of it that covers, to the end of their speech

    @property
    def settled(self) -> bool:
        """Nothing was said after the words of the last hearing."""
        return self._heard_end == self._end or sum(self._speech) < _CLICK

    @property
    def text(self) -> str:
        """The words so far; unless settled, without the last one, which may go on."""
        if self._last is None:
            return self._join("")
        return self._join(self._last.text if self.settled else _without_last(self._last.text))

    def take(self, samples: np.ndarray) -> None:
        """float32 [n] at 16 kHz."""
        sound = np.concatenate([self._leftover, samples])
        whole = len(sound) // FRAME * FRAME
        self._leftover = sound[whole:]
        if not whole:
            return
        frames = sound[:whole].reshape(-1, FRAME)
        for frame, speech in zip(frames, self._vad.push(frames), strict=True):
            self._frames.append(frame)
            self._speech.append(speech)
            if speech:
                self._end = len(self._frames)
            self._cut_where_due()

    def due(self) -> bool:
        """Whether to hear again now, while more sound may come."""
        fresh = sum(self._speech[self._heard_end :])
        pause = len(self._frames) - self._end
        return not self.settled and (pause >= _PAUSE or fresh >= _EVERY)

    def again(self) -> None:
        """Transcribe the stretch since the last cut, as far as it has come."""
        self._last = self._transcribe(len(self._frames))
        self._heard_end = self._end

    def whole(self) -> str:
        """The utterance to its very end, so far; more of it may come all the same."""
        if not self.settled:
            self.again()
        return self._join(self._last.text if self._last else "")

    def _cut_where_due(self) -> None:
        length, pause = len(self._frames), len(self._frames) - self._end
        if not self._end:
            if length > _PREROLL:  # silence before the speech
                del self._frames[0], self._speech[0]
        elif pause >= _CUT_ANY or (length >= _CUT_LONG[0] and pause >= _CUT_LONG[1]):
            self._cut(length)
        elif length >= _CUT_HARD:
            loudness = [float(np.abs(frame).mean()) for frame in self._frames[-_SEARCH:]]
            smooth = np.convolve(loudness, np.ones(3), mode="same")[1:-1]
            self._cut(length - _SEARCH + 1 + int(smooth.argmin()))

    def _cut(self, at: int) -> None:
        """End the stretch after `at` frames; its words are final."""
        if sum(self._speech[:at]) >= _CLICK:
            if at < len(self._frames) or not self.settled or self._last is None:
                self._last = self._transcribe(at)
            if self._last.text:
                self._done.append(self._last.text)
        self._frames, self._speech = self._frames[at:], self._speech[at:]
        spoken = np.flatnonzero(self._speech)
        self._end = int(spoken[-1]) + 1 if len(spoken) else 0
        if not self._end:
            del self._frames[:-_PREROLL], self._speech[:-_PREROLL]
        self._last, self._heard_end = None, 0

    def _transcribe(self, upto: int) -> Words:
        rest = [self._leftover] if upto == len(self._frames) else []
        samples = np.concatenate([*self._frames[:upto], *rest])
        encoded = self._whisper.encode(samples)
        self._tell_language(encoded, upto)
        prompt = self._whisper.prompt(self.language, self._hints)
        return self._whisper.transcribe(samples, encoded, self.language, prompt=prompt)

    def _tell_language(self, encoded: Any, frames: int) -> None:
        if self._sure:
            return
        found = self._whisper.language(encoded, self._languages)
        if self._expect in found:
            found[self._expect] *= _EXPECTED
        best = max(found, key=lambda language: found[language])
        self._sure = found[best] / sum(found.values()) >= _SURE and frames >= _SURE_AFTER
        self.language = best

    def _join(self, last: str) -> str:
        return ("" if self.language == "zh" else " ").join([*self._done, *([last] if last else [])])


def _without_last(text: str) -> str:
    """`text` without its last word, or the last two characters where words are not spaced."""
    words = text.rstrip(".,!?;:…。，！？；：、 ")
    spaced = words.rpartition(" ")[0]
    return spaced if words[-1:].isascii() else max(spaced, words[:-2], key=len)
