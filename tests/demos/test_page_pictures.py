"""The pictures of the page in README.md and docs/demo.md, made from what a user would do.

They are made and looked at in every run; this keeps them:

    OMNI_AGENT_PICTURES=docs/images pytest tests/demos/test_page_pictures.py
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_page import DemoPage
from PIL import Image, ImageDraw
from scripted_server import Answer, ScriptedServer

from omni_agent.memory.records import TurnRecord
from omni_agent.messages import ToolCall

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]
LARGEST = 300_000  # bytes; they lie in the repository
PHONE = {"viewport": {"width": 375, "height": 812}, "device_scale_factor": 2}

LATENCIES = [
    {"end_of_turn": 0.34, "first_text": 0.71, "first_audio": 1.12, "tools": 0.0, "drafted": False},
    {"end_of_turn": 0.28, "first_text": 0.52, "first_audio": 0.88, "tools": 0.1, "drafted": True},
]
HOT = {"id": "m1", "text": "We like it hot.", "kind": "episode", "score": 0.6, "speaker": "Mika"}
PEANUTS = {"id": "m2", "text": "Anna is allergic to peanuts", "kind": "fact", "score": 0.8,
           "speaker": None}  # fmt: skip
RECIPE = {"recipe": "Mapo tofu", "step": 2, "steps": 6, "servings": 4}
STEP = (
    "Step 2 of 6. Heat 2 tablespoons of oil in a wok and fry 150 grams of minced pork for "
    "4 minutes, until it is crisp."
)
TOFU = [
    {"name": "set_timer", "result": json.dumps({"name": "rice", "seconds": 754})},
    {"name": "start_step_timer", "result": json.dumps({"timer": "pork", "seconds": 240})},
    {"name": "next_step", "result": json.dumps(RECIPE), "say": STEP},
]
CAFES = [
    {"name": "Café Ekberg", "kind": "café", "direction": "to the south",
     "why": "open until 19:00, 7 minutes' walk", "at": [60.1658, 24.9372]},
    {"name": "Fazer Café", "kind": "bakery", "direction": "to the east",
     "why": "open until 22:00, 6 minutes' walk, vegan options", "at": [60.1687, 24.9443]},
    {"name": "Robert's Coffee", "kind": "coffee shop", "direction": "to the north-east",
     "why": "open until 21:00, 3 minutes' walk", "at": [60.1713, 24.9408]},
    {"name": "Kappeli", "kind": "café", "direction": "to the east",
     "why": "closing in 25 minutes, 9 minutes' walk", "at": [60.1675, 24.9475]},
    {"name": "Moko Market", "kind": "café", "direction": "to the north-west",
     "why": "closed, opens tomorrow at 09:00", "at": [60.1724, 24.9351]},
]  # fmt: skip


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., None]:
    """Take a picture by a name; it has to show something, and be small enough to be kept."""
    folder = Path(os.environ.get("OMNI_AGENT_PICTURES", tmp_path))

    def keep(page: DemoPage, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        page.page.evaluate("document.activeElement.blur()")
        picture = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
        picture.save(folder / f"{name}.png", optimize=True)
        assert (folder / f"{name}.png").stat().st_size < LARGEST
        assert np.asarray(picture.convert("L")).std() > 12, f"{name} shows next to nothing"
        assert page.errors == []

    return keep


@pytest.fixture
def wok(tmp_path: Path) -> Path:
    """What a camera over the stove sees: tofu in a red sauce, in a wok."""
    path = tmp_path / "wok.mjpeg"
    with path.open("wb") as file:
        for shake in (0, 1, 0, -1):
            picture = Image.new("RGB", (640, 480), (92, 78, 66))
            draw = ImageDraw.Draw(picture)
            draw.rectangle((470, 214, 640, 256), fill=(44, 38, 34))
            draw.ellipse((120, 40, 520, 440), fill=(38, 38, 42))
            draw.ellipse((150, 70, 490, 410), fill=(58, 58, 62))
            draw.ellipse((178, 98, 462, 382), fill=(158, 44, 22))
            places = np.random.default_rng(3).uniform(-1, 1, (60, 2))
            for x, y in places[np.hypot(*places.T) < 0.82][:26]:
                left, top = 320 + 118 * x + shake, 240 + 118 * y
                draw.rounded_rectangle(
                    (left - 17, top - 15, left + 17, top + 15), 5, (244, 230, 206)
                )
            for x, y in np.random.default_rng(7).uniform(-90, 90, (40, 2)):
                draw.ellipse((320 + x, 240 + y, 326 + x, 246 + y), fill=(86, 140, 58))
            into = io.BytesIO()
            picture.save(into, "JPEG", quality=88)
            file.write(into.getvalue())
    return path


def cook(page: DemoPage, server: ScriptedServer) -> None:
    """Two turns about mapo tofu; the second answer still sounds."""
    server.answers += [
        Answer(says="Mapo tofu for four, then.", seconds=0.3, latency=LATENCIES[0]),
        Answer(
            says="Heat two tablespoons of oil in a wok and fry the minced pork for four minutes, "
            "until it is crisp. I have set a timer for the rice too.",
            seconds=9,
            tools=TOFU,
            memories=[PEANUTS, HOT],
            latency=LATENCIES[1],
            acts=0.01,
            like_speech=True,
        ),
    ]
    page.call()
    page.write("Let's make mapo tofu for four.")
    page.page.wait_for_selector(".line.agent:not(.open) .coming:empty", state="attached")
    page.write("The tofu is done, and the rice is on. What now?")
    page.wait_state("speaking")
    page.page.wait_for_timeout(2600)


def test_the_call(
    open_page: Open, server: ScriptedServer, wok: Path, keep: Callable[..., None]
) -> None:
    page = open_page(camera=wok)
    page.page.evaluate("sessionStorage.clear()")
    page.root.evaluate("root => root.call.open('camera')")
    cook(page, server)
    keep(page, "call")


def test_the_tools(open_page: Open, server: ScriptedServer, keep: Callable[..., None]) -> None:
    result = json.dumps({"places": CAFES, "attribution": "© OpenStreetMap contributors"})
    find = {"name": "find_places", "arguments": {"what": "coffee"}, "result": result}
    server.answers.append(
        Answer(
            says="Try Robert's Coffee, three minutes to the north-east, open until nine. There's "
            "also Fazer Café, six minutes, and Café Ekberg, seven.",
            seconds=9,
            tools=[find],
            latency=LATENCIES[1],
            like_speech=True,
        )
    )
    page = open_page(color_scheme="dark").call(agent="street-guide")
    page.write("Where can I get a good coffee around here?")
    page.wait_state("speaking")
    page.page.wait_for_timeout(2600)
    keep(page, "tools")


@pytest.fixture
def family(demo: Any) -> Iterator[None]:
    """What a family has told over some days."""
    now = datetime.now(UTC)
    memory = demo.memory

    def turn(user: str, reply: str, ago: timedelta, **more: Any) -> None:
        record = TurnRecord(
            conversation="c1", agent="kitchen", turn=1, user=user, reply=reply, at=now - ago, **more
        )
        memory.record_turn(record)

    lives = {"subject": "the family", "predicate": "lives in"}
    memory.remember("We live in Espoo", **lives, object="Espoo", valid_from=now - timedelta(500))
    memory.remember(
        "We live in Helsinki", **lives, object="Helsinki", valid_from=now - timedelta(6)
    )
    memory.remember("Anna is allergic to peanuts", speaker="Mika", valid_from=now - timedelta(3))
    turn("我们都喜欢吃辣的。", "记住了，多放点辣椒。", timedelta(1), speaker="Li", language="zh")
    turn(
        "What can I cook with eggs and tomatoes?",
        "Tomato and egg stir-fry takes fifteen minutes.",
        timedelta(hours=2),
        tools=({"name": "find_recipe"},),
        speaker="Mika",
    )
    yield
    while rows := memory.list(limit=100):
        memory.forget(*(row.id for row in rows))


def test_the_memory(open_page: Open, family: None, keep: Callable[..., None]) -> None:
    page = open_page(panel="memory")
    row = page.page.locator(".memory-row", has_text="peanuts")
    row.get_by_role("button", name="Forget").click()
    page.page.wait_for_timeout(400)
    keep(page, "memory")


def test_before_the_call(open_page: Open, keep: Callable[..., None]) -> None:
    page = open_page()
    page.page.wait_for_timeout(500)
    keep(page, "before")


def test_the_call_on_a_phone_in_chinese(
    open_page: Open, server: ScriptedServer, keep: Callable[..., None]
) -> None:
    tofu = {**RECIPE, "recipe": "麻婆豆腐"}
    say = "第2步，共6步。锅里放两大勺油，下一百五十克肉末，炒四分钟，炒到酥脆。"
    tools = [
        {"name": "set_timer", "result": json.dumps({"name": "米饭", "seconds": 754})},
        {"name": "start_step_timer", "result": json.dumps({"timer": "肉末", "seconds": 240})},
        {"name": "next_step", "result": json.dumps(tofu), "say": say},
    ]
    server.answers.append(
        Answer(
            says="锅里放两大勺油，下一百五十克肉末，炒四分钟，炒到酥脆。",
            seconds=8,
            tools=tools,
            acts=0.01,
            like_speech=True,
        )
    )
    page = open_page(locale="zh-CN", **PHONE).call()
    page.write("豆腐好了，米饭也煮上了。然后呢？")
    page.wait_state("speaking")
    page.page.wait_for_timeout(2600)
    page.page.evaluate("scrollTo(0, 0)")
    keep(page, "phone")


def test_the_chat(open_page: Open, demo: Any, tmp_path: Path, keep: Callable[..., None]) -> None:
    menu = tmp_path / "menu.png"
    picture = Image.new("RGB", (320, 200), (250, 244, 230))
    draw = ImageDraw.Draw(picture)
    for line, words in enumerate(("LUNCH", "salmon soup 12.50", "vegan bowl 11.90")):
        draw.text((30, 30 + 45 * line), words, fill=(40, 30, 20), font_size=26)
    picture.save(menu)
    demo.model._turns.clear()
    demo.model.add(
        "The menu offers salmon soup for 12.50 and a vegan bowl for 11.90.",
        ToolCall("call_1", "find_recipe", {"query": "salmon soup"}),
        "I know a Finnish salmon soup; it takes 35 minutes. Shall we begin?",
    )
    page = open_page(panel="chat")
    page.page.locator("#chat-box input[type='file']").set_input_files(menu)
    page.page.wait_for_selector("#chat-box .thumbnail-item")
    for words, answer in (
        ("What is on this menu?", "vegan bowl for 11.90"),
        ("Can I cook the first one at home?", "Shall we begin?"),
    ):
        page.page.locator("#chat-box textarea").fill(words)
        page.page.locator("#chat-box .submit-button").click()
        page.page.locator("#chat-log").get_by_text(answer).wait_for()
    page.page.wait_for_timeout(600)
    keep(page, "chat")
