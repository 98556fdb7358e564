"""Voice prints by GE2E, in numpy alone: Wan et al., "Generalized End-to-End Loss for Speaker
Verification" (2018), with the weights that Resemblyzer 0.1.4 carries (`pretrained.pt`, read as
data). Three LSTM layers of 256 over 40 mel bands, then a linear layer; float32 throughout.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np

from omni_agent.errors import ModelLoadError, SettingsError
from omni_agent.memory.embed.pooling import unit
from omni_agent.memory.values import Vectors

RATE = 16_000
WINDOW = 25_600
"""Samples that one print was trained on: 1.6 s. Shorter stretches can be printed, less surely."""
DIM = 256
_BANDS, _FFT, _HOP, _LAYERS, _HIDDEN = 40, 400, 160, 3, 256
_SMOOTH = 7  # frames
_LEVEL = 10 ** (-30 / 20)  # the network takes mel power, not its logarithm, so level matters


class Ge2e:
    """The network. Immutable once loaded: any number of threads may call it."""

    def __init__(self, path: Path) -> None:
        weights = read_weights(path)
        try:
            self._layers = [
                (
                    _shaped(weights, f"lstm.weight_ih_l{i}", 4 * _HIDDEN, width).T.copy(),
                    _shaped(weights, f"lstm.weight_hh_l{i}", 4 * _HIDDEN, _HIDDEN).T.copy(),
                    _shaped(weights, f"lstm.bias_ih_l{i}", 4 * _HIDDEN)
                    + _shaped(weights, f"lstm.bias_hh_l{i}", 4 * _HIDDEN),
                )
                for i, width in zip(range(_LAYERS), (_BANDS, _HIDDEN, _HIDDEN), strict=True)
            ]
            self._out = _shaped(weights, "linear.weight", DIM, _HIDDEN).T.copy()
            self._bias = _shaped(weights, "linear.bias", DIM)
        except KeyError as error:
            raise ModelLoadError(f"{path} is no GE2E voice encoder: it has no {error}") from error

    def __call__(self, stretches: np.ndarray) -> Vectors:
        """float32 [n, samples] at 16 kHz, speech of one voice each → unit vectors [n, 256]."""
        if stretches.shape[1] < _SMOOTH * _HOP:
            raise SettingsError(
                f"a voice print takes {_SMOOTH * _HOP} samples or more; these are "
                f"{stretches.shape[1]}"
            )
        x = without_noise(mel_power(_levelled(stretches))).transpose(1, 0, 2)  # [frames, n, 40]
        for weight_in, weight_back, bias in self._layers:
            x = _lstm(x, weight_in, weight_back, bias)
        return unit(np.maximum(x[-1] @ self._out + self._bias, 0.0))


def mel_power(stretches: np.ndarray) -> np.ndarray:
    """float32 [n, samples] → float32 [n, frames, 40], 100 frames a second."""
    padded = np.pad(stretches, ((0, 0), (_FFT // 2, _FFT // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT, axis=1)[:, ::_HOP]
    spectrum = np.fft.rfft(frames * _hann(), axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    mel: np.ndarray = power @ _filters().T
    return mel


def without_noise(mel: np.ndarray) -> np.ndarray:
    """Mel power [n, frames, 40] without what sounds all the time, and as loud as before.

    Speech has gaps in every band; what is left in them is a fan, a street, a microphone's hiss. In
    pink noise of 5 dB it halves the share of confused voices (`python benchmarks/voices.py`).
    """
    smooth = np.lib.stride_tricks.sliding_window_view(mel, _SMOOTH, axis=1).mean(axis=-1)
    floor = np.quantile(smooth, 0.1, axis=1, keepdims=True).astype(np.float32)
    clean = np.maximum(mel - 2.0 * floor, 0.02 * mel)
    before, after = (m.sum(axis=(1, 2), keepdims=True) for m in (mel, clean))
    louder: np.ndarray = clean * (before / np.maximum(after, 1e-12))
    return louder


def _levelled(stretches: np.ndarray) -> np.ndarray:
    level = np.sqrt(np.mean(np.square(stretches, dtype=np.float64), axis=1, keepdims=True))
    return (stretches * (_LEVEL / np.maximum(level, 1e-5))).astype(np.float32)


def _lstm(
    x: np.ndarray, weight_in: np.ndarray, weight_back: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """[frames, n, width] → hidden states [frames, n, 256]; gates in torch's order i, f, g, o."""
    frames, n, _ = x.shape
    driven = x.reshape(frames * n, -1) @ weight_in + bias  # the part that needs no recurrence
    driven = driven.reshape(frames, n, 4 * _HIDDEN)
    # sigmoid(z) = (1 + tanh(z / 2)) / 2: one tanh over all four gates instead of four calls.
    halves = np.full(4 * _HIDDEN, 0.5, np.float32)
    halves[2 * _HIDDEN : 3 * _HIDDEN] = 1.0
    driven *= halves
    weight_back = weight_back * halves
    hidden = np.zeros((n, _HIDDEN), np.float32)
    cell = np.zeros((n, _HIDDEN), np.float32)
    states = np.empty((frames, n, _HIDDEN), np.float32)
    for t in range(frames):
        gates = np.tanh(driven[t] + hidden @ weight_back)
        i, f, g, o = np.split(gates, 4, axis=1)
        cell = 0.5 * ((1.0 + f) * cell + (1.0 + i) * g)
        hidden = 0.5 * (1.0 + o) * np.tanh(cell)
        states[t] = hidden
    return states


