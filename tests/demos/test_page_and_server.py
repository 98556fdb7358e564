"""The page before the real server, with an agent whose model is scripted and ears that go by
loudness: what one says, shows and cuts off on the page is what the agent has heard and seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Browsers, Serving
from demo_page import RECORDER, DemoPage
from loud_listener import LoudListener

from omni_agent import Agent, VideoFrame, tool
from omni_agent.messages import ToolCall
from omni_agent.model.scripted import ScriptedModel

pytestmark = pytest.mark.browser

LONG = " ".join(f"This is sentence number {n} of a long answer." for n in range(1, 8))
"""About twenty seconds of speech."""


@tool
def find_places(what: str) -> dict[str, Any]:
    """Find places that serve a dish."""
    aoi = {"name": "Aoi", "kind": what, "why": "open until 22:00", "at": [60.17, 24.94]}
    return {"places": [aoi], "attribution": "© OpenStreetMap contributors"}


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel(audio=True)


def put_together(model: ScriptedModel) -> Any:
    """The whole app, as `demos/app.py` makes it."""
    from page.blocks import blocks
    from page.offer import Offer
    from page.serving import mount_page
    from starlette.responses import Response
    from starlette.routing import Route

    from omni_agent.server import create_app

    agent = Agent("Be brief.", name="kitchen", model=model, tools=[find_places])
    script = Response(RECORDER, media_type="text/javascript")
    app = create_app({"kitchen": agent}, routes=[Route("/recorder.js", lambda request: script)])
    return mount_page(app, blocks(Offer(agents={"kitchen": None})))


@pytest.fixture
def serving(model: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr("omni_agent.floor.TurnListener", LoudListener)
    running = Serving()
    running.start(put_together(model))
    yield running
    running.stop()


@pytest.fixture
def page_of(
    serving: Serving, browsers: Browsers, speech: Callable[..., Path]
) -> Iterator[Callable[..., DemoPage]]:
    """Open the page; options are those of `Browsers.context`."""
    contexts = []

    def open(**options: Any) -> DemoPage:
        contexts.append(browsers.context(**{"microphone": speech(), **options}))
        return DemoPage(contexts[-1], serving.url).open()

    yield open
    for context in contexts:
        context.close()


def level(sound: np.ndarray) -> np.ndarray:
    """Loudness of each 10 ms."""
    return np.sqrt(np.mean(sound[: len(sound) // 240 * 240].reshape(-1, 240) ** 2, axis=1))


def test_a_spoken_question_is_heard_acted_on_and_answered_aloud(
    page_of: Callable[..., DemoPage], model: ScriptedModel, speech: Callable[..., Path]
) -> None:
    model._transcripts.append("Where can I get sushi?")  # type: ignore[arg-type]
    model.add(ToolCall("call_1", "find_places", {"what": "sushi"}), "Aoi is three minutes ahead.")
    page = page_of(microphone=speech((1.0, 2.2)))
    page.states()
    page.call()
    page.record()
    page.page.wait_for_selector(".card[data-kind='places'] .pin")
    page.page.wait_for_selector(".line.agent:not(.open) .coming:empty", state="attached")
    assert page.page.locator(".line.user p").inner_text() == "Where can I get sushi?"
    assert page.page.locator(".line.agent p").inner_text() == "Aoi is three minutes ahead."
    sounded = float(np.sum(level(page.recorded()) > 0.02)) / 100
    assert sounded == pytest.approx(len("Aoi is three minutes ahead.") / 15, abs=0.2)
    page.wait_state("idle")
    assert {"listening", "thinking", "speaking"} <= set(page.shown_states)
    page.page.wait_for_selector(".latency:not([hidden])")
    assert page.errors == []


def test_what_is_cut_off_on_the_page_was_never_heard_for_the_agent(
    page_of: Callable[..., DemoPage], model: ScriptedModel, speech: Callable[..., Path]
) -> None:
    model._transcripts.extend(["Tell me much.", "Enough."])  # type: ignore[list-item]
    model.add(LONG, "All right.")
    page = page_of(microphone=speech((0.5, 1.3), (7.0, 8.0)))
    page.call()
    page.record()
    page.page.wait_for_selector(".line.agent.cut", timeout=45_000)
    page.page.get_by_text("All right.").first.wait_for()
    page.page.wait_for_timeout(300)
    heard = page.page.locator(".line.agent.cut .said").text_content()
    (session,) = model.sessions
    assert session.rewound[-1].text == heard.strip()
    assert 10 < len(heard) < len(LONG)
    assert LONG.startswith(heard)
    # What sounded is as long as what the agent believes to have been heard.
    first = np.flatnonzero(level(page.recorded()) > 0.02)
    gap = np.flatnonzero(np.diff(first) > 30)  # the silence after it was cut off
    sounded = (first[gap[0]] - first[0] + 1) * 10 if len(gap) else len(first) * 10
    assert sounded == pytest.approx(session.rewound[-1].played_ms, abs=150)


def test_what_the_camera_sees_reaches_the_model(
    page_of: Callable[..., DemoPage], model: ScriptedModel, camera: Path
) -> None:
    model.add("I see something red.")
    page = page_of(camera=camera).call()
    page.page.get_by_role("button", name="Show it the camera").click()
    page.page.wait_for_selector(".eye[data-source='camera']")
    page.page.wait_for_timeout(1500)
    page.write("What do you see?")
    page.page.get_by_text("I see something red.").first.wait_for()
    (session,) = model.sessions
    frames = [part for part in session.fed if isinstance(part, VideoFrame)]
    assert frames
    assert frames[0].image.pixels[..., 0].max() > 180


def test_hold_to_talk_answers_when_the_button_is_let_go(
    page_of: Callable[..., DemoPage], model: ScriptedModel, speech: Callable[..., Path]
) -> None:
    model._transcripts.append("Hello.")  # type: ignore[arg-type]
    model.add("Hello to you.")
    page = page_of(microphone=speech((0.0, 25.0)))
    page.page.locator(".dock").get_by_role("button", name="Devices and turns").click()
    page.page.get_by_label("Hold to talk").check()
    page.page.keyboard.press("Escape")
    page.call()
    page.page.locator(".stage .word").click()
    page.page.keyboard.down("Space")
    page.page.wait_for_timeout(1200)
    page.page.keyboard.up("Space")
    page.page.get_by_text("Hello to you.").first.wait_for()
    assert page.page.locator(".line.user p").first.inner_text() == "Hello."


def test_a_server_that_is_stopped_tells_the_page_which_calls_again_by_itself(
    page_of: Callable[..., DemoPage], serving: Serving, model: ScriptedModel
) -> None:
    model.add("Good to have you back.")
    page = page_of().call()
    serving.stop()
    page.page.wait_for_selector(".stage[data-phase='lost']")
    serving.start(put_together(model))
    page.page.wait_for_selector(".stage[data-phase='on']")
    page.write("There I am.")
    page.page.get_by_text("Good to have you back.").first.wait_for()
