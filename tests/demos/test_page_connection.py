"""What the page does when the line breaks, the server ends the call, or two tabs want to call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from demo_page import DemoPage, until
from scripted_server import Answer, ScriptedServer

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]


def end(server: ScriptedServer, code: int, reason: str = "") -> None:
    """Close the call from the server's side."""
    (call,) = server.calls
    assert server.loop is not None
    asyncio.run_coroutine_threadsafe(call.close(code, reason), server.loop).result(10)


def notice(page: DemoPage, about: str = "link") -> Any:
    return page.page.locator(f".notice[data-about='{about}']")


def test_a_broken_line_is_told_and_mended(open_page: Open, server: ScriptedServer) -> None:
    page = open_page().call()
    server.accepts = False
    end(server, 1012)
    page.page.wait_for_selector(".stage[data-phase='lost']")
    assert "Lost you" in page.stage.inner_text()
    notice(page).get_by_text("The connection broke. Trying again").wait_for()
    server.accepts = True
    page.page.wait_for_selector(".stage[data-phase='on']")
    assert notice(page).count() == 0
    server.answers.append(Answer(says="Here I am again.", seconds=0.3))
    page.write("Are you there?")
    page.page.get_by_text("Here I am again.").first.wait_for()
    assert len(server.got_of("session.update")) == 2  # the new session is told all anew


def test_one_need_not_wait_for_the_next_attempt(open_page: Open, server: ScriptedServer) -> None:
    page = open_page().call()
    server.accepts = False
    end(server, 1012)
    notice(page).get_by_text("3 of 6").wait_for()  # the next pause is two seconds
    server.accepts = True
    notice(page).get_by_role("button", name="Now").click()
    page.page.wait_for_selector(".stage[data-phase='on']", timeout=1500)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1001, "idle", "Nobody said anything for a while"),
        (1001, "too long", "reached its longest time"),
        (1008, "too slow", "took the sound too slowly"),
        (1000, "closed", "The server ended the call."),
    ],
)
def test_an_end_that_is_meant_is_explained_and_not_mended(
    open_page: Open, server: ScriptedServer, code: int, reason: str, words: str
) -> None:
    page = open_page().call()
    end(server, code, reason)
    page.page.wait_for_selector(".stage[data-phase='gone']")
    assert words in notice(page).inner_text()
    page.page.wait_for_timeout(900)
    assert server.calls == []
    notice(page).get_by_role("button", name="Call again").click()
    page.page.wait_for_selector(".stage[data-phase='on']")


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("too_many_calls", "8 calls are open", "All lines are busy."),
        ("going_away", "it is being stopped", "The server was stopped."),
        ("ModelError", "the model's files are not there", "the model's files are not there"),
    ],
)
def test_a_call_that_is_refused_says_why_at_once(
    open_page: Open, server: ScriptedServer, code: str, message: str, words: str
) -> None:
    server.accepts, server.refuses = False, (code, message)
    page = open_page()
    page.page.locator(".dock .call").click()
    page.page.wait_for_selector(".stage[data-phase='gone']", timeout=5000)
    assert words in notice(page).inner_text()
    server.reset()
    notice(page).get_by_role("button", name="Call again").click()
    page.page.wait_for_selector(".stage[data-phase='on']")


