"""What happens in a call, event by event, as a client is told it."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from clients import seconds_of
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter

from omni_agent.events import (
    AudioDelta,
    Interrupted,
    PeoplePresent,
    PersonHere,
    Reply,
    SpeechStarted,
    SpeechStopped,
    StateChanged,
    TextDelta,
    Timings,
    ToolFinished,
    ToolStarted,
    Trouble,
    TurnFinished,
    TurnStarted,
    Usage,
    UserTranscript,
)
from omni_agent.media import Audio
from omni_agent.messages import ToolCall, ToolResult
from omni_agent.model.scripted import ScriptedModel
from omni_agent.server.client_tools import HandedOver
from omni_agent.server.items import Items
from omni_agent.server.limits import Limits
from omni_agent.server.narrator import Narrator
from omni_agent.server.session import Session
from omni_agent.server.wire import Outbox

EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
LOOK = ToolCall("call_1", "look", {})
USAGE = Usage(prompt_tokens=3)


class Told(Outbox):
    """Keeps what is said, each event checked against OpenAI's types."""

    def __init__(self) -> None:
        super().__init__(Limits())
        self.events: list[dict[str, Any]] = []

    def say(self, type: str, /, **fields: Any) -> None:
        event = {"type": type, "event_id": "e", **fields}
        if not type.startswith("omni."):
            EVENTS.validate_python(event)
        self.events.append(event)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type]


class Scene:
    """A narrator with somebody who listens to it."""

    def __init__(self, *, omni: bool = False) -> None:
        profile = ScriptedModel(audio=True).profile
        self.told = Told()
        self.items = Items(100)
        self.session = Session("sess_1", "kitchen", instructions="", voice=None, profile=profile)
        self.handed_over = HandedOver()
        self.narrator = Narrator(self.told, self.items, self.session, self.handed_over, omni=omni)

    def happens(self, *events: Any) -> None:
        for event in events:
            self.narrator.tell(event)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def words(text: str, *, filler: bool = False) -> tuple[TextDelta, AudioDelta]:
    """Half a second of sound for any text."""
    audio = Audio(np.zeros(12_000, np.float32), 24_000)
    return TextDelta(text, 0, filler), AudioDelta(audio, len(text), 0, filler)


def finished(text: str, **reply: Any) -> TurnFinished:
    timings = Timings(first_text=0, first_audio=0, total=0)
    whole: dict[str, Any] = {
        "text": text,
        "audio": None,
        "heard": "",
        "language": "en",
        "tools": (),
        "recalled": (),
        "stored": (),
        "stopped": "done",
        "timings": timings,
        "usage": USAGE,
    }
    return TurnFinished(Reply(**{**whole, **reply}), 0)


SPOKE = (SpeechStarted(200, 0), SpeechStopped(1400, 0.3, 0))


def test_a_model_may_know_the_words_only_after_its_answer(scene: Scene) -> None:
    scene.happens(*SPOKE, TurnStarted(1, 0), *words("Chop."))
    before = scene.told.types
    assert before.index("conversation.item.done") < before.index("response.created")
    scene.happens(UserTranscript("How?", "en", 0), finished("Chop."))
    kind = "conversation.item.input_audio_transcription.completed"
    completed = scene.told.of(kind)[0]
    assert completed["transcript"] == "How?"
    assert completed["usage"]["seconds"] == pytest.approx(1.2)
    item = scene.items.get(completed["item_id"], code="")
    assert item.text == "How?"
    assert len(scene.told.of("conversation.item.done")) == 2  # the user's and the agent's


def test_who_spoke_is_told_where_it_is_known(scene: Scene) -> None:
    scene.happens(*SPOKE, TurnStarted(1, 0), UserTranscript("How?", "en", 0, speaker="Anna"))
    segment = scene.told.of("conversation.item.input_audio_transcription.segment")[0]
    assert (segment["speaker"], segment["text"]) == ("Anna", "How?")
    assert (segment["start"], segment["end"]) == (0.2, 1.4)


def test_who_is_there_is_told_to_our_own_clients(scene: Scene) -> None:
    present = PeoplePresent((PersonHere("p1", "Anna", speaking=True), PersonHere("p2")), 0)
    ours = Scene(omni=True)
    ours.happens(present)
    anna, stranger = ours.told.of("omni.people")[0]["people"]
    assert (anna["name"], anna["sure"], anna["speaking"]) == ("Anna", True, True)
    assert (stranger["id"], stranger["name"]) == ("p2", None)
    scene.happens(present)
    assert scene.told.events == []


