"""From a checkpoint to modules on a device, tensor by tensor: never two copies of the weights.

The modules are transformers' own. They are built empty and filled from the files directly, so that
the voice stays in the float32 it is stored in, and quantised layers are never there in full width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.model.progress import size_text
from omni_agent.model.qwen.checkpoint import Checkpoint, import_transformers, stored_name
from omni_agent.model.qwen.plan import LoadPlan, kind_of, part_of
from omni_agent.model.qwen.quantize import Int4Linear, Int8Linear, unpack

if TYPE_CHECKING:
    from transformers import (
        Qwen2_5OmniConfig,
        Qwen2_5OmniTalkerForConditionalGeneration,
        Qwen2_5OmniThinkerForConditionalGeneration,
        Qwen2_5OmniToken2WavModel,
    )

_PACKED = (".qweight", ".qzeros", ".scales", ".g_idx")


class LoadProgress(Protocol):
    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` bytes of the files have been read."""
        ...


@dataclass(frozen=True, slots=True)
class Modules:
    """What was loaded: on one device, in eval mode, without gradients.

    `widened`: quantised layers that are widened while they are used, as no kernel fits them.
    """

    config: Qwen2_5OmniConfig
    device: torch.device
    dtype: torch.dtype
    thinker: Qwen2_5OmniThinkerForConditionalGeneration
    talker: Qwen2_5OmniTalkerForConditionalGeneration | None
    token2wav: Qwen2_5OmniToken2WavModel | None
    widened: int


def load(checkpoint: Checkpoint, plan: LoadPlan, progress: LoadProgress | None = None) -> Modules:
    """Fill the modules as `plan` says.

    Raises ModelLoadError where weights are missing or of other shapes than the configuration's,
    and where the memory that was free is gone.
    """
    config = checkpoint.config()
    root = _empty(config, talker=plan.talker)
    device, dtype = torch.device(plan.machine.device), getattr(torch, plan.dtype)
    filling = _Filling(root, checkpoint, plan, device, dtype)
    try:
        with torch.no_grad():
            for name, tensor in _stored(checkpoint, talker=plan.talker, progress=progress):
                filling.take(name, tensor)
            filling.finish()
        root.to(device)  # buffers; what was stored is there already
    except torch.OutOfMemoryError as error:
        raise ModelLoadError(
            f"the memory of {plan.machine.title} ran out while {plan.title} was loaded, though "
            f"{size_text(plan.machine.free)} were free before. Something else took it: {error}"
        ) from error
    root.eval().requires_grad_(False)
    modules: Any = root
    return Modules(
        config=config,
        device=device,
        dtype=dtype,
        thinker=modules.thinker,
        talker=getattr(modules, "talker", None),
        token2wav=getattr(modules, "token2wav", None),
        widened=sum(
            isinstance(layer, Int8Linear | Int4Linear) and not layer.kernel
            for layer in root.modules()
        ),
    )


def _empty(config: Qwen2_5OmniConfig, *, talker: bool) -> nn.Module:
    """The modules under one root; parameters on the meta device, buffers as they are computed."""
    transformers = import_transformers()
    try:
        from accelerate import init_empty_weights
    except ImportError as error:
        raise MissingExtra("accelerate", "qwen", needed_for="Qwen2.5-Omni") from error
    root = nn.Module()
    with init_empty_weights(include_buffers=False):
        kinds = {"thinker": transformers.Qwen2_5OmniThinkerForConditionalGeneration}
        if talker:
            kinds["talker"] = transformers.Qwen2_5OmniTalkerForConditionalGeneration
            kinds["token2wav"] = transformers.Qwen2_5OmniToken2WavModel
        for name, kind in kinds.items():
            part_config = getattr(config, f"{name}_config")
            root.add_module(name, kind._from_config(part_config, attn_implementation="sdpa"))
    return root


