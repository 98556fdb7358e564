"""A call on the page: what goes in at the microphone, what comes out of the loudspeaker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from demo_page import DemoPage, until
from scripted_server import RATE, TONE, Answer, ScriptedServer

pytestmark = pytest.mark.browser

Open = Callable[..., DemoPage]
SAYS = "Two places serve sushi. Aoi is three hundred metres ahead, and Kaze round the corner."


def tone_seconds(sound: np.ndarray) -> float:
    """How long the answer's tone sounds in what was recorded."""
    blocks = sound[: len(sound) // 240 * 240].reshape(-1, 240)
    n = np.arange(240)
    wave = np.exp(-2j * np.pi * TONE * n / RATE)
    return float(np.sum(np.abs(blocks @ wave) / 120 > 0.02)) * 240 / RATE


# --- speech in, sound out ----------------------------------------------------------------------


def test_speech_goes_in_and_the_answer_comes_out_of_the_page(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any]
) -> None:
    server.answers.append(Answer(heard="Where can I get sushi?", says=SAYS, seconds=1.5))
    page = open_page(microphone=speech((1.0, 2.0)))
    page.states()
    page.call()
    page.record()
    page.page.wait_for_selector(".line.agent:not(.open) .coming:empty", state="attached")
    assert 0.8 < sum(e["seconds"] for e in server.got_of("sound") if e["loud"]) < 1.4
    assert tone_seconds(page.recorded()) == pytest.approx(1.5, abs=0.15)
    assert page.page.locator(".line.user p").inner_text() == "Where can I get sushi?"
    assert page.page.locator(".line.agent p").inner_text() == SAYS
    page.wait_state("idle")
    in_order = iter(page.shown_states)
    assert all(s in in_order for s in ("connecting", "idle", "listening", "thinking", "speaking"))
    assert page.errors == []
    assert page.outside == []


def test_the_server_is_told_how_the_page_wants_to_talk(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page()
    page.page.locator(".setup select[name='voice']").select_option("am_michael")
    page.page.locator(".setup select[name='language']").select_option("zh")
    page.call(agent="street-guide")
    assert server.queries == [{"omni": "1", "model": "street-guide"}]
    audio = server.got_of("session.update")[0]["session"]["audio"]
    assert audio["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert audio["input"]["transcription"] == {"language": "zh"}
    assert audio["input"]["turn_detection"]["type"] == "server_vad"
    assert audio["output"]["voice"] == "am_michael"


def test_what_was_played_is_reported_while_it_sounds(
    open_page: Open, server: ScriptedServer
) -> None:
    server.answers.append(Answer(says=SAYS, seconds=1.2))
    page = open_page().call()
    page.write("Where can I get sushi?")
    until(lambda: any(e["audio_ms"] == 1200 for e in server.got_of("omni.played")))
    told = [e["audio_ms"] for e in server.got_of("omni.played")]
    assert told == sorted(told)
    assert len(told) >= 3


def test_a_speaker_who_is_known_is_named(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any]
) -> None:
    server.answers.append(Answer(heard="It's me.", says="Hello Anna.", speaker="Anna"))
    page = open_page(microphone=speech((0.5, 1.2))).call()
    page.page.wait_for_selector(".line.agent")
    assert page.page.locator(".line.user .who").inner_text() == "Anna"


def test_who_is_there_is_shown_and_who_is_not_known_for_sure(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page().call()
    (call,) = server.calls
    here = [
        {"id": "p1", "name": "Anna", "sure": True, "speaking": True},
        {"id": "p2", "name": "<b>Ben</b>", "sure": False, "speaking": False},
        {"id": "p3", "name": None, "sure": True, "speaking": False},
    ]
    call.happens("omni.people", people=here)
    page.page.wait_for_selector(".people li >> nth=2")
    shown = page.page.locator(".people li").all_text_contents()
    assert shown == ["Anna(speaks)", "<b>Ben</b>?(not sure)", "?somebody unknown"]
    assert page.page.locator(".people li.speaks").all_text_contents() == shown[:1]
    call.happens("omni.people", people=here[:1])
    page.page.wait_for_function("document.querySelectorAll('.people li').length === 1")
    page.hang_up()
    assert page.page.locator(".people").is_hidden()


# --- talking over it ---------------------------------------------------------------------------


def test_the_answer_stops_when_it_is_talked_over(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any]
) -> None:
    server.answers.append(Answer(heard="Where can I get sushi?", says=SAYS, seconds=12))
    page = open_page(microphone=speech((0.5, 1.2), (5.0, 6.5)))
    page.states()
    page.call()
    page.record()
    page.page.wait_for_selector(".line.agent.cut")
    until(lambda: bool(server.got_of("conversation.item.truncate")))
    played = server.got_of("conversation.item.truncate")[0]["audio_end_ms"]
    page.page.wait_for_timeout(500)
    sound = page.recorded()
    assert not np.any(sound[-2400:]), "it goes on after it was stopped"
    assert 500 < played < 11_000
    assert tone_seconds(sound) * 1000 == pytest.approx(played, abs=60)
    cut = page.page.locator(".line.agent.cut")
    said, coming = (cut.locator(part).text_content() for part in (".said", ".coming"))
    assert said == "Two places"  # as the server knows it
    assert said + coming == SAYS
    assert "speaking" in page.shown_states
    assert page.shown_states[-1] in ("listening", "thinking", "idle")


def test_escape_stops_it_too(open_page: Open, server: ScriptedServer) -> None:
    server.answers.append(Answer(says=SAYS, seconds=12))
    page = open_page().call()
    page.write("Where can I get sushi?")
    page.wait_state("speaking")
    page.page.wait_for_timeout(400)
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector(".line.agent.cut")
    assert server.got_of("response.cancel")
    assert server.got_of("conversation.item.truncate")[0]["audio_end_ms"] > 0


def test_a_stock_server_is_interrupted_at_the_first_word(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any]
) -> None:
    server.omni = False
    server.answers.append(Answer(heard="Where?", says=SAYS, seconds=12))
    page = open_page(microphone=speech((0.5, 1.2), (5.0, 6.5))).call()
    page.page.wait_for_selector(".line.agent.cut")
    assert server.got_of("conversation.item.truncate")
    assert not server.got_of("omni.played")


