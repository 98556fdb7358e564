"""The codec's two networks on one window: codes → mel (DiT), mel → samples (BigVGAN).

Both are transformers' own modules, called piece by piece: so that the speaker encoder stays out of
the ODE, nothing comes back to the CPU in between, and each size of window is recorded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Qwen2_5OmniToken2WavModel

from omni_agent.errors import ModelLoadError, SettingsError
from omni_agent.model.qwen.graphs import CUDAGraphed

Solver = Literal["rk4", "euler"]

CODES = 12
"""Codes in a block of the DiT, 240 ms."""
BLOCK = 24
"""Mel frames in a block of the DiT."""
PAST, AHEAD = 2, 1
"""Blocks that one evaluation of the DiT looks back and ahead."""
HOP = 240
"""Samples per mel frame."""
CONTEXT = 34
"""Mel frames to either side that a sample of BigVGAN's depends on."""
BANDS = 80

Slope = Callable[[Tensor, Tensor], Tensor]
"""(embedded time [2, d], value [1, T, 80]) → [1, T, 80]"""


@dataclass(frozen=True, slots=True)
class SpeakerFeatures:
    """A voice as the DiT takes it, conditioned and unconditioned (see `CodecWindows.speaker`)."""

    timbre: Tensor  # [2, enc_dim], of the reference mel; the second for guidance
    embedding: Tensor  # [2, enc_emb_dim]; the second is zero


