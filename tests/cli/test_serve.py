"""`omni-agent serve` listens, tells how to connect, and refuses what would be unsafe."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from command_line import Run, Use

from omni_agent.model.scripted import ScriptedModel
from omni_agent.server import serving


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], Any]], list[Any]]:
    """What a client gives that visits the server once it listens; then the server is stopped."""

    def meanwhile(visit: Callable[[str], Any]) -> list[Any]:
        got: list[Any] = []
        serve = serving.Server.serve

        async def serve_and_visit(self: serving.Server, sockets: Any = None) -> None:
            running = asyncio.create_task(serve(self, sockets))
            while not self.started:
                await asyncio.sleep(0.01)
            port = sockets[0].getsockname()[1]
            got.append(await asyncio.to_thread(visit, f"http://127.0.0.1:{port}"))
            self.should_exit = True
            await running

        monkeypatch.setattr(serving.Server, "serve", serve_and_visit)
        return got

    return meanwhile


def models(url: str, **headers: str) -> list[str]:
    answer = httpx.get(f"{url}/v1/models", headers=headers).raise_for_status()
    return [card["id"] for card in answer.json()["data"]]


def test_it_serves_and_tells_how_to_connect(run: Run, use: Use, meanwhile: Any) -> None:
    use(ScriptedModel())
    got = meanwhile(models)
    done = run("serve", "--port", "0", "--no-memory")
    assert got == [["kitchen"]]
    assert done.status == 0
    shown = re.search(r'base_url="(http://127\.0\.0\.1:\d+)/v1"', done.out)
    assert shown is not None
    assert f"{shown[1].replace('http', 'ws')}/v1/realtime?model=kitchen" in done.out
    assert 'api_key="-"' in done.out


def test_several_agents_share_a_model_and_a_memory(run: Run, use: Use, meanwhile: Any) -> None:
    model = use(ScriptedModel())
    got = meanwhile(models)
    done = run("serve", "--port", "0", "--agent", "plain", "--agent", "kitchen", "-a", "plain")
    assert got == [["plain", "kitchen"]]
    assert "Serving plain, kitchen." in done.out
    assert [session.closed for session in model.sessions] == [True, True]


def test_the_token_comes_from_the_environment_and_is_not_shown(
    run: Run, use: Use, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(ScriptedModel())
    monkeypatch.setenv("OMNI_AGENT_TOKEN", "a-long-secret")
    got = meanwhile(lambda url: models(url, Authorization="Bearer a-long-secret"))
    done = run("serve", "--port", "0", "--host", "0.0.0.0", "--no-memory")
    assert got == [["kitchen"]]
    assert "a-long-secret" not in done.out
    assert "http://127.0.0.1:" in done.out


def test_beyond_this_machine_it_needs_a_token(run: Run) -> None:
    done = run("serve", "--host", "0.0.0.0")
    assert done.status == 1
    assert re.search(r"needs a token .* --token \S{20}", done.err)


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.status == 1
    assert f"cannot listen at 127.0.0.1, port {port}: Address already in use" in done.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--max-calls", "0"], "calls=0"),
        (["--port", "70000"], "port=70000"),
        (["--idle-minutes", "-1"], "idle_seconds=-60.0"),
    ],
)
def test_a_limit_that_makes_no_sense_is_named(run: Run, wrong: list[str], said: str) -> None:
    done = run("serve", *wrong)
    assert done.status == 1
    assert said in done.err


def test_an_agent_that_is_not_known_is_named(run: Run) -> None:
    done = run("serve", "--agent", "garage")
    assert done.status == 2
    assert "there is kitchen, street-guide, companion" in re.sub(r"\s+|│", " ", done.err)