# --- without a voice ---------------------------------------------------------------------------


def test_without_permission_it_says_what_to_do_and_writing_works(
    open_page: Open, server: ScriptedServer
) -> None:
    server.answers.append(Answer(says="With pleasure.", seconds=0.5))
    page = open_page(allow=False).call()
    notice = page.page.locator(".notice[data-about='microphone']")
    assert "Allow it by the sign beside the address" in notice.inner_text()
    assert page.page.locator(".lines").get_attribute("aria-live") == "polite"
    page.write("Can you hear me?")
    page.page.wait_for_selector(".line.agent")
    words = server.got_of("conversation.item.create")[0]["item"]["content"]
    assert words == [{"type": "input_text", "text": "Can you hear me?"}]
    page.page.context.grant_permissions(["microphone"])
    notice.get_by_role("button", name="Try again").click()
    notice.wait_for(state="detached")
    until(lambda: bool(server.got_of("sound")))


def test_muted_it_sends_silence(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any]
) -> None:
    page = open_page(microphone=speech((0.0, 20.0))).call()
    until(lambda: any(e["loud"] for e in server.got_of("sound")))
    page.page.get_by_role("button", name="Mute the microphone").click()
    page.page.wait_for_timeout(500)
    server.got.clear()
    page.page.wait_for_timeout(500)
    sounds = server.got_of("sound")
    assert len(sounds) > 5
    assert not any(e["loud"] for e in sounds)
    page.page.get_by_role("button", name="Unmute the microphone").click()
    until(lambda: any(e["loud"] for e in server.got_of("sound")))


@pytest.mark.parametrize("by", ["space", "button", "touch"])
def test_hold_to_talk_sends_only_what_is_held(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any], by: str
) -> None:
    server.answers.append(Answer(heard="Hello.", says="Hello!", seconds=0.4))
    page = open_page(microphone=speech((0.0, 20.0)))
    page.page.locator(".dock").get_by_role("button", name="Devices and turns").click()
    page.page.get_by_label("Hold to talk").check()
    page.page.keyboard.press("Escape")
    page.call()
    page.page.wait_for_timeout(300)
    assert server.got_of("sound") == []
    page.page.locator(".stage .word").click()  # nothing that wants the space bar has the focus
    talk = page.page.locator(".dock .talk")
    if by == "space":
        page.page.keyboard.down("Space")
    elif by == "button":
        talk.hover()
        page.page.mouse.down()
    else:
        talk.dispatch_event("pointerdown", {"button": 0, "pointerId": 1, "pointerType": "touch"})
    assert talk.get_attribute("aria-pressed") == "true"
    until(lambda: len(server.got_of("sound")) > 10)
    if by == "space":
        page.page.keyboard.up("Space")
    elif by == "button":
        page.page.mouse.up()
    else:
        talk.dispatch_event("pointerup", {"button": 0, "pointerId": 1, "pointerType": "touch"})
    page.page.wait_for_selector(".line.agent")
    kinds = [e["type"] for e in server.got if e["type"] != "sound"]
    assert kinds.index("input_audio_buffer.commit") < kinds.index("response.create")
    count = len(server.got_of("sound"))
    page.page.wait_for_timeout(300)
    assert len(server.got_of("sound")) == count


