"""Kokoro's published graph, cut in two halves, of which the second is told how to normalise.

The net normalises every layer over time, so that a window of speech, alone, would sound unlike the
same window within its sentence. In the second half as it is cut here, the means and variances are
an input, `norms`. `open_measure` opens a graph that tells what they are for a whole sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.model.compact.keep import keep

if TYPE_CHECKING:
    import onnx

CONTENT, PITCH, ENERGY = (
    "/encoder/MatMul_1_output_0",
    "/encoder/Reshape_output_0",
    "/encoder/Reshape_1_output_0",
)
DURATIONS = "/encoder/Gather_output_0"
"""The values in the published graph at which it is cut."""
NORMS = "norms"
"""float32 [1, all channels, 1]: means and variances of every normalisation, in order."""


def stamp(path: Path) -> str:
    """Tells this file of the net from another. Raises ModelLoadError where there is none."""
    try:
        stat = path.stat()
    except OSError as why:
        raise ModelLoadError(f"the voice's model {path} cannot be read: {why}") from why
    return f"{stat.st_size:x}-{stat.st_mtime_ns:x}"


def open_halves(path: Path, *, threads: int) -> tuple[Any, Any]:
    """onnxruntime sessions of both halves of the net at `path`; they are kept beside it.

    The first takes `tokens`, `style`, `speed` and gives CONTENT, PITCH, ENERGY, DURATIONS; the
    second takes CONTENT, PITCH, ENERGY, `style`, NORMS and gives `audio`.
    """
    mark = stamp(path)
    files = [path.with_name(f"{path.stem}.{mark}.{part}.onnx") for part in ("frames", "windows")]
    if all(file.is_file() for file in files):
        return _open(str(files[0]), path, threads), _open(str(files[1]), path, threads)
    model = _load(path)
    halves = [half.SerializeToString() for half in (_first(model), _told(_second(model), path))]
    for file, half in zip(files, halves, strict=True):
        keep(file, half)
    return _open(halves[0], path, threads), _open(halves[1], path, threads)


def open_measure(path: Path, *, threads: int) -> Any:
    """A session that takes CONTENT, PITCH, ENERGY and `style` of a sentence and gives NORMS."""
    import onnx

    half = _second(_load(path))
    half.graph.node.append(onnx.helper.make_node("Concat", _means(half), [NORMS], axis=1))
    half.graph.output.append(_value(NORMS))
    return _open(half.SerializeToString(), path, threads)


def _load(path: Path) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as missing:
        raise MissingExtra("onnx", "compact", needed_for="the voice") from missing
    try:
        model = onnx.load(str(path))
    except Exception as why:  # protobuf's errors share no base class but this
        raise ModelLoadError(f"the voice's model {path} cannot be opened: {why}") from why
    made = {name for node in model.graph.node for name in node.output}
    if lacking := {CONTENT, PITCH, ENERGY, DURATIONS} - made:
        raise ModelLoadError(f"{path} is no Kokoro model: it lacks {', '.join(sorted(lacking))}")
    known = {value.name for value in model.graph.value_info}
    for name in (CONTENT, PITCH, ENERGY):
        if name not in known:
            model.graph.value_info.append(_value(name))
    if DURATIONS not in known:
        model.graph.value_info.append(_value(DURATIONS, onnx.TensorProto.INT64))
    return model


def _first(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx.utils import Extractor

    outputs = [CONTENT, PITCH, ENERGY, DURATIONS]
    return Extractor(model).extract_model(["tokens", "style", "speed"], outputs)


def _second(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx.utils import Extractor

    return Extractor(model).extract_model([CONTENT, PITCH, ENERGY, "style"], ["audio"])


def _means(half: onnx.ModelProto) -> list[str]:
    """The means and variances of each normalisation, values of [1, channels, 1] in the graph."""
    return [node.output[0] for node in half.graph.node if node.op_type == "ReduceMean"]


def _told(half: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The second half with the means and variances as its input."""
    import onnx

    means, channels = _means(half), _channels(half, path)
    sizes = onnx.helper.make_tensor("norm_sizes", onnx.TensorProto.INT64, [len(means)], channels)
    split = onnx.helper.make_node("Split", [NORMS, sizes.name], means, axis=1)
    nodes = [split, *(node for node in half.graph.node if node.op_type != "ReduceMean")]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    half.graph.initializer.append(sizes)
    half.graph.input.append(_value(NORMS))
    return half


def _channels(half: onnx.ModelProto, path: Path) -> list[int]:
    """How many channels each of the `_means` has: the graph does not say, so it is tried."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(half)
    means = _means(half)
    probe.graph.output.extend(_value(name) for name in means)
    frames = 4
    inputs = {
        CONTENT: np.zeros((1, 512, frames), np.float32),
        PITCH: np.zeros((1, 2 * frames), np.float32),
        ENERGY: np.zeros((1, 2 * frames), np.float32),
        "style": np.zeros((1, 256), np.float32),
    }
    made = _open(probe.SerializeToString(), path, threads=1).run(means, inputs)
    return [mean.shape[1] for mean in made]


def _value(name: str, kind: int = 1) -> onnx.ValueInfoProto:
    """Of `kind` float32, of any shape."""
    import onnx

    return onnx.helper.make_tensor_value_info(name, kind, None)


def _open(half: str | bytes, path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as missing:
        raise MissingExtra("onnxruntime", "compact", needed_for="the voice") from missing
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle workers that spin would take the cores from the thinker, which decodes meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(half, options, ["CPUExecutionProvider"])
    except Exception as why:  # onnxruntime's errors share no base class but this
        raise ModelLoadError(f"the voice's model {path} cannot be opened: {why}") from why
