"""What a model needs is reckoned before it is loaded, and what does not fit is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")

from omni_agent.cli import main
from omni_agent.errors import ModelLoadError
from omni_agent.model.progress import size_text
from omni_agent.model.qwen import machine
from omni_agent.model.qwen.cache import KVCache
from omni_agent.model.qwen.checkpoint import read_checkpoint
from omni_agent.model.qwen.machine import Machine
from omni_agent.model.qwen.plan import (
    REPLY_CODES,
    Shapes,
    kind_of,
    part_of,
    plan_load,
    refuse_what_does_not_fit,
)
from omni_agent.model.qwen.published import PUBLISHED

GB = 10**9


def gpu(gigabytes: float, *, bfloat16: bool = True) -> Machine:
    return Machine("cuda:0", "a GPU", int(gigabytes * GB), bfloat16)


@pytest.fixture(scope="module")
def large() -> Shapes:
    return Shapes.of_published(PUBLISHED["qwen2.5-omni-7b"])


@pytest.fixture(scope="module")
def small() -> Shapes:
    return Shapes.of_published(PUBLISHED["qwen2.5-omni-3b"])


def counted(shapes: Shapes) -> dict[str, int]:
    """Parameters by part."""
    counts: dict[str, int] = {}
    for name, shape in shapes.weights.items():
        counts[part_of(name)] = counts.get(part_of(name), 0) + torch.Size(shape).numel()
    return counts


def test_the_published_models_have_the_parameters_they_are_known_to_have(
    large: Shapes, small: Shapes
) -> None:
    parts = counted(large)
    assert sum(parts.values()) == 10_732_225_408
    assert sum(parts[part] for part in ("Thinker", "hearing", "sight")) == 8_931_813_888
    assert parts["Talker"] == 1_351_360_256
    parts = counted(small)
    assert parts["Thinker"] == 3_085_938_688 + 311_164_928
    assert parts["voice"] == 333_607_760 + 115_443_504


def test_names_and_shapes_are_those_of_a_stored_checkpoint(tiny: Path) -> None:
    from tiny import CONFIG

    model = PUBLISHED["qwen2.5-omni-7b"]
    made = Shapes.of_published(
        type(model)(name="tiny", title="tiny", repo="", revision="", config=CONFIG)
    )
    assert made.weights == Shapes.of_checkpoint(read_checkpoint(tiny)).weights


def test_the_large_model_fits_24_gigabytes_at_8k(large: Shapes) -> None:
    plan = plan_load(large, gpu(24), context_tokens=8192)
    assert plan.fits
    assert plan.dtype == "bfloat16"
    assert plan.weights == 2 * (10_732_225_408 - 449_051_264) + 4 * 449_051_264
    assert str(plan) == (
        "Qwen2.5-Omni 7B on a GPU (cuda:0), bfloat16, with speech, a context of 8,192 tokens: "
        "needs 23.97 GB, 24.00 GB free"
    )
    assert "Talker         2.70 GB" in plan.details()


def test_the_caches_are_as_large_as_the_caches_there_will_be(tiny: Path) -> None:
    checkpoint = read_checkpoint(tiny)
    config = checkpoint.config()
    plan = plan_load(Shapes.of_checkpoint(checkpoint), gpu(1), context_tokens=500)
    assert plan.talker_tokens == 500 + REPLY_CODES
    caches = [
        KVCache.of(decoder, limit, dtype=torch.bfloat16, device="cpu")
        for decoder, limit in (
            (config.thinker_config.text_config, 500),
            (config.talker_config, plan.talker_tokens),
        )
    ]
    assert plan.parts["KV caches"] == sum(cache.nbytes for cache in caches)
    silent = plan_load(Shapes.of_checkpoint(checkpoint), gpu(1), context_tokens=500, talker=False)
    assert silent.parts["KV caches"] == caches[0].nbytes


def test_without_speech_its_memory_is_saved(large: Shapes) -> None:
    loud, silent = (plan_load(large, gpu(80), talker=talker) for talker in (True, False))
    assert silent.parts["Talker"] == silent.parts["voice"] == 0
    assert loud.needs - silent.needs > 5 * GB
    assert "text only" in str(silent)


def test_eight_bits_are_smaller_and_four_smaller_still(large: Shapes) -> None:
    sizes = [plan_load(large, gpu(80), quantize=q).needs for q in (None, "int8", "int4")]
    assert sizes[0] - sizes[1] > 8 * GB
    assert sizes[1] - sizes[2] > 2 * GB
    assert "int4, the rest bfloat16" in str(plan_load(large, gpu(80), quantize="int4"))
    kinds = {kind_of(name, shape, "int4") for name, shape in large.weights.items()}
    assert kinds == {None, "int8", "int4"}
    assert kind_of("thinker.lm_head.weight", (152064, 3584), "int4") is None


def test_the_type_follows_the_device(large: Shapes, small: Shapes) -> None:
    assert plan_load(large, gpu(80, bfloat16=False)).dtype == "float16"
    cpu = Machine("cpu", "a CPU", 40 * GB)
    assert plan_load(small, cpu).dtype == "float32"
    assert plan_load(large, cpu).dtype == "bfloat16"
    assert plan_load(small, cpu, quantize="int8").dtype == "bfloat16"
    assert plan_load(small, cpu, dtype="float16").dtype == "float16"
    assert plan_load(small, cpu).parts["libraries"] == 0


def refusal(shapes: Shapes, machine: Machine, **wishes: Any) -> str:
    plan = plan_load(shapes, machine, **wishes)
    with pytest.raises(ModelLoadError) as raised:
        refuse_what_does_not_fit(plan, shapes)
    return str(raised.value)


def test_what_does_not_fit_is_refused_with_what_would(large: Shapes) -> None:
    told = refusal(large, gpu(15.6))
    assert "needs 23.97 GB, 15.60 GB free" in told
    assert '\n  quantize="int8": needs ' in told
    assert '\n  "qwen2.5-omni-3b": needs ' in told
    assert "compact" in told
    assert "context_tokens" not in told


def test_what_is_proposed_fits(large: Shapes) -> None:
    for gigabytes in (7, 8, 12, 16, 23):
        told = refusal(large, gpu(gigabytes))
        sizes = [line.split("needs ")[1] for line in told.splitlines() if line.startswith('  "q')]
        sizes += [line.split("needs ")[1] for line in told.splitlines() if line.startswith("  qu")]
        assert sizes
        assert all(float(size.split()[0]) <= gigabytes for size in sizes)


def test_a_shorter_context_is_proposed_where_nothing_else_helps(small: Shapes) -> None:
    least = plan_load(small, gpu(80), quantize="int4", talker=False, context_tokens=32768).needs
    told = refusal(small, gpu(least / GB - 0.05), context_tokens=32768, talker=False)
    assert 'quantize="int4", context_tokens=2048: needs ' in told


def test_where_nothing_fits_only_the_compact_model_is_named(large: Shapes) -> None:
    told = refusal(large, gpu(2))
    assert "What would fit" not in told
    assert "compact" in told


def test_what_fits_is_not_refused(large: Shapes) -> None:
    refuse_what_does_not_fit(plan_load(large, gpu(24)), large)


def test_wishes_that_cannot_be_are_refused(large: Shapes, tiny: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"40,000 tokens is not within the 32,768"):
        plan_load(large, gpu(80), context_tokens=40_000)
    with pytest.raises(ModelLoadError, match="0 tokens"):
        plan_load(large, gpu(80), context_tokens=0)
    thinker = {n: s for n, s in large.weights.items() if n.startswith("thinker.")}
    mute = Shapes(large.title, large.config, thinker)
    with pytest.raises(ModelLoadError, match="has no Talker"):
        plan_load(mute, gpu(80))
    assert plan_load(mute, gpu(80), talker=False).fits
    with pytest.raises(ModelLoadError, match="belongs to no part"):
        part_of("visual.blocks.0")


def test_this_machine_is_described() -> None:
    here = Machine.here("cpu")
    assert here.device == "cpu"
    assert 10**8 < here.free < 10**14
    assert Machine.here().device in ("cpu", "cuda:0")


def test_a_device_that_is_not_there_is_said() -> None:
    for device in ("cuda:99", "toaster"):
        with pytest.raises(ModelLoadError, match=f"device '{device}' cannot be used"):
            Machine.here(device)


def test_a_container_that_has_less_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    free = Machine.here("cpu").free
    assert free <= 2 * GB
    (tmp_path / "memory.max").write_text("max\n")
    assert Machine.here("cpu").free >= free


def test_the_command_shows_every_way_to_load_it(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        main(["models", "plan", "Qwen2.5-Omni-7B", str(tiny), "--memory", "24"])
    assert not left.value.code
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert lines[0][:4] == ["a", "GPU", "with", "24"]
    first = next(line for line in lines if line[:2] == ["bfloat16,", "speech"])
    assert first[-7:] == ["23.97", "GB", "yes", "14.14", "GB", "2.64", "GB"]
    assert shown.count("yes") == 12
    assert shown.count("text only") == 6
    assert "…" not in shown


def test_the_command_knows_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["models", "plan", "qwen2.5-omni-3b", "--context", "4096"])
    assert not left.value.code
    assert "A context of 4,096 tokens" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["models", "plan", "/nowhere/at/all"])
    assert left.value.code == 1
    assert "there is no folder /nowhere/at/all" in capsys.readouterr().err


def test_the_page_about_models_states_what_is_reckoned(large: Shapes, small: Shapes) -> None:
    page = (Path(__file__).parents[3] / "docs/models.md").read_text()
    rows = [
        [cell.strip(" `") for cell in line.split("|")[2:6]]
        for line in page.splitlines()
        if "| qwen2.5-omni-" in line
    ]
    assert len(rows) == 5
    for name, quantize, needs, weights in rows:
        shapes = large if name == "qwen2.5-omni-7b" else small
        plan = plan_load(shapes, gpu(80), quantize=None if quantize == "–" else quantize)
        assert (needs, weights) == (size_text(plan.needs), size_text(plan.weights))
        for size in (plan.token_reads, plan.code_reads):
            assert f"{size / 1e9:.2f} GB" in page
    for size in plan_load(large, gpu(80)).parts.values():
        assert f"| {size / 1e9:.2f} |" in page
