"""A folder with a Qwen2.5-Omni checkpoint, looked through before anything is loaded from it.

Needs neither torch nor transformers: configuration, names and shapes of all weights are read from
JSON and from the headers of the safetensors files.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omni_agent.errors import MissingExtra, ModelLoadError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen2_5OmniConfig

SPEAKERS_FILE = "spk_dict.pt"
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_TOKENIZER = ({"tokenizer.json"}, {"vocab.json", "merges.txt"})
_RENAMED = (
    ("thinker.model.language_model.", "thinker.model."),
    ("thinker.model.audio_tower.", "thinker.audio_tower."),
    ("thinker.model.visual.", "thinker.visual."),
)
"""Parameters of transformers' modules, and the names that published files have for them."""

_NOT_YET = {
    "qwen3_omni_moe": "Qwen3-Omni speaks through another kind of Talker, which is not built here",
    "qwen2_5_omni_thinker": "this is a Thinker alone, without Talker and voice",
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a weight lies. `dtype` as safetensors names it: "BF16", "F32", "I32"."""

    shard: Path
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Quantization:
    """How published 4-bit weights are packed.

    `zero_offset`: GPTQ's first format stores zero points less one.
    """

    method: Literal["gptq", "awq"]
    bits: int
    group_size: int
    zero_offset: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder holds, found complete."""

    folder: Path
    raw_config: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]
    quantization: Quantization | None

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def shards(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(tensor.shard for tensor in self.tensors.values()))

    @property
    def has_talker(self) -> bool:
        return any(name.startswith("talker.") for name in self.tensors)

    def config(self) -> Qwen2_5OmniConfig:
        """Raises ModelLoadError where the installed transformers cannot read it."""
        return parse_config(self.raw_config, str(self.folder / "config.json"))

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The checkpoint's own, with its chat template. Raises ModelLoadError."""
        transformers = import_transformers()
        try:
            return transformers.AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        except Exception as error:
            raise ModelLoadError(f"the tokenizer in {self.folder} cannot be read: {error}") from (
                error
            )

    def preprocessor(self) -> dict[str, Any]:
        """Limits and norms of pictures and sound, {} where the checkpoint states none."""
        path = self.folder / "preprocessor_config.json"
        return _read_json(path) if path.exists() else {}

    def speakers_file(self) -> Path:
        """Raises ModelLoadError where it is missing."""
        path = self.folder / SPEAKERS_FILE
        if not path.is_file():
            raise ModelLoadError(
                f"{self.folder} has no {SPEAKERS_FILE}, which holds the voices. Copy it from where "
                "the weights came from, or leave speech out (talker=False)"
            )
        return path


def read_checkpoint(folder: Path) -> Checkpoint:
    """Raises ModelLoadError saying what is missing, cut short, or of another kind."""
    folder = folder.expanduser()
    if not folder.is_dir():
        raise ModelLoadError(f"there is no folder {folder}")
    raw = _read_config(folder)
    tensors = _read_tensors(folder)
    have = {path.name for path in folder.iterdir()}
    if not any(needed <= have for needed in _TOKENIZER):
        raise ModelLoadError(f"{folder} has no tokenizer: neither tokenizer.json nor vocab.json")
    for part in ("thinker.model.", "thinker.audio_tower.", "thinker.visual."):
        if not any(name.startswith(part) for name in tensors):
            raise ModelLoadError(
                f"the weights in {folder} have nothing that begins with {part!r}: they are not "
                "those of a whole Qwen2.5-Omni"
            )
    return Checkpoint(folder, raw, tensors, _quantization(raw, folder))


def stored_name(parameter: str) -> str:
    """What a published checkpoint calls a parameter of transformers' whole Qwen2.5-Omni."""
    for here, there in _RENAMED:
        if parameter.startswith(here):
            return there + parameter.removeprefix(here)
    return parameter


def parse_config(raw: Mapping[str, Any], where: str) -> Qwen2_5OmniConfig:
    """Raises ModelLoadError where the installed transformers cannot read it."""
    transformers = import_transformers()
    plain = {key: value for key, value in raw.items() if key != "quantization_config"}
    log = logging.getLogger("transformers")
    level = log.level
    try:
        log.setLevel(logging.ERROR)  # it warns that text ids are not within the Talker's codes
        return transformers.Qwen2_5OmniConfig.from_dict(plain)
    except Exception as error:
        wrote = raw.get("transformers_version")
        raise ModelLoadError(
            f"{where} cannot be read by transformers {transformers.__version__}"
            + (f"; it was written by transformers {wrote}" if wrote else "")
            + f". Install a newer one with: pip install -U transformers\n  {error}"
        ) from error
    finally:
        log.setLevel(level)


