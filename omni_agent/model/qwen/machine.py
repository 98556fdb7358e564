"""What a model is to run on, and how much memory is free there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omni_agent.errors import ModelLoadError

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container what it may have."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`free`: bytes that can be had there now. `bfloat16`: whether it computes in it natively."""

    device: str
    title: str
    free: int
    bfloat16: bool = True

    @classmethod
    def here(cls, device: str | None = None) -> Machine:
        """The first GPU, or without one the CPU. Raises ModelLoadError for a device that is not."""
        import torch

        if device is None:
            device = "cuda:0" if torch.cuda.is_available() else "cpu"
        if device == "cuda":
            device = "cuda:0"
        if device == "cpu":
            return cls("cpu", "this machine's CPU", _free_memory())
        try:
            free, _ = torch.cuda.mem_get_info(device)
            title = torch.cuda.get_device_name(device)
            new = torch.cuda.get_device_capability(device) >= (8, 0)
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ModelLoadError(
                f"the device {device!r} cannot be used: {error}. Leave it out to have one chosen"
            ) from error
        return cls(device, title, free, bfloat16=new)

    @classmethod
    def of_size(cls, gibibytes: float) -> Machine:
        """A GPU with so much memory, of which its driver takes a twentieth: assumed."""
        return cls("cuda:0", f"a GPU with {gibibytes:g} GiB", int(gibibytes * 0.95 * 2**30))


def _free_memory() -> int:
    """Bytes that a process can still have: of the machine, or of its container if that is less."""
    import psutil

    free = psutil.virtual_memory().available
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()) != "max":
        free = min(free, max(0, int(most) - int(used.read_text())))
    return int(free)
