"""Ears that work while the speech still arrives, so that little is left to do when it ends.

What was said is transcribed at every pause, and now and then within long runs of speech. If
nothing was said after the last pause, `finish` has the transcript already.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omni_agent.errors import (
    GenerationError,
    MediaError,
    MediaTooLarge,
    ModelError,
    SettingsError,
)
from omni_agent.media import Audio
from omni_agent.messages import Language, Transcript
from omni_agent.model.compact.hearing import Hearing
from omni_agent.model.compact.mel import RATE
from omni_agent.model.compact.vad import Vad
from omni_agent.model.compact.whisper import Whisper

LIMIT_SECONDS = 600.0
"""The longest utterance that is taken."""


_BATCH = 10 * RATE  # samples of one listener that are worked on before another gets its turn
_NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Partial:
    """What has been understood so far. `settled`: nothing was said after these words, so far."""

    text: str
    language: Language
    settled: bool


class Ears:
    """Whisper and a voice activity detector, loaded once and shared by any number of listeners.

    `folder` holds a Whisper model in CTranslate2 format with its tokenizer.json. Loading blocks
    for about a second. Raises `MissingExtra`, `ModelLoadError` and `SettingsError`.
    """

    def __init__(
        self, folder: Path, *, threads: int = 2, languages: Sequence[Language] = ("en", "zh")
    ) -> None:
        self.whisper = Whisper(folder, threads=threads)
        self.vad = Vad()
        self._languages = self._known(languages)
        # One thread for all: CTranslate2 would only queue a second one's calls.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ears")
        # Those that wait for their last words; others' partials stand back.
        self.hurried: set[Listener] = set()

    def open(
        self,
        *,
        hints: Sequence[str] = (),
        languages: Sequence[Language] | None = None,
        expect: Language | None = None,
        on_partial: Callable[[str], None] | None = None,
    ) -> Listener:
        """Listen to one utterance. Call it on the event loop, where `on_partial` is called too.

        `hints` are words that may well be said (names above all), most important first; the
        first fifteen or so of each script count. `languages` are those to tell apart, `expect`
        the likeliest of them. `on_partial` gets the words so far whenever there are new ones.
        """
        among = self._languages if languages is None else self._known(languages)
        return Listener(self, among, expect=expect, hints=hints, on_partial=on_partial)

    def submit(self, work: Callable[[], None]) -> None:
        self._worker.submit(work)

    def close(self) -> None:
        """Wait for the call that runs, drop what is queued."""
        self._worker.shutdown(cancel_futures=True)

    def _known(self, languages: Sequence[Language]) -> tuple[Language, ...]:
        for language in languages:
            if not self.whisper.knows(language):
                raise SettingsError(f"Whisper knows no language {language!r}; use a BCP 47 subtag")
        if not languages:
            raise SettingsError("languages is empty: name at least one, such as 'en'")
        return tuple(languages)


class Listener:
    """One utterance, from `Ears.open`. Feed it, then `finish` or `cancel` it.

    One that is finished can be opened again by `reopen`, and goes on where it was.
    """

    def __init__(
        self,
        ears: Ears,
        languages: tuple[Language, ...],
        *,
        expect: Language | None,
        hints: Sequence[str],
        on_partial: Callable[[str], None] | None,
    ) -> None:
        self._ears = ears
        self._loop = asyncio.get_running_loop()
        self._on_partial = on_partial
        self._lock = threading.Lock()  # guards the inbox and whether the worker is on its way
        self._inbox: list[np.ndarray] = []
        self._scheduled = False
        self._transcript: Future[Transcript] | None = None
        self._wanted: Future[Transcript] | None = None  # the same, until the worker takes it on
        self._cancelled = False
        self._seconds = 0.0
        self._resampler: tuple[int, Any] | None = None
        self._partial = Partial("", expect or languages[0], settled=True)
        self._hearing = Hearing(
            ears.whisper, ears.vad, languages, expect=expect, hints=tuple(hints)
        )
        self._broken: GenerationError | None = None
        self._told = ""

    @property
    def partial(self) -> Partial:
        return self._partial

    def feed(self, audio: Audio) -> None:
        """Take more sound; returns at once. After `cancel` it is dropped.

        Raises `MediaError` for sound that is not mono or not finite, `MediaTooLarge` past
        `LIMIT_SECONDS`, `ModelError` after `finish`.
        """
        if self._cancelled:
            return
        if self._transcript is not None:
            raise ModelError("this utterance is finished; open another listener for more sound")
        if audio.samples.ndim != 1:
            raise MediaError(f"sound must be mono [n], not of shape {audio.samples.shape}")
        if not np.isfinite(audio.samples).all():
            raise MediaError("the sound has samples that are not finite numbers")
        self._seconds += audio.seconds
        if self._seconds > LIMIT_SECONDS:
            raise MediaTooLarge(
                f"one utterance may last {LIMIT_SECONDS / 60:.0f} minutes; "
                "cut longer sound into several"
            )
        samples = np.clip(audio.samples.astype(np.float32), -1.0, 1.0)
        self._enqueue(self._resampled(samples, audio.rate))

    async def finish(self) -> Transcript:
        """The whole utterance; empty text if nobody spoke. Raises `GenerationError`."""
        if self._cancelled:
            raise asyncio.CancelledError("the listener was cancelled")
        if self._transcript is None:
            if self._resampler is not None:
                self._enqueue(self._resampler[1].resample_chunk(_NOTHING, last=True))
            self._ears.hurried.add(self)
            with self._lock:
                self._transcript = self._wanted = Future()
            self._schedule()
        # Shielded: whoever waits may be cancelled, but the worker still owns the future.
        return await asyncio.shield(asyncio.wrap_future(self._transcript))

    def reopen(self) -> None:
        """It was not over: take more sound, and have `finish` tell the whole. Returns at once."""
        with self._lock:
            self._transcript = self._wanted = None
        self._ears.hurried.discard(self)
        self._resampler = None

    def cancel(self) -> None:
        """Stop: no callback comes after this. The call that runs in the worker ends by itself."""
        self._cancelled = True

    def _resampled(self, samples: np.ndarray, rate: int) -> np.ndarray:
        if self._resampler is not None and self._resampler[0] != rate:
            raise MediaError(f"the sound changed from {self._resampler[0]} to {rate} Hz")
        if rate == RATE:
            return samples
        if self._resampler is None:
            import soxr

            stream = soxr.ResampleStream(rate, RATE, num_channels=1, dtype="float32")
            self._resampler = (rate, stream)
        return self._resampler[1].resample_chunk(samples)

    def _enqueue(self, samples: np.ndarray) -> None:
        with self._lock:
            self._inbox.append(samples)
        self._schedule()

    def _schedule(self) -> None:
        with self._lock:
            if self._scheduled:
                return
            self._scheduled = True
        self._ears.submit(self._work)

    # --- on the worker's thread --------------------------------------------------------------

    def _work(self) -> None:
        """Take some of what has arrived; if more is left, come back for it after the others."""
        with self._lock:
            sound = np.concatenate([_NOTHING, *self._inbox])
            later = sound[_BATCH:]
            self._inbox = [later] if len(later) else []
            self._scheduled = bool(len(later))
            last = None
            if not len(later):
                last, self._wanted = self._wanted, None
        whole: Transcript | None = None
        try:
            if self._cancelled:
                if last is not None:
                    last.cancel()
            elif self._broken is None:
                whole = self._hear(sound[:_BATCH], is_last=last is not None)
        except Exception as error:  # whatever an engine raises must reach the one who waits
            self._broken = GenerationError(f"the ears broke down while transcribing: {error}")
            self._broken.__cause__ = error
        if last is not None:
            self._ears.hurried.discard(self)
            if self._broken is not None:
                last.set_exception(self._broken)
            elif whole is not None:
                last.set_result(whole)
        elif len(later):
            self._ears.submit(self._work)

    def _hear(self, sound: np.ndarray, *, is_last: bool) -> Transcript | None:
        """The whole of it, if this is the last of the sound."""
        hearing = self._hearing
        hearing.take(sound)
        if is_last:
            text = hearing.whole()  # which may change the language
            return Transcript(text, hearing.language)
        if hearing.due() and not self._ears.hurried and len(sound) < _BATCH:
            hearing.again()
        partial = Partial(hearing.text, hearing.language, hearing.settled)
        self._partial = partial
        news = not self._told.startswith(partial.text)
        if news and self._on_partial is not None and not self._loop.is_closed():
            self._told = partial.text
            self._loop.call_soon_threadsafe(self._notify, partial.text)
        return None

    def _notify(self, text: str) -> None:
        if not self._cancelled and self._transcript is None and self._on_partial is not None:
            self._on_partial(text)