@cache
def _hann() -> np.ndarray:
    return np.hanning(_FFT + 1)[:-1].astype(np.float32)


@cache
def _filters() -> np.ndarray:
    """Triangles on Slaney's mel scale (linear below 1 kHz), each of unit area: [40, 201]."""
    step = np.log(6.4) / 27.0
    highest = 15.0 + np.log(RATE / 2 / 1000.0) / step
    mel = np.linspace(0.0, highest, _BANDS + 2)
    edges = np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(step * (mel - 15.0)))
    bins = np.fft.rfftfreq(_FFT, 1.0 / RATE)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)


# --- torch's old file format, read without torch and without running what is pickled in it --------


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The float32 tensors under "model_state" of a file by torch.save before its version 1.6.

    Raises ModelLoadError where the file is another one, damaged, or asks for anything but tensors.
    """
    try:
        with open(path, "rb") as file:
            magic = _Tensors(file).load()
            _Tensors(file).load()  # protocol version
            _Tensors(file).load()  # byte order and type sizes of the writer
            saved = _Tensors(file).load()
            keys = _Tensors(file).load()
            if magic != 0x1950A86A20F9469CFC6C:
                raise ModelLoadError(f"{path} is no file of torch's old format")
            storages = {key: _storage(file) for key in keys}
    except OSError as error:
        raise ModelLoadError(f"the voice print's weights {path} cannot be read: {error}") from error
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelLoadError(f"{path} is not the voice print's weights: {error}") from error
    state = saved.get("model_state") if isinstance(saved, dict) else None
    if not isinstance(state, dict):
        raise ModelLoadError(f'{path} holds no "model_state"')
    return {
        name: _placed(tensor, storages, path)
        for name, tensor in state.items()
        if isinstance(tensor, _Tensor)
    }


class _Tensor(NamedTuple):
    storage: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _tensor(
    storage: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


class _Tensors(pickle.Unpickler):
    """Knows three names, none of which does anything; all others are refused."""

    _KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch", "FloatStorage"): "float32",
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no tensor needs")
        return self._KNOWN[module, name]

    def persistent_load(self, pid: Any) -> str:
        kind, dtype, key, *_ = pid
        if kind != "storage" or dtype != "float32":
            raise pickle.UnpicklingError(f"it holds {kind} of {dtype}, not float32")
        return str(key)


def _storage(file: BinaryIO) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little")
    if count > 50_000_000:
        raise ValueError(f"a tensor of {count:,} numbers")
    data = file.read(4 * count)
    if len(data) != 4 * count:
        raise EOFError("it is cut short")
    return np.frombuffer(data, "<f4")


def _placed(tensor: _Tensor, storages: dict[str, np.ndarray], path: Path) -> np.ndarray:
    storage = storages.get(tensor.storage)
    count = int(np.prod(tensor.shape, dtype=np.int64))
    packed = tuple(int(np.prod(tensor.shape[i + 1 :])) for i in range(len(tensor.shape)))
    if storage is None or tuple(tensor.stride) != packed:
        raise ModelLoadError(f"{path}: a tensor of shape {tensor.shape} is laid out unusually")
    flat = storage[tensor.offset : tensor.offset + count]
    if len(flat) != count:
        raise ModelLoadError(f"{path}: a tensor of shape {tensor.shape} lies outside its storage")
    return flat.reshape(tensor.shape)


def _shaped(weights: dict[str, np.ndarray], name: str, *shape: int) -> np.ndarray:
    found = weights[name]
    if found.shape != shape:
        raise ModelLoadError(f"the voice encoder's {name} is {found.shape}; {shape} is due")
    return found.astype(np.float32)
