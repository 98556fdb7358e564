"""Events and inputs come back from JSON as they were; sound and pictures by reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.call_settings import CallSettings, WornPersona
from omni_agent.errors import RecordingError
from omni_agent.event_codec import Media, decoded, encoded, from_json, to_json
from omni_agent.events import AudioDelta, LiveEvent, TextDelta, ToolStarted, TurnStarted
from omni_agent.listening import Listening
from omni_agent.media import Audio, Image, VideoFrame
from omni_agent.messages import Message, Text, ToolCall
from omni_agent.recorded_call import VERBS
from omni_agent.seeing import Seeing
from omni_agent.tools.base import Position

FEW = settings(max_examples=20, deadline=None)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
SOUNDS = st.builds(
    lambda levels, rate: Audio(np.array(levels, np.float32), rate),
    st.lists(st.floats(-1, 1, width=32), max_size=5),
    st.integers(1, 384_000),
)
PICTURES = st.builds(
    lambda w, h, level: Image(np.full((h, w, 3), level, np.uint8)),
    st.integers(1, 3), st.integers(1, 3), st.integers(0, 255),
)  # fmt: skip

st.register_type_strategy(float, FLOATS)
st.register_type_strategy(Audio, SOUNDS)
st.register_type_strategy(Image, PICTURES)
st.register_type_strategy(VideoFrame, st.builds(VideoFrame, PICTURES, st.floats(0, 1e6)))
st.register_type_strategy(Path, st.builds(Path, st.sampled_from(["a.png", "b c.wav"])))
st.register_type_strategy(
    ToolCall, st.builds(ToolCall, st.text(), st.text(), st.dictionaries(st.text(), JSON))
)
st.register_type_strategy(
    Listening, st.sampled_from([Listening(), Listening(turns="push-to-talk", interrupt=False)])
)


class Shelf:
    """Keeps media itself, so that what comes back can be told to be the very same."""

    def __init__(self) -> None:
        self.kept: list[Media] = []

    def keep(self, media: Media, /) -> dict[str, Any]:
        self.kept.append(media)
        kind = type(media).__name__
        return {"type": kind if kind in ("Audio", "Image") else "File", "at": len(self.kept) - 1}

    def load(self, reference: dict[str, Any], /) -> Any:
        return self.kept[reference["at"]]


@pytest.mark.parametrize("kind", get_args(LiveEvent))
@FEW
@given(data=st.data())
def test_every_event_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    event = data.draw(st.from_type(kind))
    shelf = Shelf()
    text = json.dumps(to_json(event, shelf.keep))
    assert from_json(json.loads(text), shelf.load) == event


@pytest.mark.parametrize("verb", VERBS)
@FEW
@given(data=st.data())
def test_what_goes_in_comes_back_as_it_was(verb: str, data: st.DataObject) -> None:
    values = [data.draw(st.from_type(kind)) for kind in VERBS[verb]]
    shelf = Shelf()
    written = json.loads(json.dumps(encoded(values, shelf.keep)))
    back = [decoded(v, k, shelf.load) for v, k in zip(written, VERBS[verb], strict=True)]
    again = Shelf()
    assert encoded(back, again.keep) == written
    assert all(a is b for a, b in zip(again.kept, shelf.kept, strict=True))
    assert list(map(type, back)) == list(map(type, values))


def test_the_settings_of_a_call_come_back() -> None:
    had = CallSettings(
        listening=Listening(turns="push-to-talk"),
        seeing=Seeing(pages=frozenset({"screen", "slides"}), idle_fps=1),
        player="remote",
        persona=WornPersona(instructions="Be brief.", tools=("a",), voice="af_heart"),
        place=Position(60.1, 24.9, label="here"),
        history=(Message("user", (Text("hi"),)), Message("assistant", (Text("hello"),))),
        idle_seconds=30.0,
    )
    written = json.loads(json.dumps(encoded(had)))
    assert decoded(written, CallSettings) == had


def test_sound_that_is_not_kept_is_described_and_read_as_silence() -> None:
    event = AudioDelta(Audio(np.ones(240, np.float32), 24_000), 7, 1.5)
    data = to_json(event)
    assert data["audio"]["samples"] == 240
    other = to_json(AudioDelta(Audio(np.zeros(240, np.float32), 24_000), 7, 1.5))
    assert data != other
    back = from_json(data)
    assert isinstance(back, AudioDelta)
    assert back.audio.seconds == 0.01
    assert back.audio.is_silent()


def test_a_field_that_came_later_may_be_missing() -> None:
    assert from_json({"type": "TurnStarted", "turn": 1, "t": 2}) == TurnStarted(1, 2.0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"type": "TurnBegun"}, "no event 'TurnBegun'"),
        ({"turn": 1}, "no event None"),
        ({"type": "TurnStarted", "t": 1.0}, "TurnStarted lacks 'turn'"),
        (
            {"type": "TurnStarted", "turn": "1", "t": 1.0},
            "TurnStarted.turn is '1', and not a whole number",
        ),
        ({"type": "TurnStarted", "turn": 1, "t": None}, "TurnStarted.t is None"),
        ({"type": "TurnStarted", "turn": 1, "t": 1.0, "who": 2}, "TurnStarted has no 'who'"),
        ({"type": "StateChanged", "state": "asleep", "before": "idle", "t": 1.0}, "one of 'idle'"),
        ({"type": "AudioDelta", "audio": {"type": "Image"}, "text_upto": 0, "t": 0.0}, "a Audio"),
    ],
)
def test_what_is_wrong_is_named(data: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        from_json(data)


def test_a_value_that_is_no_json_is_refused() -> None:
    with pytest.raises(RecordingError, match="which is not JSON"):
        to_json(ToolStarted(ToolCall("c", "look", {"at": object()}), 0.0))


def test_no_name_in_a_file_makes_anything_but_what_is_expected() -> None:
    data = to_json(TextDelta("hi", 0.0))
    with pytest.raises(RecordingError, match="not a TurnStarted"):
        decoded(data, TurnStarted)