def test_a_line_that_broke_is_mended_though_its_old_end_still_counts(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page().call()
    server.accepts, server.refuses = False, ("too_many_calls", "1 call is open")
    end(server, 1012)
    notice(page).get_by_text("2 of 6").wait_for()
    server.reset()
    page.page.wait_for_selector(".stage[data-phase='on']")


def test_when_the_server_is_gone_for_good_it_says_what_to_look_at(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page().call()
    server.accepts = False
    end(server, 1012)
    for _ in range(6):  # rather than to wait for all pauses
        notice(page).get_by_role("button", name="Now").click()
        page.page.wait_for_timeout(150)
        if page.page.locator(".stage[data-phase='gone']").count():
            break
    page.page.wait_for_selector(".stage[data-phase='gone']")
    assert "make demo" in notice(page).inner_text()


def test_hanging_up_lets_go_of_microphone_and_camera(
    open_page: Open, server: ScriptedServer, camera: Any
) -> None:
    page = open_page(camera=camera).call()
    page.page.get_by_role("button", name="Show it the camera").click()
    page.page.wait_for_selector(".eye")
    page.page.evaluate(
        """() => {
          const { capture, eyes } = document.querySelector('#module-call-panel .omni').call;
          window.tracks = [...eyes.camera.stream.getTracks()];
        }"""
    )
    page.hang_up()
    assert page.page.evaluate("window.tracks.every(t => t.readyState === 'ended')")
    page.page.wait_for_timeout(300)
    assert server.calls == []
    assert page.page.locator(".eye").count() == 0


def test_a_microphone_that_is_unplugged_is_told_and_the_call_goes_on(
    open_page: Open, server: ScriptedServer
) -> None:
    server.answers.append(Answer(says="I can read you.", seconds=0.3))
    page = open_page()
    # What a browser does when a device goes: its tracks end by themselves.
    page.page.evaluate(
        """() => {
          const { mediaDevices } = navigator;
          const open = mediaDevices.getUserMedia.bind(mediaDevices);
          mediaDevices.getUserMedia = async wish => (window.microphone = await open(wish));
        }"""
    )
    page.call()
    page.page.evaluate(
        """() => {
          const [track] = window.microphone.getAudioTracks();
          track.stop();
          track.dispatchEvent(new Event('ended'));
        }"""
    )
    notice(page, "microphone").get_by_text("was unplugged").wait_for()
    page.write("Can you still read me?")
    page.page.get_by_text("I can read you.").first.wait_for()
    notice(page, "microphone").get_by_role("button", name="Try again").click()
    notice(page, "microphone").wait_for(state="detached")


def test_hanging_up_while_the_browser_still_asks_leaves_no_microphone_open(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page()
    page.page.evaluate(
        """() => {
          const { mediaDevices } = navigator;
          const open = mediaDevices.getUserMedia.bind(mediaDevices);
          window.allowed = new Promise(allow => { window.allow = allow; });
          mediaDevices.getUserMedia = async wish => {
            await window.allowed;
            return (window.stream = await open(wish));
          };
        }"""
    )
    page.page.locator(".dock .call").click()
    page.page.wait_for_selector(".stage[data-phase='connecting']")
    page.page.locator(".dock .call").click()
    page.page.wait_for_selector(".stage[data-phase='off']")
    page.page.evaluate("window.allow()")
    page.page.wait_for_function(
        "window.stream?.getTracks().every(track => track.readyState === 'ended')"
    )
    assert server.calls == []
    page.call()  # and another call can be made


def test_devices_that_are_not_there_any_more_are_replaced(
    open_page: Open, server: ScriptedServer, camera: Any
) -> None:
    page = open_page(camera=camera)
    gone = {"microphone": "gone", "camera": "gone", "speaker": "gone"}
    page.page.evaluate("c => localStorage.setItem('omni.choices', JSON.stringify(c))", gone)
    page.page.reload()
    page.page.wait_for_selector(".stage")
    page.call()
    until(lambda: bool(server.got_of("sound")))
    page.page.get_by_role("button", name="Show it the camera").click()
    page.page.wait_for_selector(".eye[data-source='camera']")
    assert page.page.locator(".notice").count() == 0


def test_a_second_tab_asks_before_it_takes_the_call(
    open_page: Open, server: ScriptedServer
) -> None:
    first = open_page().call()
    second = DemoPage(first.page.context, first.url).open()
    second.page.locator(".dock .call").click()
    asked = notice(second, "tab")
    asked.get_by_text("A call is going on in another tab").wait_for()
    assert first.stage.get_attribute("data-phase") == "on"
    asked.get_by_role("button", name="Take it over here").click()
    second.page.wait_for_selector(".stage[data-phase='on']")
    first.page.wait_for_selector(".stage[data-phase='off']")
    notice(first, "tab").get_by_text("goes on in another tab").wait_for()
    assert len(server.calls) == 1


def test_what_the_server_complains_about_is_shown(open_page: Open, server: ScriptedServer) -> None:
    page = open_page().call()
    (call,) = server.calls
    told = call.say("omni.trouble", message="The <b>voice</b> broke down.", kind="error")
    asyncio.run_coroutine_threadsafe(told, server.loop).result(10)
    trouble = notice(page, "trouble")
    trouble.wait_for()
    assert "The <b>voice</b> broke down." in trouble.inner_text()
    trouble.get_by_role("button", name="Put this message away").click()
    trouble.wait_for(state="detached")
