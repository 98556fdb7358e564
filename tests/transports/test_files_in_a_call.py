"""A spoken question and a video, played from files into a real call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_speech import spoken
from videos import made

from omni_agent.agent import Agent
from omni_agent.events import FrameSeen, SpeechStopped, StateChanged, TurnFinished, UserTranscript
from omni_agent.listening import Listening
from omni_agent.media import Audio, VideoFrame
from omni_agent.model.scripted import ScriptedModel
from omni_agent.transports.files import play_files
from omni_agent.virtual_clock import VirtualClock

QUESTION = "What is on the stove, and is it boiling already?"


async def test_a_question_in_a_file_is_answered_with_what_the_video_shows(tmp_path: Path) -> None:
    words = spoken(QUESTION)
    speech = Audio.join([Audio.silence(1.0, 16_000), words, Audio.silence(0.5, 16_000)])
    video = made(tmp_path / "kettle.mp4", seconds=4, fps=10)
    async with VirtualClock() as clock:
        model = ScriptedModel("A kettle.", audio=True, transcripts=[QUESTION] * 9, clock=clock)
        async with Agent("Look.", model=model, clock=clock) as agent:
            async with agent.live(listening=Listening(judge="silence"), draft=False) as call:
                result = await play_files(
                    call, speech, video=video, reply=tmp_path / "reply.wav", clock=clock
                )
    kinds = [type(event) for event in result.events]
    assert kinds.count(UserTranscript) == kinds.count(TurnFinished) == 1
    ended = 1.0 + words.seconds
    loud = np.flatnonzero(result.reply.samples) / result.reply.rate
    (stopped,) = [event for event in result.events if isinstance(event, SpeechStopped)]
    assert stopped.waited == pytest.approx(0.7, abs=0.1)
    assert loud[0] == pytest.approx(ended + 0.7, abs=0.3)
    assert loud[-1] - loud[0] == pytest.approx(len("A kettle.") / 15, abs=0.05)
    seen = [event for event in result.events if isinstance(event, FrameSeen)]
    fed = [part for part in model.sessions[0].fed if isinstance(part, VideoFrame)]
    assert len(seen) == len(fed) >= 3
    assert fed[-1].image.pixels.mean() > fed[0].image.pixels.mean() + 30
    states = [event.state for event in result.events if isinstance(event, StateChanged)]
    assert states[-4:] == ["listening", "thinking", "speaking", "idle"]
    assert Audio.load(tmp_path / "reply.wav").seconds == pytest.approx(result.reply.seconds)
