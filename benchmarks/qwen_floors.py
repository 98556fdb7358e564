"""The least time that each stage of the Qwen2.5-Omni engine can take: computed, nothing is run.

    python benchmarks/qwen_floors.py                   # 7B on an H100
    python benchmarks/qwen_floors.py --gpu rtx4090 --solver euler --tf32

A stage is no faster than its weights can be read, nor than its products can be computed. What is
left out makes the true times longer: caches and activations, launches, and that nothing reaches
its peak. Operations of Thinker, Talker and audio encoder are twice the weights for each position;
those of the codec are counted by PyTorch on its meta device, where nothing has data.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Any

import torch
from qwen_random import REFERENCE_FRAMES, ShapesName, published
from report import report
from torch.utils.flop_counter import FlopCounterMode
from transformers import Qwen2_5OmniToken2WavModel

from omni_agent.model.qwen.checkpoint import parse_config
from omni_agent.model.qwen.codec_windows import BANDS, BLOCK, CodecWindows, Solver
from omni_agent.model.qwen.machine import Machine
from omni_agent.model.qwen.plan import DType, Shapes, plan_load
from omni_agent.model.qwen.token2wav import _STRETCHES as STRETCHES
from omni_agent.model.qwen.token2wav import _WINDOWS as WINDOWS

ENCODER_POSITIONS = 100
"""Positions of the audio encoder in a block of 2 s."""
LAST_TOKENS = 56
"""What is prefilled when the user stops: a block of 2 s, its end mark, the closing tokens."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Of one device: bytes/s, and FLOP/s of dense products. The makers' figures: assumed."""

    name: str
    bandwidth: float
    half: float
    tf32: float
    single: float


