"""Where tokens stand: the same ids as `get_rope_index` gives for the whole conversation."""

from __future__ import annotations

import pytest
import torch
from conversations import (
    ASSISTANT,
    END,
    USER,
    AudioPiece,
    ImagePiece,
    TextPiece,
    new_context,
    picture,
    sound,
    video,
    whole,
    words,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_agent.model.qwen.positions import Positions, even_times, line_ids, time_id

text = st.builds(lambda n, seed: TextPiece(words(n, seed)), st.integers(1, 30), st.integers(0, 9))
audio = st.builds(lambda s, seed: AudioPiece(sound(s, seed)), st.floats(0.03, 5), st.integers(0, 9))
image = st.builds(
    lambda w, h: ImagePiece(picture(w, h)), st.integers(10, 150), st.integers(10, 150)
)
silent = st.builds(
    lambda n, apart: video(n, seconds_apart=apart),
    st.integers(1, 9),
    st.sampled_from([0.1, 1 / 3, 0.5, 1, 2]),
)
sounding = st.builds(
    lambda n, apart, seconds: video(n, seconds=seconds, seconds_apart=apart),
    st.integers(1, 9),
    st.sampled_from([0.1, 0.25, 0.5, 0.75, 1]),
    st.floats(0.03, 9),
)


def turns(*media):
    turn = st.builds(
        lambda asked, said: [TextPiece(USER), *asked, TextPiece([*END, *ASSISTANT]), said],
        st.lists(st.one_of(text, *media), min_size=1, max_size=3),
        text,
    )
    several = st.lists(turn, min_size=1, max_size=3)
    return several.map(lambda turns: [piece for turn in turns for piece in turn])


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(turns(audio, image, silent), turns(audio, image, sounding)), st.data())
def test_grown_in_pieces_they_are_those_of_the_whole(reference, pieces, data):
    context, at = new_context(reference, 12_000), 0
    while at < len(pieces):
        count = data.draw(st.integers(1, 3))
        context.prefill(*pieces[at : at + count])
        at += count
    expected = whole(pieces)
    ids, first_of_reply = expected.positions(reference.thinker)
    assert context.tokens[: context.length].tolist() == expected.ids
    assert torch.equal(context.positions.ids, ids)
    assert context.positions.next_generated == first_of_reply


@pytest.mark.parametrize("per_second", [1, 2, 4, 8, 25])
def test_times_of_frames_are_those_of_even_distances(per_second):
    pairs = even_times(50, 2 / per_second).tolist()
    if per_second in (1, 2, 4, 8):  # distances that a float holds exactly
        assert pairs == [time_id(2 * index / per_second) for index in range(50)]
    assert pairs[:3] == [0, 50 // per_second, 100 // per_second]


def test_a_cut_leaves_no_trace():
    cut, never = Positions(40), Positions(40)
    for positions in (cut, never):
        positions.append(line_ids(9))
    cut.append(line_ids(20, first=100))
    cut.cut(9)
    for positions in (cut, never):
        positions.append(line_ids(2, first=positions.next))
    assert torch.equal(cut.ids, never.ids)
    assert cut.next_generated == never.next_generated == 11
    with pytest.raises(ValueError, match="11 positions cannot be cut to 12"):
        cut.cut(12)


def test_a_reply_begins_after_the_highest_id_and_words_after_the_last():
    positions = Positions(10)
    positions.append(line_ids(2, first=70))
    positions.append(line_ids(2, first=60))
    assert (positions.next, positions.next_generated) == (62, 72)
