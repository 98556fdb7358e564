"""A room with a loudspeaker and a microphone in it, of numpy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from omni_agent.media import Audio, Resampler
from omni_agent.model.compact.vad import FRAME, Vad
from omni_agent.transports.echo import RATE, EchoCanceller


def response(
    *, delay: float, reverberation: float = 0.25, gain: float = 0.4, seed: int = 0
) -> np.ndarray:
    """From the samples given to the sound card to those it returns, at 16 kHz.

    `delay`: seconds through both devices and the air; `gain`: of the whole way, 0.4 is −8 dB.
    """
    rng = np.random.default_rng(seed)
    n = round(reverberation * RATE)
    decay = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n) * 0.12
    decay[0] = 1.0
    decay *= gain / np.sqrt((decay**2).sum())
    return np.concatenate([np.zeros(round(delay * RATE)), decay]).astype(np.float32)


def heard_in(
    room: np.ndarray, agent: Audio, user: Audio | None = None, *, noise: float = 0.0005
) -> Audio:
    """What the microphone takes up of the agent's voice and the user's."""
    echo = np.convolve(agent.samples, room)[: len(agent.samples)]
    near = np.zeros_like(echo)
    if user is not None:
        near[: len(user.samples)] = user.samples[: len(near)]
    hiss = np.random.default_rng(1).standard_normal(len(echo)) * noise
    return Audio(np.clip(echo + near + hiss, -1, 1).astype(np.float32), RATE)


def through(
    canceller: EchoCanceller,
    agent: Audio,
    microphone: Audio,
    *,
    card_block: int = 480,
    chunk: int = 320,
    stalls: Iterator[float] | None = None,
    card_stalls: Iterator[float] | None = None,
) -> Audio:
    """Both streams as two sound cards deliver them, the agent's at 24 kHz in blocks of its own.

    `stalls`: how many seconds late each chunk of the microphone is worked on; `card_stalls`: how
    late each block of the loudspeaker is told.
    """
    loud = Resampler(RATE, 24_000).push(agent, last=True).samples
    cleaned: list[Audio] = []
    waiting: list[np.ndarray] = []
    played = 0
    busy_until = card_busy_until = 0.0
    for begins in range(0, len(microphone.samples) - chunk + 1, chunk):
        now = (begins + chunk) / RATE
        while played / 24_000 <= now:  # a block is handed over before it begins to sound
            if card_stalls is not None:
                card_busy_until = max(card_busy_until, played / 24_000 + next(card_stalls))
            if now < card_busy_until:
                break
            canceller.played(Audio(loud[played : played + card_block], 24_000))
            played += card_block
        waiting.append(microphone.samples[begins : begins + chunk])
        if stalls is not None:
            busy_until = max(busy_until, now + next(stalls))
        if now >= busy_until:
            cleaned.append(canceller.cleaned(Audio(np.concatenate(waiting), RATE)))
            waiting = []
    return Audio.join(cleaned)


def speech_in(sound: Audio, vad: Vad) -> np.ndarray:
    """For each 32 ms whether somebody speaks, bool [n]."""
    n = len(sound.samples) // FRAME
    verdicts: Any = vad.stream().push(sound.samples[: n * FRAME].reshape(n, FRAME))
    return np.array(verdicts)