def _stored(
    checkpoint: Checkpoint, *, talker: bool, progress: LoadProgress | None
) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that is wanted, on the CPU as it is stored."""
    from safetensors import SafetensorError, safe_open

    total = sum(shard.stat().st_size for shard in checkpoint.shards)
    done = 0
    for shard in checkpoint.shards:
        try:
            with safe_open(shard, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - it is no mapping
                    if talker or part_of(name) not in ("Talker", "voice"):
                        tensor = file.get_tensor(name)
                        yield name, tensor
                        if progress is not None:
                            progress(done + tensor.nbytes, total)
                            done += tensor.nbytes
        except (SafetensorError, OSError) as error:
            raise ModelLoadError(f"{shard} cannot be read: {error}") from error
    if progress is not None:
        progress(total, total)


class _Filling:
    """Puts stored tensors where they belong."""

    def __init__(
        self,
        root: nn.Module,
        checkpoint: Checkpoint,
        plan: LoadPlan,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._root = root
        self._checkpoint = checkpoint
        self._plan = plan
        self._device = device
        self._dtype = dtype
        self._places = {stored_name(name): name for name, _ in _all_tensors(root)}
        self._packed: dict[str, dict[str, Tensor]] = {}

    def take(self, name: str, tensor: Tensor) -> None:
        """Tensors that transformers' modules do not know are passed over, as there."""
        if name.endswith(_PACKED) and self._checkpoint.quantization is not None:
            self._take_packed(name, tensor)
        elif place := self._places.get(name):
            owner, leaf = self._owner(place)
            shape = getattr(owner, leaf).shape
            if tensor.shape != shape:
                raise ModelLoadError(
                    f"{name} in {self._checkpoint.folder} has the shape {list(tensor.shape)}; "
                    f"after the configuration it would be {list(shape)}"
                )
            if kind := kind_of(name, tuple(shape), self._plan.quantize):
                quantised = Int4Linear if kind == "int4" else Int8Linear
                tensor = tensor.to(self._device)
                self._replace(owner, quantised.of(tensor, owner.bias, self._dtype), place)
            elif leaf in owner._buffers:
                # Stored as it was in training: the DiT's rotary frequencies, rounded to bfloat16.
                owner._buffers[leaf] = tensor.to(owner._buffers[leaf].dtype)
            else:
                self._put(owner, leaf, tensor, part_of(name))

    def finish(self) -> None:
        """Raises ModelLoadError for what no file held."""
        thinker: Any = self._root.thinker
        if thinker.lm_head.weight.is_meta and thinker.config.tie_word_embeddings:
            thinker.lm_head.weight = thinker.get_input_embeddings().weight
        missing = sorted(
            stored_name(name) for name, tensor in self._root.named_parameters() if tensor.is_meta
        )
        if missing:
            raise ModelLoadError(
                f"the weights in {self._checkpoint.folder} lack {len(missing)} that the "
                f"configuration speaks of, such as {missing[0]}"
            )

    def _take_packed(self, name: str, tensor: Tensor) -> None:
        layer, leaf = name.rsplit(".", 1)
        stored = self._packed.setdefault(layer, {})
        stored[leaf] = tensor.to(self._device)
        place = self._places.get(f"{layer}.weight")
        if place is None:
            raise ModelLoadError(f"{name} in {self._checkpoint.folder} belongs to no known layer")
        wanted = {f"{layer}{suffix}" for suffix in _PACKED} & set(self._checkpoint.tensors)
        if len(stored) == len(wanted):
            owner, _ = self._owner(place)
            how = self._checkpoint.quantization
            assert how is not None
            made = unpack(self._packed.pop(layer), how, owner.bias, self._dtype)
            if (made.out_features, made.in_features) != tuple(owner.weight.shape):
                raise ModelLoadError(
                    f"{layer} in {self._checkpoint.folder} unpacks to "
                    f"{[made.out_features, made.in_features]}; after the configuration it would "
                    f"be {list(owner.weight.shape)}"
                )
            self._replace(owner, made, place)

    def _owner(self, place: str) -> tuple[Any, str]:
        module, _, leaf = place.rpartition(".")
        return self._root.get_submodule(module), leaf

    def _put(self, owner: nn.Module, leaf: str, tensor: Tensor, part: str) -> None:
        dtype = torch.float32 if part == "voice" else self._dtype
        placed = nn.Parameter(tensor.to(self._device, dtype), requires_grad=False)
        owner.register_parameter(leaf, placed)

    def _replace(self, layer: nn.Module, made: nn.Module, place: str) -> None:
        """A layer by its quantised one. Its bias is put in when it comes, or is there already."""
        above, _, name = place.removesuffix(".weight").rpartition(".")
        self._root.get_submodule(above).register_module(name, made)


def _all_tensors(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from root.named_parameters()
    yield from root.named_buffers()
