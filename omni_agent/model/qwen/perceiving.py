"""What the user lets the model hear and see, prefilled while it comes."""

from __future__ import annotations

from dataclasses import replace

from omni_agent.errors import ContextFull
from omni_agent.media import Audio, VideoFrame
from omni_agent.model.qwen.incoming import IncomingSound, IncomingVideo
from omni_agent.model.qwen.living import LivingContext
from omni_agent.model.qwen.parts import Piece
from omni_agent.model.qwen.thinker import Prefilled


class OpenMedium:
    """Sound, frames, or both at once, at the end of a context; nothing else until it is closed.

    Which of them it is shows as it comes. Frames that join a sound, or sound that joins frames,
    make it a video with sound, for which its beginning is taken in once more.
    """

    def __init__(self, context: LivingContext) -> None:
        self._context = context
        self._parts: list[Audio | VideoFrame] = []
        self._heard = 0.0  # seconds
        self._first_frame: float | None = None  # its time, as that of the medium's beginning
        self._incoming: IncomingSound | IncomingVideo | None = None
        self._kinds: set[type[Audio] | type[VideoFrame]] = set()

    @property
    def has_sound(self) -> bool:
        return Audio in self._kinds

    @property
    def is_in(self) -> bool:
        """Whether it is still in the context, of which it may have been dropped."""
        return self._incoming is not None and self._incoming.held in self._context.thinker.held

    def feed(self, part: Audio | VideoFrame) -> None:
        """Raises what `IncomingVideo.feed` raises."""
        if isinstance(part, VideoFrame):
            if self._first_frame is None:
                self._first_frame = part.t - self._heard
            part = replace(part, t=max(0.0, part.t - self._first_frame))
        else:
            self._heard += part.seconds
        if type(part) in self._kinds:
            self._take(part)
            self._parts.append(part)
            return
        self._parts.append(part)
        self._kinds.add(type(part))
        self._begin_anew()

    def close(self, *then: Piece) -> Prefilled:
        """It is over: prefill what is left of it, and `then`."""
        assert self._incoming is not None, "a medium begins with something"
        done = self._incoming.close(*then)
        self._context.note(done)
        return done

    def reopen(self) -> None:
        """It was not over: take more of it. All that came behind it leaves the context."""
        assert self._incoming is not None, "a medium begins with something"
        try:
            self._context.note(self._incoming.reopen())
        finally:
            self._context.cut(self._context.length)  # for the Talker, too

    def _begin_anew(self) -> None:
        if self._incoming is not None:  # it is what the context ends with
            self._context.cut(self._context.thinker.held[-1].start)
        if VideoFrame in self._kinds:
            self._incoming = IncomingVideo(self._context.thinker, sounding=self.has_sound)
        else:
            self._incoming = IncomingSound(self._context.thinker)
        full: ContextFull | None = None
        for part in self._parts:
            try:
                self._take(part)
            except ContextFull as error:  # it is kept all the same, and so must be the rest
                full = error
        if full is not None:
            raise full

    def _take(self, part: Audio | VideoFrame) -> None:
        match self._incoming:
            case IncomingVideo():
                self._context.note(self._incoming.feed(part))
            case IncomingSound() if isinstance(part, Audio):
                self._context.note(self._incoming.feed(part))
