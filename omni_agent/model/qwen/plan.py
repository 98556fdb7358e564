"""What a checkpoint will need on a machine, reckoned from its shapes before anything is loaded."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omni_agent.errors import ModelLoadError
from omni_agent.model.progress import size_text
from omni_agent.model.qwen.checkpoint import (
    Checkpoint,
    import_transformers,
    parse_config,
    stored_name,
)
from omni_agent.model.qwen.machine import Machine
from omni_agent.model.qwen.published import PUBLISHED, Published
from omni_agent.model.qwen.quantize import group_size

Quantize = Literal["int8", "int4"]
DType = Literal["bfloat16", "float16", "float32"]
Part = Literal[
    "Thinker", "hearing", "sight", "Talker", "voice", "KV caches", "activations", "libraries"
]

REPLY_CODES = 4096
"""What the Talker's cache holds beyond the conversation: the codes of one reply, 82 s."""

PREFILL_TOKENS = 2048
PICTURE_TOKENS = 1280
"""What activations are reckoned for: so much prefilled at once, and one picture of 1 megapixel."""

LIBRARIES = 256 * 2**20
"""Set aside on a GPU for the workspaces of cuBLAS and cuDNN and for captured graphs: assumed."""

_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
_PREFIXES: dict[Part, str] = {
    "hearing": "thinker.audio_tower.",
    "sight": "thinker.visual.",
    "Thinker": "thinker.",
    "Talker": "talker.",
    "voice": "token2wav.",
}
_IN_A_LAYER = re.compile(r"\.(layers|blocks)\.\d+\.")


@dataclass(frozen=True, slots=True)
class Shapes:
    """The weights of a model by name, as its checkpoint stores them."""

    title: str
    config: Mapping[str, Any]
    weights: Mapping[str, tuple[int, ...]]
    published_4bit: bool = False

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> Shapes:
        shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
        packed = checkpoint.quantization is not None
        return cls(checkpoint.name, checkpoint.config().to_dict(), shapes, packed)

    @classmethod
    def of_published(cls, model: Published) -> Shapes:
        """Without a download: built on PyTorch's meta device, where nothing has data."""
        transformers = import_transformers()
        import torch

        config = parse_config(model.config, model.name)
        with torch.device("meta"):
            empty = transformers.Qwen2_5OmniForConditionalGeneration(config)
        shapes = {stored_name(name): tuple(p.shape) for name, p in empty.named_parameters()}
        return cls(model.title, config.to_dict(), shapes)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How a model will be loaded and what that takes, in bytes by part.

    The voice is always float32, as its makers ask.
    """

    title: str
    machine: Machine
    dtype: DType
    quantize: Quantize | None
    published_4bit: bool
    talker: bool
    context_tokens: int
    parts: Mapping[Part, int]
    token_reads: int
    """Bytes of weights the Thinker goes through for a token. By bandwidth, its least time."""
    code_reads: int
    """The same of the Talker, for one of the 50 codes of a second of speech."""

    @property
    def needs(self) -> int:
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        return self.needs <= self.machine.free

    @property
    def talker_tokens(self) -> int:
        """The length of the Talker's KV cache: the conversation and the codes of one reply."""
        return self.context_tokens + REPLY_CODES

    @property
    def weights(self) -> int:
        """What stays the same however long the conversation is."""
        return sum(self.parts[part] for part in _PREFIXES)

    @property
    def kind(self) -> str:
        """In what most weights are kept: "bfloat16", "int4"."""
        return "4-bit as published" if self.published_4bit else self.quantize or self.dtype

    def __str__(self) -> str:
        speech = "with speech" if self.talker else "text only"
        rest = "" if self.kind == self.dtype else f", the rest {self.dtype}"
        return (
            f"{self.title} on {self.machine.title} ({self.machine.device}), {self.kind}{rest}, "
            f"{speech}, a context of {self.context_tokens:,} tokens: "
            f"needs {size_text(self.needs)}, {size_text(self.machine.free)} free"
        )

    def details(self) -> str:
        """One line a part."""
        return "\n".join(f"  {part:<12}{size_text(b):>10}" for part, b in self.parts.items() if b)


