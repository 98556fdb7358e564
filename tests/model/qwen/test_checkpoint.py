"""What is wrong with a folder is said before anything is loaded from it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")
from safetensors.torch import load_file, save_file

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.model.qwen.checkpoint import Quantization, read_checkpoint

Damage = Callable[[Path], None]


def edit(folder: Path, name: str, **changes: Any) -> None:
    """Change a JSON file of the copy; a value None takes the key away."""
    path = folder / name
    content = json.loads(path.read_text()) if path.exists() else {}
    content = {key: value for key, value in (content | changes).items() if value is not None}
    replace(path, json.dumps(content).encode())


def replace(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def in_shards(folder: Path) -> dict[str, str]:
    """Split the weights into two files with an index, as large checkpoints are."""
    whole = load_file(folder / "model.safetensors")
    weight_map = {}
    for number, keep in enumerate(("thinker.", "t")):
        part = {name: whole.pop(name) for name in list(whole) if name.startswith(keep)}
        file = f"model-0000{number + 1}-of-00002.safetensors"
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    return weight_map


def test_a_whole_checkpoint_tells_its_weights_without_loading_them(tiny: Path) -> None:
    checkpoint = read_checkpoint(tiny)
    assert checkpoint.has_talker
    assert checkpoint.quantization is None
    head = checkpoint.tensors["thinker.lm_head.weight"]
    assert (head.dtype, head.shape) == ("F32", (152064, 64))
    assert checkpoint.config().talker_config.hidden_size == 48
    assert checkpoint.preprocessor()["max_pixels"] == 12845056
    assert checkpoint.speakers_file().name == "spk_dict.pt"


def test_shards_are_read_through_their_index(copy_of_tiny: Path, tiny: Path) -> None:
    in_shards(copy_of_tiny)
    checkpoint = read_checkpoint(copy_of_tiny)
    assert len(checkpoint.shards) == 2
    whole = read_checkpoint(tiny).tensors
    assert {n: (t.dtype, t.shape) for n, t in checkpoint.tensors.items()} == {
        n: (t.dtype, t.shape) for n, t in whole.items()
    }


def test_a_missing_shard_is_named(copy_of_tiny: Path) -> None:
    in_shards(copy_of_tiny)
    (copy_of_tiny / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"lacks 1 of 2 .*model-00002-of-00002.safetensors"):
        read_checkpoint(copy_of_tiny)


def test_weights_that_the_index_lists_and_no_file_holds_are_named(copy_of_tiny: Path) -> None:
    weight_map = in_shards(copy_of_tiny)
    weight_map["thinker.model.gone"] = "model-00001-of-00002.safetensors"
    edit(copy_of_tiny, "model.safetensors.index.json", weight_map=weight_map)
    with pytest.raises(ModelLoadError, match=r"lists 1 weights .* thinker\.model\.gone"):
        read_checkpoint(copy_of_tiny)


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled_weights(folder: Path) -> None:
    no_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"x")


def cut_short(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    replace(folder / "model.safetensors", whole[: len(whole) // 2])


def cut_in_the_header(folder: Path) -> None:
    replace(folder / "model.safetensors", (folder / "model.safetensors").read_bytes()[:100])


def broken_header(folder: Path) -> None:
    replace(folder / "model.safetensors", (10).to_bytes(8, "little") + b'{"a": {}} ')


def lfs_pointer(folder: Path) -> None:
    replace(folder / "model.safetensors", b"version https://git-lfs.github.com/spec/v1\n")


def thinker_only(folder: Path) -> None:
    replace(folder / "model.safetensors", b"")
    save_file({"model.layers.0.weight": torch.zeros(1)}, folder / "model.safetensors")


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_json(folder: Path) -> None:
    replace(folder / "config.json", b"{")


def a_list(folder: Path) -> None:
    replace(folder / "config.json", b"[]")


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def qwen3(folder: Path) -> None:
    edit(folder, "config.json", model_type="qwen3_omni_moe")


def another_kind(folder: Path) -> None:
    edit(folder, "config.json", model_type="llama")


def no_kind(folder: Path) -> None:
    edit(folder, "config.json", model_type=None)


def no_talker_config(folder: Path) -> None:
    edit(folder, "config.json", talker_config=None)


def eight_bits(folder: Path) -> None:
    edit(folder, "config.json", quantization_config={"quant_method": "gptq", "bits": 8})


def other_quantization(folder: Path) -> None:
    edit(folder, "config.json", quantization_config={"quant_method": "fp8"})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_weights, "has no safetensors weights$"),
        (pickled_weights, r"pytorch_model\.bin cannot be used"),
        (cut_short, r"bytes, its header speaks of 88,\d\d\d,\d\d\d. Fetch it again"),
        (cut_in_the_header, "cut short"),
        (broken_header, "broken header"),
        (lfs_pointer, "git lfs pull"),
        (thinker_only, "nothing that begins with 'thinker.model.'"),
        (no_config, "no checkpoint: it has no config.json. What lies there: chat_template"),
        (no_json, r"config\.json cannot be read"),
        (a_list, "holds no JSON object"),
        (no_tokenizer, "has no tokenizer"),
        (qwen3, "kind 'qwen3_omni_moe': Qwen3-Omni speaks through another kind of Talker"),
        (another_kind, "kind 'llama': only Qwen2.5-Omni"),
        (no_kind, "kind None"),
        (no_talker_config, "has no talker_config"),
        (eight_bits, "'gptq' to 8 bits. Only 4-bit GPTQ and AWQ"),
        (other_quantization, "quantised with 'fp8'"),
    ],
)
def test_what_is_wrong_is_said(copy_of_tiny: Path, damage: Damage, words: str) -> None:
    damage(copy_of_tiny)
    with pytest.raises(ModelLoadError, match=words) as raised:
        read_checkpoint(copy_of_tiny)
    assert str(copy_of_tiny) in str(raised.value)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="there is no folder"):
        read_checkpoint(tmp_path / "nowhere")


def test_a_configuration_that_is_too_new_names_both_versions(copy_of_tiny: Path) -> None:
    talker = json.loads((copy_of_tiny / "config.json").read_text())["talker_config"]
    edit(
        copy_of_tiny,
        "config.json",
        transformers_version="9.1.0",
        talker_config=talker | {"hidden_size": {"kind": "new"}},
    )
    checkpoint = read_checkpoint(copy_of_tiny)
    with pytest.raises(ModelLoadError, match=r"written by transformers 9\.1\.0.*pip install -U"):
        checkpoint.config()


def test_missing_voices_are_said_when_they_are_wanted(copy_of_tiny: Path) -> None:
    (copy_of_tiny / "spk_dict.pt").unlink()
    checkpoint = read_checkpoint(copy_of_tiny)
    with pytest.raises(ModelLoadError, match=r"no spk_dict\.pt.*talker=False"):
        checkpoint.speakers_file()


def test_a_broken_tokenizer_is_said(copy_of_tiny: Path) -> None:
    replace(copy_of_tiny / "tokenizer.json", b"{}")
    with pytest.raises(ModelLoadError, match="the tokenizer in"):
        read_checkpoint(copy_of_tiny).tokenizer()


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, ("gptq", 128, 1)),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 64, "checkpoint_format": "gptq_v2"},
            ("gptq", 64, 0),
        ),
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 32}, ("awq", 32, 0)),
    ],
)
def test_published_quantization_is_recognised(
    copy_of_tiny: Path, stated: dict[str, Any], expected: tuple[str, int, int]
) -> None:
    method, group, offset = expected
    edit(copy_of_tiny, "config.json", quantization_config=stated)
    assert read_checkpoint(copy_of_tiny).quantization == Quantization(method, 4, group, offset)
    edit(copy_of_tiny, "config.json", quantization_config=None)
    thinker = json.loads((copy_of_tiny / "config.json").read_text())["thinker_config"]
    edit(copy_of_tiny, "config.json", thinker_config=thinker | {"quantization_config": stated})
    assert read_checkpoint(copy_of_tiny).quantization == Quantization(method, 4, group, offset)


def test_quantization_may_be_stated_beside_the_configuration(copy_of_tiny: Path) -> None:
    edit(copy_of_tiny, "quantize_config.json", bits=4, group_size=128)
    assert read_checkpoint(copy_of_tiny).quantization == Quantization("gptq", 4, 128, 1)


def test_without_the_packages_the_extra_is_named(tiny: Path) -> None:
    """In a process of its own, where transformers cannot be imported."""
    program = (
        "import sys; sys.modules['transformers'] = None\n"
        "from pathlib import Path\n"
        "from omni_agent.model.qwen.checkpoint import read_checkpoint\n"
        f"checkpoint = read_checkpoint(Path({str(tiny)!r}))\n"
        "assert 'torch' not in sys.modules\n"
        "try: checkpoint.config()\n"
        f"except {MissingExtra.__module__}.{MissingExtra.__name__} as error: print(error)\n"
    ).replace("import sys;", "import sys, omni_agent.errors;")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "`transformers`" in done.stdout
    assert "omni-agent[qwen]" in done.stdout
