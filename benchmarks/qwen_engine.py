"""How fast the Qwen2.5-Omni engine is: stage by stage beside its floors, and beside transformers.

    python benchmarks/qwen_engine.py                    # 7B shapes on a GPU; without one, tiny ones
    python benchmarks/qwen_engine.py --tf32 --no-graphs

Weights are random and drawn on the device: nothing is fetched, the sound is noise, and the lengths
are fixed; the shapes are exact. What a turn is stands in qwen_turns.py, what a floor is in
qwen_floors.py. Tiny shapes on a CPU show that all of it works together and what overlaps; they say
nothing about how fast the real model is.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections import defaultdict
from typing import Any

import torch
import transformers
from qwen_floors import PEAKS, Floors, Peaks, floors
from qwen_random import published, random_model
from qwen_turns import CODES, REPLY_SECONDS, SPEECH_SECONDS, TOKENS, Engine
from report import report

GOALS = {
    "first sound, 24 codes": "≤ 250",
    "first sound, 12 codes": "≤ 160",
    "Thinker, a token": "≤ 1.25 × floor",
    "Talker, a code": "≤ 2",
    "real-time factor, all stages": "≤ 0.25",
    "generate / ours, 24 codes": "≥ 20",
    "turn after 60 s, tokens prefilled": "the new ones",
    "peak memory, our turns": "≤ 24",
}
"""For 7B in bfloat16 on an H100, as they stand in docs/engine.md."""


def main() -> None:
    arguments = _arguments()
    device, dtype = torch.device(arguments.device), getattr(torch, arguments.dtype)
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.set_device(device)  # graphs are recorded on the current one
    torch.manual_seed(0)
    began = time.perf_counter()
    peaks = _peaks(device, dtype, arguments.gpu)
    least = floors(
        arguments.shapes,
        peaks,
        dtype=arguments.dtype,
        solver=arguments.solver,
        tf32=arguments.tf32,
        prompt=arguments.prompt,
    )
    model = random_model(arguments.shapes, dtype=dtype, device=device)
    settings: dict[str, Any] = {
        "limit": arguments.context,
        "prompt": arguments.prompt,
        "solver": arguments.solver,
        "tf32": arguments.tf32,
    }
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    engine = Engine(model, **settings)
    for _ in range(arguments.warmup):
        engine.whole_reply(preview=True)
    engine.later_turn()
    memory = _memory(device)
    plain = Engine(model, **settings, graphs=False) if cuda and arguments.no_graphs else None
    if arguments.generate:
        engine.generate()  # the first one loads what later ones use
    took = _measured(engine, plain, arguments)
    table = _Table(arguments.shapes == "7b" and cuda)
    _figures(table, took, least)
    _conversation(table, engine.later_turn())
    table.add("peak memory, our turns", memory[0], "GB")
    if cuda:
        table.add("device memory in use", memory[1], "GB")
    for stage, work in engine.stages(arguments.prompt).items():
        floor = 1000 * least.seconds(stage) if stage in least.stages else ""
        table.add(stage, 1000 * engine.timed(work, 2 * arguments.repeat), "ms", floor)
    if plain is not None:
        for name, values in took.items():
            if name.startswith("plain "):
                pairs = zip(values, took[name.removeprefix("plain ")], strict=True)
                ratio = statistics.median(without / with_graphs for without, with_graphs in pairs)
                table.add(f"{name.removeprefix('plain ')}: without / with graphs", ratio, "×")
    name = "qwen_engine" if arguments.shapes == "tiny" else f"qwen_engine_{arguments.shapes}"
    report(name, table.rows, notes=_notes(arguments, peaks, time.perf_counter() - began))


def _measured(
    engine: Engine, plain: Engine | None, arguments: argparse.Namespace
) -> dict[str, list[float]]:
    """Every figure once in each round, so that what changes on the machine changes for all."""
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(arguments.repeat):
        for prefix, each in (("", engine), ("plain ", plain)):
            if each is not None:
                took[f"{prefix}first sound, 24 codes"].append(each.first_sound(preview=False))
                took[f"{prefix}first sound, 12 codes"].append(each.first_sound(preview=True))
                took[f"{prefix}Thinker, a token"].append(each.token())
                took[f"{prefix}Talker, a code"].append(each.code())
                whole, in_hand = each.whole_reply(preview=True)
                took[f"{prefix}reply"].append(whole)
                if each is engine:
                    took["in hand"].append(in_hand)
        if arguments.generate:
            took["generate"].append(engine.generate())
    return took


class _Table:
    """The rows as `report` takes them."""

    def __init__(self, with_goals: bool) -> None:
        self.rows: list[dict[str, Any]] = []
        self._with_goals = with_goals

    def add(self, figure: str, here: float, unit: str, floor: float | str = "") -> None:
        goal = GOALS.get(figure, "") if self._with_goals else ""
        row = {"figure": figure, "here": here, "unit": unit, "floor (computed)": floor}
        self.rows.append(row | {"goal": goal})


def _figures(table: _Table, took: dict[str, list[float]], least: Floors) -> None:
    def median(name: str) -> float:
        return statistics.median(took[name])

    for codes in (24, 12):
        name = f"first sound, {codes} codes"
        table.add(name, 1000 * median(name), "ms", 1000 * least.first_sound(codes))
    for name in ("Thinker, a token", "Talker, a code"):
        table.add(name, 1000 * median(name), "ms", 1000 * least.seconds(name))
    floor = least.reply(TOKENS, CODES) / REPLY_SECONDS
    table.add("real-time factor, all stages", median("reply") / REPLY_SECONDS, "", floor)
    table.add("sound in hand while it plays, least", 1000 * min(took["in hand"]), "ms")
    if took["generate"]:
        table.add("generate, first sound", 1000 * median("generate"), "ms")
        for codes in (24, 12):
            pairs = zip(took["generate"], took[f"first sound, {codes} codes"], strict=True)
            ratio = statistics.median(theirs / ours for theirs, ours in pairs)
            table.add(f"generate / ours, {codes} codes", ratio, "×")


def _conversation(table: _Table, found: dict[str, float]) -> None:
    table.add("turn after 60 s, tokens prefilled", found["prefilled"], "tokens", found["new"])
    table.add("turn after 60 s, tokens in the context", found["whole"], "tokens")
    table.add("turn after 60 s, end of speech → prefilled", 1000 * found["seconds"], "ms")


def _memory(device: torch.device) -> tuple[float, float]:
    """GB: the most that PyTorch held (of the process on a CPU); what is in use on the device."""
    if device.type != "cuda":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 0.0
    free, total = torch.cuda.mem_get_info(device)
    return torch.cuda.max_memory_reserved(device) / 1e9, (total - free) / 1e9


def _peaks(device: torch.device, dtype: torch.dtype, gpu: str | None) -> Peaks:
    """Those of the GPU's makers; of a CPU, what it shows in one large product and one large sum."""
    if gpu is not None:
        return PEAKS[gpu]
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device).lower().replace(" ", "")
        for key, peaks in PEAKS.items():
            if key in name:
                return peaks
        raise SystemExit(f"no peaks are known of {name}; choose the nearest one with --gpu")

    def best(work: Any) -> float:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            work()
            took.append(time.perf_counter() - began)
        return min(took)

    square, long = torch.randn(1024, 1024, dtype=dtype), torch.randn(2**26)
    flops = 2 * 1024**3 / best(lambda: square @ square)
    bandwidth = long.nbytes / best(long.sum)
    return Peaks("this CPU, as it showed", bandwidth, flops, flops, flops)