def plan_load(
    shapes: Shapes,
    machine: Machine,
    *,
    dtype: DType | None = None,
    quantize: Quantize | None = None,
    talker: bool = True,
    context_tokens: int = 8192,
) -> LoadPlan:
    """The plan, which may not fit. Raises ModelLoadError for wishes that cannot go together.

    Without a `dtype`: bfloat16 on GPUs that have it, else float16; on a CPU float32 where that
    fits and nothing is quantised, else bfloat16.
    """
    longest = shapes.config["thinker_config"]["text_config"].get("max_position_embeddings", 32768)
    if not 1 <= context_tokens <= longest:
        raise ModelLoadError(
            f"a context of {context_tokens:,} tokens is not within the {longest:,} "
            f"of {shapes.title}"
        )
    if talker and not any(name.startswith("talker.") for name in shapes.weights):
        raise ModelLoadError(f"{shapes.title} has no Talker; open it with talker=False")
    if quantize and shapes.published_4bit:
        raise ModelLoadError(
            f"{shapes.title} is quantised already; open it without quantize={quantize!r}"
        )

    def made(dtype: DType) -> LoadPlan:
        weights, reads = _weights(shapes, dtype, quantize, talker)
        rest: dict[Part, int] = {
            "KV caches": _caches(shapes.config, dtype, talker, context_tokens),
            "activations": _activations(shapes, dtype, quantize, context_tokens),
            "libraries": 0 if machine.device == "cpu" else LIBRARIES,
        }
        return LoadPlan(
            title=shapes.title,
            machine=machine,
            dtype=dtype,
            quantize=quantize,
            published_4bit=shapes.published_4bit,
            talker=talker,
            context_tokens=context_tokens,
            parts=weights | rest,
            token_reads=reads["Thinker"],
            code_reads=reads["Talker"],
        )

    if dtype is not None:
        return made(dtype)
    if machine.device != "cpu":
        return made("bfloat16" if machine.bfloat16 else "float16")
    wide = made("float32")
    small = quantize is not None or shapes.published_4bit
    return made("bfloat16") if small or not wide.fits else wide


def refuse_what_does_not_fit(plan: LoadPlan, shapes: Shapes) -> None:
    """Raises ModelLoadError with the numbers, and with what would fit."""
    if plan.fits:
        return
    lines = [f"  {words}: needs {size_text(needs)}" for words, needs in _alternatives(plan, shapes)]
    would = "\nWhat would fit:\n" + "\n".join(lines) if lines else ""
    raise ModelLoadError(
        f"{plan.title} does not fit: {plan}.\n{plan.details()}{would}\n"
        'The model "compact" needs no GPU'
    )


def kind_of(name: str, shape: tuple[int, ...], quantize: Quantize | None) -> Quantize | None:
    """In how many bits a weight is kept: the matrices in layers, of all but the voice.

    Only the Thinker's go down to 4. What hears, sees and speaks is small beside it, and keeps 8.
    """
    if quantize is None or len(shape) != 2 or not _IN_A_LAYER.search(name):
        return None
    part = part_of(name)
    return None if part == "voice" else quantize if part == "Thinker" else "int8"


def part_of(name: str) -> Part:
    """Raises ModelLoadError for a weight of no known part."""
    for part, prefix in _PREFIXES.items():
        if name.startswith(prefix):
            return part
    raise ModelLoadError(f"the weight {name!r} belongs to no part of Qwen2.5-Omni")


def _weights(
    shapes: Shapes, dtype: DType, quantize: Quantize | None, talker: bool
) -> tuple[dict[Part, int], dict[Part, int]]:
    """Bytes by part, and of these what one step reads: all but the table of embeddings."""
    sizes: dict[Part, int] = {"Thinker": 0, "hearing": 0, "sight": 0, "Talker": 0, "voice": 0}
    reads = dict(sizes)
    for name, shape in shapes.weights.items():
        part = part_of(name)
        if talker or part not in ("Talker", "voice"):
            width = _BYTES["float32" if part == "voice" else dtype]
            size = _kept(name, shape, width, quantize)
            sizes[part] += size
            reads[part] += 0 if "embed_tokens" in name else size
    return sizes, reads