# --- seeing ------------------------------------------------------------------------------------


def test_the_camera_is_shown_as_small_pictures_twice_a_second_at_most(
    open_page: Open, server: ScriptedServer, camera: Any, speech: Callable[..., Any]
) -> None:
    page = open_page(camera=camera, microphone=speech((0.0, 25.0))).call()
    page.page.get_by_role("button", name="Show it the camera").click()
    page.page.wait_for_selector(".eye[data-source='camera'].saw")
    page.wait_state("listening")
    server.got.clear()
    page.page.wait_for_timeout(3000)
    parts = [e["item"]["content"] for e in server.got_of("conversation.item.create")]
    assert 2 <= len(parts) <= 7
    ((part,), *_) = parts
    assert part["type"] == "input_image"
    assert (part["detail"], part["omni_source"]) == ("low", "camera")
    assert part["image_url"].startswith("data:image/jpeg;base64,")
    assert len(part["image_url"]) < 200_000
    page.page.get_by_role("button", name="Camera off").click()
    page.page.wait_for_selector(".eye", state="detached")
    server.got.clear()
    page.page.wait_for_timeout(1000)
    assert server.got_of("conversation.item.create") == []


def test_a_camera_that_is_refused_is_explained(open_page: Open, server: ScriptedServer) -> None:
    page = open_page(allow=False).call()
    page.page.get_by_role("button", name="Show it the camera").click()
    notice = page.page.locator(".notice[data-about='eye']")
    notice.wait_for()
    assert "may not use the camera" in notice.inner_text()


def test_the_screen_is_a_second_source(open_page: Open, server: ScriptedServer) -> None:
    page = open_page(share=True).call()
    page.page.get_by_role("button", name="Share the screen").click()
    page.page.wait_for_selector(".eye[data-source='screen'].saw")
    part = server.got_of("conversation.item.create")[0]["item"]["content"][0]
    assert (part["detail"], part["omni_source"]) == ("low", "screen")
    page.page.get_by_role("button", name="Stop sharing the screen").click()
    page.page.wait_for_selector(".eye", state="detached")


def test_another_microphone_can_be_chosen_in_the_call(
    open_page: Open, server: ScriptedServer
) -> None:
    page = open_page().call()
    page.page.locator(".dock").get_by_role("button", name="Devices and turns").click()
    page.page.wait_for_selector("dialog[open]")
    choice = page.page.locator("dialog[open] select[name='microphone']")
    names = choice.locator("option").all_inner_texts()
    assert len(names) > 1, names
    page.page.evaluate(
        """() => {
          const { mediaDevices } = navigator;
          const open = mediaDevices.getUserMedia.bind(mediaDevices);
          mediaDevices.getUserMedia = wish => (window.wished = wish, open(wish));
        }"""
    )
    choice.select_option(index=1)
    page.page.wait_for_function("window.wished !== undefined")
    wished = page.page.evaluate("window.wished.audio")
    assert wished["deviceId"] == {"exact": choice.input_value()}
    assert wished["echoCancellation"] is True
    assert wished["noiseSuppression"] is True
    server.got.clear()
    until(lambda: bool(server.got_of("sound")))


def test_a_picture_is_sent_with_words(
    open_page: Open, server: ScriptedServer, tmp_path: Any
) -> None:
    from PIL import Image

    picture = tmp_path / "menu.png"
    Image.new("RGB", (4000, 3000), (250, 240, 200)).save(picture)
    server.answers.append(Answer(says="It is empty.", seconds=0.3))
    page = open_page().call()
    page.page.locator(".composer input[type='file']").set_input_files(picture)
    page.page.wait_for_selector(".thumbs img")
    page.write("What is on the menu?")
    page.page.wait_for_selector(".line.agent")
    image, words = server.got_of("conversation.item.create")[0]["item"]["content"]
    assert image["image_url"].startswith("data:image/jpeg")
    assert "detail" not in image
    assert words["text"] == "What is on the menu?"


