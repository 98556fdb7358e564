"""From codes to sound while codes still come: the codec's two networks in sliding windows.

A code is 20 ms: 2 mel frames, 480 samples at 24 kHz. The DiT turns codes into mel in blocks of 24
frames (12 codes, 240 ms), and for each evaluation of its ODE looks 2 blocks back and 1 ahead; so
it decodes windows of [2 past blocks | current blocks | 1 block ahead] and only the current ones
are kept. The kept blocks are *the mel* of the reply, and BigVGAN's rendering of it in one call is
*the sound* of the reply: BigVGAN looks 34 frames to either side, so that rendered in stretches
with 34 frames around them the sound is the same, sample for sample.

That much context would keep the first sound back, so the first stretches take less (`_HELD`):

| stretch | codes it waits for | blocks | beyond its last frame, BigVGAN is given | sound up to |
|---|---|---|---|---|
| preview, if asked for | 12 | 0, nothing ahead | 8 frames, then the edge | 150 ms |
| first | 24 | 0 | the 24 frames ahead, unfinished | 230 ms |
| second | 48 | 1, 2 | 10 frames, then 24 unfinished | 610 ms |
| every other | 24 more | 2 more | 34 frames | |
| rest, at the end | | all | the true end | the end |

Frames ahead are unfinished in that they lack what comes after them. The preview is not kept: what
follows it is what would have come without it. Stretches overlap by 10 ms and are cross-faded.
The sound depends on codes, voice and seed, never on how the codes arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Qwen2_5OmniToken2WavModel

from omni_agent.errors import GenerationError, UsageError
from omni_agent.model.qwen.codec_windows import (
    AHEAD,
    BANDS,
    BLOCK,
    CODES,
    CONTEXT,
    HOP,
    PAST,
    CodecWindows,
    Solver,
    SpeakerFeatures,
)

SAMPLE_RATE = 24_000
SAMPLES_PER_CODE = 480

_CURRENT = 2
"""Blocks that a window is for. Two cost 2.5 times the work of one big window; one, 4 times."""
_HELD = (0, 10, CONTEXT)
"""Frames of finished mel that the first, the second and every other stretch hold back."""
_PREVIEW_HELD = 8
_WINDOWS = (1, 2, 4, 5)
"""Sizes in blocks as they occur: preview, first, second, every other. The rest is padded."""
_STRETCHES = (24, 48, 96, 2 * CONTEXT + 1 + _CURRENT * BLOCK)
"""The same for BigVGAN, in mel frames."""


@dataclass(frozen=True, slots=True)
class SpeechPiece:
    """A stretch of a reply's sound."""

    samples: Tensor  # [n] float32, 24 kHz mono, on the model's device
    codes_upto: int
    """How many codes of the reply have sounded in full when this piece has."""


class CodecVoice:
    """Decodes codes in any voice; loaded once, shared by every reply. Always float32.

    `solver` rk4 (3/8 rule) is transformers' own, with 4 evaluations of the DiT per interval of
    `steps` points in time; euler takes one. `tf32` lets matrix products and convolutions round
    their inputs to 10 bits of mantissa, on CUDA only: no longer equal to float32 to the last
    digit. Raises ModelLoadError for a codec of another geometry.
    """

    def __init__(
        self,
        token2wav: Qwen2_5OmniToken2WavModel,
        *,
        solver: Solver = "rk4",
        steps: int = 10,
        guidance: float = 0.5,
        tf32: bool = False,
    ) -> None:
        self.windows = CodecWindows(
            token2wav,
            blocks=_WINDOWS,
            stretches=_STRETCHES,
            solver=solver,
            steps=steps,
            guidance=guidance,
            tf32=tf32,
        )

    def speaker(self, cond: Tensor, ref_mel: Tensor) -> SpeakerFeatures:
        """A speaker of spk_dict.pt: `cond` [1, 192], `ref_mel` [1, T, 80]. To be kept."""
        return self.windows.speaker(cond, ref_mel)

    def begin(
        self, speaker: SpeakerFeatures, *, seed: int | None = None, preview: bool = False
    ) -> SpeechStream:
        """A new reply. With `preview` it is first heard at 12 codes, else at 24."""
        return SpeechStream(self, speaker, seed=seed, preview=preview)

    def warm_up(self, speaker: SpeakerFeatures) -> None:
        """Go through every window there is until all are recorded, so that no reply waits."""
        for _ in range(3):
            stream = self.begin(speaker, seed=0, preview=True)
            stream.push([0] * (3 * _CURRENT + AHEAD + 1) * CODES)
            stream.finish()


