"""The demo's page in a headless Chromium, before a server that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from chromium import Browsers, Serving, missing
from made_embedder import Letters

from omni_agent.media import Audio

RATE = 48_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if why := missing():
        for item in items:
            if "browser" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def browsers() -> Iterator[Browsers]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = Browsers(playwright)
        yield running
        running.close()


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A WAV for the microphone: loud where `at` says from when to when, in seconds; else silent."""
    made: dict[tuple[tuple[float, float], ...], Path] = {}

    def make(*at: tuple[float, float]) -> Path:
        if at not in made:
            seconds = max((end for _, end in at), default=0.0) + 30
            samples = np.zeros(round(seconds * RATE), np.float32)
            noise = np.random.default_rng(4).normal(0, 0.25, len(samples)).astype(np.float32)
            for start, end in at:
                part = slice(round(start * RATE), round(end * RATE))
                samples[part] = noise[part]
            path = tmp_path_factory.mktemp("speech") / f"speech-{len(made)}.wav"
            soundfile.write(path, samples, RATE)
            made[at] = path
        return made[at]

    return make


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MJPEG for the camera: a red square that moves over grey."""
    import io

    from PIL import Image, ImageDraw

    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with path.open("wb") as file:
        for i in range(40):
            picture = Image.new("RGB", (320, 240), (120, 120, 120))
            ImageDraw.Draw(picture).rectangle((6 * i, 60, 6 * i + 80, 180), fill=(210, 40, 30))
            into = io.BytesIO()
            picture.save(into, "JPEG", quality=80)
            file.write(into.getvalue())
    return path


@dataclass(frozen=True, slots=True)
class Demo:
    """The page on loopback, and everything behind it that a test may put something into."""

    serving: Serving
    server: Any  # ScriptedServer
    model: Any  # ScriptedModel, of the chat
    memory: Any  # Memory
    recordings: Path


async def _a_few_streets(lat: float, lon: float) -> list[dict[str, Any]]:
    """Those of central Helsinki where the map is on this machine; else a square and two streets."""
    from page.streets import Streets

    from omni_agent.model.catalog import catalog

    files = catalog()
    if files.installed(files.get("helsinki")):
        return await Streets(files.path("helsinki")).around(lat, lon)
    corners = [(lat - 0.001, lon - 0.002), (lat - 0.001, lon + 0.002), (lat + 0.001, lon)]
    across = [(lat, lon - 0.02), (lat, lon + 0.02)]
    return [{"kind": "square", "line": corners}, {"kind": "major", "line": across}]


def _hum(text: str, voice: str) -> Audio:
    """Stands in for a voice: a tone as long as a very fast reader would take."""
    t = np.arange(round(0.006 * len(text) * RATE)) / RATE
    return Audio((0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32), RATE)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    from demo_page import RECORDER
    from page.blocks import blocks
    from page.chat import Chat
    from page.example import ThreePeople
    from page.memory import MemoryPanel
    from page.offer import Offer
    from page.recordings import RecordingsPanel
    from page.serving import mount_page
    from scripted_server import ScriptedServer
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route, WebSocketRoute

    from omni_agent import Agent, tool
    from omni_agent.memory import Memory
    from omni_agent.model.scripted import ScriptedModel
    from omni_agent.tools.base import Position

    @tool
    def find_recipe(query: str) -> str:
        """Find a dish."""
        return f"tomato and egg stir-fry, for {query}"

    server, model = ScriptedServer(), ScriptedModel(audio=True)
    memory = Memory(tmp_path_factory.mktemp("memory"), embedder=Letters())
    recordings = tmp_path_factory.mktemp("recordings")
    example = ThreePeople(tmp_path_factory.mktemp("examples"), lambda: _hum)
    offer = Offer(
        agents={
            "kitchen": None,
            "street-guide": Position(60.1699, 24.9384),
            "companion": None,
        },
        voices=("af_heart", "am_michael"),
        find_streets=_a_few_streets,
        find_example=example.example,
    )
    agents = {name: Agent("Be brief.", model=model, tools=[find_recipe]) for name in offer.agents}
    kept = RecordingsPanel(recordings)
    recorder = Response(RECORDER, media_type="text/javascript")
    app = Starlette(
        routes=[
            WebSocketRoute("/v1/realtime", server.endpoint),
            Route("/v1/realtime", server.why_no_call),
            Route("/recorder.js", lambda request: recorder),
            *kept.routes,
            *example.routes,
        ]
    )
    page = blocks(offer, Chat(agents).build, MemoryPanel(memory).build, kept.build)
    serving = Serving()
    serving.start(mount_page(app, page))
    yield Demo(serving, server, model, memory, recordings)
    serving.stop()
    memory.close()


@pytest.fixture(scope="session")
def bare_page(demo: Demo, browsers: Browsers) -> Iterator[Any]:
    """A page of the server's that shows nothing, to run a module in."""
    context = browsers.context()
    page = context.new_page()
    page.goto(f"{demo.serving.url}page/words/en.json")
    yield page
    context.close()


@pytest.fixture
def server(demo: Demo) -> Any:
    """What the page talks to; nothing of an earlier test is left in it."""
    demo.server.reset()
    return demo.server


@pytest.fixture
def open_page(
    demo: Demo, browsers: Browsers, speech: Callable[..., Path]
) -> Iterator[Callable[..., Any]]:
    """Open the page in a profile of its own; options are those of `Browsers.context`.

    Unless told otherwise nobody speaks. (Without a file, Chromium's microphone beeps.)
    """
    from demo_page import DemoPage

    contexts = []

    def open(*, panel: str = "call", **options: Any) -> DemoPage:
        context = browsers.context(**{"microphone": speech(), **options})
        contexts.append(context)
        return DemoPage(context, demo.serving.url).open(panel)

    yield open
    for context in contexts:
        context.close()