def test_a_file_that_is_no_picture_is_refused_in_words(
    open_page: Open, server: ScriptedServer, tmp_path: Any
) -> None:
    fake = tmp_path / "menu.png"
    fake.write_bytes(b"no picture at all")
    page = open_page().call()
    page.page.locator(".composer input[type='file']").set_input_files(fake)
    page.write("Look.")
    notice = page.page.locator(".notice[data-about='eye']")
    notice.wait_for()
    assert "no picture that this browser can read" in notice.inner_text()
    assert server.got_of("conversation.item.create") == []


# --- acting ------------------------------------------------------------------------------------

RECIPE = {"recipe": "Mapo tofu", "step": 2, "steps": 6, "servings": 4}
STEP = "Mapo tofu for 4. Step 2 of 6. Fry the pork until it is crisp."


def test_a_recipe_is_a_card_that_moves_from_step_to_step(
    open_page: Open, server: ScriptedServer
) -> None:
    server.answers += [
        Answer(
            says="Fry the pork.",
            tools=[{"name": "start_recipe", "result": json.dumps(RECIPE), "say": STEP}],
        ),
        Answer(
            says="Step 3 of 6. Add the tofu.",
            tools=[{"name": "next_step", "result": json.dumps({**RECIPE, "step": 3})}],
        ),
    ]
    page = open_page().call()
    page.write("Let's make mapo tofu.")
    card = page.page.locator(".card[data-kind='recipe']")
    card.locator(".step", has_text="Fry the pork until it is crisp.").wait_for()
    assert card.locator("h3").inner_text() == "Mapo tofu"
    assert card.locator(".place").inner_text().split() == ["2", "of", "6", "steps"]
    assert card.locator(".took").inner_text() == "for 4"
    page.wait_state("idle")
    page.write("Done.")
    card.locator(".step", has_text="Add the tofu.").wait_for()  # from what is said, lacking more
    assert card.count() == 1
    assert card.locator(".place b").inner_text() == "3"


def test_timers_count_down_side_by_side_survive_a_reload_and_ring(
    open_page: Open, server: ScriptedServer
) -> None:
    tools = [
        {"name": "set_timer", "result": json.dumps({"name": "rice", "seconds": 600})},
        {"name": "start_step_timer", "result": json.dumps({"timer": "pork", "seconds": 6})},
    ]
    server.answers.append(Answer(says="Both run.", seconds=0.3, tools=tools))
    page = open_page().call()
    page.write("Set two timers.")
    page.page.wait_for_selector(".timer >> nth=1")
    left = page.page.locator(".timer", has_text="rice").locator(".remaining")
    before = left.inner_text()
    assert before.startswith(("10:00", "9:5"))
    until(lambda: left.inner_text() != before)
    page.page.wait_for_selector(".timer.rung")
    assert "Time is up" in page.page.locator(".timer.rung").inner_text()
    assert page.page.get_by_role("alert").filter(has_text="Time is up: pork").count() == 1
    page.page.reload()
    page.page.wait_for_selector(".timer")
    assert page.page.locator(".timer").count() == 1


PLACES = [
    {"name": "Aoi", "kind": "sushi restaurant", "direction": "to the north",
     "why": "open until 22:00, 4 minutes' walk", "at": [60.1722, 24.9384]},
    {"name": "Kaze", "kind": "sushi restaurant", "direction": "to the east",
     "why": "closed, opens at 17:00", "at": [60.1699, 24.9474]},
]  # fmt: skip