def _notes(arguments: argparse.Namespace, peaks: Peaks, seconds: float) -> list[str]:
    device = torch.device(arguments.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return [
        f"{published(arguments.shapes).title}, random weights, {arguments.dtype} on {where}; codec "
        f"float32, {arguments.solver}{', TF32' if arguments.tf32 else ''}; PyTorch "
        f"{torch.__version__}, {torch.get_num_threads()} threads, transformers "
        f"{transformers.__version__}",
        f"{arguments.prompt} tokens of instructions, {SPEECH_SECONDS:g} s of speech, a reply of "
        f"{TOKENS} tokens and {REPLY_SECONDS:g} s; a context of {arguments.context}; medians of "
        f"{arguments.repeat}, of stages {2 * arguments.repeat}, after {arguments.warmup} warm-up "
        "turns",
        f"peaks for the floors: {peaks.name}, {peaks.bandwidth / 1e12:.3g} TB/s; TFLOP/s: "
        f"{arguments.dtype} {peaks.half / 1e12:.3g}, TF32 {peaks.tf32 / 1e12:.3g}, float32 "
        f"{peaks.single / 1e12:.3g}",
        f"the run took {seconds:.0f} s",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    gpu = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda:0" if gpu else "cpu", help="%(default)s")
    parser.add_argument("--shapes", choices=["7b", "3b", "tiny"], help="7b on a GPU, else tiny")
    parser.add_argument(
        "--dtype",
        choices=["bfloat16", "float16", "float32"],
        help="of all but the codec; bfloat16 on a GPU, else float32",
    )
    parser.add_argument("--solver", choices=["rk4", "euler"], default="rk4", help="of the DiT: rk4")
    parser.add_argument("--tf32", action="store_true", help="the codec's products in TF32")
    parser.add_argument(
        "--no-graphs",
        action="store_true",
        help="measure without CUDA graphs too, turn by turn, and print the ratios; not on a CPU",
    )
    parser.add_argument(
        "--no-generate",
        dest="generate",
        action="store_false",
        help="leave out transformers' generate, which takes longest",
    )
    parser.add_argument("--warmup", type=int, help="turns before any is counted: 2; 1 on a CPU")
    parser.add_argument("--repeat", type=int, help="turns for a median: 5; 2 on a CPU")
    parser.add_argument("--context", type=int, default=8192, help="tokens there is room for: 8192")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of instructions: 512")
    parser.add_argument("--gpu", choices=sorted(PEAKS), help="whose peaks the floors assume")
    arguments = parser.parse_args()
    cuda = arguments.device.startswith("cuda")
    arguments.shapes = arguments.shapes or ("7b" if cuda else "tiny")
    arguments.dtype = arguments.dtype or ("bfloat16" if cuda else "float32")
    arguments.repeat = arguments.repeat or (5 if cuda else 2)
    if arguments.warmup is None:
        arguments.warmup = 2 if cuda else 1
    if arguments.no_graphs and not cuda:
        parser.error("a CPU has no CUDA graphs to do without; leave out --no-graphs")
    return arguments


if __name__ == "__main__":
    main()