PEAKS = {
    "h100pcie": Peaks("H100 PCIe", 2.04e12, 756e12, 378e12, 51e12),
    "h100": Peaks("H100 SXM", 3.35e12, 989e12, 494e12, 67e12),
    "h200": Peaks("H200 SXM", 4.8e12, 989e12, 494e12, 67e12),
    "a100": Peaks("A100 SXM 80 GB", 2.04e12, 312e12, 156e12, 19.5e12),
    "l40s": Peaks("L40S", 0.864e12, 362e12, 183e12, 91.6e12),
    "rtx4090": Peaks("RTX 4090", 1.008e12, 165e12, 82.6e12, 82.6e12),
    "rtx3090": Peaks("RTX 3090", 0.936e12, 71e12, 35.6e12, 35.6e12),
}


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage reads (bytes of weights) and computes (FLOP), and in what."""

    reads: float
    flop: float
    kind: DType
    tf32: bool = False

    def seconds(self, peaks: Peaks) -> float:
        return max(self.reads / peaks.bandwidth, self.flop / self.speed(peaks))

    def bound(self, peaks: Peaks) -> str:
        by_reading = self.reads / peaks.bandwidth > self.flop / self.speed(peaks)
        return "reading" if by_reading else "computing"

    def speed(self, peaks: Peaks) -> float:
        if self.kind != "float32":
            return peaks.half
        return peaks.tf32 if self.tf32 else peaks.single


@dataclass(frozen=True, slots=True)
class Floors:
    """All stages, and what they add up to one after another, as on one device they must."""

    stages: dict[str, Work]
    peaks: Peaks

    def seconds(self, stage: str) -> float:
        return self.stages[stage].seconds(self.peaks)

    def first_sound(self, codes: int) -> float:
        """From the end of speech. `codes`: 24, or 12 with the preview."""
        blocks = codes // 12
        before = ("audio encoder, 2 s", "Thinker reads the end", "Talker reads the end")
        each = self.seconds("Thinker, a token") + self.seconds("Talker, a code")
        codec = self.seconds(dit(blocks)) + self.seconds(bigvgan(blocks * BLOCK))
        return sum(map(self.seconds, before)) + codes * each + codec

    def reply(self, tokens: int, codes: int) -> float:
        """Of so many tokens and codes, 72 or more: preview, first window, second, all others."""
        others = (codes - 48) // 24 + 1  # the rest, at the end, is one too
        sizes = [(1, 24), (2, 48), (4, 96), *[(5, max(STRETCHES))] * others]
        codec = sum(self.seconds(dit(n)) + self.seconds(bigvgan(frames)) for n, frames in sizes)
        talking = codes * self.seconds("Talker, a code")
        return tokens * self.seconds("Thinker, a token") + talking + codec


def dit(blocks: int) -> str:
    return f"DiT, window of {blocks} block{'s' * (blocks > 1)}"


def bigvgan(frames: int) -> str:
    return f"BigVGAN, {frames} frames"


def floors(
    name: ShapesName,
    peaks: Peaks,
    *,
    dtype: DType = "bfloat16",
    solver: Solver = "rk4",
    tf32: bool = False,
    prompt: int = 512,
) -> Floors:
    """`prompt`: tokens of instructions and tools, read before anybody speaks."""
    model = published(name)
    endless = Machine("cuda:0", "", free=1 << 60)
    shapes = Shapes.of_published(model)
    plan = plan_load(shapes, endless, dtype=dtype)
    width = 4 if dtype == "float32" else 2
    head, codec_head = (
        width * math.prod(shapes.weights[name])
        for name in ("thinker.lm_head.weight", "talker.codec_head.weight")
    )

    def forward(reads: int, positions: int, head: int = 0) -> Work:
        """`head`: bytes of what the last position alone goes through."""
        return Work(reads, 2 / width * ((reads - head) * positions + head), dtype)

    stages = {
        "audio encoder, 2 s": forward(plan.parts["hearing"], ENCODER_POSITIONS),
        f"Thinker reads {prompt} tokens": forward(plan.token_reads, prompt, head),
        "Thinker reads the end": forward(plan.token_reads, LAST_TOKENS, head),
        "Talker reads the end": forward(plan.code_reads - codec_head, LAST_TOKENS),
        "Thinker, a token": forward(plan.token_reads, 1),
        "Talker, a code": forward(plan.code_reads, 1),
    }
    return Floors(stages | _codec(model.config, solver, tf32), peaks)


def _codec(raw: Any, solver: Solver, tf32: bool) -> dict[str, Work]:
    config = parse_config(raw, "codec").token2wav_config
    with torch.device("meta"):
        made = Qwen2_5OmniToken2WavModel._from_config(config, attn_implementation="sdpa")
    # Two points in time are one interval: one evaluation of the DiT, counted for all.
    windows = CodecWindows(
        made, blocks=WINDOWS, stretches=STRETCHES, solver="euler", steps=2, guidance=0.5, tf32=tf32
    )
    evaluations = 9 * (4 if solver == "rk4" else 1)
    with torch.device("meta"):
        speaker = windows.speaker(torch.empty(1, 192), torch.empty(1, REFERENCE_FRAMES, BANDS))
    hoisted = _bytes(made.code2wav_dit_model.input_embed.spk_encoder)
    read = evaluations * (_bytes(made.code2wav_dit_model) - hoisted)
    stages = {}
    for blocks in WINDOWS:
        codes = torch.empty(12 * blocks, dtype=torch.int64, device="meta")
        noise = torch.empty(BLOCK * blocks, BANDS, device="meta")
        with FlopCounterMode(display=False) as counter:
            windows.mel(codes, noise, speaker)
        flop = evaluations * counter.get_total_flops()
        stages[dit(blocks)] = Work(read, flop, "float32", tf32)
    for frames in STRETCHES:
        mel = torch.empty(frames, BANDS, device="meta")
        with FlopCounterMode(display=False) as counter:
            windows.render(mel)
        work = Work(_bytes(made.code2wav_bigvgan_model), counter.get_total_flops(), "float32", tf32)
        stages[bigvgan(frames)] = work
    return stages


def _bytes(module: torch.nn.Module) -> int:
    return sum(weight.numel() * 4 for weight in module.parameters())


def main() -> None:
    arguments = _arguments()
    found = floors(
        arguments.shapes,
        PEAKS[arguments.gpu],
        dtype=arguments.dtype,
        solver=arguments.solver,
        tf32=arguments.tf32,
    )
    rows: list[dict[str, Any]] = [
        {
            "stage": stage,
            "GB read": work.reads / 1e9,
            "TFLOP": work.flop / 1e12,
            "floor ms": 1000 * work.seconds(found.peaks),
            "bound by": work.bound(found.peaks),
        }
        for stage, work in found.stages.items()
    ]
    sums = {
        "end of speech → first sound, 24 codes": found.first_sound(24),
        "end of speech → first sound, 12 codes": found.first_sound(12),
        "a reply of 60 tokens and 10 s, all stages": found.reply(60, 500),
    }
    rows += [
        {"stage": name, "GB read": "", "TFLOP": "", "floor ms": 1000 * seconds, "bound by": ""}
        for name, seconds in sums.items()
    ]
    peaks = found.peaks
    report(
        "qwen_floors",
        rows,
        notes=[
            "computed, not measured",
            f"shapes: {published(arguments.shapes).title}, {arguments.dtype}; the codec float32, "
            f"{'TF32' if arguments.tf32 else 'strict'}, {arguments.solver}",
            f"assumed of {peaks.name}: {peaks.bandwidth / 1e12:g} TB/s; TFLOP/s: 16 bits "
            f"{peaks.half / 1e12:g}, TF32 {peaks.tf32 / 1e12:g}, float32 {peaks.single / 1e12:g}",
        ],
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shapes", choices=["7b", "3b", "tiny"], default="7b")
    parser.add_argument("--gpu", choices=sorted(PEAKS), default="h100")
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default="bfloat16")
    parser.add_argument("--solver", choices=["rk4", "euler"], default="rk4", help="of the DiT")
    parser.add_argument("--tf32", action="store_true", help="the codec's products in TF32")
    return parser.parse_args()


if __name__ == "__main__":
    main()
