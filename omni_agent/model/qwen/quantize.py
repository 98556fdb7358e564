"""Linear layers that keep their weights in 8 or 4 bits and multiply in full width.

Where PyTorch has a kernel for it (and it gives the right result on this device, which is tried),
weights are multiplied as they are stored. Elsewhere each layer is widened while it is used: that
saves memory, and costs time.
"""

from __future__ import annotations

import functools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omni_agent.model.qwen.checkpoint import Quantization

FEW_ROWS = 8
"""Up to so many rows at once the 8-bit kernel is the quicker way."""

_GROUPS = (128, 64, 32, 16)
_KERNEL_GROUPS = (32, 64, 128, 256)
_AWQ_COLUMNS = (0, 4, 1, 5, 2, 6, 3, 7)
"""Where in a 32-bit word of AWQ each of eight neighbours lies, in nibbles from the lowest."""


class Int8Linear(nn.Module):
    """y = x @ (weight * scale).T + bias; weight [out, in] int8, one scale for each output.

    Symmetric, rounded to nearest.
    """

    weight: Tensor
    scale: Tensor

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        self.bias = _frozen(bias)
        self.kernel = has_kernel("int8", weight.device.type, scale.dtype)

    @classmethod
    def of(cls, dense: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Int8Linear:
        """`dense` [out, in] of any float type; results and `bias` are of `dtype`."""
        dense = dense.float()
        scale = (dense.abs().amax(1).clamp_min(1e-8) / 127).to(dtype)
        rounded = (dense / scale.float()[:, None]).round().clamp(-127, 127)
        return cls(rounded.to(torch.int8), scale, bias)

    def dense(self) -> Tensor:
        """What the weights are worth: [out, in]."""
        return self.weight.to(self.scale.dtype) * self.scale[:, None]

    def forward(self, x: Tensor) -> Tensor:  # [..., in] → [..., out]
        if self.kernel and x.numel() <= FEW_ROWS * self.in_features:
            rows = x.reshape(-1, self.in_features)
            y = torch._weight_int8pack_mm(rows, self.weight, self.scale)
            y = y.reshape(*x.shape[:-1], self.out_features)
        else:
            y = F.linear(x, self.weight.to(x.dtype)) * self.scale
        return y if self.bias is None else y + self.bias


class Int4Linear(nn.Module):
    """Weights as (q - 8) * scale + zero, q of 4 bits, scale and zero for each group of inputs.

    packed: [out, in/2] uint8, the first of two in the high half, or as the device's kernel has it.
    scales: [in/group, out, 2], scale and zero. `order`: inputs are taken in this order, where the
    groups were not made of neighbours (GPTQ's act-order).
    """

    packed: Tensor
    scales: Tensor
    order: Tensor | None

    def __init__(
        self, q: Tensor, scales: Tensor, bias: Tensor | None, order: Tensor | None = None
    ) -> None:
        """`q` [out, in] of 0…15."""
        super().__init__()
        self.out_features, self.in_features = q.shape
        self.group = self.in_features // scales.shape[0]
        self.kernel = (
            self.group in _KERNEL_GROUPS
            and self.out_features % 16 == 0
            and self.in_features % 128 == 0
            and has_kernel("int4", q.device.type, scales.dtype)
        )
        packed = _for_kernel(q) if self.kernel else _halves(q)
        self.register_buffer("packed", packed, persistent=False)
        self.register_buffer("scales", scales.contiguous(), persistent=False)
        self.register_buffer("order", order, persistent=False)
        self.bias = _frozen(bias)

    @classmethod
    def of(cls, dense: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Int4Linear:
        """`dense` [out, in], rounded to nearest between the least and the greatest of each group.

        Raises ValueError where no group size divides the inputs.
        """
        out, width = dense.shape
        group = group_size(width)
        groups = dense.float().reshape(out, -1, group)
        low, high = groups.amin(-1), groups.amax(-1)
        scale = ((high - low).clamp_min(1e-8) / 15).to(dtype)
        zero = (low + 8 * scale.float()).to(dtype)
        steps = (groups - zero.float()[..., None]) / scale.float()[..., None] + 8
        q = steps.round().clamp(0, 15).to(torch.uint8).reshape(out, width)
        return cls(q, torch.stack([scale.T, zero.T], dim=-1), bias)

    def dense(self) -> Tensor:
        """What the weights are worth, [out, in], inputs in the order of `order`."""
        if self.kernel:  # its layout is its own; an identity brings the weights out
            identity = torch.eye(
                self.in_features, dtype=self.scales.dtype, device=self.packed.device
            )
            return _int4_kernel(identity, self.packed, self.group, self.scales).T
        q = torch.stack([self.packed >> 4, self.packed & 15], dim=-1)
        steps = q.reshape(self.out_features, -1, self.group).to(self.scales.dtype) - 8
        scale, zero = self.scales.unbind(-1)
        return (steps * scale.T[..., None] + zero.T[..., None]).reshape(self.out_features, -1)

    def forward(self, x: Tensor) -> Tensor:  # [..., in] → [..., out]
        if self.order is not None:
            x = x.index_select(-1, self.order)
        if self.kernel:
            rows = x.reshape(-1, self.in_features)
            y = _int4_kernel(rows, self.packed, self.group, self.scales)
            y = y.reshape(*x.shape[:-1], self.out_features)
        else:
            y = F.linear(x, self.dense())
        return y if self.bias is None else y + self.bias


def group_size(width: int) -> int:
    """The largest group that divides the inputs. Raises ValueError where none does."""
    for group in _GROUPS:
        if width % group == 0:
            return group
    raise ValueError(f"{width} inputs cannot be cut into groups of {_GROUPS[-1]}")


def unpack(
    stored: dict[str, Tensor], how: Quantization, bias: Tensor | None, dtype: torch.dtype
) -> Int4Linear:
    """A layer of a published GPTQ or AWQ checkpoint.

    `stored`: qweight, qzeros, scales [in/group, out] and, with GPTQ, g_idx [in]. A word of GPTQ's
    qweight [in/8, out] holds eight inputs, one of AWQ's [in, out/8] eight outputs, interleaved.
    """
    scale = stored["scales"].float()
    if how.method == "gptq":
        q = _nibbles(stored["qweight"].T).T  # [in, out]
        zeros = _nibbles(stored["qzeros"]) + how.zero_offset
    else:
        q = _nibbles(stored["qweight"], _AWQ_COLUMNS)
        zeros = _nibbles(stored["qzeros"], _AWQ_COLUMNS)
    order = None
    groups = stored.get("g_idx")
    if groups is not None and bool((groups.diff() < 0).any()):
        order = groups.argsort(stable=True)
        q = q[order]
    scales = torch.stack([scale, (8 - zeros) * scale], dim=-1).to(dtype)  # [in/group, out, 2]
    return Int4Linear(q.T.to(torch.uint8), scales, bias, order)


@functools.cache
def has_kernel(kind: Literal["int8", "int4"], device: str, dtype: torch.dtype) -> bool:
    """Whether PyTorch multiplies such weights directly on this kind of device, and rightly."""
    if dtype != torch.bfloat16:
        return False
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(3, 256, generator=noise).to(device, dtype)
    try:
        if kind == "int8":
            weight = torch.randint(-127, 128, (64, 256), generator=noise, dtype=torch.int8)
            weight, scale = weight.to(device), torch.rand(64, generator=noise).to(device, dtype)
            got = torch._weight_int8pack_mm(x, weight, scale)
            expected = F.linear(x.float(), weight.float()) * scale.float()
        else:
            q = torch.randint(0, 16, (64, 256), generator=noise, dtype=torch.uint8).to(device)
            scales = torch.rand(2, 64, 2, generator=noise).to(device, dtype)
            got = _int4_kernel(x, _for_kernel(q), 128, scales)
            scale, zero = scales.float().repeat_interleave(128, dim=0).unbind(-1)  # [in, out]
            expected = x.float() @ ((q.T.float() - 8) * scale + zero)
        return bool((got.float() - expected).norm() < 0.02 * expected.norm())
    except (RuntimeError, AttributeError):  # not on this device, or not in this PyTorch
        return False


def _int4_kernel(rows: Tensor, packed: Tensor, group: int, scales: Tensor) -> Tensor:
    if rows.device.type == "cpu":
        return torch._weight_int4pack_mm_for_cpu(rows, packed, group, scales)
    return torch._weight_int4pack_mm(rows, packed, group, scales)


def _for_kernel(q: Tensor) -> Tensor:
    if q.device.type == "cpu":
        return torch._convert_weight_to_int4pack_for_cpu(q.to(torch.int32), 1)
    return torch._convert_weight_to_int4pack(_halves(q), 8)


def _halves(q: Tensor) -> Tensor:
    """[out, in] of 0…15 → [out, in/2] uint8."""
    return (q[:, ::2] << 4) | q[:, 1::2]


def _nibbles(words: Tensor, places: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7)) -> Tensor:
    """[n, m] int32 → [n, 8 m] of 0…15; `places` says in which nibble each of eight lies."""
    shifts = torch.tensor(places, dtype=torch.int32, device=words.device) * 4
    return ((words[..., None] >> shifts) & 15).flatten(-2)


def _frozen(bias: Tensor | None) -> nn.Parameter | None:
    return None if bias is None else nn.Parameter(bias, requires_grad=False)