def _kept(name: str, shape: tuple[int, ...], width: int, quantize: Quantize | None) -> int:
    count = math.prod(shape)
    if name.endswith((".qweight", ".g_idx")):  # published in 4 bits: words of 32
        return 4 * count if name.endswith(".qweight") else 0
    if name.endswith(".qzeros"):  # unpacked: eight to a word
        return 8 * width * count
    match kind_of(name, shape, quantize):
        case "int8":
            return count + width * shape[0]
        case "int4":
            return count // 2 + 2 * width * shape[0] * (shape[1] // group_size(shape[1]))
        case None:
            return width * count


def _caches(config: Mapping[str, Any], dtype: DType, talker: bool, context_tokens: int) -> int:
    text, speech = config["thinker_config"]["text_config"], config["talker_config"]
    rows = 0
    for decoder, tokens in ((text, context_tokens), (speech, context_tokens + REPLY_CODES)):
        head = decoder.get("head_dim") or decoder["hidden_size"] // decoder["num_attention_heads"]
        one = 2 * decoder["num_hidden_layers"] * decoder["num_key_value_heads"] * head
        rows += one * tokens if decoder is text or talker else 0
    return rows * _BYTES[dtype]


def _activations(
    shapes: Shapes, dtype: DType, quantize: Quantize | None, context_tokens: int
) -> int:
    """The widest moments of prefill and of sight; what speech takes is far less than either.

    A decoder layer holds its input, the normed input, and three of the inner width; or queries and
    results, and keys and values spread over all heads. Sight turns queries and keys in float32: 18
    times its width for each patch. A quantised layer may be widened for use.
    """
    text = shapes.config["thinker_config"]["text_config"]
    width, inner = text["hidden_size"], text["intermediate_size"]
    tokens = min(PREFILL_TOKENS, context_tokens)
    sees = shapes.config["thinker_config"]["vision_config"]
    patches = PICTURE_TOKENS * sees["spatial_merge_size"] ** 2
    widest = max(
        tokens * (2 * width + 3 * inner),
        tokens * 4 * width + 2 * context_tokens * width,
        patches * 18 * sees["hidden_size"],
    )
    widened = width * inner if quantize or shapes.published_4bit else 0
    logits = 4 * text["vocab_size"]
    return (widest + widened) * _BYTES[dtype] + logits


def _alternatives(plan: LoadPlan, shapes: Shapes) -> Iterator[tuple[str, int]]:
    """What fits of the same model, best first, then of the smaller one; at most two of each."""
    smaller = PUBLISHED["qwen2.5-omni-3b"]
    families = [("", shapes)]
    if plan.title != smaller.title:
        families.append((f'"{smaller.name}"', Shapes.of_published(smaller)))
    for name, family in families:
        fitting = (found for found in _variants(plan, family) if found[1].fits)
        for words, other in itertools.islice(fitting, 2):
            yield ", ".join(filter(None, (name, *words))), other.needs


def _variants(plan: LoadPlan, shapes: Shapes) -> Iterator[tuple[list[str], LoadPlan]]:
    """Other ways to load it, in words; with a shorter context where the wished one does not fit."""
    contexts = (plan.context_tokens, min(plan.context_tokens, 2048))
    longer, shorter = (
        plan_variants(shapes, plan.machine, talker=plan.talker, context_tokens=context)
        for context in contexts
    )
    for wished, other in zip(longer, shorter, strict=True):
        chosen = wished if wished.fits else other
        words = [f'quantize="{chosen.quantize}"'] if chosen.quantize else []
        words += ["talker=False"] if plan.talker and not chosen.talker else []
        if chosen.context_tokens != plan.context_tokens:
            words.append(f"context_tokens={chosen.context_tokens}")
        yield words, chosen


def plan_variants(
    shapes: Shapes, machine: Machine, *, talker: bool = True, context_tokens: int = 8192
) -> Iterator[LoadPlan]:
    """Every way to load it, best first: with speech in falling width, then as text only."""
    speaks = any(name.startswith("talker.") for name in shapes.weights)
    kinds: list[Quantize | None] = [None] if shapes.published_4bit else [None, "int8", "int4"]
    for loud, kind in itertools.product([True, False] if talker and speaks else [False], kinds):
        yield plan_load(shapes, machine, quantize=kind, talker=loud, context_tokens=context_tokens)
