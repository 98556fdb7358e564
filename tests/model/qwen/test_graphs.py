"""A recorded function gives what it gives unrecorded; without CUDA it is just called."""

from __future__ import annotations

from typing import NamedTuple

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")

from omni_agent.errors import UsageError
from omni_agent.model.qwen import graphs
from omni_agent.model.qwen.graphs import SWITCH, CUDAGraphed, records_graphs


class Pair(NamedTuple):
    doubled: torch.Tensor
    squared: torch.Tensor


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_on_a_cpu_the_function_is_called_as_it_is():
    given = []
    graphed = CUDAGraphed(lambda x: given.append(x) or x + 1, "cpu")
    x = torch.zeros(3)
    for _ in range(5):
        assert torch.equal(graphed(x), torch.ones(3))
    assert all(each is x for each in given)
    assert len(given) == 5
    assert not graphed.is_recorded


@pytest.mark.parametrize(
    "other", [torch.zeros(4), torch.zeros(1, 3), torch.zeros(3, dtype=torch.float64)]
)
def test_other_shapes_and_types_are_refused_before_anything_runs(other):
    calls = []

    def count(x):
        calls.append(x)
        return x

    graphed = CUDAGraphed(count, "cpu")
    graphed(torch.zeros(3))
    with pytest.raises(UsageError, match=r"count was first called with .*\[3\]"):
        graphed(other)
    with pytest.raises(UsageError):
        graphed(torch.zeros(3), torch.zeros(3))
    assert len(calls) == 1


def test_one_switch_turns_recording_off(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    assert records_graphs("cuda")
    assert not records_graphs("cpu")
    monkeypatch.setenv(SWITCH, "1")
    assert not records_graphs("cuda")
    monkeypatch.setenv(SWITCH, "0")
    assert records_graphs("cuda")


def test_what_leaves_a_graph_is_a_copy_of_the_same_kind():
    x, y = torch.ones(2), torch.zeros(3)
    pair = graphs._copied(Pair(x, y))
    assert isinstance(pair, Pair)
    assert torch.equal(pair.doubled, x)
    assert pair.doubled.data_ptr() != x.data_ptr()
    assert graphs._copied((x, y))[1].data_ptr() != y.data_ptr()
    assert graphs._copied(x).data_ptr() != x.data_ptr()


@needs_cuda
def test_what_was_returned_stays_when_others_are_called():
    def square(x):
        return Pair(x * 2, (x * 3 + x * 5).square())

    one, two = CUDAGraphed(square, "cuda"), CUDAGraphed(lambda x: x.exp().sin(), "cuda")
    x = torch.arange(1000.0, device="cuda")
    kept = []
    for n in range(6):
        kept.append((n, one(x + n)))
        two(x)
    for n, pair in kept:
        assert torch.equal(pair.doubled, (x + n) * 2)
        assert torch.equal(pair.squared, ((x + n) * 3 + (x + n) * 5).square())


@needs_cuda
def test_every_call_takes_effect_once():
    total = torch.zeros(3, device="cuda")

    def add(x):
        return total.add_(x) * 2

    graphed = CUDAGraphed(add, "cuda")
    for n in range(1, 7):
        given = torch.full((3,), float(n), device="cuda")
        assert torch.equal(graphed(given).cpu(), torch.full((3,), float(n * (n + 1))))
    assert graphed.is_recorded