class SpeechStream:
    """One reply: codes go in as they are made, pieces of sound come out as soon as they can."""

    def __init__(
        self, voice: CodecVoice, speaker: SpeakerFeatures, *, seed: int | None, preview: bool
    ) -> None:
        self._windows = voice.windows
        self._speaker = speaker
        self._codes: list[int] = []
        self._noise: list[Tensor] = []  # [24, 80] per block
        self._generator = torch.Generator()
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)
        self._mel = torch.empty(0, BANDS, device=self._windows.device)  # the last frames of the mel
        self._blocks = 0  # that the mel has
        self._stretches = 0
        self._preview_due = preview
        self._sounded = 0  # mel frames
        self._tail: Tensor | None = None  # [240] the first samples not sounded, of the last stretch
        self._finished = False

    def push(self, codes: Sequence[int]) -> list[SpeechPiece]:
        """Take the next codes of the reply; what can be heard now. No pad, start or end codes."""
        if self._finished:
            raise UsageError("This reply's speech is finished; begin another.")
        for code in codes:
            if not 0 <= code < self._windows.code_count:
                raise GenerationError(
                    f"Code {code} has no sound: codes go from 0 to {self._windows.code_count - 1}."
                )
        self._codes.extend(codes)
        pieces = []
        if self._preview_due and len(self._codes) >= CODES:
            pieces.append(self._preview())
        while len(self._codes) >= (self._next_end() + AHEAD) * CODES:
            pieces.append(self._stretch())
        return pieces

    def finish(self) -> list[SpeechPiece]:
        """The reply has no more codes: the rest of the sound, if there is any."""
        if self._finished:
            return []
        self._finished = True
        end = 2 * len(self._codes)
        if self._sounded == end:
            return []
        self._extend_mel(self._decode(len(self._codes)))
        return [self._sound(self._mel, first=end - len(self._mel), end=end, last=True)]

    def _next_end(self) -> int:
        """The block that the next stretch's current blocks end before."""
        return self._blocks + (_CURRENT if self._blocks else 1)

    def _preview(self) -> SpeechPiece:
        self._preview_due = False
        mel = self._decode(CODES)
        return self._sound(mel, first=0, end=BLOCK - _PREVIEW_HELD)

    def _stretch(self) -> SpeechPiece:
        upto = self._next_end()
        fresh = self._decode((upto + AHEAD) * CODES)
        ahead = fresh[-AHEAD * BLOCK :]
        self._extend_mel(fresh[: -AHEAD * BLOCK])
        self._blocks = upto
        held = _HELD[min(self._stretches, len(_HELD) - 1)]
        self._stretches += 1
        mel = self._mel if held == CONTEXT else torch.cat([self._mel, ahead])
        first = upto * BLOCK - len(self._mel)
        return self._sound(mel, first=first, end=upto * BLOCK - held)

    def _decode(self, codes: int) -> Tensor:
        """Mel [n, 80] from the first block that the mel lacks to the end of that many codes."""
        start = max(0, self._blocks - PAST)
        window = torch.tensor(self._codes[start * CODES : codes])
        while len(self._noise) * CODES < codes:
            # Block by block on the CPU: the same whatever the device and the windows; and what
            # torch.randn gives for the whole reply at once from the same seed.
            drawn = torch.randn(BLOCK, BANDS, generator=self._generator)
            self._noise.append(self._windows.upload(drawn))
        noise = torch.cat(self._noise[start:])[: 2 * len(window)]
        mel = self._windows.mel(self._windows.upload(window), noise, self._speaker)
        return mel[(self._blocks - start) * BLOCK :]

    def _extend_mel(self, fresh: Tensor) -> None:
        """Append finished frames; keep those that a stretch can still need around it."""
        keep = max(_STRETCHES) - _CURRENT * BLOCK + len(fresh)
        self._mel = torch.cat([self._mel, fresh])[-keep:]

    def _sound(self, mel: Tensor, *, first: int, end: int, last: bool = False) -> SpeechPiece:
        """Render `mel`, whose frames count from `first`; what was not heard yet, up to `end`.

        Unless it is the `last`, the final frame waits to be cross-faded with the next stretch.
        """
        samples = self._windows.render(mel)[(self._sounded - first) * HOP : (end - first) * HOP]
        if self._tail is not None:
            rising = torch.arange(0.5, HOP, device=samples.device) / HOP
            samples[:HOP] = torch.lerp(self._tail, samples[:HOP], rising)
            self._tail = None
        if not last:
            samples, self._tail = samples[:-HOP], samples[-HOP:]
            end -= 1
        self._sounded = end
        return SpeechPiece(samples, codes_upto=end // 2)