def test_a_client_that_wants_no_transcripts_gets_none(scene: Scene) -> None:
    scene.session.update({"audio": {"input": {"transcription": None}}}, Limits())
    scene.happens(*SPOKE, TurnStarted(1, 0), UserTranscript("How?", "en", 0))
    assert not [kind for kind in scene.told.types if "transcription" in kind]
    assert scene.told.types[-1] == "response.created"
    assert next(iter(scene.items)).text == "How?"


def test_a_filler_is_a_message_of_its_own_and_no_part_of_the_answer(scene: Scene) -> None:
    scene.happens(
        TurnStarted(1, 0),
        ToolStarted(LOOK, 0),
        *words("One moment.", filler=True),
        ToolFinished(LOOK, ToolResult("call_1", "look", "a cat"), 1.0, 0),
        *words("A cat."),
        finished("A cat."),
    )
    filler, answer = scene.told.of("response.done")[0]["response"]["output"]
    assert filler["content"][0]["transcript"] == "One moment."
    assert answer["content"][0]["transcript"] == "A cat."
    spoken = scene.items.get(answer["id"], code="").spoken
    assert spoken is not None
    assert (spoken.starts_ms, spoken.starts_char) == (0, 0)
    assert seconds_of(scene.told.of("response.output_audio.delta")) == 1.0


def test_what_was_heard_of_a_turn_is_divided_among_its_messages(scene: Scene) -> None:
    scene.happens(
        TurnStarted(1, 0),
        *words("Let me look."),
        ToolStarted(LOOK, 0),
        *words("Wait.", filler=True),
        ToolFinished(LOOK, ToolResult("call_1", "look", "a cat"), 1.0, 0),
        *words(" A black cat."),
        finished("Let me look. A black cat."),
        Interrupted(1, "Let me look. A black", "cat.", 900, 0),
    )
    first, filler, last = (item.text for item in scene.items)
    assert (first, filler, last) == ("Let me look.", "Wait.", "A black")
    third = list(scene.items)[2].spoken
    assert third is not None
    assert third.starts_ms == 500  # the filler does not count
    assert scene.told.types.count("response.done") == 1


def test_a_turn_that_was_taken_back_is_not_cut_again_with_the_next(scene: Scene) -> None:
    scene.happens(TurnStarted(1, 0), *words("Chop."), Interrupted(1, "", "Chop.", 0, 0))
    scene.happens(TurnStarted(1, 0), *words("Fry them."), Interrupted(1, "Fry", "them.", 300, 0))
    assert [item.text for item in scene.items] == ["", "Fry"]


def test_words_that_come_without_a_response_begin_one(scene: Scene) -> None:
    scene.happens(TurnStarted(1, 0, unasked=True), *words("The eggs are done."))
    assert scene.told.types[0] == "response.created"


def test_noise_that_a_client_took_for_a_turn_gets_an_empty_answer(scene: Scene) -> None:
    """Push-to-talk: the ears find no words, and the call says nothing at all."""
    scene.session.update({"audio": {"input": {"turn_detection": None}}}, Limits())
    scene.narrator.user.committed()
    scene.narrator.ask(scene.narrator.wanted(metadata={"n": "1"}))
    scene.happens(StateChanged("idle", "speaking", 0))  # of the turn before
    assert scene.narrator.busy
    scene.happens(StateChanged("thinking", "idle", 0), StateChanged("idle", "thinking", 0))
    done = scene.told.of("response.done")[0]["response"]
    assert (done["status"], done["output"], done["metadata"]) == ("completed", [], {"n": "1"})
    assert not scene.narrator.busy


def test_trouble_between_turns_is_an_error_and_within_one_fails_it(scene: Scene) -> None:
    scene.happens(Trouble("no memory", 0, kind="MemoryStoreError"))
    assert scene.told.events[-1]["error"]["code"] == "MemoryStoreError"
    scene.happens(TurnStarted(1, 0), Trouble("no model", 0, kind="ModelError"))
    done = scene.told.of("response.done")[0]["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["message"] == "no model"


async def test_a_response_is_done_once_no_more_calls_come(scene: Scene) -> None:
    call = ToolCall("call_1", "get_weather", {})
    running = asyncio.create_task(scene.handed_over.run("get_weather", {}))
    await asyncio.sleep(0)
    scene.happens(TurnStarted(1, 0), ToolStarted(call, 0))
    assert scene.narrator.busy
    await asyncio.sleep(0.1)
    assert scene.told.types[-1] == "response.done"
    assert scene.narrator.waits_for_client
    running.cancel()
