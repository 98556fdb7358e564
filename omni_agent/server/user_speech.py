"""What the user says, as the items and transcripts of the protocol."""

from __future__ import annotations

from omni_agent.events import SpeechStarted, SpeechStopped, UserTranscript
from omni_agent.server.items import Item, Items, new_item, spoken_by_user
from omni_agent.server.session import Session
from omni_agent.server.wire import Outbox, new_id

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class UserSpeech:
    """`latest` is what was said last, while its words are not known."""

    def __init__(self, outbox: Outbox, items: Items, session: Session) -> None:
        self.latest: Item | None = None
        self._outbox = outbox
        self._items = items
        self._session = session
        self._is_open = False  # the client was not told yet that the latest item is done
        self._next_id: str | None = None  # of what is being said
        self._begins_ms = self._ends_ms = 0  # in the microphone's sound

    def started(self, event: SpeechStarted) -> None:
        self._begins_ms = event.at_ms
        if self._session.push_to_talk:
            return
        self._next_id = new_id("item")
        self._outbox.say(
            "input_audio_buffer.speech_started", audio_start_ms=event.at_ms, item_id=self._next_id
        )

    def stopped(self, event: SpeechStopped) -> None:
        if self._next_id is None and not self._session.push_to_talk:
            self._begins_ms = self._ends_ms  # it was never heard to begin
        self._ends_ms = event.at_ms
        if self._session.push_to_talk:
            if self.latest is None:  # nobody can speak on and on
                self.committed()
            return
        if self._next_id is not None:
            self._outbox.say(
                "input_audio_buffer.speech_stopped",
                audio_end_ms=event.at_ms,
                item_id=self._next_id,
            )
        if self.latest is None or self._next_id is not None:
            self.committed()

    def committed(self) -> None:
        """What was said up to now is a turn: it becomes an item of the conversation."""
        self.close()
        item, self._next_id = new_item(spoken_by_user(), id=self._next_id), None
        before = self._items.add(item)
        self.latest, self._is_open = item, True
        self._outbox.say("input_audio_buffer.committed", item_id=item.id, previous_item_id=before)
        self._outbox.say("conversation.item.added", item=item.as_wire(), previous_item_id=before)

    def transcribed(self, event: UserTranscript) -> None:
        item = self.latest
        if item is None:
            return
        item.body["content"][0]["transcript"] = event.text
        if self._session.transcribes:
            self._tell_words(item, event)
        self.close()
        self.latest = None

    def close(self) -> None:
        """The item is done. Its words may still come: some models know them after the answer."""
        if self.latest is not None and self._is_open:
            self._is_open = False
            before = self._items.before(self.latest.id)
            self._outbox.say(
                "conversation.item.done", item=self.latest.as_wire(), previous_item_id=before
            )

    def answered(self, item: Item | None) -> None:
        """The turn that answered this item is over; no words come any more."""
        if self.latest is item:
            self.latest = None

    def _tell_words(self, item: Item, event: UserTranscript) -> None:
        about = {"item_id": item.id, "content_index": 0}
        start, end = self._begins_ms / 1000, self._ends_ms / 1000
        if event.text:
            self._outbox.say(f"{_TRANSCRIPTION}.delta", delta=event.text, **about)
        if event.speaker is not None:
            self._outbox.say(
                f"{_TRANSCRIPTION}.segment",
                id=new_id("seg"),
                text=event.text,
                speaker=event.speaker,
                start=start,
                end=end,
                **about,
            )
        usage = {"type": "duration", "seconds": max(0.0, end - start)}
        self._outbox.say(f"{_TRANSCRIPTION}.completed", transcript=event.text, usage=usage, **about)
