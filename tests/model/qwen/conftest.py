"""The tiny checkpoint, and transformers' own model of it to be equal to."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from omni_agent.model.catalog import catalog

if TYPE_CHECKING:
    from transformers import Qwen2_5OmniForConditionalGeneration

if not all(find_spec(package) for package in ("torch", "transformers")):
    collect_ignore_glob = ["test_*.py"]  # they need the extra qwen


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest) -> Path:
    """The folder of the tiny checkpoint. Not to be written to: it is kept between runs."""
    transformers = pytest.importorskip("transformers", reason="needs the extra qwen")
    pytest.importorskip("torch", reason="needs the extra qwen")
    from tiny import tiny_checkpoint

    here = Path(__file__).parent
    recipe = b"".join((here / name).read_bytes() for name in ("tiny.py", "tiktoken_bpe.py"))
    digest = hashlib.sha256(recipe + transformers.__version__.encode()).hexdigest()[:16]
    kept = request.config.cache.mkdir("qwen-tiny")
    folder = kept / digest
    if not folder.exists():
        ranks = catalog().ensure("qwen-tokenizer")["qwen-tokenizer"]
        fresh = kept / f"{digest}.{os.getpid()}"
        tiny_checkpoint(fresh, ranks)
        for old in kept.iterdir():
            if old.suffix == "" and old.name != digest:
                shutil.rmtree(old, ignore_errors=True)
        try:
            fresh.rename(folder)
        except OSError:  # another run was quicker
            if not folder.exists():
                raise
            shutil.rmtree(fresh)
    return folder


@pytest.fixture(scope="session")
def reference(tiny: Path) -> Qwen2_5OmniForConditionalGeneration:
    """The same checkpoint in transformers: fp32, sdpa, eval."""
    import torch
    from transformers import Qwen2_5OmniForConditionalGeneration

    model = Qwen2_5OmniForConditionalGeneration.from_pretrained(
        tiny, dtype=torch.float32, attn_implementation="sdpa"
    )
    return model.eval()


@pytest.fixture
def copy_of_tiny(tiny: Path, tmp_path: Path) -> Path:
    """A folder of links to the tiny checkpoint's files, to take away from and add to."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


@pytest.fixture
def short_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random Talker finds no end; it is cut off after 24 codes."""
    from omni_agent.model.qwen import speech

    monkeypatch.setattr(speech, "RUNAWAY", 0.0)
    monkeypatch.setattr(speech, "RUNAWAY_SECONDS", 0.48)


@pytest.fixture(scope="module")
def opened(tiny):
    """The tiny checkpoint, and how it was announced."""
    from omni_agent.model.qwen.model import QwenModel

    plans: list[Any] = []
    model = asyncio.run(
        QwenModel.open(
            tiny, context_tokens=700, solver="euler", solver_steps=2, on_plan=plans.append
        )
    )
    yield model, plans
    asyncio.run(model.close())


@pytest.fixture
def model(opened):
    return opened[0]
