"""The programs in docs/clients.md print what they say they do. (pipecat has its own test.)"""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import pytest
from guide import program
from served import serving


async def run(source: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return out.decode()


@pytest.mark.parametrize(
    ("client", "module"),
    [("openai", "openai"), ("openai-agents", "agents"), ("pydantic-ai", "pydantic_ai")],
)
async def test_the_program_prints_the_answer(client: str, module: str, unjudged: None) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"needs {client}, of the extra compat")
    async with serving("Chop it finely.") as served:
        assert await run(program(client, served.url)) == "Chop it finely.\n"
        served.model.assert_exhausted()
