"""Any speaker model in ONNX, on graphs made here that take what the real ones take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omni_agent.errors import ModelLoadError
from omni_agent.media import Audio
from omni_agent.memory.embed.fbank import RATE, kaldi_fbank, redimnet_mel
from omni_agent.memory.embed.onnx_voice import OnnxVoice, usual
from omni_agent.memory.embed.voice import open_voice_printer, print_voice

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def graph(path: Path, shape: list[int | str], *, over: int) -> Path:
    """A graph whose print is the spread of its input along one axis."""
    from onnx import TensorProto, helper

    entry = helper.make_tensor_value_info("feats", TensorProto.FLOAT, shape)
    out = helper.make_tensor_value_info("embs", TensorProto.FLOAT, None)
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [over])
    nodes = [
        helper.make_node("Mul", ["feats", "feats"], ["squared"]),
        helper.make_node("ReduceMean", ["squared", "axes"], ["embs"], keepdims=0),
    ]
    made = helper.make_graph(nodes, "tiny", [entry], [out], [axes])
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(made, opset_imports=[opset], ir_version=9), str(path))
    return path


def hum(hertz: float, seconds: float = 2.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * hertz * t) * (1 + np.sin(2 * np.pi * 4 * t))
    noise = np.random.default_rng(1).normal(0, 0.003, len(t))
    return (0.1 * wave + noise).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "over", "dim"),
    [
        (["B", "T", 80], 1, 80),  # CAM++, ERes2NetV2, WeSpeaker
        ([1, "T", 80], 1, 80),  # exported for one at a time
        ([1, 1, 72, "T"], 3, 72),  # ReDimNet2
    ],
)
def test_what_the_graph_takes_is_read_from_it(
    tmp_path: Path, shape: list[int | str], over: int, dim: int
) -> None:
    printer = open_voice_printer(graph(tmp_path / "model.onnx", shape, over=over))
    assert (printer.dim, printer.rate, printer.name) == (dim, RATE, "model-plain1")
    low, again = (print_voice(printer, Audio(hum(200) * g, RATE)) for g in (1.0, 0.3))
    high = print_voice(printer, Audio(hum(2500), RATE))
    assert low is not None
    assert again is not None
    assert high is not None
    assert float(low.vector @ again.vector) > 0.98 > float(low.vector @ high.vector)


def test_a_calibration_beside_the_model_is_used(tmp_path: Path) -> None:
    path = graph(tmp_path / "campplus.onnx", ["B", "T", 80], over=1)
    usual(80).save(tmp_path / "campplus.voice.json")
    assert OnnxVoice.from_file(path).name == "campplus-calibrated1"
    usual(192).save(tmp_path / "campplus.voice.json")
    with pytest.raises(ModelLoadError, match="192"):
        OnnxVoice.from_file(path)


def test_a_model_for_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="64"):
        OnnxVoice.from_file(graph(tmp_path / "m.onnx", ["B", "T", 64], over=1))
    (tmp_path / "n.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelLoadError, match=r"n\.onnx"):
        OnnxVoice.from_file(tmp_path / "n.onnx")


def test_without_the_hub_the_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def offline(*_: object) -> str:
        raise hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", offline)
    with pytest.raises(ModelLoadError, match="somebody/redimnet2"):
        OnnxVoice.from_hub("somebody/redimnet2", "b2.onnx")


def test_the_features_see_a_tone_in_its_band_and_no_loudness() -> None:
    """Kaldi's 80 bands from 20 Hz to 8 kHz put 1 kHz into the 28th."""
    sound = np.stack([hum(1000), 0.1 * hum(1000)])
    bands = kaldi_fbank(sound)
    assert bands.shape == (2, 198, 80)
    assert np.abs(bands.mean(axis=1)).max() < 1e-4
    assert np.abs(bands[0] - bands[1]).max() < 0.05
    on_off = np.concatenate([np.zeros(RATE, np.float32), hum(1000, 1.0)]) + 1e-4 * hum(20, 2.0)
    assert int(kaldi_fbank(on_off[None])[0, 150].argmax()) in (27, 28)
    assert redimnet_mel(sound).shape == (2, 1, 72, 196)
