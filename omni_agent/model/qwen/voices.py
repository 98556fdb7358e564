"""The voices of a checkpoint: who can speak, and what the Talker and the DiT are given for each."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from omni_agent.errors import ModelLoadError, UnsupportedInput

DEFAULT = "Chelsie"


@dataclass(frozen=True, slots=True)
class Speaker:
    """`bos_token`: the text token the Talker begins with. `cond` [1, 192], `ref_mel` [1, T, 80]:
    the voice as an embedding and as 80-band log-mel frames of a sample of it, 100 a second.
    """

    name: str
    bos_token: int
    cond: Tensor
    ref_mel: Tensor


class Speakers:
    """Voices by name. Names are found in any case: "ethan" is Ethan."""

    def __init__(self, voices: Mapping[str, Speaker]) -> None:
        self._voices = dict(voices)
        self._spelt = {name.casefold(): name for name in voices}

    def __getitem__(self, name: str) -> Speaker:
        """Raises UnsupportedInput naming the voices there are."""
        spelt = self._spelt.get(name.casefold())
        if spelt is None:
            raise UnsupportedInput(
                f"this model has no voice {name!r}; it has: {', '.join(self._voices)}"
            )
        return self._voices[spelt]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._spelt

    def __iter__(self) -> Iterator[str]:
        return iter(self._voices)

    def __len__(self) -> int:
        return len(self._voices)

    @property
    def default(self) -> Speaker:
        """Chelsie where there is one, else the first."""
        return self[DEFAULT if DEFAULT in self else next(iter(self))]


def read_speakers(path: Path) -> Speakers:
    """The voices of a `spk_dict.pt`; nothing in it is executed. On the CPU, float32.

    Raises ModelLoadError where the file is broken or a voice lacks something.
    """
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ModelLoadError(f"{path} cannot be read as voices: {error}") from error
    if not isinstance(raw, dict) or not raw:
        raise ModelLoadError(f"{path} holds no voices")
    return Speakers({str(name): _speaker(str(name), entry, path) for name, entry in raw.items()})


def _speaker(name: str, entry: object, path: Path) -> Speaker:
    try:
        token, cond, mel = (entry[key] for key in ("bos_token", "cond", "ref_mel"))  # type: ignore[index]
        cond, mel = torch.as_tensor(cond).float(), torch.as_tensor(mel).float()
        token = int(token)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelLoadError(f"the voice {name!r} in {path} is incomplete: {error!r}") from error
    if cond.ndim != 2 or cond.shape[0] != 1 or mel.ndim != 3 or mel.shape[0] != 1:
        raise ModelLoadError(
            f"the voice {name!r} in {path} has cond {tuple(cond.shape)} and ref_mel "
            f"{tuple(mel.shape)}; [1, 192] and [1, T, 80] were expected"
        )
    return Speaker(name, token, cond, mel)
