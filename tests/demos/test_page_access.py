"""The page for everybody: a phone, a keyboard, a screen reader, weak eyes, Chinese, dark rooms."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from demo_page import DemoPage
from looking import controls, poor_contrasts, sticks_out
from scripted_server import Answer, ScriptedServer

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]
PHONE = {"viewport": {"width": 375, "height": 667}, "has_touch": True, "is_mobile": True}
PANELS = ("call", "chat", "memory", "recordings")
STATES = ("idle", "listening", "thinking", "speaking", "acting")

RECIPE = {"recipe": "Mapo tofu", "step": 2, "steps": 6, "servings": 4}
PLACE = {"name": "Aoi", "kind": "sushi", "why": "open until 22:00", "at": [60.17, 24.94]}
TOOLS = [
    {"name": "set_timer", "result": json.dumps({"name": "rice", "seconds": 600})},
    {"name": "start_recipe", "result": json.dumps(RECIPE), "say": "Step 2 of 6. Fry the pork."},
    {"name": "find_places", "result": json.dumps({"places": [PLACE], "attribution": "© OSM"})},
    {"name": "guess", "arguments": {"what": "that"}, "result": "no", "is_error": True},
]
MEMORY = {"id": "m1", "text": "Anna likes it hot.", "kind": "fact", "score": 1.0, "speaker": "Mika"}
LATENCY = {"end_of_turn": 0.3, "first_text": 0.6, "first_audio": 0.9, "tools": 0.0, "drafted": True}


def with_everything(page: DemoPage, server: ScriptedServer) -> None:
    """A call in which every kind of card lies on the page."""
    server.answers.append(
        Answer(
            says="Here it is, all of it.",
            seconds=0.3,
            tools=TOOLS,
            memories=[MEMORY],
            latency=LATENCY,
            acts=0.01,
        )
    )
    page.call()
    page.write("Show me everything.")
    page.page.wait_for_selector(".latency:not([hidden])")
    page.wait_state("idle")


# --- reading it --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_in_every_state(
    open_page: Open, server: ScriptedServer, scheme: str
) -> None:
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    assert poor_contrasts(page.page) == []
    with_everything(page, server)
    for state in STATES:
        page.root.evaluate("(root, state) => { root.dataset.state = state; }", state)
        assert poor_contrasts(page.page, "#module-call-panel") == [], state


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("panel", PANELS[1:])
def test_every_panel_can_be_read(open_page: Open, demo: Any, scheme: str, panel: str) -> None:
    demo.memory.remember("The shelf has nine jars")
    page = open_page(panel=panel, color_scheme=scheme)
    page.page.wait_for_timeout(600)
    assert poor_contrasts(page.page, f"#panel-{panel}") == []


def test_the_states_differ_in_shape_and_word_and_not_in_colour_alone(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page(reduced_motion="reduce").call()
    shapes, words = set(), set()
    for state in STATES:
        page.page.evaluate(
            """async state => {
              const { Figure } = await import('/page/figure.js');
              const figure = new Figure(() => ({ level: 0.3, bands: null }));
              figure.show(state);
              await new Promise(done => setTimeout(done, 120));
              window.shape = figure.path.getAttribute('d');
            }""",
            state,
        )
        shapes.add(page.page.evaluate("window.shape"))
        word = f"import('/page/words.js').then(({{ t }}) => t('state.{state}'))"
        words.add(page.page.evaluate(word))
    assert len(shapes) == len(words) == len(STATES)


# --- hearing it, and pressing it ---------------------------------------------------------------


def test_everything_that_can_be_pressed_has_a_name_and_is_large_enough(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page()
    with_everything(page, server)
    for control in controls(page.page, "#module-call-panel"):
        assert control["name"], control
        assert min(control["width"], control["height"]) >= 24, control  # WCAG 2.2, 2.5.8
    page.page.locator(".dock").get_by_role("button", name="Devices and turns").click()
    page.page.wait_for_selector("dialog[open]")
    for control in controls(page.page, "dialog[open]"):
        assert control["name"], control


def test_a_screen_reader_is_told_the_state_and_not_every_word(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page()
    with_everything(page, server)
    page.page.get_by_role("status").filter(has_text="Ready").first.wait_for()
    assert page.page.locator(".lines").get_attribute("aria-live") == "off"
    assert page.page.locator(".cards .list").get_attribute("aria-live") == "polite"
    assert page.page.locator(".stage .caption").get_attribute("aria-hidden") == "true"
    assert page.page.locator(".figure").first.get_attribute("aria-hidden") == "true"
    assert page.page.get_by_role("tab", selected=True).inner_text() == "Call"
    assert page.page.get_by_role("tabpanel").count() == 1


def test_a_call_is_made_talked_in_and_ended_by_keyboard_alone(
    open_page: Open, server: ScriptedServer
) -> None:
    server.answers.append(Answer(says="Hello!", seconds=0.3))
    page = open_page()
    keys, focused = page.page.keyboard, "document.activeElement"

    def tab_to(selector: str) -> None:
        for _ in range(40):
            if page.page.evaluate(f"{focused}.matches({selector!r})"):
                return
            keys.press("Tab")
        pytest.fail(f"Tab never comes to {selector}")

    tab_to("#tab-call")
    keys.press("ArrowRight")
    assert page.page.evaluate("location.hash") == "#chat"
    keys.press("ArrowLeft")
    tab_to("input[name='agent']")
    keys.press("ArrowDown")
    tab_to(".dock .call")
    keys.press("Enter")
    page.page.wait_for_selector(".stage[data-phase='on']")
    assert server.queries[0]["model"] == "street-guide"
    tab_to(".composer textarea")
    keys.type("Hello")
    keys.press("Enter")
    page.page.wait_for_selector(".line.agent")
    page.page.evaluate("document.querySelector('.dock .call').focus()")
    keys.press("Enter")
    page.page.wait_for_selector(".stage[data-phase='off']")


def test_what_has_the_focus_can_be_seen(open_page: Open) -> None:
    page = open_page()
    seen = 0
    while seen < 30:
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement === document.body"):
            break  # beyond the last one
        seen += 1
        outline = page.page.evaluate(
            """() => {
              const of = e => getComputedStyle(e).outlineStyle !== 'none';
              const e = document.activeElement;
              return of(e) || of(e.closest('label') ?? e);
            }"""
        )
        assert outline, page.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert seen >= 8


def test_nothing_moves_for_those_who_do_not_want_it(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page(reduced_motion="reduce")
    with_everything(page, server)
    page.page.wait_for_timeout(200)
    path = "document.querySelector('.stage .figure .body').getAttribute('d')"
    before = page.page.evaluate(path)
    page.page.wait_for_timeout(500)
    assert page.page.evaluate(path) == before
    assert (
        page.page.evaluate("document.querySelector('.omni').getAnimations({subtree: true})") == []
    )


# --- a phone -----------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nothing_sticks_out_on_a_phone(
    open_page: Open, server: ScriptedServer, panel: str, locale: str
) -> None:
    page = open_page(panel=panel, locale=locale, **PHONE)
    page.page.wait_for_timeout(500)
    assert sticks_out(page.page) == []


def test_a_call_on_a_phone_has_its_controls_in_reach(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page(**PHONE)
    with_everything(page, server)
    assert sticks_out(page.page) == []
    page.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    for name in ("Mute the microphone", "Hang up", "Show it the camera"):
        box = page.page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= 667 - box["height"]
        assert min(box["width"], box["height"]) >= 44


# --- languages and themes ----------------------------------------------------------------------


def test_the_page_speaks_the_browsers_language_and_another_on_demand(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page(locale="zh-CN")
    assert page.page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.stage.locator(".word").inner_text() == "你好。"
    page.call()
    assert page.stage.locator(".word").inner_text() == "请说"
    page.page.get_by_role("button", name="English").click()
    page.stage.locator(".word", has_text="Ready").wait_for()
    assert page.stage.get_attribute("data-phase") == "on"  # the call goes on meanwhile
    assert page.page.get_by_role("button", name="Hang up").count() == 1
    page.page.reload()
    page.page.wait_for_selector(".stage")
    assert page.stage.locator(".word").inner_text() == "Hello."


def test_light_and_dark_follow_the_system_until_one_is_chosen(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    theme = "document.documentElement.dataset.theme"
    assert page.page.evaluate(theme) == "dark"
    page.page.emulate_media(color_scheme="light")
    page.page.wait_for_function(f"{theme} === 'light'")
    page.page.get_by_role("button", name="Light or dark").click()
    assert page.page.evaluate(theme) == "dark"
    page.page.reload()
    page.page.wait_for_selector(".stage")
    assert page.page.evaluate(theme) == "dark"
