"""Sound and video that are prefilled while they are still coming."""

from __future__ import annotations

from omni_agent.errors import UsageError
from omni_agent.media import Audio, VideoFrame
from omni_agent.model.qwen.parts import ClipParts, Piece, SoundParts
from omni_agent.model.qwen.thinker import Held, Prefilled, ThinkerContext


class IncomingSound:
    """A sound at the end of a context. The context takes nothing else until it is closed.

    Blocks of 2 s are prefilled as soon as they are final. A moment louder than all before it
    changes what earlier blocks sound like to the encoder; what was prefilled from the first of
    them on is then prefilled anew, and `Prefilled.start` says from where.

    After ContextFull, Cancelled or GenerationError nothing of the sound is lost: once there is room
    again, `feed` or `close` goes on where it stopped.
    """

    def __init__(self, context: ThinkerContext) -> None:
        self._context = context
        self.held = Held("audio")
        self._sound = SoundParts(context.senses)
        self._closed: SoundParts | None = None

    def feed(self, audio: Audio) -> Prefilled | None:
        """More sound, in chunks of any length and at any one rate; what it gave, if anything yet.

        Raises MediaError for a change of rate, and what `ThinkerContext.prefill` raises.
        """
        if self._closed is not None:
            raise UsageError("this sound was closed; a new one begins with a new IncomingSound")
        self._sound.feed(audio)
        return self._context.put(self.held, self._sound.parts)

    def close(self, *then: Piece) -> Prefilled:
        """The sound is over: prefill its last block, and pieces behind it in the same forward."""
        if self._closed is None:
            closed = self._sound.copy()
            closed.close()
            self._closed = closed
        done = self._context.put(self.held, self._closed.parts, *then)
        if done is None:
            raise UsageError("this sound was closed already")
        return done

    def reopen(self) -> Prefilled | None:
        """It was not over: forget its end and all that came behind, and be as before `close`.

        What it gave, if blocks that are in the context must be as they were before its end.
        """
        self._closed = None
        self._sound.reopen()
        self._context.reopen(self.held, self._sound.parts)
        return self._context.put(self.held, self._sound.parts)


class IncomingVideo:
    """A video at the end of a context, with or without sound; else as `IncomingSound`.

    How frames and sound are laid out is told in `ClipParts`.
    """

    def __init__(self, context: ThinkerContext, *, sounding: bool) -> None:
        self._context = context
        self.held = Held("video")
        self._clip = ClipParts(context.senses, sounding=sounding)
        self._closed: ClipParts | None = None

    def feed(self, part: VideoFrame | Audio) -> Prefilled | None:
        """A frame, or sound; the sound begins at the video's 0 s.

        Raises MediaError for a frame that is not later than the one before, and for sound that was
        not announced or changes its rate; MediaTooLarge; and what `ThinkerContext.prefill` raises.
        """
        if self._closed is not None:
            raise UsageError("this video was closed; a new one begins with a new IncomingVideo")
        if isinstance(part, VideoFrame):
            self._clip.frame(part.image, part.t)
        else:
            self._clip.sound(part)
        return self._context.put(self.held, self._clip.parts)

    def close(self, *then: Piece) -> Prefilled:
        """The video is over: prefill what is left of it, and pieces behind it."""
        if self._closed is None:
            closed = self._clip.copy()
            closed.close()
            self._closed = closed
        done = self._context.put(self.held, self._closed.parts, *then)
        if done is None:
            raise UsageError("this video was closed already")
        return done

    def reopen(self) -> Prefilled | None:
        """As `IncomingSound.reopen`."""
        self._closed = None
        self._clip.reopen()
        self._context.reopen(self.held, self._clip.parts)
        return self._context.put(self.held, self._clip.parts)