def import_transformers() -> Any:
    """Raises MissingExtra."""
    for package in ("torch", "transformers"):
        try:
            module = __import__(package)
        except ImportError as error:
            raise MissingExtra(package, "qwen", needed_for="Qwen2.5-Omni") from error
    return module


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        lies = ", ".join(sorted(entry.name for entry in folder.iterdir())[:6]) or "nothing"
        raise ModelLoadError(
            f"{folder} is no checkpoint: it has no config.json. What lies there: {lies}"
        )
    raw = _read_json(path)
    kind = raw.get("model_type")
    if kind != "qwen2_5_omni":
        why = _NOT_YET.get(str(kind), "only Qwen2.5-Omni (qwen2_5_omni) can be opened here")
        raise ModelLoadError(f"{folder} holds a model of the kind {kind!r}: {why}")
    if missing := [part for part in ("thinker_config", "talker_config") if not raw.get(part)]:
        raise ModelLoadError(f"{path} has no {' and no '.join(missing)}")
    return raw


def _read_json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise ModelLoadError(f"{path} holds no JSON object")
    return raw


def _read_tensors(folder: Path) -> dict[str, StoredTensor]:
    index = folder / _INDEX
    if index.is_file():
        listed = _read_json(index).get("weight_map")
        if not isinstance(listed, dict) or not listed:
            raise ModelLoadError(f"{index} has no weight_map")
        shards = sorted(set(listed.values()))
        if missing := [name for name in shards if not (folder / name).is_file()]:
            raise ModelLoadError(
                f"{folder} lacks {len(missing)} of {len(shards)} weight files: "
                f"{', '.join(missing)}. Fetch them again"
            )
    elif (folder / _SINGLE).is_file():
        listed, shards = None, [_SINGLE]
    else:
        other = sorted(path.name for path in folder.glob("*.bin"))
        hint = f"; {', '.join(other[:3])} cannot be used" if other else ""
        raise ModelLoadError(f"{folder} has no safetensors weights{hint}")
    tensors: dict[str, StoredTensor] = {}
    for shard in shards:
        tensors |= _read_header(folder / shard)
    if listed and (absent := set(listed) - set(tensors)):
        raise ModelLoadError(
            f"{index} lists {len(absent)} weights that no file holds, such as {min(absent)}"
        )
    return tensors


def _read_header(path: Path) -> dict[str, StoredTensor]:
    """8 bytes of length, then JSON: name → dtype, shape, and begin and end behind the header."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            raise ModelLoadError(
                f"{path} is only a Git LFS pointer; fetch the weights with: git lfs pull"
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= size - 8:
            raise ModelLoadError(f"{path} is no safetensors file, or cut short ({size:,} bytes)")
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            tensors = {
                name: StoredTensor(path, entry["dtype"], tuple(entry["shape"]))
                for name, entry in header.items()
            }
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ModelLoadError(f"{path} has a broken header: {error!r}") from error
    if size != 8 + length + end:
        raise ModelLoadError(
            f"{path} has {size:,} bytes, its header speaks of {8 + length + end:,}. Fetch it again"
        )
    return tensors


def _quantization(raw: Mapping[str, Any], folder: Path) -> Quantization | None:
    stated = raw.get("quantization_config") or raw["thinker_config"].get("quantization_config")
    if not stated and (folder / "quantize_config.json").is_file():
        stated = {"quant_method": "gptq"} | _read_json(folder / "quantize_config.json")
    if not stated:
        return None
    method = str(stated.get("quant_method", "?")).lower()
    bits = stated.get("bits", stated.get("w_bit", 4))
    group = stated.get("group_size", stated.get("q_group_size", 128))
    version = str(stated.get("version", "gemm")).lower()
    if method not in ("gptq", "awq") or bits != 4 or (method == "awq" and version != "gemm"):
        layout = f", layout {version}" if method == "awq" else ""
        raise ModelLoadError(
            f"the weights in {folder} are quantised with {method!r} to {bits} bits{layout}. Only "
            "4-bit GPTQ and AWQ (gemm) can be read; open the unquantised checkpoint with "
            'quantize="int4" instead'
        )
    if group <= 0:
        raise ModelLoadError(f"the weights in {folder} have the group size {group}; 128 is usual")
    newer = str(stated.get("checkpoint_format", "gptq")).lower() == "gptq_v2"
    return Quantization(
        "gptq" if method == "gptq" else "awq",
        bits,
        group,
        zero_offset=0 if method == "awq" or newer else 1,
    )
