"""What is loaded is the checkpoint, in the memory that was planned, once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")
from safetensors.torch import load_file, save_file
from test_quantize import packed

from omni_agent.errors import ModelLoadError
from omni_agent.model.qwen.checkpoint import read_checkpoint
from omni_agent.model.qwen.loading import Modules, load
from omni_agent.model.qwen.machine import Machine
from omni_agent.model.qwen.parts import TextPiece
from omni_agent.model.qwen.plan import LoadPlan, Shapes, plan_load
from omni_agent.model.qwen.quantize import Int4Linear, Int8Linear
from omni_agent.model.qwen.thinker import ThinkerContext

CPU = Machine("cpu", "a CPU", free=10**12)


def opened(folder: Path, **wishes: Any) -> tuple[Modules, LoadPlan]:
    checkpoint = read_checkpoint(folder)
    plan = plan_load(Shapes.of_checkpoint(checkpoint), CPU, **wishes)
    return load(checkpoint, plan), plan


def state(root: Any) -> dict[str, Any]:
    """All parameters and all buffers, whether they are saved or not."""
    return dict(root.named_parameters()) | dict(root.named_buffers())


def parts(modules: Modules) -> dict[str, Any]:
    found = {"thinker": modules.thinker, "talker": modules.talker, "token2wav": modules.token2wav}
    return {name: part for name, part in found.items() if part is not None}


def rewrite(folder: Path, weights: dict[str, Any]) -> None:
    path = folder / "model.safetensors"
    path.unlink()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)


def test_every_weight_is_what_transformers_loads(tiny: Path, reference: Any) -> None:
    modules, _ = opened(tiny, dtype="float32")
    for name, part in parts(modules).items():
        ours, theirs = state(part), state(getattr(reference, name))
        assert ours.keys() == theirs.keys()
        for key, tensor in theirs.items():
            assert ours[key].dtype == tensor.dtype, key
            assert torch.equal(ours[key], tensor), key
        assert not part.training
        assert not any(parameter.requires_grad for parameter in part.parameters())
    assert modules.widened == 0


def test_in_16_bits_the_voice_stays_in_32(tiny: Path, reference: Any) -> None:
    modules, _ = opened(tiny, dtype="bfloat16")
    assert {p.dtype for p in modules.thinker.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in modules.talker.parameters()} == {torch.bfloat16}
    ours, theirs = state(modules.token2wav), state(reference.token2wav)
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    rotary = modules.thinker.model.language_model.rotary_emb
    assert rotary.inv_freq.dtype == torch.float32


@pytest.mark.parametrize("quantize", [None, "int8", "int4"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("talker", [True, False])
def test_it_takes_what_the_plan_says(tiny: Path, quantize: Any, dtype: Any, talker: bool) -> None:
    modules, plan = opened(tiny, quantize=quantize, dtype=dtype, talker=talker)
    assert (modules.talker is not None) == (modules.token2wav is not None) == talker
    stored = [p for part in parts(modules).values() for p in part.parameters()]
    small = [
        buffer
        for part in parts(modules).values()
        for layer in part.modules()
        if isinstance(layer, Int8Linear | Int4Linear)
        for buffer in layer.buffers()
    ]
    assert bool(small) == (quantize is not None)
    assert sum(t.nbytes for t in [*stored, *small]) == plan.weights


def test_eight_bits_change_little(tiny: Path, reference: Any) -> None:
    modules, _ = opened(tiny, quantize="int8", dtype="float32")
    ids = torch.tensor([[151644, 872, 198, 9707, 151645]])
    with torch.no_grad():
        ours, theirs = (m(input_ids=ids).logits for m in (modules.thinker, reference.thinker))
    assert (ours - theirs).norm() < 0.03 * theirs.norm()
    kinds = {type(layer) for layer in modules.thinker.modules()}
    assert Int8Linear in kinds
    assert Int4Linear not in kinds
    assert isinstance(modules.talker.model.layers[0].mlp.down_proj, Int8Linear)
    assert modules.widened > 0


def test_four_bits_are_for_the_thinker_alone(tiny: Path) -> None:
    modules, _ = opened(tiny, quantize="int4")
    assert modules.dtype == torch.bfloat16
    layer = modules.thinker.model.language_model.layers[1]
    assert isinstance(layer.self_attn.q_proj, Int4Linear)
    assert layer.self_attn.q_proj.bias.dtype == torch.bfloat16
    assert isinstance(modules.talker.model.layers[0].self_attn.q_proj, Int8Linear)
    assert isinstance(modules.thinker.model.visual.blocks[0].attn.q, Int8Linear)
    assert isinstance(modules.thinker.model.audio_tower.layers[0].fc1, Int8Linear)
    assert not any(isinstance(m, Int8Linear | Int4Linear) for m in modules.token2wav.modules())


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_published_4_bit_weights_are_opened_as_they_are(
    copy_of_tiny: Path, method: str, reference: Any
) -> None:
    """The tiny checkpoint's Thinker, rounded to 4 bits here and packed as such files are."""
    torch.manual_seed(0)
    weights = load_file(copy_of_tiny / "model.safetensors")
    worth = {}
    places = tuple([0, 2, 4, 6, 1, 3, 5, 7].index(column) for column in range(8))
    for name in [n for n in weights if n.startswith("thinker.model.layers.") and "proj.w" in n]:
        dense = weights.pop(name).T  # [in, out]
        groups = dense.reshape(-1, 32, dense.shape[1])
        scale = (groups.abs().amax(1) / 7).half()
        q = (groups / scale[:, None] + 8).round().clamp(0, 15).to(torch.int32)
        worth[name] = ((q - 8) * scale[:, None].float()).reshape(dense.shape).T
        q, zeros = q.reshape(dense.shape), torch.full(scale.shape, 8)
        layer = name.removesuffix(".weight")
        if method == "gptq":
            weights[f"{layer}.qweight"] = packed(q.T).T
            weights[f"{layer}.qzeros"] = packed(zeros - 1)
            weights[f"{layer}.g_idx"] = (torch.arange(len(dense)) // 32).to(torch.int32)
        else:
            weights[f"{layer}.qweight"] = packed(q, places)
            weights[f"{layer}.qzeros"] = packed(zeros, places)
        weights[f"{layer}.scales"] = scale
    rewrite(copy_of_tiny, weights)
    config = json.loads((copy_of_tiny / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method, "bits": 4, "group_size": 32}
    (copy_of_tiny / "config.json").unlink()
    (copy_of_tiny / "config.json").write_text(json.dumps(config))

    modules, plan = opened(copy_of_tiny, dtype="float32")
    assert "4-bit as published" in str(plan)
    for name, dense in worth.items():
        layer = modules.thinker.get_submodule(
            name.removeprefix("thinker.")
            .removesuffix(".weight")
            .replace("model.", "model.language_model.", 1)
        )
        torch.testing.assert_close(layer.dense(), dense)
        assert not layer.bias.is_meta if layer.bias is not None else True
    thinker = modules.thinker
    assert torch.equal(thinker.lm_head.weight, reference.thinker.lm_head.weight)
    kept = sum(t.nbytes for t in thinker.model.language_model.parameters())
    kept += sum(
        buffer.nbytes
        for layer in thinker.modules()
        if isinstance(layer, Int4Linear)
        for buffer in layer.buffers()
    )
    assert kept + thinker.lm_head.weight.nbytes == plan.parts["Thinker"]
    with pytest.raises(ModelLoadError, match="quantised already"):
        opened(copy_of_tiny, quantize="int8")


def test_rotary_frequencies_that_are_stored_are_used(copy_of_tiny: Path) -> None:
    weights = load_file(copy_of_tiny / "model.safetensors")
    name = "token2wav.code2wav_dit_model.rotary_embed.inv_freq"
    weights[name] = torch.arange(8).float()
    weights["thinker.something.new"] = torch.zeros(1)
    rewrite(copy_of_tiny, weights)
    modules, _ = opened(copy_of_tiny)
    used = modules.token2wav.code2wav_dit_model.rotary_embed.inv_freq
    assert used.tolist() == list(range(8))


def test_tied_word_embeddings_are_shared(copy_of_tiny: Path) -> None:
    weights = load_file(copy_of_tiny / "model.safetensors")
    del weights["thinker.lm_head.weight"]
    rewrite(copy_of_tiny, weights)
    with pytest.raises(ModelLoadError, match=r"lack 1 .* thinker\.lm_head\.weight"):
        opened(copy_of_tiny)
    config = json.loads((copy_of_tiny / "config.json").read_text())
    config["thinker_config"]["tie_word_embeddings"] = True
    (copy_of_tiny / "config.json").unlink()
    (copy_of_tiny / "config.json").write_text(json.dumps(config))
    modules, _ = opened(copy_of_tiny)
    thinker = modules.thinker
    assert thinker.lm_head.weight is thinker.model.language_model.embed_tokens.weight


def test_missing_weights_and_other_shapes_are_named(copy_of_tiny: Path) -> None:
    weights = load_file(copy_of_tiny / "model.safetensors")
    norm = weights.pop("thinker.model.norm.weight")
    rewrite(copy_of_tiny, weights)
    with pytest.raises(ModelLoadError, match=r"lack 1 .* thinker\.model\.norm\.weight"):
        opened(copy_of_tiny)
    rewrite(copy_of_tiny, weights | {"thinker.model.norm.weight": norm[:-1]})
    with pytest.raises(ModelLoadError, match=r"norm\.weight .* \[63\]; .* be \[64\]"):
        opened(copy_of_tiny)


def test_progress_grows_to_the_whole(tiny: Path) -> None:
    checkpoint = read_checkpoint(tiny)
    seen: list[tuple[int, int]] = []
    plan = plan_load(Shapes.of_checkpoint(checkpoint), CPU)
    load(checkpoint, plan, lambda done, total: seen.append((done, total)))
    total = (tiny / "model.safetensors").stat().st_size
    assert {whole for _, whole in seen} == {total}
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)
    assert len(seen) > 700


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_weights_are_never_there_twice(tiny: Path) -> None:
    """In a process of its own: memory of its own, not what it maps of the file."""
    program = f"""
from pathlib import Path
import test_loading
from omni_agent.model.qwen import loading

def own() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024

peak = 0
def watch(done: int, total: int) -> None:
    global peak
    peak = max(peak, own())

checkpoint = test_loading.read_checkpoint(Path({str(tiny)!r}))
plan = test_loading.plan_load(
    test_loading.Shapes.of_checkpoint(checkpoint), test_loading.CPU, dtype="bfloat16"
)
loading._empty(checkpoint.config(), talker=True)  # imports what it needs
before = own()
modules = loading.load(checkpoint, plan, watch)
print(peak - before, plan.weights)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    grown, weights = map(int, done.stdout.split()[-2:])
    assert grown < 1.4 * weights


@pytest.mark.parametrize("quantize", ["int8", "int4"])
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_a_quantised_thinker_goes_on_token_by_token(
    tiny: Path, quantize: Any, dtype: Any, error: float
) -> None:
    """With many rows and with one, whatever kernels there are."""
    modules, _ = opened(tiny, quantize=quantize, dtype=dtype)
    said = torch.arange(1000, 1030).tolist()
    whole, grown = (ThinkerContext(modules.thinker, 64) for _ in range(2))
    expected = whole.prefill(TextPiece(said)).logits.float()
    grown.prefill(TextPiece(said[:-1]))
    got = grown.step(torch.tensor(said[-1:])).logits.float()
    assert (got - expected).norm() < error * expected.norm()