def test_places_lie_on_a_map_and_in_a_list_with_hours_way_and_minutes(
    open_page: Open, server: ScriptedServer
) -> None:
    result = json.dumps({"places": PLACES, "attribution": "© OpenStreetMap contributors"})
    server.answers.append(Answer(says=SAYS, tools=[{"name": "find_places", "result": result}]))
    page = open_page().call(agent="street-guide")
    page.write("Where can I get sushi?")
    card = page.page.locator(".card[data-kind='places']")
    card.wait_for()
    first, second = card.locator("ol.places li").all()
    assert "open until 22:00" in first.inner_text()
    assert "4 min" in first.inner_text()
    assert "8 min" in second.inner_text()
    assert [a.evaluate("e => e.style.rotate") for a in card.locator(".arrow").all()] == [
        "0deg",
        "90deg",
    ]
    spots = [
        (float(s.get_attribute("cx")), float(s.get_attribute("cy")))
        for s in card.locator(".pin .spot").all()
    ]
    (x1, y1), (x2, y2) = spots
    you = card.locator(".you circle").last
    assert x1 == pytest.approx(float(you.get_attribute("cx")), abs=0.5)  # straight north of you
    assert y1 < float(you.get_attribute("cy")) < y2 + 0.5
    assert x2 > x1
    assert "© OpenStreetMap" in card.inner_text()


def test_a_tool_that_failed_says_so(open_page: Open, server: ScriptedServer) -> None:
    tool = {"name": "find_places", "result": "no map is at hand", "is_error": True}
    server.answers.append(Answer(says="I am sorry.", tools=[tool]))
    page = open_page().call()
    page.write("Where can I get sushi?")
    card = page.page.locator(".card[data-kind='failed']")
    card.wait_for()
    assert "no map is at hand" in card.inner_text()


def test_a_slow_tool_is_seen_while_it_works(open_page: Open, server: ScriptedServer) -> None:
    tool = {"name": "walk_the_dog", "arguments": {"name": "Rex"}, "result": "done"}
    server.answers.append(Answer(says="He was glad.", tools=[tool], acts=3))
    page = open_page().call()
    page.write("Walk the dog.")
    page.page.wait_for_selector(".card.working")
    assert "walk the dog" in page.page.locator(".card.working").inner_text()
    page.wait_state("acting")
    page.page.wait_for_selector(".card:not(.working) .given")
    assert "Rex" in page.page.locator(".card .given").inner_text()


def test_how_quick_a_turn_was_can_be_read(open_page: Open, server: ScriptedServer) -> None:
    latency = {"turn": 1, "end_of_turn": 0.31, "first_text": 0.62, "first_audio": 0.94,
               "first_filler": None, "tools": 0.0, "drafted": True, "drafts": 1}  # fmt: skip
    server.answers.append(Answer(says="Hello.", seconds=0.2, latency=latency))
    page = open_page().call()
    page.write("Hello")
    page.page.wait_for_selector(".latency:not([hidden])")
    values = page.page.locator(".latency dd").all_inner_texts()
    assert values == ["0.31 s", "0.62 s", "0.94 s"]


EVIL = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><b>bold</b>'


def test_nothing_that_is_said_or_found_becomes_markup(
    open_page: Open, server: ScriptedServer, speech: Callable[..., Any]
) -> None:
    place = {"name": EVIL, "kind": EVIL, "why": EVIL, "at": [60.17, 24.94],
             "website": "javascript:window.pwned=1"}  # fmt: skip
    tools = [
        {"name": EVIL, "arguments": {EVIL: EVIL}, "result": EVIL},
        {"name": "place_details", "result": json.dumps({**place, "hours": EVIL})},
        {"name": "find_places", "result": json.dumps({"places": [place], "attribution": EVIL})},
        {"name": "set_timer", "result": json.dumps({"name": EVIL, "seconds": 60})},
        {"name": "start_recipe", "result": json.dumps({**RECIPE, "recipe": EVIL}), "say": EVIL},
        {"name": "find_recipe", "result": json.dumps([{"name": EVIL, "course": EVIL}])},
        {"name": "broken", "result": EVIL, "is_error": True},
    ]
    memory = {"id": "m1", "text": EVIL, "kind": EVIL, "score": 1.0, "speaker": EVIL}
    answer = Answer(heard=EVIL, says=EVIL, tools=tools, memories=[memory], speaker=EVIL, acts=0.01)
    server.answers.append(answer)
    page = open_page(microphone=speech((0.3, 1.0))).call()
    page.page.wait_for_selector(".line.agent:not(.open)")
    assert page.page.locator(".card").count() == 7
    assert page.page.evaluate("window.pwned") is None
    assert page.page.locator(".call-panel img, .call-panel script, .card b b").count() == 0
    assert page.page.locator("a[href^='javascript']").count() == 0
    assert EVIL in page.page.locator(".line.agent p").inner_text()
