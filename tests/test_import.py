"""Importing is light: heavy packages are loaded when something needs them."""

import subprocess
import sys
from pathlib import Path

import pytest

import omni_agent

HEAVY = ("torch", "gradio", "chromadb", "onnxruntime", "faster_whisper", "xllamacpp", "osmium")


def in_a_fresh_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_after(statement: str, *names: str) -> str:
    return in_a_fresh_python(
        f"import sys; {statement}; print(*[n for n in {names!r} if n in sys.modules])"
    )


def test_the_package_alone_loads_nothing_and_takes_no_time() -> None:
    light = ("numpy", "pydantic", "httpx", "asyncio", "sqlite3")
    assert loaded_after("import omni_agent", *HEAVY, *light) == ""
    code = "import time; t = time.perf_counter(); import omni_agent; print(time.perf_counter() - t)"
    assert min(float(in_a_fresh_python(code)) for _ in range(3)) < 0.3


def test_an_agent_with_a_tool_and_a_memory_needs_nothing_heavy() -> None:
    assert loaded_after("from omni_agent import Agent, Memory, tool", *HEAVY) == ""


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(omni_agent.__all__) <= 25
    for name in omni_agent.__all__:
        assert getattr(omni_agent, name) is not None
        assert name in dir(omni_agent)


def test_type_checkers_see_the_same_names() -> None:
    source = Path(str(omni_agent.__file__)).read_text("utf-8")
    for name, module in omni_agent._WHERE.items():
        assert f"from omni_agent.{module} import {name} as {name}\n" in source


def test_a_name_that_is_not_there_is_the_usual_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        omni_agent.Agnet  # noqa: B018
