"""What happens in a live call, told to one client in the events of the Realtime protocol."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Literal, assert_never

from omni_agent.events import (
    ApprovalRequested,
    AudioDelta,
    CallEnded,
    FrameSeen,
    Interrupted,
    LiveEvent,
    MemoryRecalled,
    MemoryStored,
    OutputControl,
    PartialTranscript,
    PeoplePresent,
    SpeechStarted,
    SpeechStopped,
    StateChanged,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnFinished,
    TurnMeasured,
    TurnStarted,
    UserTranscript,
)
from omni_agent.server.client_tools import HandedOver
from omni_agent.server.items import Item, Items
from omni_agent.server.response import Cause, Response, Said, Wanted
from omni_agent.server.session import Session
from omni_agent.server.user_speech import UserSpeech
from omni_agent.server.wire import Outbox

NO_TURN_YET = 0
"""The number of a turn that was cut off before it had begun."""

CALLS_OF_ONE_STEP = 0.03
"""Seconds after a client's tool was called in which others may be called along with it."""


class Narrator:
    """Told each event of the call, in order; knows which response is under way.

    `omni` clients understand more than the protocol has, and get that too.
    """

    def __init__(
        self,
        outbox: Outbox,
        items: Items,
        session: Session,
        handed_over: HandedOver,
        *,
        omni: bool,
    ) -> None:
        self._asked: Wanted | None = None
        self.user = UserSpeech(outbox, items, session)
        self.cancelled_by_client = False
        self.answered = False  # something was said in this call
        self.given = False  # something that nobody has answered
        self._outbox = outbox
        self._items = items
        self._session = session
        self._handed_over = handed_over
        self._omni = omni
        self._response: Response | None = None
        self._reply = Said(0)
        self._in_turn = False
        self._acting: set[str] = set()  # calls of the agent's own tools that run
        self._handed: dict[str, str] = {}  # calls that the client runs, with their ids on the wire
        self._thought = False  # since a response was asked for
        self._question: Item | None = None  # what was said that the turn under way answers
        self._done_calling: asyncio.TimerHandle | None = None

    def ask(self, wanted: Wanted) -> None:
        """The next turn is to be told as this response."""
        self._asked = wanted
        self._thought = False

    @property
    def busy(self) -> bool:
        """Whether a response is under way, or about to begin."""
        return self._response is not None or self._asked is not None or self._begins

    @property
    def waits_for_client(self) -> bool:
        """The turn goes on when the client has run its tools."""
        return self._in_turn and self._response is None and bool(self._handed)

    @property
    def response_id(self) -> str | None:
        return None if self._response is None else self._response.id

    def tell(self, event: LiveEvent) -> None:
        match event:
            case SpeechStarted():
                self.user.started(event)
            case SpeechStopped():
                self.user.stopped(event)
            case PartialTranscript():
                self._caption(event)
            case UserTranscript():
                self._caption(event)
                self.user.transcribed(event)
                if self._begins:
                    self._answering()
                self.given |= not self._in_turn  # it waits until it is asked for
            case TurnStarted():
                self._turn_started(event)
            case TextDelta():
                self._answering().words(event.text, filler=event.filler)
            case AudioDelta():
                self._answering().sound(event.audio, filler=event.filler)
            case ToolStarted():
                self._tool_started(event)
            case ToolFinished():
                self._tool_finished(event)
            case TurnFinished():
                self._turn_finished(event)
            case Interrupted():
                self._interrupted(event)
            case Trouble():
                self._trouble(event)
            case StateChanged():
                self._say_omni("state", state=event.state)
                self._state_changed(event)
            case OutputControl():
                self._say_omni("output", action=event.action)
            case MemoryRecalled():
                self._say_omni("memory", memories=[_memory(m) for m in event.memories])
            case FrameSeen():
                self._say_omni("frame", source=event.source)
            case PeoplePresent():
                self._say_omni("people", people=[asdict(person) for person in event.people])
            case TurnMeasured():
                figures = asdict(event)
                del figures["t"]
                self._say_omni("latency", **figures)
            case ApprovalRequested() | MemoryStored() | CallEnded():
                pass
            case _:
                assert_never(event)

    # --- the reply ---------------------------------------------------------------------------

    def _turn_started(self, event: TurnStarted) -> None:
        self._finish("completed")  # a turn that ended without a word about it
        self._in_turn = True
        self._leave_calls()
        if self._asked is None and not event.unasked:
            self.given = False  # what was typed before is answered with what was spoken
        self._question = self.user.latest
        self._reply = Said(event.turn)
        self._items.begin_turn(event.turn)
        if self._question is None:
            self._answering()  # else: when the words are known, or the answer begins

    @property
    def _begins_not_yet(self) -> bool:
        return self._asked is not None and not self._in_turn

    @property
    def _begins(self) -> bool:
        return self._in_turn and self._response is None and not self._handed

    def _answering(self) -> Response:
        """The response under way; it begins now if it has not."""
        if self._response is None:
            self.user.close()
            wanted, self._asked = self._asked or self.wanted(), None
            self._response = Response(self._outbox, self._items, wanted, self._reply)
            self._response.begin()
        return self._response

    def wanted(self, **changes: Any) -> Wanted:
        """How the session wants its responses."""
        session = self._session
        usual = {
            "speaks": session.wishes.speak,
            "sound": session.sound_out,
            "voice": session.voice,
        }
        return Wanted(**{**usual, **changes})

    def answer_nothing(self) -> None:
        """A response without a word, where there is nothing to answer."""
        self._answering()
        self._finish("completed")

    def _turn_finished(self, event: TurnFinished) -> None:
        if self._in_turn:
            self._answering()
        reply = event.reply
        length = reply.stopped == "length"
        if self._response is not None:
            self._response.finish(
                "incomplete" if length else "completed",
                "max_output_tokens" if length else None,
                usage=reply.usage,
            )
            self._response = None
        self.user.answered(self._question)
        self._in_turn = False
        self.answered = True

    def _state_changed(self, event: StateChanged) -> None:
        """What was thought about and came to nothing had no words in it: there is no answer."""
        if event.state == "thinking":
            self._thought = True
        elif event.state == "idle" and self._thought and self._begins_not_yet:
            self.answer_nothing()

    def _interrupted(self, event: Interrupted) -> None:
        if (event.turn == self._reply.turn and self._in_turn) or event.turn == NO_TURN_YET:
            self.cancel()
        self.answered = True
        self.heard_only(event)

    def heard_only(self, event: Interrupted) -> None:
        """Of a turn's reply, only so much was heard."""
        self._items.heard_of_turn(event.turn, event.heard_text)

    def nothing_to_cancel(self) -> None:
        """The call says that it had nothing to stop."""
        if self._begins_not_yet:
            self.cancel()
        self.cancelled_by_client = False

    def cancel(self) -> None:
        cause: Cause = "client_cancelled" if self.cancelled_by_client else "turn_detected"
        self.cancelled_by_client = False
        if self._begins or self._asked is not None:
            self._answering()
        self._finish("cancelled", cause)
        self._leave_calls()
        self._in_turn = False

    def _trouble(self, event: Trouble) -> None:
        self._say_omni("trouble", message=event.message, kind=event.kind)
        if self._begins or self._asked is not None:
            self._answering()
        if self._response is not None:
            self._response.finish("failed", error=event.message)
            self._response = None
            self._in_turn = False
        else:
            self._outbox.error(event.message, type="server_error", code=event.kind)

    def _finish(
        self, outcome: Literal["completed", "cancelled"], cause: Cause | None = None
    ) -> None:
        if self._done_calling is not None:
            self._done_calling.cancel()
            self._done_calling = None
        if self._response is not None:
            self._response.finish(outcome, cause)
            self._response = None

    # --- tools -------------------------------------------------------------------------------

    def _tool_started(self, event: ToolStarted) -> None:
        call = event.call
        call_id = self._handed_over.announce(call)
        if call_id is not None:
            self._handed[call.id] = call_id
            self._answering().call(call_id, call.name, call.arguments)
        else:
            self._acting.add(call.id)
            self._tool_card(event, None)
        self._await_more_calls()

    def _tool_finished(self, event: ToolFinished) -> None:
        if event.call.id in self._handed:
            del self._handed[event.call.id]
            return
        self._acting.discard(event.call.id)
        self._tool_card(event, event)
        self._await_more_calls()

    def _leave_calls(self) -> None:
        self._handed_over.leave(self._handed.values())
        self._handed.clear()
        self._acting.clear()

    def give_up_calls(self) -> tuple[str, ...]:
        """The turn ends with what the client was called to do; the ids of these calls, if any."""
        ids = tuple(self._handed.values())
        if ids:
            self._finish("completed")
            self._handed.clear()
            self._acting.clear()
            self._in_turn = False
        return ids

    def _await_more_calls(self) -> None:
        """When only the client's tools are still to run, the response is done.

        Calls that were made together are told one by one, so that there is a moment's wait.
        """
        if self._done_calling is not None:
            self._done_calling.cancel()
            self._done_calling = None
        if self._handed and not self._acting:
            loop = asyncio.get_running_loop()
            self._done_calling = loop.call_later(CALLS_OF_ONE_STEP, self.end_calls)

    def end_calls(self) -> None:
        """No more calls are made in this step: it is the client's turn to run its tools."""
        if self._done_calling is not None:
            self._finish("completed")

    def _tool_card(self, event: ToolStarted | ToolFinished, done: ToolFinished | None) -> None:
        self._say_omni(
            "tool",
            call_id=event.call.id,
            name=event.call.name,
            arguments=event.call.arguments,
            status="started" if done is None else "finished",
            result=None if done is None else done.result.content,
            say=None if done is None else done.result.say,
            seconds=None if done is None else done.seconds,
            is_error=done is not None and done.result.is_error,
        )

    # --- what only our own clients understand ------------------------------------------------

    def _caption(self, event: PartialTranscript | UserTranscript) -> None:
        self._say_omni(
            "caption",
            text=event.text,
            language=event.language,
            speaker=event.speaker,
            final=isinstance(event, UserTranscript),
        )

    def _say_omni(self, kind: str, /, **fields: Any) -> None:
        if self._omni:
            self._outbox.say(f"omni.{kind}", **fields)


def _memory(memory: Any) -> dict[str, Any]:
    return {
        "id": memory.id,
        "text": memory.text,
        "kind": memory.kind,
        "score": memory.score,
        "speaker": memory.speaker,
    }