class CodecWindows:
    """Any window of any voice, in float32. Raises ModelLoadError for another geometry.

    Windows of up to `blocks` blocks are padded to one of these sizes, and recorded; stretches of
    mel are recorded if they have one of `stretches` lengths in frames.
    """

    def __init__(
        self,
        token2wav: Qwen2_5OmniToken2WavModel,
        *,
        blocks: tuple[int, ...],
        stretches: tuple[int, ...],
        solver: Solver,
        steps: int,
        guidance: float,
        tf32: bool,
    ) -> None:
        if steps < 2:
            raise SettingsError(f"steps must be 2 or more points in time, not {steps}.")
        if solver not in ("rk4", "euler"):
            raise SettingsError(f"solver must be rk4 or euler, not {solver!r}.")
        _check_geometry(token2wav.config)
        self._dit = token2wav.float().code2wav_dit_model
        self._bigvgan = token2wav.code2wav_bigvgan_model
        self.device = next(token2wav.parameters()).device
        self.code_count: int = self._dit.text_embed.codec_embed.num_embeddings
        self._guidance = guidance
        self._tf32 = tf32
        with torch.no_grad(), self._precision():
            self._intervals = self._prepare_intervals(solver, steps)
        # As transformers computes the floor of the amplitudes, but once and before any recording.
        self._quietest = torch.tensor(-115 / 20.0 * math.log(10)).exp().to(self.device)
        self._distances: dict[tuple[int, int], Tensor] = {}
        self._velocity = {
            size * BLOCK: CUDAGraphed(self._guided_velocity, self.device) for size in blocks
        }
        self._render = {frames: CUDAGraphed(self._waveform, self.device) for frames in stretches}

    @torch.no_grad()
    def speaker(self, cond: Tensor, ref_mel: Tensor) -> SpeakerFeatures:
        """A speaker of spk_dict.pt: `cond` [1, 192], `ref_mel` [1, T, 80].

        The speaker encoder runs here once, and not at every evaluation of every window.
        """
        cond, ref_mel = cond.float().to(self.device), ref_mel.float().to(self.device)
        encoder = self._dit.input_embed.spk_encoder
        with self._precision():
            timbre = encoder(torch.cat([ref_mel, torch.zeros_like(ref_mel)]))
        return SpeakerFeatures(timbre, torch.cat([cond, torch.zeros_like(cond)]))

    @torch.no_grad()
    def mel(self, codes: Tensor, noise: Tensor, speaker: SpeakerFeatures) -> Tensor:
        """One window: `codes` [n] and `noise` [2n, 80] → mel [2n, 80].

        Equal to `Qwen2_5OmniToken2WavDiTModel.sample` of these codes from this noise. Padded to
        one of few sizes, so that each is recorded once; what is padded is never attended to.
        """
        frames = noise.shape[0]
        size = next(size for size in self._velocity if size >= frames)
        codes = pad(codes, (0, size // 2 - codes.shape[0]))
        value = pad(noise, (0, 0, 0, size - frames))[None]
        embed = self._dit.text_embed
        by_frame = (2, size, -1)
        condition = torch.cat(
            [
                speaker.timbre[:, None].expand(by_frame),
                torch.cat([embed(codes[None]), embed(codes[None], drop_code=True)]),
                speaker.embedding[:, None].expand(by_frame),
            ],
            dim=-1,
        )
        distance = self._distances.get((size, frames))
        if distance is None:
            distance = self.upload(_block_distance(size, frames))
            self._distances[size, frames] = distance
        velocity = self._velocity[size]

        def slope(time: Tensor, value: Tensor) -> Tensor:
            return velocity(value, condition, time, distance)

        with self._precision():
            for interval in self._intervals:
                value = value + _advance(slope, interval, value)
        return value[0, :frames]

    @torch.no_grad()
    def render(self, mel: Tensor) -> Tensor:
        """Mel [n, 80] → samples [240 n]: BigVGAN of transformers, but staying on its device."""
        waveform = self._render.get(mel.shape[0], self._waveform)
        with self._precision():
            return waveform(mel.T[None].contiguous())

    def upload(self, values: Tensor) -> Tensor:
        """A tensor of the CPU on the device, without waiting for what the device has to do."""
        if self.device.type != "cuda":
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)

    def _guided_velocity(
        self, value: Tensor, condition: Tensor, time: Tensor, distance: Tensor
    ) -> Tensor:
        """The ODE's right side: value [1, T, 80], condition [2, T, c], time [2, d] → [1, T, 80]."""
        dit = self._dit
        hidden = dit.input_embed.proj(torch.cat([value.expand(2, -1, -1), condition], dim=-1))
        positions = torch.arange(hidden.shape[1], device=hidden.device).expand(2, -1)
        rotary = dit.rotary_embed(hidden, positions)
        for block in dit.transformer_blocks:
            hidden = block(hidden, time, position_embeddings=rotary, block_diff=distance)
        guided, null = dit.proj_out(dit.norm_out(hidden, time)).chunk(2)
        return guided + (guided - null) * self._guidance

    def _waveform(self, mel: Tensor) -> Tensor:
        """Mel [1, 80, n] → samples [240 n], in [-1, 1]."""
        net = self._bigvgan
        decibels = 20 * torch.log10(torch.clamp(torch.exp(mel), min=self._quietest)) - 20
        hidden = net.conv_pre(net.normalize_spectrogram(decibels, 1, -115))
        kinds = net.num_residual_blocks
        for layer, (up,) in enumerate(net.ups):
            hidden = up(hidden)
            blocks = net.resblocks[layer * kinds : (layer + 1) * kinds]
            hidden = sum(block(hidden) for block in blocks) / kinds
        return net.conv_post(net.activation_post(hidden)).clamp(min=-1.0, max=1.0).flatten()

    def _prepare_intervals(self, solver: Solver, steps: int) -> list[_Interval]:
        times = torch.linspace(0, 1, steps)
        times += -1.0 * (torch.cos(torch.pi / 2 * times) - 1 + times)  # sway sampling
        intervals = []
        for start, end in pairwise(times):
            step = end - start
            points = [start]
            if solver == "rk4":
                points += [start + step * (1 / 3), start + step * (2 / 3), end]
            embedded = tuple(
                self._dit.time_embed(point.to(self.device).repeat(2)) for point in points
            )
            intervals.append(_Interval(step.item(), embedded))
        return intervals

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Matrix products and convolutions in full float32, or in TF32 where asked for."""
        if self.device.type != "cuda":
            yield
            return
        before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("high" if self._tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = self._tf32
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]


@dataclass(frozen=True, slots=True)
class _Interval:
    """One step of the solver."""

    step: float
    times: tuple[Tensor, ...]  # [2, d] embedded, one per evaluation


def _advance(slope: Slope, interval: _Interval, value: Tensor) -> Tensor:
    """What the value gains over the interval; operation for operation as in transformers."""
    step = interval.step
    if len(interval.times) == 1:
        return step * slope(interval.times[0], value)
    start, third, two_thirds, end = interval.times
    k1 = slope(start, value)
    k2 = slope(third, value + step * k1 * (1 / 3))
    k3 = slope(two_thirds, value + step * (k2 - k1 * (1 / 3)))
    k4 = slope(end, value + step * (k1 - k2 + k3))
    return (k1 + 3 * (k2 + k3) + k4) * step / 8


def _block_distance(size: int, frames: int) -> Tensor:
    """[1, 1, size, size]: how many blocks key j is ahead of query i.

    Keys past `frames` are out of reach for every frame before it.
    """
    block = torch.arange(size) // BLOCK
    distance = block[None, :] - block[:, None]
    distance[:frames, frames:] = size
    return distance[None, None]


def _check_geometry(config: Any) -> None:
    dit, bigvgan = config.dit_config, config.bigvgan_config
    found = {
        "mel frames per block": (dit.block_size, BLOCK),
        "mel frames per code": (dit.repeats, 2),
        "layers that look back": (len(dit.look_backward_layers), PAST),
        "layers that look ahead": (len(dit.look_ahead_layers), AHEAD),
        "mel bands": (dit.mel_dim, BANDS),
        "upsampling": (tuple(bigvgan.upsample_rates), (5, 3, 2, 2, 2, 2)),
        "kernels": (tuple(bigvgan.resblock_kernel_sizes), (3, 7, 11)),
    }
    for name, (has, expected) in found.items():
        if has != expected:
            raise ModelLoadError(
                f"This checkpoint's token2wav has {has} {name}; its speech can be streamed only "
                f"with {expected}, as in Qwen2.5-Omni 3B and 7B."
            )
