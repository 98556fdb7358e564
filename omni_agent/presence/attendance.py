"""A live call and the `Presence` of its people: what each wants of the other.

A call goes on without, where the memory keeps nobody, or what tells people apart is not on this
machine: then the log says what to do, once.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from omni_agent.attending import SaidBy
from omni_agent.clock import Clock
from omni_agent.errors import OmniAgentError
from omni_agent.events import AudioDelta, LiveEvent, PeoplePresent, PersonHere, TurnFinished
from omni_agent.media import Audio, Resampler, VideoFrame
from omni_agent.memory.memory import Memory
from omni_agent.presence.names_said import names_said
from omni_agent.presence.note import note_of
from omni_agent.presence.presence import RATE, Presence
from omni_agent.presence.senses import GROUP, missing, shared_senses
from omni_agent.virtual_clock import VirtualClock, working

if TYPE_CHECKING:
    from omni_agent.speaking import Emit

logger = logging.getLogger("omni_agent.presence")
T = TypeVar("T")

_PATIENCE = 0.5
"""Seconds that a turn waits to know whose words it has; then they are nobody's for now."""
_told: set[str] = set()


class Attendance:
    """One call's. All in the call's event loop; the work is done on the presence's thread."""

    def __init__(self, presence: Presence, *, clock: Clock) -> None:
        self._presence = presence
        self._clock = clock
        self._resampler: Resampler | None = None
        self._span: tuple[int, int | None] | None = None
        self._heard_ms = 0.0
        self._noted = ""
        self._pace: asyncio.Task[None] | None = None
        self._said: Future[SaidBy] | None = None
        self._asked: Future[SaidBy] | None = None

    @classmethod
    async def of(cls, memory: object, *, call: str, clock: Clock, emit: Emit) -> Attendance | None:
        """None where nobody is to be known, or nobody can be."""
        if not isinstance(memory, Memory):
            return None
        try:
            people = await asyncio.to_thread(lambda: memory.people)
            if people.keeping == "off":
                return None
            if absent := await asyncio.to_thread(missing):
                _tell(
                    f"nobody is told apart in this call: {', '.join(absent)} missing; "
                    f"`omni-agent models pull {GROUP}` fetches them"
                )
                return None
            with working(clock):
                senses = await asyncio.to_thread(shared_senses)
        except OmniAgentError as error:
            _tell(f"nobody is told apart in this call: {error}")
            return None
        loop = asyncio.get_running_loop()
        at_hand: set[str] = set()

        def fetch(present: tuple[PersonHere, ...]) -> None:
            """Whatever is asked about who has come in is found sooner, and more of it."""
            come = {p.id for p in present if p.sure and p.name} - at_hand
            at_hand.update(come)
            try:
                memory.prefetch(come)
            except OmniAgentError:
                logger.exception("what %s said could not be fetched; it is searched as usual", come)

        def emit_change(present: tuple[PersonHere, ...]) -> None:
            emit(PeoplePresent(present, clock.monotonic()))

        def changed(present: tuple[PersonHere, ...]) -> None:
            fetch(present)
            if not loop.is_closed():
                loop.call_soon_threadsafe(emit_change, present)

        return cls(Presence(people, senses, call=call, changed=changed), clock=clock)

    # --- what the call gives -----------------------------------------------------------------

    def hear(self, sound: Audio, *, own: bool) -> None:
        """The microphone's sound. `own`: while only the agent speaks."""
        if sound.rate != RATE:
            if self._resampler is None or self._resampler.from_rate != sound.rate:
                self._resampler = Resampler(sound.rate, RATE)
            sound = self._resampler.push(sound)
        self._heard_ms += sound.seconds * 1000
        self._presence.hear(sound, own=own)
        self._keep_pace()

    def see(self, frame: VideoFrame, source: str) -> None:
        self._presence.see(frame, source)
        self._keep_pace()

    def speech_begins(self, at_ms: int) -> None:
        """The user's turn began at this moment of the microphone's sound."""
        self._span, self._asked = (at_ms, None), None

    def speech_ends(self, at_ms: int | None) -> None:
        """Its last syllable, as far as it has come; None: it goes on."""
        if self._span is not None:
            self._span = (self._span[0], at_ms)
            # Asked before the words are known: that is when there is time to find out.
            self._asked = None if at_ms is None else self._presence.who(*self._ms)

    def went(self, event: LiveEvent) -> None:
        """What the call gave out."""
        match event:
            case AudioDelta():
                self._presence.agent_speaks(event.audio)
            case TurnFinished():
                self._presence.agent_said(event.reply.text)
                if self._span is not None and self._span[1] is not None:
                    self._span = None
            case _:
                pass

    async def close(self) -> None:
        """Strangers are let go."""
        with working(self._clock):
            await asyncio.to_thread(self._presence.close)

    # --- what the call wants to know ---------------------------------------------------------

    @property
    def present(self) -> tuple[PersonHere, ...]:
        return self._presence.present()

    @property
    def speaking(self) -> str | None:
        """The name of who speaks at this moment."""
        found = [p for p in self.present if p.speaking and p.sure]
        return found[0].name if found else None

    async def who(self, text: str) -> SaidBy:
        if self._span is None:
            return SaidBy()
        asked = self._asked or self._presence.who(*self._ms)
        said = await self._answer(asked) or SaidBy()
        if said.name is not None:
            return said
        own = [n.name for n in names_said(text) if n.kind in ("own", "called")]
        return SaidBy(said.person, own[-1]) if own else said

    async def heard(self, text: str) -> SaidBy:
        """The turn is certain, and these are its words."""
        if self._span is None or not text.strip():
            return SaidBy()
        self._said = self._presence.heard(text, *self._ms)
        return await self._answer(self._said) or SaidBy()

    def kept(self, memory: str) -> None:
        """What was `heard` last is kept under this id."""
        coming, self._said = self._said, None
        presence = self._presence

        def told(heard: Future[SaidBy]) -> None:
            if not heard.cancelled() and heard.exception() is None:
                presence.kept(heard.result(), memory)

        if coming is not None:
            coming.add_done_callback(told)  # it may be known only now

    def note(self, said: SaidBy) -> str | None:
        """What to lay before the model: who speaks, and who is there if that has changed."""
        present, speaking = note_of(self.present, said)
        changed, self._noted = present != self._noted, present
        parts = [present if changed else "", speaking]
        return " ".join(part for part in parts if part) or None

    # --- inside ------------------------------------------------------------------------------

    @property
    def _ms(self) -> tuple[int, int]:
        assert self._span is not None
        start, end = self._span
        return start, round(self._heard_ms) if end is None else end

    async def _answer(self, coming: Future[T]) -> T | None:
        try:
            with working(self._clock):
                async with asyncio.timeout(None if self._is_virtual else _PATIENCE):
                    return await asyncio.shield(asyncio.wrap_future(coming))
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            if coming.cancelled():  # the call is over
                return None
            raise
        except Exception:
            logger.exception("who speaks could not be told; the turn goes on")
            return None

    @property
    def _is_virtual(self) -> bool:
        return isinstance(self._clock, VirtualClock)

    def _keep_pace(self) -> None:
        """A clock that jumps waits until what was given is taken in."""
        if self._is_virtual and (self._pace is None or self._pace.done()):
            self._pace = asyncio.create_task(self._settled())

    async def _settled(self) -> None:
        with working(self._clock):
            while self._presence.is_busy:
                await asyncio.to_thread(self._presence.wait_idle)


def _tell(what: str) -> None:
    if what not in _told:
        _told.add(what)
        logger.warning("%s", what)
