"""Speech without weights: eSpeak NG, whose library a package brings."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest

from omni_agent.media import Audio

_PROGRAM = """
import ctypes, sys
import espeakng_loader

library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
rate = library.espeak_Initialize(2, 0, str(espeakng_loader.get_data_path()).encode(), 0)
sound = bytearray()

@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def collect(samples, count, events):
    if samples and count:
        sound.extend(ctypes.string_at(samples, 2 * count))
    return 0

library.espeak_SetSynthCallback(collect)
assert library.espeak_SetVoiceByName(sys.argv[2].encode()) == 0
text = sys.argv[1].encode()
library.espeak_Synth(text, len(text) + 1, 0, 0, 0, 1, None, None)
sys.stdout.buffer.write(rate.to_bytes(4, "little") + sound)
"""


@lru_cache(maxsize=8)
def spoken(text: str, *, rate: int = 16_000, voice: str = "en-us") -> Audio:
    """The words as speech, with a peak of 0.5."""
    pytest.importorskip("espeakng_loader")
    made = subprocess.run(
        [sys.executable, "-c", _PROGRAM, text, voice], capture_output=True, check=True
    ).stdout
    sound = Audio.from_pcm16(made[4:], int.from_bytes(made[:4], "little")).resampled(rate)
    return Audio(sound.samples * np.float32(0.5 / np.abs(sound.samples).max()), rate)
