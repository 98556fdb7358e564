"""Sound and video that are still coming: prefilled as they come, exact in the end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conversations import (
    END,
    SYSTEM,
    USER,
    AudioPiece,
    TextPiece,
    VideoPiece,
    assert_same_context,
    close,
    mel,
    new_context,
    picture,
    sound,
    video,
)

from omni_agent.errors import ContextFull, MediaError, UsageError
from omni_agent.media import Audio, VideoFrame
from omni_agent.model.qwen.decoder import Cancelled
from omni_agent.model.qwen.incoming import IncomingSound, IncomingVideo

PAIR = 140
"""Tokens of a pair of frames of 56 × 42 pixels: they are scaled up to the least."""


def chunks(audio: Audio, seed: int) -> list[Audio]:
    noise, left = np.random.default_rng(seed), audio.samples
    made = []
    while len(left):
        size = int(noise.integers(1, 40_000))
        made.append(Audio(left[:size], audio.rate))
        left = left[size:]
    return made


class Talker:
    """Keeps what a Talker would be given, and takes back what became void."""

    def __init__(self):
        self.inputs = torch.zeros(0, 64)
        self.positions = torch.zeros(3, 0, dtype=torch.int64)

    def take(self, given):
        if given is not None:
            self.inputs = torch.cat([self.inputs[: given.start], given.talker_inputs])
            self.positions = torch.cat([self.positions[:, : given.start], given.positions], dim=1)


@pytest.mark.parametrize("seed", range(8))
def test_sound_in_pieces_is_as_the_whole_sound(reference, seed):
    audio = sound(7.1, seed)
    together, apart, talker = new_context(reference), new_context(reference), Talker()
    expected = together.prefill(SYSTEM, TextPiece(USER), AudioPiece(audio), TextPiece(END))
    talker.take(apart.prefill(SYSTEM, TextPiece(USER)))
    coming = IncomingSound(apart)
    for chunk in chunks(audio, seed):
        talker.take(coming.feed(chunk))
    given = coming.close(TextPiece(END))
    talker.take(given)
    assert_same_context(apart, together)
    close(given.logits, expected.logits)
    close(talker.inputs, expected.talker_inputs)
    assert torch.equal(talker.positions, expected.positions)


def test_an_even_sound_leaves_only_its_last_block_for_the_end(reference):
    tone = np.sin(np.arange(16000 * 7) * 0.3).astype(np.float32)
    context = new_context(reference)
    context.prefill(SYSTEM)
    coming = IncomingSound(context)
    for start in range(0, len(tone), 1600):
        coming.feed(Audio(tone[start : start + 1600], 16000))
    assert context.length == 12 + 1 + 3 * 50
    given = coming.close(TextPiece(END))
    assert given.start == 12 + 1 + 3 * 50
    assert len(given.token_ids) == 25 + 1 + len(END)


def test_a_louder_moment_makes_what_was_given_out_void(reference):
    quiet = np.zeros(16000 * 5, np.float32)
    context = new_context(reference)
    context.prefill(SYSTEM)
    coming = IncomingSound(context)
    coming.feed(Audio(quiet, 16000))
    assert context.length == 12 + 1 + 2 * 50
    loud = np.sin(np.arange(16000 * 2) * 0.3).astype(np.float32)
    given = coming.feed(Audio(loud, 16000))
    assert given.start == 12 + 1
    assert context.length == 12 + 1 + 3 * 50


@pytest.mark.parametrize("count", [0, 1, 160, 480])
def test_the_shortest_sounds(reference, count):
    audio = Audio(np.full(count, 0.1, np.float32), 16000)
    context = new_context(reference)
    coming = IncomingSound(context)
    coming.feed(audio)
    given = coming.close()
    frames = mel(audio.samples).shape[1] if count else 0
    assert context.length == 2 + (1 if frames >= 3 else 0)
    assert given.logits.isfinite().all()


def test_sound_of_another_rate_is_resampled(reference):
    audio = sound(3.3)
    other = Audio(audio.samples, 48_000)
    apart = new_context(reference)
    coming = IncomingSound(apart)
    for chunk in chunks(other, 1):
        coming.feed(chunk)
    with pytest.raises(MediaError, match="takes 48000 Hz, and got 16000 Hz"):
        coming.feed(audio)
    coming.close()
    assert apart.length == 2 + 27  # 1.1 s


def test_sound_that_did_not_fit_goes_on_once_there_is_room(reference):
    context, plenty = new_context(reference, 130), new_context(reference)
    for each in (context, plenty):
        each.prefill(SYSTEM, AudioPiece(sound(1.2)), TextPiece(END))
    audio = sound(4.4, seed=3)
    coming, expected = IncomingSound(context), IncomingSound(plenty)
    expected.feed(audio)
    expected.close()
    with pytest.raises(ContextFull):
        coming.feed(audio)
    context.drop_media(101)
    plenty.drop_media(plenty.room + 1)
    coming.feed(Audio(np.zeros(0, np.float32), 16000))
    coming.close()
    assert_same_context(context, plenty)


def test_sound_that_was_called_off_goes_on(reference):
    answers = iter([True, False])
    context = new_context(reference, cancelled=lambda: next(answers, False))
    coming = IncomingSound(context)
    with pytest.raises(Cancelled):
        coming.feed(sound(5))
    assert context.length == 0
    coming.close()
    expected = new_context(reference)
    expected.prefill(AudioPiece(sound(5)))
    assert_same_context(context, expected)


def test_nothing_grows_any_more_after_it_was_closed_cut_off_or_followed(reference):
    context = new_context(reference)
    coming = IncomingSound(context)
    coming.feed(sound(3))
    context.prefill(TextPiece(END))
    with pytest.raises(UsageError, match="others came behind it"):
        coming.feed(sound(3))
    context.cut(0)
    with pytest.raises(UsageError, match="it was cut off"):
        coming.close()
    coming = IncomingSound(context)
    coming.close()
    with pytest.raises(UsageError, match="was closed; a new one begins"):
        coming.feed(sound(1))
    with pytest.raises(UsageError, match="closed already"):
        coming.close()


@pytest.mark.parametrize(
    ("frames", "apart", "seconds"), [(8, 0.5, 4), (9, 0.5, 5.1), (4, 1.0, 1.3), (2, 0.5, 6.4)]
)
def test_a_video_in_pieces_is_as_the_whole_clip(reference, frames, apart, seconds):
    clip = video(frames, seconds=seconds, seconds_apart=apart)
    together, apart_context, talker = new_context(reference), new_context(reference), Talker()
    expected = together.prefill(SYSTEM, clip, TextPiece(END))
    talker.take(apart_context.prefill(SYSTEM))
    coming = IncomingVideo(apart_context, sounding=True)
    shots = [VideoFrame(frame, index * apart) for index, frame in enumerate(clip.frames)]
    step = 3200
    for start in range(0, len(clip.sound.samples), step):
        while shots and shots[0].t * 16000 <= start:
            talker.take(coming.feed(shots.pop(0)))
        talker.take(coming.feed(Audio(clip.sound.samples[start : start + step], 16000)))
    for shot in shots:
        talker.take(coming.feed(shot))
    talker.take(coming.close(TextPiece(END)))
    assert_same_context(apart_context, together)
    close(talker.inputs, expected.talker_inputs)


def test_a_silent_video_in_pieces_is_as_the_whole_clip(reference):
    clip = video(7, seconds_apart=0.25)
    together, apart = new_context(reference), new_context(reference)
    together.prefill(clip)
    coming = IncomingVideo(apart, sounding=False)
    for index, frame in enumerate(clip.frames):
        coming.feed(VideoFrame(frame, index * 0.25))
    coming.close()
    assert_same_context(apart, together)


def test_pictures_are_seen_before_their_sound_is_complete(reference):
    context = new_context(reference)
    coming = IncomingVideo(context, sounding=True)
    for index in range(4):
        coming.feed(VideoFrame(picture(56, 42, index), index / 2))
    assert context.length == 2 + 2 * PAIR


def test_a_late_frame_is_the_first_moment_of_the_open_chunk(reference):
    context = new_context(reference)
    coming = IncomingVideo(context, sounding=True)
    coming.feed(VideoFrame(picture(56, 42), 0.1))
    coming.feed(sound(2.2))  # ends the first chunk: its one frame is a pair of itself
    assert context.length == 2 + PAIR + 50
    coming.feed(VideoFrame(picture(56, 42), 1.9))
    coming.feed(VideoFrame(picture(56, 42), 2.4))
    ids = context.positions.ids[0, 2:]
    assert ids[0] == 1 + 2  # 0.1 s
    assert ids[PAIR : PAIR + 50].tolist() == list(range(1, 51))
    assert ids[PAIR + 50] == 1 + 50


def test_frames_out_of_order_and_sound_unannounced_are_refused(reference):
    context = new_context(reference)
    coming = IncomingVideo(context, sounding=False)
    coming.feed(VideoFrame(picture(56, 42), 1.0))
    with pytest.raises(MediaError, match=r"a frame of 1\.0 s came after one of 1\.0 s"):
        coming.feed(VideoFrame(picture(56, 42), 1.0))
    with pytest.raises(MediaError, match="begun without sound"):
        coming.feed(sound(1))
    coming.feed(VideoFrame(picture(500, 30), 1.5))  # scaled as the first
    coming.close()
    assert context.length == 2 + PAIR


def test_a_video_of_no_frames(reference):
    context = new_context(reference)
    context.prefill(VideoPiece(()))
    assert context.length == 2
