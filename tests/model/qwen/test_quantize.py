"""Weights in 8 and 4 bits: what is stored, what it is worth, and that kernels agree with it."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")
pytest.importorskip("transformers", reason="needs the extra qwen")
from torch import nn

from omni_agent.model.qwen.checkpoint import Quantization
from omni_agent.model.qwen.quantize import Int4Linear, Int8Linear, group_size, has_kernel, unpack


def relative(got: Any, expected: Any) -> float:
    return float((got.float() - expected.float()).norm() / expected.float().norm())


@pytest.fixture
def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(256, 48)


@pytest.mark.parametrize(("kind", "error"), [(Int8Linear, 0.01), (Int4Linear, 0.15)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_a_layer_multiplies_with_what_its_weights_are_worth(
    linear: nn.Linear, kind: Any, error: float, dtype: Any, rows: int
) -> None:
    with torch.no_grad():
        bias = linear.bias.to(dtype)
        small = kind.of(linear.weight, bias, dtype)
        assert relative(small.dense(), linear.weight) < error
        x = torch.randn(1, rows, 256).to(dtype)
        y = small(x)
        assert y.shape == (1, rows, 48)
        assert y.dtype == dtype
        expected = x.float() @ small.dense().float().T + bias.float()
        assert relative(y, expected) < (1e-5 if dtype == torch.float32 else 0.01)


def test_eight_and_four_bits_take_that_much(linear: nn.Linear) -> None:
    def size(layer: nn.Module) -> int:
        return sum(buffer.nbytes for buffer in layer.buffers())

    eight = Int8Linear.of(linear.weight.detach(), None, torch.bfloat16)
    four = Int4Linear.of(linear.weight.detach(), None, torch.bfloat16)
    assert size(eight) == 256 * 48 + 2 * 48
    assert size(four) == 256 * 48 // 2 + 2 * (256 // 128) * 48 * 2


def test_weights_on_the_grid_come_back_exactly() -> None:
    torch.manual_seed(0)
    steps = torch.randint(-127, 128, (32, 64))
    steps[:, 0] = 127
    on_grid = steps * 0.5
    assert torch.equal(Int8Linear.of(on_grid, None, torch.float32).dense(), on_grid)
    q = torch.randint(0, 16, (32, 256))
    q[:, ::128], q[:, 1::128] = 0, 15
    on_grid = (q - 8) * 0.25 + 3
    for dtype in (torch.float32, torch.bfloat16):
        assert torch.equal(Int4Linear.of(on_grid, None, dtype).dense().float(), on_grid)


def test_a_row_of_nothing_but_zeros_stays_zero() -> None:
    for kind in (Int8Linear, Int4Linear):
        dense = kind.of(torch.zeros(16, 128), None, torch.float32).dense()
        assert dense.abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_kernels_are_used_where_they_are_right(kind: Any) -> None:
    assert not has_kernel(kind, "cpu", torch.float32)
    assert not has_kernel(kind, "meta", torch.bfloat16)
    layer = Int8Linear if kind == "int8" else Int4Linear
    made = layer.of(torch.randn(48, 256), None, torch.bfloat16)
    assert made.kernel == has_kernel(kind, "cpu", torch.bfloat16)


def test_a_kernel_and_widening_agree(linear: nn.Linear, monkeypatch: pytest.MonkeyPatch) -> None:
    from omni_agent.model.qwen import quantize

    x = torch.randn(2, 256).bfloat16()
    with torch.no_grad():
        for kind in (Int8Linear, Int4Linear):
            first = kind.of(linear.weight, None, torch.bfloat16)
            with monkeypatch.context() as patch:
                patch.setattr(quantize, "has_kernel", lambda *_: False)
                plain = kind.of(linear.weight, None, torch.bfloat16)
            assert not plain.kernel
            assert relative(first(x), plain(x)) < 0.01
            assert relative(first.dense(), plain.dense()) < 0.01


def test_groups_fit_the_inputs() -> None:
    assert [group_size(width) for width in (3584, 18944, 96, 48)] == [128, 128, 32, 16]
    with pytest.raises(ValueError, match="100 inputs"):
        group_size(100)


# --- published formats: packed here as their makers pack them --------------------------------


def packed(values: Any, places: tuple[int, ...] = tuple(range(8))) -> Any:
    """[n, 8 m] → [n, m] int32; the j-th of eight goes into nibble places[j]."""
    words = torch.zeros(values.shape[0], values.shape[1] // 8, dtype=torch.int64)
    for j, place in enumerate(places):
        words |= values[:, j::8].long() << (4 * place)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("act_order", [False, True])
def test_gptq_weights_are_read(offset: int, act_order: bool) -> None:
    torch.manual_seed(0)
    width, out, group = 256, 32, 64
    q = torch.randint(0, 16, (width, out))
    zeros = torch.randint(offset, 16, (width // group, out))
    scales = torch.rand(width // group, out).half()
    g_idx = torch.arange(width) // group
    if act_order:
        g_idx = g_idx[torch.randperm(width)]
    dense = ((q - zeros[g_idx]) * scales[g_idx].float()).T  # [out, in]
    stored = {
        "qweight": packed(q.T).T.contiguous(),
        "qzeros": packed(zeros - offset),
        "scales": scales,
        "g_idx": g_idx.to(torch.int32),
    }
    assert stored["qweight"].shape == (width // 8, out)
    bias = torch.randn(out)
    layer = unpack(stored, Quantization("gptq", 4, group, offset), bias, torch.float32)
    assert (layer.order is not None) == act_order
    x = torch.randn(2, 3, width)
    torch.testing.assert_close(layer(x), x @ dense.T + bias, rtol=1e-4, atol=1e-3)


def test_awq_weights_are_read() -> None:
    torch.manual_seed(0)
    width, out, group = 256, 32, 128
    q = torch.randint(0, 16, (width, out))
    zeros = torch.randint(0, 16, (width // group, out))
    scales = torch.rand(width // group, out).half()
    dense = ((q - zeros.repeat_interleave(group, 0)) * scales.float().repeat_interleave(group, 0)).T
    # AWQ's word holds columns 0, 2, 4, 6, 1, 3, 5, 7 from its lowest nibble on.
    places = tuple([0, 2, 4, 6, 1, 3, 5, 7].index(column) for column in range(8))
    stored = {"qweight": packed(q, places), "qzeros": packed(zeros, places), "scales": scales}
    assert stored["qweight"].shape == (width, out // 8)
    layer = unpack(stored, Quantization("awq", 4, group, 0), None, torch.float32)
    x = torch.randn(3, width)
    torch.testing.assert_close(layer(x), x @ dense.T, rtol=1e-4, atol=1e-3)
